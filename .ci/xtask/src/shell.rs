//! Running other programs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// A folder for the output of one kind of build, so that none rebuilds what another has built.
pub(crate) fn target_dir(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// Where `cargo build --release` puts programs of the workspace.
pub(crate) fn release_dir() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release")
}

/// `program` from PATH, to be run in the root folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The `cargo` of PATH (not `$CARGO`, which is one toolchain's own binary and would not take
/// `+toolchain` or a rustup override).
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = command("cargo");
    cargo.args(arguments);
    cargo
}

/// Whether `program` starts and succeeds when asked for its version.
pub(crate) fn is_there(program: &str) -> bool {
    succeeds(command(program).arg("--version"))
}

/// Runs without output; false as well if the program cannot be started.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs, passing the output on.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    ensure!(status.success(), "`{}` failed: {status}", words(command));
    Ok(())
}

/// What the program prints on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| cannot_start(command))?;
    ensure!(
        output.status.success(),
        "`{}` failed: {}",
        words(command),
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{}`", words(command)))
}

/// Runs a program that prints test results as `cargo test` or Node's runner does, passes its output
/// on and returns how many tests passed. None at all is an error: a wrong filter would not show.
pub(crate) fn run_tests(command: &mut Command) -> Result<u32> {
    println!("$ {}", shown(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let mut passed = 0;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            passed += passed_in(&line);
            println!("{line}");
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{}` failed: {status}", words(command));
    if passed == 0 {
        bail!("`{}` ran no test", words(command));
    }
    Ok(passed)
}

/// The number in `test result: ok. N passed; ...` or in the TAP summary `# pass N`.
fn passed_in(line: &str) -> u32 {
    let number = match line.strip_prefix("test result: ") {
        Some(result) => result
            .split_once(". ")
            .and_then(|(_, counts)| counts.split_once(" passed"))
            .map(|(number, _)| number),
        None => line.strip_prefix("# pass "),
    };
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The command as one would type it in the root folder, with the variables that it sets.
fn shown(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter(|(name, _)| *name != "PATH")
        .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
        .map(|(name, value)| format!("{name}={} ", quoted(value)));
    variables.collect::<String>() + &words(command)
}

/// The same without the variables.
fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| quoted(&word.to_string_lossy())),
    );
    words.join(" ")
}

fn quoted(word: &str) -> String {
    match word.contains([' ', '"', '\x1f']) {
        true => format!("'{}'", word.replace('\x1f', " ")),
        false => word.to_owned(),
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_passed_tests_of_cargo_and_node() {
        assert_eq!(
            passed_in("test result: ok. 12 passed; 0 failed; 1 ignored; finished"),
            12
        );
        assert_eq!(
            passed_in("test result: FAILED. 3 passed; 1 failed; 0 ignored"),
            3
        );
        assert_eq!(passed_in("# pass 7"), 7);
        assert_eq!(passed_in("test loom_wrap ... ok"), 0);
        assert_eq!(passed_in("# fail 7"), 0);
    }

    #[test]
    fn shows_variables_and_quotes_words() {
        let mut command = Command::new("cargo");
        command.args(["test", "a b"]).env("RUSTFLAGS", "--cfg loom");
        assert_eq!(shown(&command), "RUSTFLAGS='--cfg loom' cargo test 'a b'");
    }

    #[test]
    fn a_program_that_runs_no_test_is_an_error() {
        assert!(run_tests(cargo(["--version"]).arg("--quiet")).is_err());
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("delta-core/WIRE.md").is_file());
    }
}
