//! `cargo xtask component`: the WIT component, its tests in Node by jco, and in wasmtime.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::build_std::BuildStd;
use crate::{npm, setup, shell, wasm};

const MANIFEST: &str = "delta-wasm/component/Cargo.toml";
pub(crate) const WASMTIME_MANIFEST: &str = "delta-wasm/component/wasmtime/Cargo.toml";
/// Oldest Node that jco runs in.
const NODE_MAJOR: u32 = 20;

/// A built component.
struct Built {
    component: PathBuf,
    /// The same for JavaScript.
    module: PathBuf,
}

/// Runs the command: builds and tests in Node; `--wasmtime`: in wasmtime as well, whose build
/// takes a quarter of an hour of a processor and is kept.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => test().map(drop),
        [option] if option == "--wasmtime" => test_in_wasmtime(&build()?).map(drop),
        [other, ..] => bail!("unexpected argument `{other}`: --wasmtime alone"),
    }
}

/// Builds the component, prints its size, and tests it in Node.
pub(crate) fn test() -> Result<u32> {
    if setup::node_major().is_none_or(|major| major < NODE_MAJOR) {
        return setup::not_run("the component's tests", "Node 20 or later");
    }
    let built = build()?;
    shell::run(&mut shell::cargo(["build", "--package", "delta-native"]))?;
    let mut node = shell::command("node");
    node.args(["--test", "--test-reporter=tap"])
        .arg("delta-wasm/tests/component.mjs")
        .env("DELTA_COMPONENT", built.module)
        .env("DELTA_COMMAND", shell::target_dir("debug").join("delta"));
    shell::run_tests(&mut node)
}

fn build() -> Result<Built> {
    let target_dir = shell::target_dir("component");
    // The component has strings and lists of its own: it needs the standard library.
    let mut cargo = BuildStd::find()?.cargo_with_abort("build", wasm::TARGET);
    cargo
        .args(["--release", "--manifest-path", MANIFEST, "--target-dir"])
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128");
    shell::run(&mut cargo)?;
    let jco = npm::JCO.ensure()?.join("dist/jco.js");
    let core = target_dir
        .join(wasm::TARGET)
        .join("release/delta_component.wasm");
    let component = target_dir.join("delta.component.wasm");
    let jco = |subcommand: &str| {
        let mut node = shell::command("node");
        node.arg(&jco).arg(subcommand);
        node
    };
    shell::run(jco("new").arg(&core).arg("-o").arg(&component))?;
    let folder = target_dir.join("js");
    shell::run(jco("transpile").arg(&component).arg("-o").arg(&folder))?;
    let size = |file: &PathBuf| {
        let metadata = fs::metadata(file).with_context(|| file.display().to_string());
        metadata.map(|metadata| metadata.len())
    };
    println!("{:>8} bytes  {}", size(&component)?, component.display());
    let module = folder.join("delta.component.js");
    Ok(Built { component, module })
}

fn test_in_wasmtime(built: &Built) -> Result<u32> {
    let mut cargo = shell::cargo(["test", "--manifest-path", WASMTIME_MANIFEST]);
    cargo
        .arg("--target-dir")
        .arg(shell::target_dir("component-wasmtime"))
        .env("DELTA_COMPONENT", &built.component);
    shell::run_tests(&mut cargo)
}
