//! The loom models: every interleaving of the ring's threads, within a bound.

use anyhow::Result;

use crate::shell;

/// Forced switches of thread within one explored execution. Two find nearly all known faults of
/// such algorithms; three keep the models within minutes.
const MAX_PREEMPTIONS: &str = "3";

/// Runs every test of delta-core whose name begins with `loom_`; returns how many passed.
pub(crate) fn run() -> Result<u32> {
    let mut cargo = shell::cargo(["test", "--release", "--package", "delta-core", "--tests"]);
    cargo.arg("loom_").env("RUSTFLAGS", "--cfg loom");
    cargo.env("CARGO_TARGET_DIR", shell::target_dir("loom"));
    shell::run_tests(cargo.env("LOOM_MAX_PREEMPTIONS", MAX_PREEMPTIONS))
}
