//! `cargo xtask test`: installs what is missing, then runs every test there is.

use anyhow::Result;

use crate::summary::{self, Check};
use crate::{browser, component, instructions, loom, setup, shell, targets, wasm, wasm_replay};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "setup",
        about: "install what the tests need",
        run: || built(setup::run()),
    },
    Check {
        name: "unit",
        about: "tests of the workspace",
        run: workspace_tests,
    },
    Check {
        name: "doc",
        about: "examples in the documentation",
        run: doc_tests,
    },
    Check {
        name: "indexes",
        about: "graphs of every index there is an adapter for, and a build without any",
        run: index_tests,
    },
    Check {
        name: "lz4-alloc",
        about: "the core, where a dependent turns on lz4_flex's `alloc`",
        run: lz4_alloc,
    },
    Check {
        name: "loom",
        about: "models of the ring",
        run: loom::run,
    },
    Check {
        name: "wasm",
        about: "wasm32, scalar and simd128, run in Node",
        run: wasm_in_node,
    },
    Check {
        name: "component",
        about: "the WIT component, run in Node by jco",
        run: component::test,
    },
    Check {
        name: "browser",
        about: "the live page in Chromium",
        run: browser::run,
    },
    Check {
        name: "targets",
        about: "no allocator: thumbv7m and wasm32 with `core` alone",
        run: || built(targets::prove()),
    },
    Check {
        name: "instructions",
        about: "the hot kernels take no more instructions than they did",
        run: instructions::check,
    },
    Check {
        name: "fuzz",
        about: "the fuzz targets compile, and hold on their seeds",
        run: fuzz_check,
    },
];

/// Runs the checks that `names` lists, or all if it is empty.
pub(crate) fn run(names: &[String]) -> Result<()> {
    summary::run_chosen(CHECKS, names)
}

fn built(result: Result<()>) -> Result<u32> {
    result.map(|()| 0)
}

pub(crate) fn workspace_tests() -> Result<u32> {
    let mut cargo = shell::cargo(["test", "--workspace", "--lib", "--bins", "--tests"]);
    shell::run_tests(cargo.args(["--examples", "--no-fail-fast"]))
}

fn doc_tests() -> Result<u32> {
    shell::run_tests(&mut shell::cargo(["test", "--workspace", "--doc"]))
}

/// The library behind `usearch` is C++, so the feature is off by default.
fn index_tests() -> Result<u32> {
    const NATIVE: [&str; 4] = ["--package", "delta-native", "--lib", "--bins"];
    let mut without = shell::cargo(["check", "--no-default-features"]);
    shell::run(without.args(NATIVE))?;
    let mut all = shell::cargo(["test", "--features", "usearch"]);
    shell::run_tests(all.args(NATIVE).args(["--", "index::", "graph::"]))
}

/// Cargo unifies features, so a dependent that wants lz4_flex's `alloc` changes the signatures that
/// the core compiles against.
fn lz4_alloc() -> Result<u32> {
    let mut cargo = shell::cargo(["test", "--package", "delta-core", "--lib", "--tests"]);
    shell::run_tests(cargo.args(["--features", "lz4_flex/alloc"]))
}

/// The npm package's tests, a replay of the sample streams, then the core's checks that need no
/// operating system.
pub(crate) fn wasm_in_node() -> Result<u32> {
    setup::meet(&[&setup::NODE])?;
    wasm::build()?;
    let mut node = shell::command("node");
    node.args(["--test", "--test-reporter=tap"]);
    let package = shell::run_tests(node.args(wasm::test_files()?))? + wasm_replay::test()?;
    let modules = wasm::build_checks()?;
    let mut node = shell::command("node");
    node.args(["--test-reporter=tap", ".ci/no-os/run.mjs"]);
    Ok(package + shell::run_tests(node.arg(modules.scalar).arg(modules.simd128))?)
}

/// The fuzz crate is a workspace of its own. Its targets need a nightly compiler to run, but any to
/// be checked, and their properties are tests over seeds and mutations of them.
fn fuzz_check() -> Result<u32> {
    const MANIFEST: [&str; 2] = ["--manifest-path", "fuzz/Cargo.toml"];
    let target_dir = shell::target_dir("fuzz");
    let mut check = shell::cargo(["check", "--bins"]);
    shell::run(check.args(MANIFEST).arg("--target-dir").arg(&target_dir))?;
    let mut test = shell::cargo(["test", "--tests"]);
    shell::run_tests(test.args(MANIFEST).arg("--target-dir").arg(&target_dir))
}
