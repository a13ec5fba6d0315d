//! The table of unsafe code in ARCHITECTURE.md is whole: it lists every file of the published
//! crates that has or allows unsafe code, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{shell, style};

const DOCUMENT: &str = "ARCHITECTURE.md";
const CRATES: [&str; 3] = ["delta-core", "delta-native", "delta-wasm"];
/// The head of the table.
const HEAD: &str = "| module | unsafe for | sound because |";

pub(crate) fn check() -> Result<()> {
    let text = fs::read_to_string(shell::root().join(DOCUMENT)).context(DOCUMENT)?;
    let listed = listed(&text)?;
    let mut files = Vec::new();
    for name in CRATES {
        style::collect(&shell::root().join(name).join("src"), &mut files)?;
    }
    let mut used = Vec::new();
    for file in files {
        let name = file.strip_prefix(shell::root())?;
        let is_rust = name.extension().is_some_and(|end| end == "rs");
        if is_rust && !is_test(name) && has_unsafe(&fs::read_to_string(&file)?) {
            used.push(name.with_extension(""));
        }
    }
    let faults = faults(&listed, &used);
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    println!("{} files with unsafe code, all in {DOCUMENT}", used.len());
    Ok(())
}

/// Whether the whole file is tests: under a `tests` folder, or named `tests.rs` or `*_tests.rs`.
fn is_test(name: &Path) -> bool {
    let stem = name
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    stem == "tests"
        || stem.ends_with("_tests")
        || name.components().any(|c| c.as_os_str() == "tests")
}

/// The files and folders of the table's first column, from the root, without extension.
fn listed(text: &str) -> Result<Vec<PathBuf>> {
    let (_, rows) = text
        .split_once(HEAD)
        .with_context(|| format!("{DOCUMENT} has no table `{HEAD}`"))?;
    let mut paths = Vec::new();
    for row in rows.trim_start().lines().skip(1) {
        let Some((cell, _)) = row.strip_prefix('|').and_then(|row| row.split_once('|')) else {
            break;
        };
        let mut krate = "delta-core";
        for word in cell.split('`').skip(1).step_by(2) {
            if CRATES.contains(&word) {
                krate = word;
            } else {
                let source = Path::new(krate).join("src");
                paths.extend(expanded(word).iter().map(|path| source.join(path)));
            }
        }
    }
    Ok(paths)
}

/// `a/{b,c}` as `a/b` and `a/c`.
fn expanded(word: &str) -> Vec<String> {
    let braces = word.split_once('{').and_then(|(front, rest)| {
        let (middle, back) = rest.split_once('}')?;
        Some((front, middle, back))
    });
    match braces {
        None => vec![word.to_owned()],
        Some((front, middle, back)) => middle
            .split(',')
            .map(|part| format!("{front}{part}{back}"))
            .collect(),
    }
}

/// Whether a line outside of comments has unsafe code, or a lint's attribute lets it in.
fn has_unsafe(source: &str) -> bool {
    const FORMS: [&str; 7] = [
        "unsafe {",
        "unsafe fn ",
        "unsafe impl",
        "unsafe trait ",
        "unsafe extern ",
        "#[unsafe(",
        "unsafe_code",
    ];
    source.lines().map(str::trim_start).any(|line| {
        let is_other = line.starts_with("#![deny(") || line.starts_with("//");
        !is_other && FORMS.iter().any(|form| line.contains(form))
    })
}

fn faults(listed: &[PathBuf], used: &[PathBuf]) -> Vec<String> {
    let unlisted = used
        .iter()
        .filter(|file| !listed.iter().any(|path| file.starts_with(path)))
        .map(|file| {
            format!(
                "{}: unsafe code that {DOCUMENT} does not list",
                file.display()
            )
        });
    let idle = listed
        .iter()
        .filter(|path| !used.iter().any(|file| file.starts_with(path)))
        .map(|path| {
            format!(
                "{DOCUMENT} lists {}: no unsafe code is there",
                path.display()
            )
        });
    unlisted.chain(idle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
text\n\n| module | unsafe for | sound because |\n|---|---|---|\n\
| `a/{b,c}` | x | y |\n| `delta-wasm` `d`, `e/f` | x | y |\n\n| `other` | z |\n";

    #[test]
    fn the_table_is_read() {
        let paths = listed(TABLE).unwrap();
        let expected = ["delta-core/src/a/b", "delta-core/src/a/c"];
        let wasm = ["delta-wasm/src/d", "delta-wasm/src/e/f"];
        let expected = expected.iter().chain(&wasm).map(PathBuf::from);
        assert_eq!(paths, expected.collect::<Vec<_>>());
        assert!(listed("no table").is_err());
    }

    #[test]
    fn unlisted_files_and_idle_lines_are_faults() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let (table, used) = (
            paths(&["x/simd", "x/gone"]),
            paths(&["x/simd/mod", "x/new"]),
        );
        let found = faults(&table, &used);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("x/new") && found[1].contains("x/gone"));
    }

    #[test]
    fn unsafe_code_is_told_from_comments_and_denials() {
        for source in [
            "fn a() { unsafe { b() } }",
            "    unsafe_code,\n",
            "#![expect(unsafe_code, reason = \"c\")]",
            "#[unsafe(no_mangle)]",
        ] {
            assert!(has_unsafe(source), "{source}");
        }
        assert!(!has_unsafe(
            "#![deny(unsafe_code)]\n// unsafe\n/// unsafe\nlet unsafely = 1;"
        ));
    }
}
