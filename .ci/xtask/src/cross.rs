//! The core's tests on other processors: aarch64 in an emulator, i686 on the processor itself.
//!
//! The standard library is built from its sources, so no target need be installed; the linkers are
//! Debian's cross compilers. Programs are linked statically and need no libraries of their target.

use anyhow::Result;

use crate::build_std::BuildStd;
use crate::setup::{self, Need};
use crate::shell;

pub(crate) struct Cross {
    target: &'static str,
    linker: &'static str,
    /// What runs a program of the target; `None`: this machine does.
    runner: Option<&'static str>,
    need: Need,
}

/// aarch64: another instruction set, and the emulator's memory ordering.
pub(crate) const AARCH64: Cross = Cross {
    target: "aarch64-unknown-linux-gnu",
    linker: "aarch64-linux-gnu-gcc",
    runner: Some("qemu-aarch64"),
    need: Need {
        what: "a linker and an emulator for aarch64",
        is_met: || shell::is_there("aarch64-linux-gnu-gcc") && shell::is_there("qemu-aarch64"),
        debian_packages: &[
            "gcc-aarch64-linux-gnu",
            "libc6-dev-arm64-cross",
            "qemu-user",
        ],
        otherwise: &[],
    },
};

/// i686: sizes of 32 bits.
pub(crate) const I686: Cross = Cross {
    target: "i686-unknown-linux-gnu",
    linker: "i686-linux-gnu-gcc",
    runner: None,
    need: Need {
        what: "a linker for i686",
        is_met: || shell::is_there("i686-linux-gnu-gcc"),
        debian_packages: &["gcc-i686-linux-gnu", "libc6-dev-i386-cross"],
        otherwise: &[],
    },
};

impl Cross {
    /// Builds the core's tests and runs them; returns how many passed.
    pub(crate) fn test(&self) -> Result<u32> {
        setup::meet(&[&setup::SOURCES, &self.need])?;
        let compiler = BuildStd::find()?;
        println!("compiler: {}", compiler.describe());
        let mut cargo = compiler.cargo_with_std("test", self.target);
        let variable = |name: &str| {
            let target = self.target.to_uppercase().replace('-', "_");
            format!("CARGO_TARGET_{target}_{name}")
        };
        cargo
            .env(variable("LINKER"), self.linker)
            .env(variable("RUSTFLAGS"), "-Ctarget-feature=+crt-static");
        if let Some(runner) = self.runner {
            cargo.env(variable("RUNNER"), runner);
        }
        cargo.args([
            "--package",
            "delta-core",
            "--lib",
            "--tests",
            "--no-fail-fast",
        ]);
        shell::run_tests(cargo.arg("--target-dir").arg(shell::target_dir("cross")))
    }
}
