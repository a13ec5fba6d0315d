//! `cargo xtask supply`: what the crates are made of, and what would be published.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

use crate::shell;
use crate::tools::{self, CARGO_DENY};

/// The crates that are published, and what each package must hold beside its sources.
const PACKAGES: [(&str, &[&str]); 3] = [
    (
        "delta-core",
        &[
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "WIRE.md",
            "tests/wire.rs",
        ],
    ),
    (
        "delta-native",
        &[
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "sample/README.md",
        ],
    ),
    (
        "delta-wasm",
        &["LICENSE-APACHE", "LICENSE-MIT", "README.md"],
    ),
];

pub(crate) const NO_DATABASE: &str = "the advisory database cannot be fetched here, and no copy is";
pub(crate) const NO_RELEASE: &str = "no release exists to compare with";

pub(crate) fn run() -> Result<()> {
    licences()?;
    if !advisories()? {
        println!("advisories: not run: {NO_DATABASE}");
    }
    println!("{} packages are whole and build on their own", packages()?);
    println!("semver: not run: {NO_RELEASE}");
    Ok(())
}

/// Licences, bans and sources of every dependency, as .ci/deny.toml allows them.
pub(crate) fn licences() -> Result<()> {
    shell::run(deny()?.args(["check", "licenses", "bans", "sources"]))
}

/// Known faults of the dependencies; `false` where the database cannot be had.
pub(crate) fn advisories() -> Result<bool> {
    let output = deny()?.args(["check", "advisories"]).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("failed to fetch advisory database") {
        return Ok(false);
    }
    println!("{}", text.trim_end());
    if !output.status.success() {
        bail!("cargo deny check advisories: {}", output.status);
    }
    Ok(true)
}

fn deny() -> Result<std::process::Command> {
    CARGO_DENY.ensure()?;
    let mut deny = shell::cargo(["deny", "--config", ".ci/deny.toml"]);
    tools::add_path(&mut deny)?;
    Ok(deny)
}

/// Makes the packages of all published crates, builds each from its package alone, and looks that
/// nothing is missing in it. Returns how many there are.
pub(crate) fn packages() -> Result<u32> {
    for (name, files) in PACKAGES {
        let list = shell::output(&mut shell::cargo([
            "package",
            "--package",
            name,
            "--list",
            "--allow-dirty",
        ]))?;
        let list: BTreeSet<&str> = list.lines().collect();
        let missing: Vec<&str> = files
            .iter()
            .copied()
            .filter(|file| !list.contains(file))
            .collect();
        ensure!(
            missing.is_empty(),
            "the package of {name} lacks {}",
            missing.join(", ")
        );
        ensure!(
            list.iter().any(|file| file.starts_with("src/")),
            "{name}: no sources"
        );
    }
    // All in one call: each is built against the packages of the others, not against a registry's.
    let mut package = shell::cargo(["package", "--allow-dirty"]);
    for (name, _) in PACKAGES {
        package.args(["--package", name]);
    }
    shell::run(
        package
            .arg("--target-dir")
            .arg(shell::target_dir("package")),
    )?;
    Ok(u32::try_from(PACKAGES.len())?)
}
