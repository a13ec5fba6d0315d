//! `cargo xtask sanitize`: the unit tests under the address and the thread sanitizer, and under
//! Miri where the toolchain has it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::build_std::BuildStd;
use crate::{setup, shell, tools};

const PACKAGES: [&str; 6] = [
    "--package",
    "delta-core",
    "--package",
    "delta-native",
    "--package",
    "delta-wasm",
];
const TESTS: [&str; 4] = ["--lib", "--bins", "--tests", "--no-fail-fast"];

/// Sanitizers need the target named, so that build scripts are built without them.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Tests ask for sizes that no allocator has, to see that it is an error and not the end.
const NO_ALLOCATION: &str = "allocator_may_return_null=1";

/// Runs what there is, one after the other.
pub(crate) fn run() -> Result<()> {
    let address = address();
    let thread = thread();
    let miri = miri();
    if let Ok(None) = miri {
        println!("miri: not run: {MIRI_MISSING}");
    }
    println!("address sanitizer: {} tests passed", address?);
    println!("thread sanitizer: {} tests passed", thread?);
    miri.map(drop)
}

/// Thread sanitizer: data races. The standard library is built with it too, or its channels and
/// locks would look like races; the runtime is that of the nightly toolchain.
pub(crate) fn thread() -> Result<u32> {
    ensure_possible()?;
    setup::meet(&[&setup::SOURCES])?;
    let compiler = BuildStd::find()?;
    println!("compiler: {}", compiler.describe());
    let sysroot = shell::output(shell::command("rustc").args(["+nightly", "--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    let runtime = folder.join("lib/librustc-nightly_rt.tsan.a");
    ensure!(runtime.is_file(), "{}: no such runtime", runtime.display());
    let link = format!(
        "-Clink-arg=-Wl,--whole-archive,{},--no-whole-archive,-lc,-lm,-lpthread,-ldl,-lrt",
        runtime.display()
    );
    // The linker that rustup ships: GNU's refuses this archive.
    let linker = format!("-Clink-arg=-B{}", folder.join("bin/gcc-ld").display());
    let sanitizer = ["-Zsanitizer=thread", "-Zexternal-clangrt"];
    let flags = [&sanitizer[..], &[&link, &linker, "-Clink-arg=-fuse-ld=lld"]].concat();
    let mut cargo = compiler.cargo_with_std("test", TARGET);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    cargo.env("TSAN_OPTIONS", NO_ALLOCATION);
    test("thread", cargo)
}

/// Address sanitizer: accesses outside of what is allocated, or after it was freed. Not leaks:
/// tests let memory live as long as the program, where the core asks for such a lifetime.
pub(crate) fn address() -> Result<u32> {
    ensure_possible()?;
    let mut cargo = tools::nightly(["test", "--target", TARGET]);
    cargo.env("RUSTFLAGS", "-Zsanitizer=address");
    cargo.env("ASAN_OPTIONS", format!("detect_leaks=0:{NO_ALLOCATION}"));
    test("address", cargo)
}

/// Whether this machine is the sanitizers' target, which no installation makes it.
pub(crate) const IS_TARGET_HERE: bool = cfg!(all(target_arch = "x86_64", target_os = "linux"));
pub(crate) const TARGET_MISSING: &str = "the sanitizers are run on x86-64 Linux alone";

fn ensure_possible() -> Result<()> {
    if IS_TARGET_HERE && tools::ensure_nightly() {
        return Ok(());
    }
    let reason = if IS_TARGET_HERE {
        tools::NIGHTLY_MISSING
    } else {
        TARGET_MISSING
    };
    Err(setup::Unmet::new(reason).into())
}

fn test(name: &str, mut cargo: Command) -> Result<u32> {
    cargo.args(PACKAGES).args(TESTS).arg("--target-dir");
    shell::run_tests(cargo.arg(shell::target_dir("sanitize").join(name)))
        .with_context(|| format!("under the {name} sanitizer"))
}

pub(crate) const MIRI_MISSING: &str = "no toolchain here has the component miri";

/// The modules with unsafe code. The others have none, and take hours in an interpreter.
const MIRI_MODULES: [&str; 3] = ["ring::", "simd::", "kernel::"];

/// The stages of delta-wasm get numbers for addresses, and their host never frees its memory.
const MIRI_HOST: &str = "-Zmiri-permissive-provenance -Zmiri-ignore-leaks";

/// Miri: undefined behaviour of every kind, in the tests of the modules with unsafe code that are
/// short enough for it. `None` where the component is missing.
pub(crate) fn miri() -> Result<Option<u32>> {
    if !(tools::ensure_nightly() && tools::ensure_miri()) {
        return Ok(None);
    }
    let test = |package| {
        let mut cargo = tools::nightly(["miri", "test", "--lib", "--package", package]);
        cargo.env("CARGO_TARGET_DIR", shell::target_dir("miri"));
        cargo
    };
    let mut core = test("delta-core");
    // Minutes, not hours: no random cases.
    core.arg("--").args(MIRI_MODULES).args(["--skip", "prop_"]);
    let core = shell::run_tests(&mut core)?;
    let mut wasm = test("delta-wasm");
    wasm.env("MIRIFLAGS", MIRI_HOST);
    Ok(Some(core + shell::run_tests(&mut wasm)?))
}
