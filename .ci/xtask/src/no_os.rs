//! `cargo xtask thumbv7m`: the core on bare metal, in an emulated Cortex-M3.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::build_std::BuildStd;
use crate::setup::{self, Need};
use crate::shell;

const TARGET: &str = "thumbv7m-none-eabi";
const MANIFEST: &str = ".ci/no-os/Cargo.toml";
/// It takes well under a second.
const RUN_TIME_MAX: Duration = Duration::from_secs(60);
/// Bytes of stack that ring, capture, apply and search may take together.
const STACK_BUDGET: u32 = 12 * 1024;

const QEMU: Need = Need {
    what: "qemu-system-arm, to run the firmware",
    is_met: || shell::is_there("qemu-system-arm"),
    debian_packages: &["qemu-system-arm"],
    otherwise: &[],
};

/// Builds the firmware and runs it; returns what it has printed.
pub(crate) fn run() -> Result<String> {
    setup::meet(&[&setup::SOURCES, &QEMU])?;
    let compiler = BuildStd::find()?;
    println!("compiler: {}", compiler.describe());
    let target_dir = shell::target_dir("thumbv7m");
    let mut build = compiler.cargo("build", TARGET);
    build.args(["--release", "--manifest-path", MANIFEST, "--target-dir"]);
    shell::run(build.arg(&target_dir))?;

    let mut qemu = shell::command("qemu-system-arm");
    qemu.args([
        "-machine",
        "lm3s6965evb",
        "-display",
        "none",
        "-monitor",
        "none",
    ]);
    qemu.args([
        "-serial",
        "none",
        "-semihosting-config",
        "enable=on,target=native",
        "-kernel",
    ]);
    qemu.arg(target_dir.join(TARGET).join("release/no-os-checks"));
    let mut child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-arm")?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > RUN_TIME_MAX {
            child.kill()?;
            bail!("the firmware runs on after {} s", RUN_TIME_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    // Semihosting's console is stderr or stdout, as qemu's version has it.
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    println!("{}", printed.trim_end());
    ensure!(
        output.status.success(),
        "the firmware failed: {}",
        output.status
    );
    let stack = stack_max(&printed).context("the firmware did not come to its end")?;
    ensure!(
        stack <= STACK_BUDGET,
        "the checks take {stack} bytes of stack, more than {STACK_BUDGET}"
    );
    Ok(printed)
}

/// The checks that have passed: a line `name: what` each.
pub(crate) fn checks(printed: &str) -> usize {
    let is_check = |line: &&str| line.contains(": ") && !line.starts_with("stack: ");
    printed.lines().filter(is_check).count()
}

/// Bytes of the stack that were used at most, as the firmware says.
pub(crate) fn stack_max(printed: &str) -> Option<u32> {
    let (_, rest) = printed.split_once("stack: at most ")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_counted() {
        let printed = "Timer disabled\nring: 4 records\ndiff: 5 rows\nstack: at most 8 of 9\n";
        assert_eq!(checks(printed), 2);
        assert_eq!(checks(""), 0);
    }

    #[test]
    fn the_stack_maximum_is_read() {
        assert_eq!(
            stack_max("x\nstack: at most 3456 of 50000 bytes used\n"),
            Some(3456)
        );
        assert_eq!(stack_max("failed"), None);
    }
}
