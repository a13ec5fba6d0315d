//! Builds delta-wasm for wasm32-unknown-unknown, once without and once with simd128.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build_std::{self, BuildStd, COMPILER_VARIABLE};
use crate::shell;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Flags of the two builds, as CARGO_ENCODED_RUSTFLAGS wants them.
const SCALAR: &str = "-Cpanic=abort";
const SIMD128: &str = "-Cpanic=abort\x1f-Ctarget-feature=+simd128";

/// The modules that a build leaves behind.
pub(crate) struct Modules {
    pub(crate) scalar: PathBuf,
    pub(crate) simd128: PathBuf,
}

/// A way to compile for wasm32 on this machine.
enum Compiler {
    /// A rustc that the variable names.
    Named(String),
    /// The toolchain's own wasm32 target.
    Target,
    BuildStd(BuildStd),
}

impl Compiler {
    /// The first that is there of: what the variable names, the toolchain's target, a compiler with
    /// the sources of `core`, the target after `rustup target add`.
    fn find() -> Result<Self> {
        match std::env::var(COMPILER_VARIABLE).as_deref() {
            Err(_) | Ok("") => {}
            Ok("debian") => return BuildStd::find().map(Self::BuildStd),
            Ok("target") if has_target("rustc") => return Ok(Self::Target),
            Ok("target") => bail!("the toolchain has no {TARGET}: rustup target add {TARGET}"),
            Ok(path) if has_target(path) => return Ok(Self::Named(path.to_owned())),
            Ok(path) => bail!("{COMPILER_VARIABLE}={path}: not a rustc with {TARGET}"),
        }
        if has_target("rustc") {
            return Ok(Self::Target);
        }
        if let Ok(found) = BuildStd::find() {
            return Ok(Self::BuildStd(found));
        }
        let added = shell::run(shell::command("rustup").args(["target", "add", TARGET]));
        if added.is_ok() && has_target("rustc") {
            return Ok(Self::Target);
        }
        bail!(
            "no compiler for {TARGET} here; install one by either of\n  {}\n  {}",
            build_std::debian_install(),
            format_args!("rustup target add {TARGET}"),
        )
    }

    fn describe(&self) -> String {
        match self {
            Self::Named(path) => format!("{path}, named by {COMPILER_VARIABLE}"),
            Self::Target => format!("the toolchain's own {TARGET}"),
            Self::BuildStd(found) => found.describe(),
        }
    }

    fn cargo(&self, subcommand: &str) -> Command {
        match self {
            Self::BuildStd(found) => found.cargo(subcommand, TARGET),
            Self::Target => shell::cargo([subcommand, "--target", TARGET]),
            Self::Named(path) => {
                let mut cargo = shell::cargo([subcommand, "--target", TARGET]);
                cargo.env("RUSTC", path);
                cargo
            }
        }
    }
}

/// Builds both modules and prints which compiler made them, and their sizes.
pub(crate) fn build() -> Result<Modules> {
    let compiler = Compiler::find()?;
    println!("wasm32 compiler: {}", compiler.describe());
    const PACKAGE: [&str; 2] = ["--package", "delta-wasm"];
    let file = "delta_wasm.wasm";
    let scalar = build_one(&compiler, PACKAGE, file, "scalar", SCALAR)?;
    let simd128 = build_one(&compiler, PACKAGE, file, "simd128", SIMD128)?;
    for module in [&scalar, &simd128] {
        let bytes = std::fs::metadata(module)
            .with_context(|| module.display().to_string())?
            .len();
        println!(
            "{bytes:>8} bytes  {}",
            module.strip_prefix(shell::root())?.display()
        );
    }
    Ok(Modules { scalar, simd128 })
}

/// Builds the checks of .ci/no-os in both ways.
pub(crate) fn build_checks() -> Result<Modules> {
    const PACKAGE: [&str; 2] = ["--manifest-path", ".ci/no-os/Cargo.toml"];
    let compiler = Compiler::find()?;
    let file = "no-os-checks.wasm";
    Ok(Modules {
        scalar: build_one(&compiler, PACKAGE, file, "scalar", SCALAR)?,
        simd128: build_one(&compiler, PACKAGE, file, "simd128", SIMD128)?,
    })
}

fn build_one(
    compiler: &Compiler,
    package: [&str; 2],
    file: &str,
    name: &str,
    flags: &str,
) -> Result<PathBuf> {
    let target_dir = shell::target_dir("wasm").join(name);
    let mut cargo = compiler.cargo("build");
    cargo
        .arg("--release")
        .args(package)
        .arg("--target-dir")
        .arg(&target_dir);
    shell::run(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags))?;
    Ok(target_dir.join(TARGET).join("release").join(file))
}

/// The lints of wasm32 code, warnings denied: clippy where the toolchain has the target (a clippy
/// checks with its own compiler's libraries only), else rustc's own lints.
pub(crate) fn lint() -> Result<()> {
    let target_dir = shell::target_dir("wasm").join("lint");
    if has_target("rustc") {
        let mut cargo = shell::cargo(["clippy", "--target", TARGET, "--package", "delta-wasm"]);
        cargo
            .arg("--target-dir")
            .arg(&target_dir)
            .env("RUSTC_BOOTSTRAP", "0");
        cargo.args(["--package", "delta-core", "--", "-D", "warnings"]);
        return shell::run(&mut cargo);
    }
    println!("no clippy for {TARGET} here (rustup target add {TARGET}): rustc's lints alone");
    let mut cargo = BuildStd::find()?.cargo("check", TARGET);
    cargo.args(["--package", "delta-wasm", "--package", "delta-core"]);
    cargo.args([
        "-Zwarnings",
        "--config",
        "build.warnings='deny'",
        "--target-dir",
    ]);
    shell::run(cargo.arg(&target_dir))
}

/// Whether this rustc has a core library for wasm32.
fn has_target(rustc: &str) -> bool {
    let Some(sysroot) = build_std::sysroot(rustc) else {
        return false;
    };
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let Ok(files) = library.read_dir() else {
        return false;
    };
    files
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}
