//! `delta search X.delta SLOT`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use delta_core::kernel::distance::Metric;
use delta_native::search::{Hit, Question, search};
use delta_native::source::read_file;

/// Search a replica that the records of a .delta file make, for the rows nearest to one of them
///
/// By the stream's graph if it carries one, else exactly. Any replica of the same records, in a
/// browser for instance, finds the same slots at the same distances, in every bit.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file of frames
    #[arg(value_name = "X.delta")]
    delta: PathBuf,
    /// Slot of the row to find the neighbours of, which is not among them
    #[arg(value_name = "SLOT")]
    slot: u32,
    /// Neighbours to find
    #[arg(short, long, value_name = "K", default_value_t = 10)]
    k: usize,
    /// Records to apply before; all by default
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// What near means, where no graph says it
    #[arg(long, value_enum, default_value_t = MetricName::Cosine)]
    metric: MetricName,
    /// Nodes that a search by the graph keeps
    #[arg(long, value_name = "N", default_value_t = 100)]
    ef: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MetricName {
    SquaredL2,
    Dot,
    Cosine,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.delta.display();
    let frames = read_file(&args.delta).with_context(|| format!("cannot read {name}"))?;
    let question = Question {
        slot: args.slot,
        k: args.k,
        records: args.records.unwrap_or(u64::MAX),
        metric: match args.metric {
            MetricName::SquaredL2 => Metric::SquaredL2,
            MetricName::Dot => Metric::Dot,
            MetricName::Cosine => Metric::Cosine,
        },
        ef: args.ef,
    };
    let answer = search(&frames, &question).with_context(|| format!("cannot search {name}"))?;
    if args.json {
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        super::print(&line)?;
    } else {
        let hits: String = answer.hits.iter().map(line).collect();
        super::print(hits.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(hit: &Hit) -> String {
    format!("{:>10}  {:<12}  {}\n", hit.slot, hit.distance, hit.id)
}
