//! `cargo xtask sanitize`: the unit tests under the address and the thread sanitizer, and under
//! Miri where the toolchain has it.

use anyhow::{Context, Result, bail};

use crate::tools;
use crate::{setup, shell};

const PACKAGES: [&str; 4] = ["--package", "delta-core", "--package", "delta-native"];
const TESTS: [&str; 4] = ["--lib", "--bins", "--tests", "--no-fail-fast"];

/// Sanitizers need the target named, so that build scripts are built without them.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What the thread sanitizer reports of code that is not ours; each entry has its reason.
const SUPPRESSIONS: &str = ".ci/tsan.supp";

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

/// Address sanitizer: accesses outside of what is allocated, or after it was freed; leaks.
pub(crate) fn address() -> Result<u32> {
    test("address", "-Zsanitizer=address", None)
}

/// Thread sanitizer: data races. The prebuilt standard library is not instrumented.
pub(crate) fn thread() -> Result<u32> {
    let flags = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
    let file = shell::root().join(SUPPRESSIONS);
    let options = format!("suppressions={} halt_on_error=1", file.display());
    test("thread", flags, Some(("TSAN_OPTIONS", options)))
}

fn test(name: &str, flags: &str, option: Option<(&str, String)>) -> Result<u32> {
    setup::run()?;
    tools::ensure_nightly()?;
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        bail!("the sanitizers are run on {TARGET} alone");
    }
    let mut cargo = tools::nightly(["test", "--target", TARGET]);
    cargo.args(PACKAGES).args(TESTS).env("RUSTFLAGS", flags);
    cargo.envs(option);
    let target_dir = shell::target_dir("sanitize").join(name);
    shell::run_tests(cargo.arg("--target-dir").arg(target_dir))
        .with_context(|| format!("under the {name} sanitizer"))
}

pub(crate) const MIRI_MISSING: &str = "no toolchain here has the component miri";

/// Miri on the core's tests that are short enough for it: undefined behaviour of every kind.
/// `None` where the component is missing.
pub(crate) fn miri() -> Result<Option<u32>> {
    let is_there = shell::succeeds(&mut tools::nightly(["miri", "--version"]));
    if !is_there {
        return Ok(None);
    }
    let mut cargo = tools::nightly(["miri", "test", "--package", "delta-core", "--lib"]);
    // Seconds, not hours: neither random cases nor millions of records.
    cargo.args(["--", "--skip", "prop_", "--skip", "across_threads"]);
    cargo.env("CARGO_TARGET_DIR", shell::target_dir("miri"));
    shell::run_tests(&mut cargo).map(Some)
}
