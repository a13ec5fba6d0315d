//! A compiler that can build `core` from its sources, for targets whose standard library is not
//! installed.
//!
//! Two are known: Debian's `rustc-web` with the sources of `rust-web-src`, and the rustup toolchain
//! with its `rust-src` component. `-Zbuild-std` is unstable; RUSTC_BOOTSTRAP lets a stable compiler
//! take it. What is built this way is tested, never shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Names the compiler of wasm32 builds: `debian`, `target` (the toolchain's own), or the path of a
/// rustc that has a wasm32 core library. `debian` also holds for what is built from sources.
pub(crate) const COMPILER_VARIABLE: &str = "DELTA_WASM_COMPILER";

/// Where Debian puts the compiler of its `rustc-web` package.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Debian's packages of a recent compiler, its own standard library and its sources.
pub(crate) const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "libstd-rust-web-dev", "rust-web-src"];

pub(crate) struct BuildStd {
    /// `None`: the toolchain that `cargo` picks.
    rustc: Option<&'static str>,
    linker: Option<PathBuf>,
}

impl BuildStd {
    /// Debian's compiler where it is installed with its sources, else the toolchain where it has
    /// them, unless the variable asks for Debian's.
    pub(crate) fn find() -> Result<Self> {
        let only_debian = std::env::var(COMPILER_VARIABLE).is_ok_and(|named| named == "debian");
        let toolchain = || if only_debian { None } else { Self::toolchain() };
        match Self::debian().or_else(toolchain) {
            Some(found) => Ok(found),
            None if only_debian => bail!(
                "{COMPILER_VARIABLE}=debian, but its compiler is not here: {}",
                debian_install()
            ),
            None => bail!(
                "no compiler here has the sources of `core`; install them by one of\n  {}\n  {}",
                debian_install(),
                "rustup component add rust-src"
            ),
        }
    }

    /// Debian's compiler, if it is installed with its sources.
    fn debian() -> Option<Self> {
        let found = Path::new(DEBIAN_RUSTC).is_file() && has_sources(DEBIAN_RUSTC);
        found.then(|| Self {
            rustc: Some(DEBIAN_RUSTC),
            linker: rustup_lld(),
        })
    }

    fn toolchain() -> Option<Self> {
        has_sources("rustc").then(|| Self {
            rustc: None,
            linker: rustup_lld(),
        })
    }

    pub(crate) fn describe(&self) -> String {
        let rustc = self.rustc.unwrap_or("rustc");
        let version = shell::output(shell::command(rustc).arg("--version")).unwrap_or_default();
        format!("{rustc} ({}), `core` built from source", version.trim())
    }

    /// `cargo SUBCOMMAND` for `target`, with nothing but `core` to link: neither `alloc` nor `std`.
    pub(crate) fn cargo(&self, subcommand: &str, target: &str) -> Command {
        let mut cargo = self.unstable(subcommand, target);
        cargo.args([
            "-Zbuild-std=core",
            "-Zbuild-std-features=compiler-builtins-mem",
        ]);
        cargo
    }

    /// `cargo SUBCOMMAND` for `target`, with the standard library and the test harness.
    pub(crate) fn cargo_with_std(&self, subcommand: &str, target: &str) -> Command {
        let mut cargo = self.unstable(subcommand, target);
        cargo.arg("-Zbuild-std=std,panic_unwind,test");
        cargo
    }

    /// `cargo SUBCOMMAND` for `target`, with the standard library, which aborts on a panic.
    pub(crate) fn cargo_with_abort(&self, subcommand: &str, target: &str) -> Command {
        let mut cargo = self.unstable(subcommand, target);
        cargo.arg("-Zbuild-std=std,panic_abort");
        cargo
    }

    fn unstable(&self, subcommand: &str, target: &str) -> Command {
        let mut cargo = shell::cargo([subcommand, "--target", target]);
        cargo.env("RUSTC_BOOTSTRAP", "1");
        if let Some(rustc) = self.rustc {
            cargo.env("RUSTC", rustc);
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            cargo.env("CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER", linker);
        }
        cargo
    }
}

/// The command that installs Debian's pair.
pub(crate) fn debian_install() -> String {
    format!(
        "apt-get install --no-install-recommends {}",
        DEBIAN_PACKAGES.join(" ")
    )
}

/// The folder that holds the compiler's libraries, if `rustc` runs.
pub(crate) fn sysroot(rustc: &str) -> Option<PathBuf> {
    let path = shell::output(shell::command(rustc).args(["--print", "sysroot"])).ok()?;
    Some(PathBuf::from(path.trim()))
}

fn has_sources(rustc: &str) -> bool {
    let sources = "lib/rustlib/src/rust/library/core/src/lib.rs";
    sysroot(rustc).is_some_and(|sysroot| sysroot.join(sources).is_file())
}

/// The linker that rustup ships with the host's toolchain; Debian's compiler has none for wasm32.
fn rustup_lld() -> Option<PathBuf> {
    let version = shell::output(shell::command("rustc").arg("-vV")).ok()?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))?;
    let name = format!("rust-lld{}", std::env::consts::EXE_SUFFIX);
    let lld = sysroot("rustc")?
        .join("lib/rustlib")
        .join(host)
        .join("bin")
        .join(name);
    lld.is_file().then_some(lld)
}
