//! The `delta` command as a user runs it.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where a command cannot be run"
)]

use std::process::{Command, Output};

fn delta(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_delta"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = delta(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("completions"),
            "{shell}"
        );
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn help_documents_the_exit_codes() {
    let output = delta(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(
        help.contains("Exit codes:") && help.contains("3  a replica differs"),
        "{help}"
    );
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for args in [&["fly"][..], &["completions"], &["completions", "none"]] {
        let output = delta(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .starts_with("error: ")
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_failed_write_exits_with_1_and_its_cause() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_delta"))
        .args(["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.starts_with("error: cannot write the completion script"),
        "{message}"
    );
    assert!(message.contains("\n  because: "), "{message}");
}
