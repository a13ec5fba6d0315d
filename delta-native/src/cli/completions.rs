//! `delta completions SHELL`.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell
///
/// For bash: delta completions bash > ~/.local/share/bash-completion/completions/delta
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to write for
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "delta", &mut script);
    super::print(&script).context("cannot write the completion script to standard output")?;
    Ok(ExitCode::SUCCESS)
}
