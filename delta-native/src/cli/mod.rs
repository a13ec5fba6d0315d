//! The command line: what it accepts, one file a command, and how a command ends.
//!
//! A command's file has its `Args` and `pub(crate) fn run(args: &Args) ->
//! anyhow::Result<ExitCode>`. An error that it returns is printed with its causes and becomes exit
//! code 1.

mod apply;
mod completions;
mod diff;
mod export;
mod graph;
mod inspect;
mod replay;
mod search;
mod serve;
mod stages;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A replica differs from its primary.
pub(crate) const EXIT_DIFFERENT: u8 = 3;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  an input was refused, or reading or writing failed; nothing half-written is left
  2  the command line is wrong
  3  a replica differs from its primary";

/// Keeps replicas of vector indexes bit-identical to their primary by small deltas.
///
/// Without a command, replays the sample: the same as `delta replay`.
#[derive(Debug, Parser)]
#[command(name = "delta", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(replay::Args),
    Diff(diff::Args),
    Apply(apply::Args),
    Export(export::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
    Search(search::Args),
    Serve(serve::Args),
    Completions(completions::Args),
}

/// Runs the command of the process's arguments. Wrong arguments end the process with exit code 2.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        None => replay::run(&replay::Args::default()),
        Some(Command::Replay(args)) => replay::run(args),
        Some(Command::Diff(args)) => diff::run(args),
        Some(Command::Apply(args)) => apply::run(args),
        Some(Command::Export(args)) => export::run(args),
        Some(Command::Inspect(args)) => inspect::run(args),
        Some(Command::Verify(args)) => verify::run(args),
        Some(Command::Search(args)) => search::run(args),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Completions(args)) => completions::run(args),
    };
    result.unwrap_or_else(|error| {
        report(&error);
        ExitCode::from(1)
    })
}

/// `error: what failed`, then its causes, a line each.
fn report(error: &anyhow::Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    // Nobody is left to tell if this fails.
    let _written = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to standard output. A reader that has left (`delta ... | head`) is no error.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
