//! `cargo xtask wasm-bench`: times the wasm modules in Node, kernels beside the same natively and
//! beside a peer's.

use anyhow::Result;

use crate::build_std::BuildStd;
use crate::{shell, wasm};

const MANIFEST: &str = "delta-wasm/bench/kernels/Cargo.toml";

/// Builds what is timed, then times it. Figures mean something on a machine that does nothing else.
pub(crate) fn run() -> Result<()> {
    wasm::build()?;
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
    shell::run(kernels.arg(target_dir.join("release/wasm-bench-kernels")))?;
    shell::run(shell::command("node").arg("delta-wasm/bench/pipeline.mjs"))
}
