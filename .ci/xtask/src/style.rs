//! Checks of our own that no linter makes: lengths of files and of lines.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell;

/// Lines of a source file, tests included.
const FILE_LINES_MAX: usize = 400;
/// Columns of a line: rustfmt leaves comments and long strings alone.
const LINE_COLUMNS_MAX: usize = 100;
const EXTENSIONS: [&str; 5] = ["rs", "mjs", "js", "sh", "yml"];
const FOLDERS_SKIPPED: [&str; 4] = ["target", ".git", "node_modules", "corpus"];

pub(crate) fn check() -> Result<()> {
    let mut files = Vec::new();
    collect(shell::root(), &mut files)?;
    ensure!(
        !files.is_empty(),
        "no source files under {}",
        shell::root().display()
    );
    let mut faults = Vec::new();
    for file in &files {
        let name = file.strip_prefix(shell::root()).unwrap_or(file);
        let text = fs::read_to_string(file).with_context(|| name.display().to_string())?;
        faults.extend(faults_of(name, &text));
    }
    println!("{} files read", files.len());
    ensure!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}

/// Adds the sources under a folder to `files`.
pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !FOLDERS_SKIPPED.iter().any(|skipped| name == *skipped) {
                collect(&path, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|end| EXTENSIONS.iter().any(|known| end == *known))
        {
            files.push(path);
        }
    }
    Ok(())
}

fn faults_of(name: &Path, text: &str) -> Vec<String> {
    let mut faults: Vec<String> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.chars().count() > LINE_COLUMNS_MAX)
        .map(|(index, _)| {
            format!(
                "{}:{}: over {LINE_COLUMNS_MAX} columns",
                name.display(),
                index + 1
            )
        })
        .collect();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        faults.push(format!(
            "{}: {lines} lines, over {FILE_LINES_MAX}",
            name.display()
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_found_and_counted_in_characters() {
        let text = format!("{}\n{}\n", "é".repeat(100), "é".repeat(101));
        assert_eq!(
            faults_of(Path::new("a.rs"), &text),
            ["a.rs:2: over 100 columns"]
        );
    }

    #[test]
    fn a_long_file_is_a_fault_also_if_it_is_tests() {
        let text = "\n".repeat(401);
        for name in ["a.rs", "tests/a.rs", "a_tests.rs", "a.mjs"] {
            let expected = format!("{name}: 401 lines, over 400");
            assert_eq!(faults_of(Path::new(name), &text), [expected]);
        }
        assert!(faults_of(Path::new("a.rs"), &"\n".repeat(400)).is_empty());
    }

    #[test]
    fn build_output_is_not_read() {
        let mut files = Vec::new();
        collect(shell::root(), &mut files).unwrap();
        assert!(
            files
                .iter()
                .any(|file| file.ends_with(".ci/xtask/src/style.rs"))
        );
        assert!(
            !files
                .iter()
                .any(|file| file.starts_with(shell::root().join("target")))
        );
    }
}
