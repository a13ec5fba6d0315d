//! Proves that delta-core links no allocator: it is built for two targets with `core` alone and no
//! `alloc`. A control shows that the proof can fail: a crate that says `extern crate alloc` must
//! not build the same way.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::build_std::BuildStd;
use crate::{setup, shell, wasm};

const TARGETS: [&str; 2] = ["thumbv7m-none-eabi", wasm::TARGET];

const CONTROL_MANIFEST: &str = "\
[package]
name = \"allocator-control\"
version = \"0.0.0\"
edition = \"2024\"
[features]
alloc = []
[workspace]
";

const CONTROL_SOURCE: &str = "\
#![no_std]
#[cfg(feature = \"alloc\")]
extern crate alloc;
";

pub(crate) fn prove() -> Result<()> {
    setup::meet(&[&setup::SOURCES])?;
    let compiler = BuildStd::find()?;
    println!("compiler: {}", compiler.describe());
    let control = write_control()?;
    for target in TARGETS {
        let mut cargo = compiler.cargo("build", target);
        cargo.args(["--release", "--package", "delta-core", "--target-dir"]);
        shell::run(cargo.arg(shell::target_dir("targets")))?;
        println!("{target}: delta-core builds with `core` alone");
        ensure!(
            control_checks(&compiler, target, &control, &[])?.is_none(),
            "{target}: the control does not build even without `extern crate alloc`"
        );
        let refusal = control_checks(&compiler, target, &control, &["--features", "alloc"])?;
        ensure!(
            refusal.is_some_and(|message| message.contains("E0463")),
            "{target}: `extern crate alloc` builds here, so this check proves nothing"
        );
        println!("{target}: `extern crate alloc` is refused (E0463), as it must be");
    }
    Ok(())
}

fn write_control() -> Result<PathBuf> {
    let folder = shell::target_dir("targets").join("allocator-control");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), CONTROL_SOURCE)?;
    fs::write(folder.join("Cargo.toml"), CONTROL_MANIFEST)?;
    Ok(folder.join("Cargo.toml"))
}

/// `None` if the control builds, else the compiler's messages.
fn control_checks(
    compiler: &BuildStd,
    target: &str,
    manifest: &PathBuf,
    features: &[&str],
) -> Result<Option<String>> {
    let mut cargo = compiler.cargo("check", target);
    cargo.arg("--manifest-path").arg(manifest).args(features);
    cargo.arg("--target-dir").arg(shell::target_dir("targets"));
    let output = cargo.output()?;
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((!output.status.success()).then_some(messages))
}
