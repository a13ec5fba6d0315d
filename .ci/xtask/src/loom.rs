//! The loom models: every interleaving of the ring's threads, within a bound; and whether they
//! notice when one of the ring's memory orderings is weaker.

mod mutants;

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Bounds the forced switches of thread within one explored execution. Two find nearly all known
/// faults of such algorithms; a set variable wins over ours.
const PREEMPTIONS_VARIABLE: &str = "LOOM_MAX_PREEMPTIONS";
const PREEMPTIONS_MAX: &str = "3";

/// `loom`: the models; `loom --mutate`: the models against each weakened ordering.
pub(crate) fn command(rest: &[String]) -> Result<()> {
    match rest {
        [] => run().map(drop),
        [word] if word == "--mutate" => mutate().map(drop),
        _ => bail!("unexpected arguments {rest:?}: `loom` takes none, or `--mutate`"),
    }
}

/// Runs every model: the tests of delta-core whose name begins with `loom_`; returns how many
/// passed.
pub(crate) fn run() -> Result<u32> {
    let mut cargo = shell::cargo(["test", "--package", "delta-core", "--lib", "loom_"]);
    shell::run_tests(with_loom(&mut cargo))
}

/// Compiles the ring with one ordering weakened at a time and demands that a model fails; returns
/// how many mutants were found so.
pub(crate) fn mutate() -> Result<u32> {
    mutants::check_all()
}

/// Sets what a build for loom, or a run of one, needs.
fn with_loom(command: &mut Command) -> &mut Command {
    if std::env::var_os(PREEMPTIONS_VARIABLE).is_none() {
        command.env(PREEMPTIONS_VARIABLE, PREEMPTIONS_MAX);
    }
    command
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", shell::target_dir("loom"))
}
