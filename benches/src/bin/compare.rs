//! `compare [--quick] [--json] [--rows FILE] [--markdown FILE] [--svg FILE] [GROUP...]`: all
//! contests, ours and the peers in turn. `cargo xtask bench` builds and runs it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use delta_benches::contests::{GROUPS, Group};
use delta_benches::measure::{Effort, Row, measure};
use delta_benches::{command, load, plot, report, threads};

struct Options {
    effort: Effort,
    json: bool,
    markdown: Option<PathBuf>,
    svg: Option<PathBuf>,
    /// Rows that were measured elsewhere, as JSON.
    rows: Option<PathBuf>,
    /// Names of groups; empty: all.
    groups: Vec<String>,
}

fn main() -> ExitCode {
    command::run(parse, run)
}

fn parse(words: &mut dyn Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        effort: Effort::FULL,
        json: false,
        markdown: None,
        svg: None,
        rows: None,
        groups: Vec::new(),
    };
    while let Some(word) = words.next() {
        let mut file = || command::value(&word, words).map(PathBuf::from);
        match word.as_str() {
            "--quick" => options.effort = Effort::QUICK,
            "--json" => options.json = true,
            "--markdown" => options.markdown = Some(file()?),
            "--rows" => options.rows = Some(file()?),
            "--svg" => options.svg = Some(file()?),
            name if GROUPS.iter().any(|group| group.name == name) => options.groups.push(word),
            _ => {
                let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
                bail!(
                    "no group is called `{word}`; there are: {}",
                    names.join(", ")
                )
            }
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    let placement = threads::placement();
    eprintln!("{placement}");
    let load = load::Load::begin();
    if !options.json {
        println!("{}", report::heading());
    }
    let mut rows = Vec::new();
    for group in GROUPS {
        let is_chosen = |name: &String| name == group.name;
        if options.groups.is_empty() || options.groups.iter().any(is_chosen) {
            run_group(group, options, &mut rows);
        }
    }
    let load = load.end();
    if let Some(file) = &options.rows {
        add_rows(file, options, &mut rows)?;
    }
    eprintln!("{load}");
    if options.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("\n{}", report::summary(&rows));
    }
    if let Some(file) = &options.markdown {
        let text = format!("{placement}; {load}.\n\n{}", report::markdown(&rows));
        command::write(file, &text)?;
    }
    if let Some(file) = &options.svg {
        plot::ratios(&rows, file)?;
    }
    Ok(())
}

fn run_group(group: &Group, options: &Options, rows: &mut Vec<Row>) {
    if group.is_two_threads && threads::two_cores().is_none() {
        eprintln!("{}: skipped, it needs two cores", group.name);
        return;
    }
    eprintln!("{}: {}", group.name, group.about);
    for contest in (group.build)() {
        let found = measure(contest, options.effort);
        if !options.json {
            for row in &found {
                println!("{}", report::line(row));
            }
        }
        rows.extend(found);
    }
}

/// Adds rows that were measured elsewhere.
fn add_rows(file: &Path, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    let found: Vec<Row> = serde_json::from_slice(&text).context("rows")?;
    if !options.json {
        found
            .iter()
            .for_each(|row| println!("{}", report::line(row)));
    }
    rows.extend(found);
    Ok(())
}
