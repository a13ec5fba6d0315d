//! `cargo xtask bench`: ours and the peers in one run, and the page that keeps the figures.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell;

const PAGE: &str = "benches/BENCHMARKS.md";
const PLOTS: [&str; 2] = ["benches/ratios.svg", "benches/scale.svg"];
/// What stands between these lines of the page is written by `--write`.
const BEGIN: &str = "<!-- begin: cargo xtask bench --write -->";
const END: &str = "<!-- end: cargo xtask bench --write -->";

/// Builds and runs the comparison. `--quick`, `--json` and names of groups are handed on; `--write`
/// renews the page and the plots. Without names, the wasm modules are timed in Node too.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (write, handed_on): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|word| *word == "--write");
    let programs = build()?;
    let mut compare = shell::command(&programs.join("compare").to_string_lossy());
    compare.args(&handed_on);
    let is_everything = handed_on.iter().all(|word| word.starts_with("--"));
    if let Some(rows) = is_everything.then(wasm_rows).flatten() {
        compare.arg("--rows").arg(rows);
    }
    if write.is_empty() {
        return silently(&mut compare);
    }
    let [rows, costs] = ["compare.md", "scale.md"].map(shell::target_dir);
    let [rows_plot, costs_plot] = PLOTS;
    compare
        .arg("--markdown")
        .arg(&rows)
        .arg("--svg")
        .arg(rows_plot);
    silently(&mut compare)?;
    let mut scale = shell::command(&programs.join("scale").to_string_lossy());
    silently(
        scale
            .arg("--markdown")
            .arg(&costs)
            .arg("--svg")
            .arg(costs_plot),
    )?;
    let read =
        |file: &PathBuf| fs::read_to_string(file).with_context(|| file.display().to_string());
    let words: Vec<_> = handed_on.iter().map(|word| format!(" {word}")).collect();
    let generated = format!(
        "{}\nCommand: `cargo xtask bench --write{}`; {}\n## Cost against size\n\n{}",
        machine()?,
        words.concat(),
        read(&rows)?,
        read(&costs)?
    );
    let page = shell::root().join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| PAGE.to_owned())?;
    fs::write(&page, replaced(&text, &generated)?).with_context(|| PAGE.to_owned())
}

/// The folder of the programs, built. Nothing is printed on stdout, which may be JSON.
fn build() -> Result<PathBuf> {
    let mut cargo = shell::cargo(["build", "--release", "--package", "delta-benches"]);
    silently(cargo.args(["--bins"]).stdout(Stdio::null()))?;
    Ok(shell::release_dir())
}

/// A file of rows of the kernels in Node; none, with the reason on stderr, where they cannot be
/// built or run.
fn wasm_rows() -> Option<PathBuf> {
    let file = shell::target_dir("wasm-rows.json");
    let timed = std::env::current_exe().is_ok_and(|xtask| {
        let mut xtask = shell::command(&xtask.to_string_lossy());
        xtask.args(["wasm-bench", "--rows"]).arg(&file);
        let status = xtask.stdout(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    });
    if !timed {
        eprintln!("no rows of wasm in Node: `cargo xtask wasm-bench` says why");
    }
    timed.then_some(file)
}

/// Runs without naming the command.
fn silently(command: &mut Command) -> Result<()> {
    let status = command.status().context("the benches cannot be started")?;
    ensure!(status.success(), "the benches failed: {status}");
    Ok(())
}

/// Where the figures were measured: processor, system, compiler, commit.
fn machine() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = cpus
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let system = shell::output(shell::command("uname").arg("-sr"))?;
    let compiler = shell::output(shell::command("rustc").arg("--version"))?;
    let commit = shell::output(shell::command("git").args(["rev-parse", "--short", "HEAD"]))?;
    let changes = shell::output(shell::command("git").args(["status", "--porcelain"]))?;
    let changed = if changes.trim().is_empty() {
        ""
    } else {
        " with changes"
    };
    Ok(format!(
        "Machine: {model}, {cores} cores, {}; {}. Commit: {}{changed}.",
        system.trim(),
        compiler.trim(),
        commit.trim()
    ))
}

/// The page with its generated part renewed.
fn replaced(page: &str, generated: &str) -> Result<String> {
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{PAGE} lacks `{BEGIN}` or `{END}`"))?;
    Ok(format!(
        "{before}{BEGIN}\n{}\n{END}{after}",
        generated.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_generated_part_is_renewed() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let renewed = replaced(&page, "new\n").unwrap();
        assert_eq!(renewed, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert!(replaced("no marks", "new").is_err());
    }

    #[test]
    fn the_page_has_the_marks() {
        let page = fs::read_to_string(shell::root().join(PAGE)).unwrap();
        assert!(replaced(&page, "").is_ok());
    }
}
