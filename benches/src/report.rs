//! Rows as JSON, as a table for people, and as Markdown.

use std::fmt::Write as _;

use delta_native::replay::SyntheticReport;

use crate::measure::Row;

/// One row for people.
#[must_use]
pub fn line(row: &Row) -> String {
    format!(
        "{:<62} {:>10} {:>10} {:<4} {:<28} {:>8} {:>6}  {}",
        row.work,
        figure(row.ours),
        figure(row.peer),
        row.unit,
        row.peer_name,
        format!("{:.2}x", row.ratio),
        row.bar.map_or_else(|| "-".to_owned(), figure),
        verdict(row)
    )
}

/// What stands above the lines.
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<62} {:>10} {:>10} {:<4} {:<28} {:>8} {:>6}  met",
        "work", "ours", "peer", "unit", "peer's name", "ratio", "bar"
    )
}

/// All rows as a Markdown table.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| work | ours | peer | unit | peer's name | ratio | bar | met |\n\
         |---|--:|--:|---|---|--:|--:|---|\n",
    );
    let mut last = "";
    for row in rows {
        // The work is named once, before its first peer.
        let work = if row.work == last { "" } else { &row.work };
        last = &row.work;
        let bar = row.bar.map(figure).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {work} | {} | {} | {} | {} | {:.2} | {bar} | {} |",
            figure(row.ours),
            figure(row.peer),
            row.unit,
            row.peer_name,
            row.ratio,
            verdict(row)
        );
    }
    text
}

/// One line: how many bars are met, and which are not.
#[must_use]
pub fn summary(rows: &[Row]) -> String {
    let with_bar = rows.iter().filter(|row| row.bar.is_some()).count();
    let lost: Vec<_> = rows.iter().filter(|row| row.met == Some(false)).collect();
    let mut text = format!("{} of {with_bar} bars are met", with_bar - lost.len());
    for row in lost {
        let _ = write!(text, "\nlost: {} against {}", row.work, row.peer_name);
        let bar = row.bar.unwrap_or_default();
        let _ = write!(text, ", {:.2}x, {} demanded", row.ratio, figure(bar));
    }
    text
}

/// What an update costs in tables of so many rows, and what a row takes: `costs` are (rows,
/// nanoseconds), `reports` one of each size.
#[must_use]
pub fn scale<'r>(
    costs: &[(f64, f64)],
    reports: impl Iterator<Item = &'r SyntheticReport>,
) -> String {
    let mut text = String::from(
        "| rows | table, MB | ns an update | primary, bytes a row | replica, bytes a row |\n\
         |--:|--:|--:|--:|--:|\n",
    );
    for ((rows, update_ns), report) in costs.iter().zip(reports) {
        let table = rows * f64::from(report.dim) * 4.0 / 1e6;
        let _ = writeln!(
            text,
            "| {rows} | {} | {} | {} | {} |",
            figure(table),
            figure(*update_ns),
            figure(report.primary_bytes_per_row),
            figure(report.replica_bytes_per_row)
        );
    }
    text
}

fn verdict(row: &Row) -> &'static str {
    match row.met {
        Some(true) => "yes",
        Some(false) => "LOST",
        None => "",
    }
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, bar: Option<f64>) -> Row {
        Row {
            work: "diff".into(),
            ours: 100.0 / ratio,
            peer: 100.0,
            peer_name: "peer".into(),
            unit: "ns".into(),
            ratio,
            bar,
            met: bar.map(|bar| ratio >= bar),
        }
    }

    #[test]
    fn lost_bars_are_named() {
        let rows = [row(4.0, Some(3.0)), row(2.0, Some(3.0)), row(1.0, None)];
        assert_eq!(
            summary(&rows),
            "1 of 2 bars are met\nlost: diff against peer, 2.00x, 3.00 demanded"
        );
        let text = markdown(&rows);
        assert!(text.contains("| diff | 25.0 | 100 | ns | peer | 4.00 | 3.00 | yes |\n"));
        assert!(text.contains("|  | 50.0 | 100 | ns | peer | 2.00 | 3.00 | LOST |\n"));
    }

    #[test]
    fn json_has_the_promised_members() {
        let json = serde_json::to_value([row(4.0, Some(3.0))]).unwrap();
        let members = json[0].as_object().unwrap();
        for name in [
            "work",
            "ours",
            "peer",
            "peer_name",
            "unit",
            "ratio",
            "bar",
            "met",
        ] {
            assert!(members.contains_key(name), "{name}");
        }
    }
}
