//! `delta diff OLD.npy NEW.npy -o X.delta`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use delta_native::{array_delta, npy, output::AtomicFile};

/// Write the change from one .npy file to another as a .delta file
///
/// Both hold little-endian f32 arrays in C order, of any shape.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The array before
    #[arg(value_name = "OLD.npy")]
    old: PathBuf,
    /// The array after
    #[arg(value_name = "NEW.npy")]
    new: PathBuf,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "X.delta")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let old = npy::read_f32(&args.old).context("cannot read the array before")?;
    let new = npy::read_f32(&args.new).context("cannot read the array after")?;
    let mut file = AtomicFile::create(&args.output)?;
    let summary = array_delta::diff(&old, &new, &mut file).context("cannot make the delta")?;
    file.commit()?;
    let whole = new.header_bytes.len() as u64 + 4 * new.data.len() as u64;
    super::print(
        format!(
            "{}: {} bytes for a file of {whole}; {} rows of {}: {} changed, {} new, {} gone\n",
            args.output.display(),
            summary.bytes,
            summary.rows,
            summary.row_length,
            summary.updates,
            summary.inserts,
            summary.deletes,
        )
        .as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}
