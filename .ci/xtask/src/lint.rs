//! `cargo xtask lint`: everything that reads the code without running it.

use anyhow::Result;

use crate::summary::{self, Check};
use crate::{component, setup, shell, style, unsafe_table, wasm};

/// The crates that are workspaces of their own, and the names of their target folders.
const OWN_WORKSPACES: [(&str, &str); 4] = [
    ("fuzz/Cargo.toml", "fuzz"),
    (".ci/no-os/Cargo.toml", "no-os"),
    ("delta-wasm/bench/kernels/Cargo.toml", "wasm-bench"),
    ("delta-wasm/component/Cargo.toml", "component"),
];

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "format",
        about: "rustfmt",
        run: || built(format()),
    },
    Check {
        name: "style",
        about: "lengths of files and lines, the table of unsafe code",
        run: || built(style::check().and_then(|()| unsafe_table::check())),
    },
    Check {
        name: "clippy",
        about: "warnings denied, host",
        run: || built(clippy()),
    },
    Check {
        name: "indexes",
        about: "warnings denied, every adapter of an index and none",
        run: || built(indexes()),
    },
    Check {
        name: "wasm32",
        about: "warnings denied, wasm32",
        run: || built(wasm::lint()),
    },
    Check {
        name: "docs",
        about: "rustdoc, warnings denied",
        run: || built(docs()),
    },
];

/// Runs the checks that `names` lists, or all if it is empty.
pub(crate) fn run(names: &[String]) -> Result<()> {
    summary::run_chosen(CHECKS, names)
}

fn built(result: Result<()>) -> Result<u32> {
    result.map(|()| 0)
}

fn format() -> Result<()> {
    setup::ensure_component("fmt", "rustfmt")?;
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    let all = OWN_WORKSPACES.iter().map(|(manifest, _)| *manifest);
    // Its dependencies take too long to build for its lints.
    for manifest in all.chain([component::WASMTIME_MANIFEST]) {
        shell::run(&mut shell::cargo([
            "fmt",
            "--check",
            "--manifest-path",
            manifest,
        ]))?;
    }
    Ok(())
}

const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// Adapters that are off by default, and a build without any.
fn indexes() -> Result<()> {
    setup::ensure_component("clippy", "clippy")?;
    for features in ["--no-default-features", "--features=usearch"] {
        let mut native = shell::cargo(["clippy", "--package", "delta-native", "--all-targets"]);
        shell::run(native.arg(features).args(DENY))?;
    }
    Ok(())
}

/// The workspace, the core as the loom models see it, and the workspaces beside it.
fn clippy() -> Result<()> {
    setup::ensure_component("clippy", "clippy")?;
    shell::run(shell::cargo(["clippy", "--workspace", "--all-targets"]).args(DENY))?;

    let mut loom = shell::cargo(["clippy", "--package", "delta-core", "--all-targets"]);
    loom.env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", shell::target_dir("loom"));
    shell::run(loom.args(DENY))?;

    for (manifest, target_dir) in OWN_WORKSPACES {
        let mut own = shell::cargo(["clippy", "--all-targets", "--manifest-path", manifest]);
        let target_dir = shell::target_dir(target_dir);
        shell::run(own.arg("--target-dir").arg(target_dir).args(DENY))?;
    }
    Ok(())
}

fn docs() -> Result<()> {
    let mut cargo = shell::cargo(["doc", "--workspace", "--no-deps"]);
    shell::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}
