//! `scale [--updates N] [--markdown FILE] [--svg FILE]`: what an update costs against the size of
//! the table, from one that a cache holds to one that none does. `cargo xtask bench --write` runs
//! it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use delta_benches::measure::median;
use delta_benches::{command, load, plot, report, threads};
use delta_native::replay::{Synthetic, SyntheticReport, replay_synthetic};

const ROWS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const DIM: u32 = 384;
const CHANGED_PERCENT: f64 = 5.0;
/// Replays of each size, all sizes in turn.
const ROUNDS: usize = 3;

struct Options {
    /// Of each replay.
    updates: u64,
    markdown: Option<PathBuf>,
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    command::run(parse, run)
}

fn parse(words: &mut dyn Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        updates: 400_000,
        markdown: None,
        svg: None,
    };
    while let Some(word) = words.next() {
        let mut value = || command::value(&word, words);
        match word.as_str() {
            "--updates" => options.updates = value()?.parse().context("not a number")?,
            "--markdown" => options.markdown = Some(value()?.into()),
            "--svg" => options.svg = Some(value()?.into()),
            _ => bail!("unexpected `{word}`"),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    if threads::two_cores().is_none() {
        eprintln!("this process may use one core only: the figures mean nothing");
    }
    let load = load::Load::begin();
    let mut reports: Vec<Vec<SyntheticReport>> = vec![Vec::new(); ROWS.len()];
    for _ in 0..ROUNDS {
        for (rows, reports) in ROWS.into_iter().zip(&mut reports) {
            let synthetic = Synthetic::new(options.updates, DIM, CHANGED_PERCENT, rows)?;
            let report = replay_synthetic(&synthetic)?;
            if !report.replica_identical {
                bail!("{rows} rows: the replica differs");
            }
            reports.push(report);
        }
    }
    let costs: Vec<(f64, f64)> = reports
        .iter()
        .filter_map(|reports| {
            let update_ns = reports.iter().map(|report| report.update_ns).collect();
            Some((f64::from(reports.first()?.rows), median(update_ns)))
        })
        .collect();
    let memory = reports.iter().filter_map(|reports| reports.first());
    let table = report::scale(&costs, memory);
    let load = load.end();
    println!("{table}\n{load}");
    if let Some(file) = &options.markdown {
        let text = format!(
            "{} updates of {CHANGED_PERCENT}% of {DIM} components in random rows, threads not \
             pinned; {load}.\n\n{table}",
            options.updates
        );
        command::write(file, &text)?;
    }
    if let Some(file) = &options.svg {
        plot::costs(&costs, file)?;
    }
    Ok(())
}
