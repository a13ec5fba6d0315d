//! `delta replay [STREAM...]`.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use delta_core::codec::{Bound, CodecSet, Encoding, Tag};
use delta_native::replay::stages::run_stages;
use delta_native::replay::{Options, Report, Synthetic, SyntheticReport, replay, replay_synthetic};
use delta_native::{sample, stream::Stream};
use indicatif::{ProgressBar, ProgressStyle};

use super::graph::GraphArgs;

/// Replay update streams into replicas and compare these bit for bit
///
/// Every event goes primary -> capture thread -> ring -> apply thread -> replica; at the end rows,
/// ids, metadata and tombstones of primary and replica are compared. Without STREAM, the small real
/// sample that travels inside this command is replayed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Path stems of streams: NAME.jsonl + NAME.npy (events), NAME.init.npy + .step.npy +
    /// .row.npy + .new.npy (row updates), or NAME.npy alone (2-D: snapshots, 3-D: old and new
    /// pairs)
    #[arg(value_name = "STREAM")]
    streams: Vec<PathBuf>,
    /// Print one JSON object a stream, a line each
    #[arg(long)]
    json: bool,
    /// Most updates of one time that share a record; 1: none do
    #[arg(long, value_name = "N", default_value_t = Options::default().batch,
          value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Let rows of the replica be off: no component by more than R times the root mean square of
    /// its row; exact without
    #[arg(long, value_name = "R", value_parser = bound)]
    bound: Option<Bound>,
    /// Encode rows with this codec where it can be, else raw; auto: the one that needs the fewest
    /// bytes
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = codecs)]
    codec: CodecSet,
    /// Make updates up instead, as they are needed: N updates of CHANGED% of DIM components, in
    /// random rows of a table of ROWS (100,000), as in 1000000,384,5%
    #[arg(long, value_name = "N,DIM,CHANGED%[,ROWS]",
          conflicts_with_all = ["streams", "batch", "bound", "codec", "clustered", "graph"])]
    synthetic: Option<Synthetic>,
    /// Replay a generated stream too: N inserts of DIM components around common centres
    #[arg(long, value_name = "N,DIM", value_parser = two_numbers)]
    clustered: Option<(u32, u32)>,
    #[command(flatten)]
    graph: GraphArgs,
    #[command(flatten)]
    stages: super::stages::StageArgs,
}

fn two_numbers(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once(',').and_then(|(rows, dim)| {
        let number = |text: &str| text.trim().parse().ok().filter(|&number: &u32| number > 0);
        Some((number(rows)?, number(dim)?))
    });
    numbers.ok_or_else(|| "give two numbers from 1, as in 20000,128".to_owned())
}

fn bound(text: &str) -> Result<Bound, String> {
    let number: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    Bound::new(number).map_err(|error| error.to_string())
}

/// A codec's name stands for it both from the old row and from zero.
fn codecs(name: &str) -> Result<CodecSet, String> {
    let of_name = |tag: &Tag| tag.name().trim_end_matches("-from-zero") == name;
    let tags: Vec<Tag> = Tag::ALL.into_iter().filter(of_name).collect();
    match tags.as_slice() {
        [] if name == "auto" => Ok(CodecSet::ALL),
        [] => Err("use auto, raw, sparse, grid, ranks, flips, bytes or steps".to_owned()),
        tags => Ok(tags.iter().fold(CodecSet::RAW, |set, tag| set.with(*tag))),
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            streams: Vec::new(),
            json: false,
            batch: Options::default().batch,
            bound: None,
            codec: CodecSet::ALL,
            synthetic: None,
            clustered: None,
            graph: GraphArgs::default(),
            stages: super::stages::StageArgs::default(),
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(synthetic) = &args.synthetic {
        return run_synthetic(synthetic, args.json);
    }
    let given = args.streams.len() + usize::from(args.clustered.is_some());
    let progress = Progress::new(if given == 0 {
        sample::NAMES.len()
    } else {
        given
    });
    let mut reports = Vec::new();
    let mut step = |stream: Stream| -> anyhow::Result<()> {
        progress.begin("replaying", stream.name());
        let options = Options {
            batch: args.batch,
            graph: args.graph.options(),
            encoding: Encoding {
                codecs: args.codec,
                bound: args.bound,
                unit: delta_native::cpu::vector_unit(),
            },
        };
        let mut report = replay(&stream, &options)
            .with_context(|| format!("cannot replay {}", stream.name()))?;
        report.stages = run_stages(&stream, &args.stages.stages())
            .with_context(|| format!("cannot run the stages of {}", stream.name()))?;
        if args.json {
            let mut line = serde_json::to_vec(&report).context("cannot write a report")?;
            line.push(b'\n');
            progress.suspend(|| super::print(&line))?;
        }
        reports.push(report);
        progress.advance();
        Ok(())
    };
    if given == 0 {
        for stream in sample::streams().context("cannot load the sample")? {
            step(stream)?;
        }
    }
    for path in &args.streams {
        progress.begin("loading", &path.display().to_string());
        let stream = Stream::load(path)
            .with_context(|| format!("cannot load the stream {}", path.display()))?;
        step(stream)?;
    }
    if let Some((rows, dim)) = args.clustered {
        progress.begin("generating", "rows");
        step(Stream::clustered(rows, dim).context("cannot generate a stream")?)?;
    }
    progress.finish();
    if !args.json {
        super::print(text(&reports).as_bytes())?;
    }
    Ok(ExitCode::from(exit_code(&reports)))
}

fn run_synthetic(synthetic: &Synthetic, json: bool) -> anyhow::Result<ExitCode> {
    let report = replay_synthetic(synthetic).context("cannot replay made-up updates")?;
    let text = if json {
        serde_json::to_string(&report).context("cannot write a report")? + "\n"
    } else {
        synthetic_text(&report)
    };
    super::print(text.as_bytes())?;
    Ok(ExitCode::from(if report.replica_identical {
        0
    } else {
        super::EXIT_DIFFERENT
    }))
}

/// The lines that a person reads.
fn synthetic_text(report: &SyntheticReport) -> String {
    let verdict = if report.replica_identical {
        "replica identical"
    } else {
        "replica DIFFERS"
    };
    format!(
        "{} updates of {}% of {} components, {} rows: {:.0} ns each, {} a second\n\
         memory for each row: primary {:.0} bytes, replica {:.0}; ring {} bytes; {:.1} bytes a \
         record\n{verdict}, digest {}\n",
        grouped(report.updates),
        report.changed_percent,
        report.dim,
        grouped(u64::from(report.rows)),
        report.update_ns,
        grouped_rate(report.deltas_per_s),
        report.primary_bytes_per_row,
        report.replica_bytes_per_row,
        grouped(report.ring_bytes as u64),
        report.wire_bytes_per_update,
        report.digest
    )
}

/// 0 only if every replica is identical.
fn exit_code(reports: &[Report]) -> u8 {
    if reports.iter().all(Report::is_sound) {
        0
    } else {
        super::EXIT_DIFFERENT
    }
}

/// The table that a person reads, and below it what it comes to.
fn text(reports: &[Report]) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "stream", "dim", "inserts", "updates", "deletes", "raw/wire", "deltas/s", "p50 us",
            "p99 us", "replica",
        ]);
    for report in reports {
        table.add_row([
            report.stream.clone(),
            report.dim.to_string(),
            grouped(report.inserts),
            grouped(report.updates),
            grouped(report.deletes),
            format!("{:.2}", report.wire_ratio_total),
            grouped_rate(report.deltas_per_s),
            microseconds(report.latency_ns_p50),
            microseconds(report.latency_ns_p99),
            if report.replica_identical {
                "identical"
            } else {
                "DIFFERS"
            }
            .to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(8) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n{}", graph_text(reports));
    for report in reports {
        if let Some(difference) = &report.difference {
            text.push_str(&format!(
                "{}: replica differs in {difference}\n",
                report.stream
            ));
        }
    }
    for report in reports {
        for stage in &report.stages {
            let verdict = if stage.identical { "ok" } else { "DIFFERS" };
            text.push_str(&format!(
                "{}: {} {verdict}: {}\n",
                report.stream, stage.stage, stage.summary
            ));
        }
    }
    if reports.iter().all(|report| report.replica_identical) {
        let deltas = reports.iter().map(|report| report.deltas).sum::<u64>();
        text.push_str(&format!(
            "replica identical: rows, ids, metadata and tombstones, bit for bit, after {} deltas\n",
            grouped(deltas)
        ));
    }
    text
}

/// What replays with an index found: a line a stream that has one.
fn graph_text(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        let Some(graph) = &report.graph else {
            continue;
        };
        let verdict = match (&graph.graph_difference, graph.search_equal) {
            (Some(difference), _) => format!("DIFFERS in {difference}"),
            (None, false) => "identical, but ANSWERS DIFFER".to_owned(),
            (None, true) => format!(
                "identical, {} searches answered alike, recall@10 {:.3}",
                grouped(graph.queries as u64),
                graph.recall_at_10.replica
            ),
        };
        text.push_str(&format!(
            "{}: graph of {} {verdict}; {:.1} bytes an insert, applied in {:.1} ms against {:.0} \
             ms to build the index again ({:.0} times)\n",
            report.stream,
            graph.index,
            graph.graph_bytes_per_insert,
            graph.apply_ms,
            graph.rebuild_ms,
            graph.rebuild_ratio,
        ));
    }
    text
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people, finite and positive"
)]
fn grouped_rate(rate: f64) -> String {
    grouped(rate.round() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn microseconds(nanoseconds: u64) -> String {
    format!("{:.2}", nanoseconds as f64 / 1e3)
}

/// A bar on standard error where that is a terminal, and silence elsewhere.
struct Progress(ProgressBar);

impl Progress {
    fn new(streams: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(streams as u64);
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{pos}/{len}] {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn begin(&self, what: &str, name: &str) {
        self.0.set_message(format!("{what} {name}"));
    }

    fn advance(&self) {
        self.0.inc(1);
    }

    fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.0.suspend(print)
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_replica_that_differs_is_said_and_exits_with_3() {
        let streams = sample::streams().unwrap();
        let mut reports: Vec<Report> = streams
            .iter()
            .map(|stream| replay(stream, &Options::default()).unwrap())
            .collect();
        assert_eq!(exit_code(&reports), 0);
        assert!(text(&reports).contains("replica identical"));
        reports[0].replica_identical = false;
        reports[0].difference = Some("the row of slot 3".to_owned());
        assert_eq!(exit_code(&reports), 3);
        let text = text(&reports);
        assert!(text.contains("DIFFERS") && !text.contains("replica identical"));
        assert!(text.contains("book_docs: replica differs in the row of slot 3"));
    }

    #[test]
    fn a_made_up_replica_that_differs_is_said() {
        let mut report = replay_synthetic(&"20,8,50%,2".parse().unwrap()).unwrap();
        assert!(synthetic_text(&report).contains("replica identical"));
        report.replica_identical = false;
        assert!(synthetic_text(&report).contains("DIFFERS"));
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
