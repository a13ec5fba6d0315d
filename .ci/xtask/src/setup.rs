//! Installs what the tests need and a fresh machine with rustup may lack.

use std::fmt;
use std::process::Command;

use anyhow::{Result, bail};

use crate::build_std::{self, BuildStd};
use crate::{browser, instructions, shell};

/// Oldest Node that has the `node:test` runner in full.
const NODE_MAJOR: u32 = 18;

/// Something a check needs.
pub(crate) struct Need {
    pub(crate) what: &'static str,
    pub(crate) is_met: fn() -> bool,
    pub(crate) debian_packages: &'static [&'static str],
    /// Another way to get it, for a machine without those packages.
    pub(crate) otherwise: &'static [&'static str],
}

/// For what is built from the standard library's sources.
pub(crate) const SOURCES: Need = Need {
    what: "a compiler with the sources of `core`, for wasm32 and thumbv7m",
    is_met: || BuildStd::find().is_ok(),
    debian_packages: &build_std::DEBIAN_PACKAGES,
    otherwise: &["rustup", "component", "add", "rust-src"],
};

pub(crate) const NODE: Need = Need {
    what: "Node 18 or later, to run the wasm modules",
    is_met: || node_major().is_some_and(|major| major >= NODE_MAJOR),
    debian_packages: &["nodejs"],
    otherwise: &[],
};

const NPM: Need = Need {
    what: "npm, for the tools of the wasm tests",
    is_met: || shell::is_there("npm"),
    debian_packages: &["npm"],
    otherwise: &[],
};

pub(crate) const CXX: Need = Need {
    what: "a C++ compiler, for libFuzzer and usearch",
    is_met: || shell::is_there("c++"),
    debian_packages: &["g++"],
    otherwise: &[],
};

const NEEDS: &[&Need] = &[&SOURCES, &NODE, &NPM, &CXX, &instructions::VALGRIND];

/// What a check needs, but this machine neither has nor could install: the check cannot be run.
/// It travels as an error, so that whoever asked for the check alone sees a failure.
#[derive(Debug)]
pub(crate) struct Unmet {
    /// One line.
    pub(crate) reason: String,
    /// How to get it, for whoever can; may be empty.
    remedies: String,
}

impl Unmet {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedies: String::new(),
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.remedies.is_empty() {
            return Ok(());
        }
        write!(f, "\n{}", self.remedies)
    }
}

impl std::error::Error for Unmet {}

/// Meets the needs of the tests, and of the browser's where that can be.
pub(crate) fn run() -> Result<()> {
    meet(NEEDS)?;
    // Without a browser its check says so, and fails in CI alone.
    if let Err(error) = meet(&[&browser::CHROMIUM]) {
        println!("{error:#}");
    }
    Ok(())
}

/// Meets every need, by Debian's packages where apt is there, else in the other way. Says in one
/// line what it installs. Needs that stay unmet are an error, [`Unmet`], that names the ways to
/// meet them.
pub(crate) fn meet(needs: &[&Need]) -> Result<()> {
    let is_missing = |need: &&&Need| !(need.is_met)();
    let mut missing: Vec<&Need> = needs.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        println!("nothing to install");
        return Ok(());
    }
    install_debian(&missing);
    for need in &missing {
        if let (false, [program, arguments @ ..]) = ((need.is_met)(), need.otherwise) {
            println!("installing {}", need.what);
            // Its failure shows below: the need is still unmet.
            let _ = shell::run(shell::command(program).args(arguments));
        }
    }
    missing.retain(|need| !(need.is_met)());
    if missing.is_empty() {
        return Ok(());
    }
    Err(unmet(&missing))
}

fn unmet(missing: &[&Need]) -> anyhow::Error {
    let what: Vec<&str> = missing.iter().map(|need| need.what).collect();
    let remedies: Vec<String> = missing.iter().map(|need| need.remedy()).collect();
    let unmet = Unmet {
        reason: format!("missing: {}", what.join("; ")),
        remedies: remedies.join("\n"),
    };
    unmet.into()
}

impl Need {
    fn remedy(&self) -> String {
        let apt = format!("apt-get install {}", self.debian_packages.join(" "));
        let other = match self.otherwise {
            [] => "install it by the system's own package manager".to_owned(),
            words => words.join(" "),
        };
        format!(
            "  {}\n    on Debian: {apt}\n    elsewhere: {other}",
            self.what
        )
    }
}

/// Installs the packages of all needs in one go. Errors are printed by apt itself and show again as
/// unmet needs.
fn install_debian(needs: &[&Need]) {
    if !shell::is_there("apt-get") {
        return;
    }
    let packages: Vec<&str> = needs
        .iter()
        .flat_map(|need| need.debian_packages)
        .copied()
        .collect();
    println!("installing Debian packages: {}", packages.join(" "));
    let _ = shell::run(apt_get().args(["update", "-qq"]));
    let mut install = apt_get();
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&packages);
    if shell::run(&mut install).is_err() && packages.len() > 1 {
        // One unknown package must not keep the others out.
        for need in needs {
            let mut install = apt_get();
            install.args(["install", "-y", "-qq", "--no-install-recommends"]);
            let _ = shell::run(install.args(need.debian_packages));
        }
    }
}

/// `apt-get`, through sudo unless this is root. (sudo drops variables, so `env` sets this one.)
fn apt_get() -> Command {
    let user = shell::output(shell::command("id").arg("-u")).unwrap_or_default();
    let through_sudo = user.trim() != "0" && shell::is_there("sudo");
    let mut command = shell::command(if through_sudo { "sudo" } else { "env" });
    if through_sudo {
        command.arg("env");
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

/// Ends a check for which this machine lacks something: it says so, and fails in CI alone.
pub(crate) fn not_run(check: &str, missing: &str) -> Result<u32> {
    if is_ci() {
        bail!("{check} cannot run: {missing} is not here");
    }
    println!("NOT RUN: {check}, because {missing} is not here");
    Ok(0)
}

/// Whether this machine is there for the checks, and must have what they need.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// Node's major version, if it is installed.
pub(crate) fn node_major() -> Option<u32> {
    if !shell::is_there("node") {
        return None;
    }
    major_of(&shell::output(shell::command("node").arg("--version")).ok()?)
}

fn major_of(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Adds the toolchain's component for `cargo SUBCOMMAND` if it is not there.
pub(crate) fn ensure_component(subcommand: &str, component: &str) -> Result<()> {
    if shell::succeeds(shell::cargo([subcommand, "--version"]).env_remove("RUSTC")) {
        return Ok(());
    }
    println!("installing the toolchain's {component}");
    shell::run(shell::command("rustup").args(["component", "add", component]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nodes_version() {
        assert_eq!(major_of("v20.20.2\n"), Some(20));
        assert_eq!(major_of("18.1"), None);
        assert_eq!(major_of(""), None);
    }

    #[test]
    fn a_need_that_stays_unmet_is_told_from_other_errors() {
        const NOTHING: Need = Need {
            what: "what nobody has",
            is_met: || false,
            debian_packages: &[],
            otherwise: &["false"],
        };
        let error = unmet(&[&NOTHING]).context("a check");
        let unmet = error.downcast_ref::<Unmet>().unwrap();
        assert_eq!(unmet.reason, "missing: what nobody has");
        assert!(unmet.to_string().contains("elsewhere: false"));
    }

    #[test]
    fn a_remedy_names_both_ways() {
        let remedy = SOURCES.remedy();
        assert!(remedy.contains("apt-get install rustc-web libstd-rust-web-dev rust-web-src"));
        assert!(remedy.contains("rustup component add rust-src"));
    }
}
