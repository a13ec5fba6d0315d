//! Cargo subcommands of pinned versions, installed into target/tools, and toolchains.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::Unmet;
use crate::shell;

/// A cargo subcommand from crates.io.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

pub(crate) const CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
};
pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};

pub(crate) const CARGO_SEMVER_CHECKS: Tool = Tool {
    name: "cargo-semver-checks",
    version: "0.51.0",
};

impl Tool {
    /// Installs the tool unless this version is already there; [`Unmet`] if that fails.
    pub(crate) fn ensure(&self) -> Result<()> {
        let installed = shell::output(
            shell::command("cargo")
                .args(["install", "--list", "--root"])
                .arg(folder()),
        )
        .unwrap_or_default();
        let line = format!("{} v{}:", self.name, self.version);
        if installed.lines().any(|found| found == line) {
            return Ok(());
        }
        println!("installing {} {}", self.name, self.version);
        let mut install = shell::cargo(["install", self.name, "--version", self.version]);
        let installed = shell::run(install.args(["--locked", "--root"]).arg(folder()));
        installed.map_err(|error| {
            println!("{error:#}");
            Unmet::new(format!("{} cannot be installed here", self.name)).into()
        })
    }
}

fn folder() -> PathBuf {
    shell::target_dir("tools")
}

/// Lets `command` find the installed tools.
pub(crate) fn add_path(command: &mut Command) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder().join("bin")).chain(std::env::split_paths(&path));
    let joined = std::env::join_paths(folders).context("PATH")?;
    command.env("PATH", joined);
    Ok(())
}

pub(crate) const NIGHTLY_MISSING: &str = "no nightly toolchain is here, nor can rustup install it";

/// Installs rustup's nightly toolchain, which alone has libFuzzer's coverage and sanitizers, unless
/// it is there; `false` if it cannot be had.
pub(crate) fn ensure_nightly() -> bool {
    if has_nightly() {
        return true;
    }
    println!("installing the nightly toolchain");
    let mut install = shell::command("rustup");
    install.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
    shell::run(&mut install).is_ok() && has_nightly()
}

/// Installs Miri, which reads the standard library's sources, unless it is there; `false` if this
/// nightly toolchain has none.
pub(crate) fn ensure_miri() -> bool {
    let is_there = || shell::succeeds(&mut nightly(["miri", "--version"]));
    if is_there() {
        return true;
    }
    println!("installing Miri");
    let mut install = shell::command("rustup");
    install.args([
        "component",
        "add",
        "--toolchain",
        "nightly",
        "miri",
        "rust-src",
    ]);
    shell::run(&mut install).is_ok() && is_there()
}

fn has_nightly() -> bool {
    shell::succeeds(&mut nightly(["--version"]))
}

/// `cargo` of the nightly toolchain.
pub(crate) fn nightly<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = shell::cargo(["+nightly"]);
    cargo.args(arguments);
    cargo
}
