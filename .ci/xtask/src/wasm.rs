//! Builds the stages of delta-wasm for wasm32-unknown-unknown, each in four variants, into the npm
//! package; and whatever else of the workspace runs as wasm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::build_std::{self, BuildStd, COMPILER_VARIABLE};
use crate::setup::Unmet;
use crate::shell;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The package; its modules lie in `wasm/`, which is not committed.
pub(crate) const NPM_PACKAGE: &str = "delta-wasm/npm";
/// Linear memory comes in pages of so many bytes.
const PAGE_SIZE: usize = 65_536;
/// Pages below which a memory cannot hold the modules' constants: what each of them asks for.
const PAGES_MIN: usize = 4;
/// Pages of the largest memory that can be addressed: none asks for less.
const PAGES_MAX: usize = 65_536;

/// A stage of the pipeline, which is a feature of delta-wasm and a module.
struct Stage {
    name: &'static str,
    /// Where its constants lie: a page of its own.
    page: usize,
    /// Most bytes of the module, uncompressed.
    bytes_max: u64,
}

const STAGES: [Stage; 3] = [
    Stage {
        name: "capture",
        page: 1,
        bytes_max: 138 * 1024,
    },
    Stage {
        name: "process",
        page: 2,
        bytes_max: 46 * 1024,
    },
    Stage {
        name: "apply",
        page: 3,
        bytes_max: 130 * 1024,
    },
];

/// A way to build every stage.
struct Variant {
    name: &'static str,
    target_features: &'static str,
    /// Whether its memory can be shared between threads.
    is_shared: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant {
        name: "plain-scalar",
        target_features: "+bulk-memory,+mutable-globals",
        is_shared: false,
    },
    Variant {
        name: "plain-simd128",
        target_features: "+bulk-memory,+mutable-globals,+simd128",
        is_shared: false,
    },
    Variant {
        name: "shared-scalar",
        target_features: "+bulk-memory,+mutable-globals,+atomics",
        is_shared: true,
    },
    Variant {
        name: "shared-simd128",
        target_features: "+bulk-memory,+mutable-globals,+atomics,+simd128",
        is_shared: true,
    },
];

/// A module that was built without and with simd128.
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
        let (debian, rustup) = (build_std::debian_install(), "rustup target add");
        let reason = format!("no compiler for {TARGET}: {debian}, or {rustup} {TARGET}");
        Err(Unmet::new(reason).into())
    }

    fn describe(&self) -> String {
        match self {
            Self::Named(path) => format!("{path}, named by {COMPILER_VARIABLE}"),
            Self::Target => format!("the toolchain's own {TARGET}"),
            Self::BuildStd(found) => found.describe(),
        }
    }

    /// Whether `core` is compiled with the flags of the build.
    const fn builds_core(&self) -> bool {
        matches!(self, Self::BuildStd(_))
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

/// Builds every stage in every variant into the npm package, prints the sizes, and refuses a module
/// that exceeds its budget.
pub(crate) fn build() -> Result<()> {
    let compiler = Compiler::find()?;
    println!("wasm32 compiler: {}", compiler.describe());
    let folder = shell::root().join(NPM_PACKAGE).join("wasm");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut sizes = Vec::new();
    for variant in &VARIANTS {
        for stage in &STAGES {
            let built = build_stage(&compiler, stage, variant)?;
            let file = folder.join(format!("{}.{}.wasm", stage.name, variant.name));
            fs::copy(&built, &file).with_context(|| file.display().to_string())?;
            sizes.push((stage, file.metadata()?.len(), file));
        }
    }
    let mut too_large = Vec::new();
    for (stage, bytes, file) in &sizes {
        let name = file.strip_prefix(shell::root())?.display();
        println!("{bytes:>8} of {:>6} bytes  {name}", stage.bytes_max);
        if *bytes > stage.bytes_max {
            too_large.push(name.to_string());
        }
    }
    ensure!(
        too_large.is_empty(),
        "over the budget: {}",
        too_large.join(", ")
    );
    Ok(())
}

fn build_stage(compiler: &Compiler, stage: &Stage, variant: &Variant) -> Result<PathBuf> {
    let target_dir = shell::target_dir("wasm").join(variant.name);
    let mut cargo = compiler.cargo("rustc");
    cargo
        .args(["--quiet", "--profile", "wasm", "--package", "delta-wasm"])
        .args(["--lib", "--crate-type", "cdylib", "--no-default-features"])
        .args(["--features", stage.name, "--target-dir"])
        .arg(&target_dir)
        .args(["--", "-Cstrip=symbols"]);
    let mut link = vec![
        "--import-memory".to_owned(),
        format!("--global-base={}", stage.page * PAGE_SIZE),
        format!("--initial-memory={}", PAGES_MIN * PAGE_SIZE),
        format!("--max-memory={}", PAGES_MAX * PAGE_SIZE),
        // Below the constants. The host gives every instance a stack of its own.
        format!("-zstack-size={PAGE_SIZE}"),
        "--export=__stack_pointer".to_owned(),
        "--export=__heap_base".to_owned(),
        "--export=__data_end".to_owned(),
    ];
    if variant.is_shared {
        link.push("--shared-memory".to_owned());
        if !compiler.builds_core() {
            // The core library that was built without atomics uses none itself: those of the
            // workspace's own crates are compiled with them.
            link.push("--no-check-features".to_owned());
        }
    }
    cargo.args(link.iter().map(|option| format!("-Clink-arg={option}")));
    let features = format!("-Ctarget-feature={}", variant.target_features);
    cargo.env(
        "CARGO_ENCODED_RUSTFLAGS",
        format!("-Cpanic=abort\x1f{features}"),
    );
    shell::run(&mut cargo)?;
    Ok(output(&target_dir, "wasm", "delta_wasm.wasm"))
}

/// Builds the checks of .ci/no-os without and with simd128.
pub(crate) fn build_checks() -> Result<Modules> {
    let compiler = Compiler::find()?;
    let build = |name: &str, flags: &str| {
        let target_dir = shell::target_dir("wasm").join(name);
        let mut cargo = compiler.cargo("build");
        cargo
            .args(["--release", "--manifest-path", ".ci/no-os/Cargo.toml"])
            .arg("--target-dir")
            .arg(&target_dir)
            .env("CARGO_ENCODED_RUSTFLAGS", flags);
        shell::run(&mut cargo)?;
        Ok::<_, anyhow::Error>(output(&target_dir, "release", "no-os-checks.wasm"))
    };
    Ok(Modules {
        scalar: build("scalar", "-Cpanic=abort")?,
        simd128: build("simd128", "-Cpanic=abort\x1f-Ctarget-feature=+simd128")?,
    })
}

/// The package's test files, sorted.
pub(crate) fn test_files() -> Result<Vec<PathBuf>> {
    let folder = shell::root().join("delta-wasm/tests");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn output(target_dir: &Path, profile: &str, file: &str) -> PathBuf {
    target_dir.join(TARGET).join(profile).join(file)
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
