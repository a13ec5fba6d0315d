//! `delta apply OLD.npy X.delta -o NEW.npy`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use delta_native::{array_delta, npy, output::AtomicFile, source::read_file};

/// Apply a .delta file to the .npy file it was made for
///
/// The output is byte for byte the file that `delta diff` was given as NEW.npy.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The array before: the very file that the delta was made for
    #[arg(value_name = "OLD.npy")]
    old: PathBuf,
    /// The delta
    #[arg(value_name = "X.delta")]
    delta: PathBuf,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "NEW.npy")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let old = npy::read_f32(&args.old).context("cannot read the array before")?;
    let delta =
        read_file(&args.delta).with_context(|| format!("cannot read {}", args.delta.display()))?;
    let mut file = AtomicFile::create(&args.output)?;
    array_delta::apply(&old, &delta, &mut file)
        .with_context(|| format!("cannot apply {}", args.delta.display()))?;
    file.commit()?;
    Ok(ExitCode::SUCCESS)
}
