//! Sizes of encoded updates of real streams, beside general compressors; a table in Markdown and a
//! plot.
//!
//! `cargo run --release -p delta-benches --bin sizes -- [--bound R] [--plot FILE.svg] STREAM...`
//!
//! A stream is a path as `delta replay` takes it; `bf16=PATH` rounds its rows to that type first,
//! `int8=PATH` scales them to whole numbers of 8 bits, `bits=PATH` packs their signs into bytes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use delta_benches::sizes::{Form, Sizes, plot, table};
use delta_core::codec::Bound;

struct Args {
    bound: Bound,
    plot: Option<PathBuf>,
    streams: Vec<(Form, PathBuf)>,
}

fn args() -> anyhow::Result<Args> {
    let mut args = Args {
        bound: Bound::new(3e-3)?,
        plot: None,
        streams: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bound" => {
                let number = words.next().context("--bound takes a number")?;
                args.bound = Bound::new(number.parse()?)?;
            }
            "--plot" => args.plot = Some(words.next().context("--plot takes a file")?.into()),
            option if option.starts_with('-') => bail!("unknown option {option}"),
            stream => args.streams.push(Form::split(stream)),
        }
    }
    if args.streams.is_empty() {
        bail!("name at least one stream");
    }
    Ok(args)
}

fn run() -> anyhow::Result<()> {
    let args = args()?;
    let mut sizes = Vec::new();
    for (form, path) in &args.streams {
        eprintln!("{}", path.display());
        sizes.push(Sizes::measure(*form, path, args.bound)?);
    }
    println!("{}", table(&sizes));
    if let Some(file) = &args.plot {
        plot(&sizes, file).context("cannot draw the plot")?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
