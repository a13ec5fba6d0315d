//! `cargo xtask instructions`: counts the instructions of the hot kernels and of a ring's round
//! trip, and compares them with committed figures. Times differ from hour to hour on a shared
//! machine; instructions hardly do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Need};
use crate::shell;

/// A line a piece of work: its name and its instructions.
const FIGURES: &str = "benches/instructions.txt";
/// Instructions may grow by this share: compilers differ a little.
const TOLERANCE_PERCENT: u64 = 10;
/// What may be added to few instructions.
const TOLERANCE_LEAST: u64 = 4;
/// How often the work is done: twice as often in the second run, whose surplus is what counts.
const REPEATS: u64 = 2_000;

/// Counts instructions.
pub(crate) const VALGRIND: Need = Need {
    what: "valgrind, to count instructions",
    is_met: || !can_count() || shell::is_there("valgrind"),
    debian_packages: &["valgrind"],
    otherwise: &[],
};

/// Figures are committed for one kind of machine.
const fn can_count() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
}

/// Checks the figures, or renews them with `--renew`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => check().map(drop),
        [word] if word == "--renew" => renew(),
        _ => anyhow::bail!("unknown arguments: instructions [--renew]"),
    }
}

/// Returns how many pieces of work were compared; none where figures would be of another machine.
pub(crate) fn check() -> Result<u32> {
    if !can_count() {
        println!("instructions are counted on x86_64 Linux alone");
        return Ok(0);
    }
    let committed = fs::read_to_string(shell::root().join(FIGURES)).context(FIGURES)?;
    let committed = parse(&committed)?;
    let counted = count_all()?;
    let faults = faults(&committed, &counted);
    for (name, count) in &counted {
        let before = committed.iter().find(|(known, _)| known == name);
        let before = before.map_or_else(|| "-".to_owned(), |(_, count)| count.to_string());
        println!("{name:<32} {count:>7} instructions, committed {before}");
    }
    ensure!(
        faults.is_empty(),
        "{}\nif it is meant: cargo xtask instructions --renew",
        faults.join("\n")
    );
    Ok(u32::try_from(counted.len())?)
}

fn renew() -> Result<()> {
    ensure!(
        can_count(),
        "instructions are counted on x86_64 Linux alone"
    );
    let mut text = String::new();
    for (name, count) in count_all()? {
        writeln!(text, "{name} {count}")?;
    }
    print!("{text}");
    fs::write(shell::root().join(FIGURES), text).context(FIGURES)
}

/// What became worse, vanished, or was never written down.
fn faults(committed: &[(String, u64)], counted: &[(String, u64)]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, count) in counted {
        match committed.iter().find(|(known, _)| known == name) {
            None => faults.push(format!("{name} has no committed figure")),
            Some((_, before)) => {
                let most = before + (before * TOLERANCE_PERCENT / 100).max(TOLERANCE_LEAST);
                if *count > most {
                    faults.push(format!(
                        "{name}: {count} instructions, at most {most} expected"
                    ));
                }
            }
        }
    }
    let is_gone = |name: &String| !counted.iter().any(|(known, _)| known == name);
    let gone = committed.iter().filter(|(name, _)| is_gone(name));
    faults.extend(gone.map(|(name, _)| format!("{name} is not counted any more")));
    faults
}

fn parse(text: &str) -> Result<Vec<(String, u64)>> {
    text.lines()
        .map(|line| {
            let (name, count) = line.split_once(' ').with_context(|| line.to_owned())?;
            Ok((
                name.to_owned(),
                count.parse().with_context(|| line.to_owned())?,
            ))
        })
        .collect()
}

fn count_all() -> Result<Vec<(String, u64)>> {
    setup::meet(&[&VALGRIND])?;
    let program = build()?;
    let names = shell::output(shell::command(&program.to_string_lossy()).arg("--list"))?;
    names
        .lines()
        .map(|name| {
            let once = count(&program, name, REPEATS)?;
            let twice = count(&program, name, 2 * REPEATS)?;
            Ok((name.to_owned(), twice.saturating_sub(once) / REPEATS))
        })
        .collect()
}

fn build() -> Result<PathBuf> {
    let mut cargo = shell::cargo(["build", "--release", "--package", "delta-benches"]);
    shell::run(cargo.args(["--bin", "instructions"]))?;
    Ok(shell::release_dir().join("instructions"))
}

/// Instructions of the whole program.
fn count(program: &Path, name: &str, repeats: u64) -> Result<u64> {
    let out = shell::target_dir("callgrind.out");
    let mut valgrind = shell::command("valgrind");
    valgrind
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([name, &repeats.to_string()]);
    let status = valgrind.status().context("cannot start valgrind")?;
    ensure!(status.success(), "{name} failed under valgrind: {status}");
    let text = fs::read_to_string(&out).with_context(|| out.display().to_string())?;
    total(&text).with_context(|| format!("{} has no total", out.display()))
}

/// The number in `summary: N` or `totals: N`, the last of the file.
fn total(text: &str) -> Option<u64> {
    let lines = text.lines().rev();
    let mut totals = lines.filter_map(|line| {
        line.strip_prefix("summary: ")
            .or_else(|| line.strip_prefix("totals: "))
    });
    totals.next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
        let owned = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        owned.collect()
    }

    #[test]
    fn growth_beyond_the_tolerance_is_a_fault() {
        let committed = figures(&[("diff", 1_000), ("ring", 20)]);
        assert!(faults(&committed, &figures(&[("diff", 1_100), ("ring", 24)])).is_empty());
        let found = faults(&committed, &figures(&[("diff", 1_101), ("ring", 25)]));
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn figures_and_work_must_be_the_same() {
        let found = faults(&figures(&[("gone", 1)]), &figures(&[("new", 1)]));
        assert_eq!(
            found,
            [
                "new has no committed figure",
                "gone is not counted any more"
            ]
        );
    }

    #[test]
    fn reads_figures_and_callgrinds_total() {
        assert_eq!(
            parse("a 1\nb 22\n").unwrap(),
            figures(&[("a", 1), ("b", 22)])
        );
        assert!(parse("a\n").is_err());
        assert_eq!(
            total("events: Ir\nfn=(1)\n1 5\nsummary: 12345\n"),
            Some(12_345)
        );
        assert_eq!(total("events: Ir\n\ntotals: 7\n"), Some(7));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn the_committed_figures_can_be_read() {
        let text = fs::read_to_string(shell::root().join(FIGURES)).unwrap();
        assert!(!parse(&text).unwrap().is_empty());
    }
}
