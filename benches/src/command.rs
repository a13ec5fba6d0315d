//! What the programs of this package have in common.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

/// Parses the arguments and runs with what they say: how a program ends, an error in words on
/// standard error.
pub fn run<O>(
    parse: impl FnOnce(&mut dyn Iterator<Item = String>) -> Result<O>,
    run: impl FnOnce(&O) -> Result<()>,
) -> ExitCode {
    match parse(&mut std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The word behind an option.
///
/// # Errors
/// If there is none.
pub fn value(option: &str, words: &mut dyn Iterator<Item = String>) -> Result<String> {
    let value = words.next();
    value.with_context(|| format!("`{option}` needs a value"))
}

/// Writes a file.
///
/// # Errors
/// Those of the system, with the file's name.
pub fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| file.display().to_string())
}
