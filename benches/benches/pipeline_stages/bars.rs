//! What was measured beside what was demanded.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

/// What criterion found for one function.
struct Found {
    /// Median of a round.
    round_ns: f64,
    /// Elements or bytes of a round.
    items: f64,
}

impl Found {
    fn item_ns(&self) -> f64 {
        self.round_ns / self.items
    }
}

/// Results that are newer than the run's start.
struct Results {
    folder: PathBuf,
    start: SystemTime,
}

impl Results {
    fn find(&self, group: &str, function: &str) -> Option<Found> {
        let group = self.folder.join(format!("pipeline_{group}"));
        let found = group.join(function.replace('/', "_")).join("new");
        let estimates = self.read(&found.join("estimates.json"))?;
        let benchmark = self.read(&found.join("benchmark.json"))?;
        let throughput = benchmark.get("throughput");
        let of = |unit: &str| throughput?.get(unit)?.as_f64();
        Some(Found {
            round_ns: estimates.pointer("/median/point_estimate")?.as_f64()?,
            items: of("Elements").or(of("Bytes")).unwrap_or(1.0),
        })
    }

    fn read(&self, file: &Path) -> Option<Value> {
        let changed = std::fs::metadata(file).ok()?.modified().ok()?;
        let text = std::fs::read(file).ok().filter(|_| changed >= self.start)?;
        serde_json::from_slice(&text).ok()
    }

    fn item_ns(&self, group: &str, function: &str) -> Option<f64> {
        self.find(group, function).map(|found| found.item_ns())
    }

    /// What a gate takes of a record.
    fn gate_ns(&self, workload: &str) -> Option<f64> {
        let of = |name: &str| self.item_ns("gate", &format!("{workload}/{name}"));
        Some(of("gated")? - of("ungated")?)
    }
}

enum Bar {
    AtLeast(f64),
    AtMost(f64),
    None,
}

struct Row {
    figure: &'static str,
    unit: &'static str,
    bar: Bar,
    found: Option<f64>,
}

fn rows(results: &Results) -> Vec<Row> {
    use Bar::{AtLeast, AtMost};
    let ns = |group, function| results.item_ns(group, function);
    let us = |group, function| ns(group, function).map(|ns| ns / 1e3);
    let millions = |group, function| ns(group, function).map(|ns| 1e3 / ns);
    let gigabytes = |function| ns("compact", function).map(|ns| 1.0 / ns);
    let dense = |function| ns("workers", function);
    let speedup = dense("dense_1536d_1GiB/1").zip(dense("dense_1536d_1GiB/2"));
    let speedup = speedup.map(|(one, two)| one / two);
    let row = |figure, unit, bar, found| Row {
        figure,
        unit,
        bar,
        found,
    };
    let apply = millions("apply", "one_worker/384d/5%");
    let captures = millions("capture", "updates/384d/5%");
    let four = millions("workers", "sparse_384d/4");
    let inserts = us("batches", "100_inserts/384d");
    let updates = us("batches", "100_updates/384d/5%");
    let (mark, clean) = (ns("delete", "mark/384d"), ns("delete", "clean_up/384d"));
    let gate = |workload| results.gate_ns(workload);
    let marker = ns("checkpoint", "write_and_read");
    vec![
        row("captures, 384-d 5%", "M/s", AtLeast(0.05), captures),
        row(
            "applies, frames parsed, 384-d 5%",
            "M/s",
            AtLeast(2.0),
            apply,
        ),
        row(
            "applies by four workers, 384-d 5%",
            "M/s",
            AtLeast(0.1),
            four,
        ),
        row(
            "two workers against one, dense 1,536-d, 1 GiB",
            "x",
            AtLeast(1.6),
            speedup,
        ),
        row("a batch of 100 inserts, 384-d", "us", AtMost(2e3), inserts),
        row(
            "a batch of 100 updates, 384-d 5%",
            "us",
            AtMost(1e3),
            updates,
        ),
        row("a delete, marked", "ns", AtMost(2e4), mark),
        row(
            "a deleted row, cleaned up in steps of 64",
            "ns",
            Bar::None,
            clean,
        ),
        row("gate, 384-d 5%", "ns", AtMost(100.0), gate("384d/5%")),
        row("gate, 1,536-d 5%", "ns", AtMost(100.0), gate("1536d/5%")),
        row(
            "gate, 384-d 100%, packed",
            "ns",
            AtMost(100.0),
            gate("384d/100%"),
        ),
        row(
            "compaction, 384-d 5%",
            "GB/s",
            AtLeast(1.0),
            gigabytes("384d/5%/all"),
        ),
        row(
            "compaction, 1,536-d 5%",
            "GB/s",
            AtLeast(1.0),
            gigabytes("1536d/5%/all"),
        ),
        row(
            "compaction, 1,536-d 100%, raw",
            "GB/s",
            AtLeast(1.0),
            gigabytes("1536d/100%/plain"),
        ),
        row(
            "compaction, 1,536-d 100%, packed",
            "GB/s",
            AtLeast(1.0),
            gigabytes("1536d/100%/all"),
        ),
        row(
            "a checkpoint's marker, written and read",
            "ns",
            AtMost(1e7),
            marker,
        ),
    ]
}

/// Prints the figures that were measured since `start`, as a table in Markdown.
pub(crate) fn print_since(start: SystemTime) {
    let results = Results {
        folder: folder(),
        start,
    };
    println!("| figure | bar | measured | met |\n|---|--:|--:|---|");
    for row in rows(&results) {
        let Some(found) = row.found else { continue };
        let Row { figure, unit, .. } = row;
        let met = |is_met| if is_met { "yes" } else { "LOST" };
        let (bar, met) = match row.bar {
            Bar::AtLeast(bar) => (format!("&ge; {bar} {unit}"), met(found >= bar)),
            Bar::AtMost(bar) => (format!("&le; {bar} {unit}"), met(found <= bar)),
            Bar::None => (String::new(), ""),
        };
        println!("| {figure} | {bar} | {found:.3} {unit} | {met} |");
    }
}

/// Where criterion keeps its results: beside the profile's folder that this program lies in.
fn folder() -> PathBuf {
    if let Some(home) = std::env::var_os("CRITERION_HOME") {
        return home.into();
    }
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(3).map(Path::to_owned);
    target.unwrap_or_default().join("criterion")
}
