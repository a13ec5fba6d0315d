//! `delta verify X.delta`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use delta_native::inspect::inspect;
use delta_native::source::read_file;

/// Check that a .delta file is a whole, undamaged stream
///
/// Checked are the framing, every checksum, the order of the records and the form of every payload;
/// whether the records fit a state shows when they are applied.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to check
    #[arg(value_name = "X.delta")]
    delta: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.delta.display();
    let bytes = read_file(&args.delta).with_context(|| format!("cannot read {name}"))?;
    let summary = inspect(&bytes, |_| {}).with_context(|| format!("{name} is damaged"))?;
    super::print(
        format!(
            "{name}: good, {} records in {} bytes, {} inserts, {} updates, {} deletes, digest {}\n",
            summary.records,
            summary.bytes,
            summary.inserts,
            summary.updates,
            summary.deletes,
            summary.digest
        )
        .as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}
