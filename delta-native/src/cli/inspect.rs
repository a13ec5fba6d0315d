//! `delta inspect X.delta [--json]`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use delta_native::inspect::{CodecSummary, RecordSummary, inspect};
use delta_native::source::read_file;

/// Show the records of a .delta file: headers, kinds, sizes, checks
///
/// Records before a damaged one are shown; the damage is then reported and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to show
    #[arg(value_name = "X.delta")]
    delta: PathBuf,
    /// Print one JSON object a record, a line each, and one for the stream
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.delta.display();
    let bytes = read_file(&args.delta).with_context(|| format!("cannot read {name}"))?;
    let mut records = Vec::new();
    let result = inspect(&bytes, |record| records.push(record.clone()));
    if args.json {
        let mut lines = Vec::new();
        for record in &records {
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        if let Ok(summary) = &result {
            serde_json::to_writer(&mut lines, &serde_json::json!({ "stream": summary }))?;
            lines.push(b'\n');
        }
        super::print(&lines)?;
    } else {
        super::print(format!("{}\n", table(&records)).as_bytes())?;
        if let Ok(summary) = &result {
            let text = format!(
                "{} records in {} bytes, rows of {}, {} base slots; every checksum fits\n",
                summary.records, summary.bytes, summary.dim, summary.base_slots
            );
            super::print(text.as_bytes())?;
            super::print(format!("{}\n", codecs(&summary.codecs)).as_bytes())?;
        }
    }
    result.with_context(|| format!("{name} is damaged"))?;
    Ok(ExitCode::SUCCESS)
}

/// What each codec was used for.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn codecs(codecs: &[CodecSummary]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["codec", "rows", "values", "raw/values"]);
    for codec in codecs {
        table.add_row([
            codec.codec.to_owned(),
            codec.rows.to_string(),
            codec.value_bytes.to_string(),
            format!("{:.2}", codec.raw_bytes as f64 / codec.value_bytes as f64),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn table(records: &[RecordSummary]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "offset",
            "sequence",
            "epoch",
            "operation",
            "slot",
            "previous",
            "rows",
            "codec",
            "values",
            "metadata",
            "bytes",
            "digest",
        ]);
    for record in records {
        table.add_row([
            record.offset.to_string(),
            record.sequence.to_string(),
            record.epoch.to_string(),
            record.operation.to_owned(),
            record
                .slot
                .map_or_else(String::new, |slot| slot.to_string()),
            record.prev_sequence.to_string(),
            record.rows.to_string(),
            record.codec.unwrap_or_default().to_owned(),
            record.value_bytes.to_string(),
            format!(
                "{}{}",
                record.metadata_bytes,
                if record.compressed { " lz4" } else { "" }
            ),
            record.bytes.to_string(),
            record.digest.clone().unwrap_or_default(),
        ]);
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        if !matches!(number, 3 | 7 | 11) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
