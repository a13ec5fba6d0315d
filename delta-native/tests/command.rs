//! The `delta` command as a user runs it.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where a command cannot be run"
)]

use std::fs;
use std::path::Path;
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn without_a_command_the_sample_is_replayed() {
    for args in [&[][..], &["replay"]] {
        let output = delta(args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("replica identical"));
    }
}

#[test]
fn replay_prints_an_object_a_stream() {
    let output = delta(&["replay", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(line["replica_identical"], true);
        assert_eq!(line["digest"].as_str().unwrap().len(), 16);
        for key in [
            "stream",
            "dim",
            "deltas",
            "inserts",
            "updates",
            "deletes",
            "raw_bytes",
            "value_bytes",
            "wire_bytes",
            "metadata_bytes",
            "ratio_total",
            "ratio_median",
            "wire_ratio_total",
            "wire_ratio_median",
            "deltas_per_s",
            "latency_ns_p50",
            "latency_ns_p99",
        ] {
            assert!(!line[key].is_null(), "{key}");
        }
    }
}

/// The shipped sample as files.
fn sample_in(folder: &Path) {
    for (name, bytes) in delta_native::sample::FILES {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn the_sample_replays_from_files_and_a_corrupted_copy_does_not() {
    let folder = tempfile::tempdir().unwrap();
    sample_in(folder.path());
    let stem = folder.path().join("book_docs");
    let stem = stem.to_str().unwrap();
    assert_eq!(delta(&["replay", stem]).status.code(), Some(0));

    let lines = format!("{stem}.jsonl");
    let good = fs::read_to_string(&lines).unwrap();
    let second = good.lines().nth(1).unwrap();
    let repeated = format!("{good}{second}\n");
    let bad_row = good.replacen("\"row\":1,", "\"row\":999999,", 1);
    for (broken, names) in [(repeated, "line 1226"), (bad_row, "line 2")] {
        assert_ne!(broken, good);
        fs::write(&lines, broken).unwrap();
        let output = delta(&["replay", stem]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert!(
            text(&output.stderr).contains(names),
            "{}",
            text(&output.stderr)
        );
    }
    fs::write(&lines, good).unwrap();
    let rows = format!("{stem}.npy");
    let mut bytes = fs::read(&rows).unwrap();
    bytes.pop();
    fs::write(&rows, bytes).unwrap();
    assert_eq!(delta(&["replay", stem]).status.code(), Some(1));
}

/// Two small arrays and the delta between them, in a new folder.
fn small_delta() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let npy = |values: &[f32]| {
        let header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': (2, {}), }}\n",
            values.len() / 2
        );
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        file.extend(header.bytes());
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        file
    };
    fs::write(folder.path().join("old.npy"), npy(&[1.0, 2.0, 3.0, 4.0])).unwrap();
    fs::write(
        folder.path().join("new.npy"),
        npy(&[1.0, 2.0, f32::NAN, -0.0]),
    )
    .unwrap();
    let output = in_folder(&folder, &["diff", "old.npy", "new.npy", "-o", "x.delta"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let delta = fs::read(folder.path().join("x.delta")).unwrap();
    (folder, delta)
}

fn in_folder(folder: &tempfile::TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_delta"))
        .args(args)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

const APPLY: [&str; 5] = ["apply", "old.npy", "x.delta", "-o", "out.npy"];

#[test]
fn apply_gives_the_new_file_byte_for_byte() {
    let (folder, _) = small_delta();
    assert_eq!(
        in_folder(&folder, &["verify", "x.delta"]).status.code(),
        Some(0)
    );
    assert_eq!(in_folder(&folder, &APPLY).status.code(), Some(0));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("out.npy"), read("new.npy"));

    let output = in_folder(&folder, &["inspect", "x.delta"]);
    assert!(text(&output.stdout).contains("batch-update"));
    let output = in_folder(&folder, &["inspect", "x.delta", "--json"]);
    let objects = text(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert_eq!(objects.len(), 4);
    let last: serde_json::Value = serde_json::from_str(&objects[3]).unwrap();
    assert_eq!(last["stream"]["updates"], 1);
}

#[test]
fn apply_to_another_old_is_refused_without_output() {
    let (folder, _) = small_delta();
    let output = in_folder(&folder, &["apply", "new.npy", "x.delta", "-o", "out.npy"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("apply it to the file it was made for"));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        3,
        "no output, no leftovers"
    );
}

#[test]
fn any_flipped_byte_fails_verify_and_apply() {
    let (folder, delta) = small_delta();
    for at in 0..delta.len() {
        let mut broken = delta.clone();
        broken[at] ^= 0x40;
        fs::write(folder.path().join("x.delta"), broken).unwrap();
        assert_eq!(
            in_folder(&folder, &["verify", "x.delta"]).status.code(),
            Some(1),
            "byte {at}"
        );
        assert_eq!(
            in_folder(&folder, &APPLY).status.code(),
            Some(1),
            "byte {at}"
        );
        assert!(!folder.path().join("out.npy").exists(), "byte {at}");
    }
}
