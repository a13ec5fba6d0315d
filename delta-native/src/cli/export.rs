//! `delta export STREAM -o X.delta`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use delta_native::output::AtomicFile;
use delta_native::replay::{export, export_with_graph};
use delta_native::stream::Stream;

use super::graph::GraphArgs;

/// Write an update stream as a file of frames
///
/// The file is the stream as a writer sends it, a record an event: `inspect` shows it, and any
/// replica applies it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Path stem of the stream, as `replay` takes it
    #[arg(value_name = "STREAM")]
    stream: PathBuf,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "X.delta")]
    output: PathBuf,
    #[command(flatten)]
    graph: GraphArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stream = Stream::load(&args.stream)
        .with_context(|| format!("cannot load the stream {}", args.stream.display()))?;
    let mut file = AtomicFile::create(&args.output)?;
    let exported = match args.graph.options() {
        None => export(&stream, &mut file).context("cannot export the stream")?,
        Some(options) => export_with_graph(&stream, &options, &mut file)
            .context("cannot export the stream with its graph")?,
    };
    file.commit()?;
    super::print(
        format!(
            "{}: {} bytes, {} records, digest {:016x}\n",
            args.output.display(),
            exported.bytes,
            exported.records,
            exported.digest,
        )
        .as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}
