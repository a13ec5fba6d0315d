//! `cargo xtask wasm-bench`: times the wasm modules in Node, kernels beside the same natively and
//! beside a peer's.

use anyhow::{Result, bail};

use crate::build_std::BuildStd;
use crate::{shell, wasm};

const MANIFEST: &str = "delta-wasm/bench/kernels/Cargo.toml";

/// Builds what is timed, then times it. Figures mean something on a machine that does nothing else.
/// `--rows FILE` times the kernels alone and writes them to FILE as rows of the benches.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => {
            wasm::build()?;
            kernels(None)?;
            shell::run(shell::command("node").arg("delta-wasm/bench/pipeline.mjs"))
        }
        [word, file] if word == "--rows" => kernels(Some(file)),
        _ => bail!("unknown arguments: wasm-bench [--rows FILE]"),
    }
}

fn kernels(rows: Option<&String>) -> Result<()> {
    let target_dir = shell::target_dir("wasm-bench");
    let mut native = shell::cargo(["build", "--release", "--manifest-path", MANIFEST]);
    shell::run(native.arg("--target-dir").arg(&target_dir))?;
    // The peer needs the standard library.
    let mut module = BuildStd::find()?.cargo_with_abort("build", wasm::TARGET);
    module
        .args(["--release", "--lib", "--manifest-path", MANIFEST])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128");
    shell::run(&mut module)?;

    let file = "release/wasm_bench_kernels.wasm";
    let mut kernels = shell::command("node");
    kernels.arg("delta-wasm/bench/kernels.mjs");
    kernels.arg(target_dir.join(wasm::TARGET).join(file));
    kernels.arg(target_dir.join("release/wasm-bench-kernels"));
    shell::run(kernels.args(rows))
}
