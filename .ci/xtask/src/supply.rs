//! `cargo xtask supply`: what the crates are made of, and what would be published.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

use crate::shell;
use crate::tools::{self, CARGO_DENY, CARGO_SEMVER_CHECKS};

/// The crates that are published, and what each package must hold beside its sources.
const PACKAGES: [(&str, &[&str]); 3] = [
    (
        "delta-core",
        &[
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "WIRE.md",
            "tests/wire/main.rs",
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
pub(crate) const NO_RELEASE: &str = "no release tag";

/// The published crates with an interface in Rust; that of delta-wasm is its modules' exports.
const LIBRARIES: [&str; 2] = ["delta-core", "delta-native"];

pub(crate) fn run() -> Result<()> {
    licences()?;
    if !advisories()? {
        println!("advisories: not run: {NO_DATABASE}");
    }
    println!("{} packages are whole and build on their own", packages()?);
    match semver()? {
        Some(tag) => println!("semver: {} crates as since {tag}", LIBRARIES.len()),
        None => println!("semver: not run: {NO_RELEASE}"),
    }
    Ok(())
}

/// Compares the libraries' interfaces with those of the newest release: what breaks a dependent
/// needs a version that says so. Returns the release's tag; `None` if there is none.
pub(crate) fn semver() -> Result<Option<String>> {
    let mut git = shell::command("git");
    // Sources that are no repository have no tags.
    let tags = shell::output(git.args(["tag", "--list", "v*"])).unwrap_or_default();
    let Some(tag) = newest(&tags) else {
        return Ok(None);
    };
    CARGO_SEMVER_CHECKS.ensure()?;
    let mut check = shell::cargo(["semver-checks", "--baseline-rev", tag]);
    for name in LIBRARIES {
        check.args(["--package", name]);
    }
    tools::add_path(&mut check)?;
    shell::run(&mut check)?;
    Ok(Some(tag.to_owned()))
}

/// The tag of the highest version among lines as `v1.2.3`; a version with a suffix is no release.
fn newest(tags: &str) -> Option<&str> {
    let version = |tag: &str| -> Option<[u64; 3]> {
        let numbers = tag.strip_prefix('v')?.split('.').map(str::parse);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
        numbers.try_into().ok()
    };
    let released = tags.lines().filter(|tag| version(tag).is_some());
    released.max_by_key(|tag| version(tag))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_is_the_highest_version() {
        assert_eq!(newest("v0.9.0\nv0.10.0\nv0.2.1\n"), Some("v0.10.0"));
        assert_eq!(newest("v1.0.0-rc.1\nvision\nv1.0\n"), None);
        assert_eq!(newest(""), None);
    }
}
