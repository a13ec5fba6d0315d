//! The loom models: every interleaving of the ring's threads, within a bound.

use anyhow::Result;

use crate::shell;

/// Bounds the forced switches of thread within one explored execution. Two find nearly all known
/// faults of such algorithms; a set variable wins over ours.
const PREEMPTIONS_VARIABLE: &str = "LOOM_MAX_PREEMPTIONS";
const PREEMPTIONS_MAX: &str = "3";

/// Runs every test of delta-core whose name begins with `loom_`; returns how many passed.
pub(crate) fn run() -> Result<u32> {
    let mut cargo = shell::cargo(["test", "--release", "--package", "delta-core", "--tests"]);
    cargo.arg("loom_").env("RUSTFLAGS", "--cfg loom");
    cargo.env("CARGO_TARGET_DIR", shell::target_dir("loom"));
    if std::env::var_os(PREEMPTIONS_VARIABLE).is_none() {
        cargo.env(PREEMPTIONS_VARIABLE, PREEMPTIONS_MAX);
    }
    shell::run_tests(&mut cargo)
}
