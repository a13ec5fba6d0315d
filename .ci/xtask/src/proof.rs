//! `cargo xtask proof`: everything that shows the crates to be what they say, the slow parts too.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{self, Unmet};
use crate::{cross, fuzz, loom, no_os, sanitize, shell, supply, targets, test};

struct Options {
    /// Of each fuzz target.
    seconds: u32,
    /// Where the table is written as Markdown.
    markdown: Option<PathBuf>,
    /// Names of the checks to run; empty: all.
    chosen: Vec<String>,
}

/// One line of the table.
struct Row {
    check: String,
    /// How many, and of what; empty if it failed or was not run.
    cases: String,
    took: Duration,
    result: Verdict,
}

enum Verdict {
    Ok,
    /// What this machine lacks.
    NotRun(String),
    Failed(String),
}

/// What a check that did not fail says.
enum Ran {
    Cases(String),
    Not(&'static str),
}

struct Check {
    name: &'static str,
    run: fn(&Options) -> Result<Ran>,
}

/// In this order; the fuzz targets follow, a row each.
const CHECKS: &[Check] = &[
    Check {
        name: "unit tests",
        run: |_| tests(test::workspace_tests()),
    },
    Check {
        name: "loom models",
        run: |_| count(loom::run(), "models"),
    },
    Check {
        name: "loom mutants",
        run: |_| count(loom::mutate(), "weakened orderings, each found"),
    },
    Check {
        name: "two processes",
        run: |_| two_processes(),
    },
    Check {
        name: "address sanitizer",
        run: |_| sanitized(sanitize::address),
    },
    Check {
        name: "thread sanitizer",
        run: |_| sanitized(sanitize::thread),
    },
    Check {
        name: "miri",
        run: |_| match sanitize::miri()? {
            Some(passed) => tests(Ok(passed)),
            None => Err(Unmet::new(sanitize::MIRI_MISSING).into()),
        },
    },
    Check {
        name: "aarch64, emulated",
        run: |_| tests(cross::AARCH64.test()),
    },
    Check {
        name: "i686",
        run: |_| tests(cross::I686.test()),
    },
    Check {
        name: "thumbv7m, emulated",
        run: |_| {
            let printed = no_os::run()?;
            let stack = no_os::stack_max(&printed).context("no stack maximum")?;
            let checks = no_os::checks(&printed);
            Ok(Ran::Cases(format!(
                "{checks} checks, stack at most {stack} bytes"
            )))
        },
    },
    Check {
        name: "wasm32 in Node",
        run: |_| count(test::wasm_in_node(), "tests, scalar and simd128"),
    },
    Check {
        name: "no allocator",
        run: |_| targets::prove().map(|()| Ran::Cases("thumbv7m and wasm32".into())),
    },
    Check {
        name: "licences and sources",
        run: |_| supply::licences().map(|()| Ran::Cases("every dependency".into())),
    },
    Check {
        name: "advisories",
        run: |_| match supply::advisories()? {
            true => Ok(Ran::Cases("every dependency".into())),
            false => Ok(Ran::Not(supply::NO_DATABASE)),
        },
    },
    Check {
        name: "packages",
        run: |_| count(supply::packages(), "crates, each built from its package"),
    },
    Check {
        name: "semver",
        run: |_| match supply::semver()? {
            Some(tag) => Ok(Ran::Cases(format!("compared with {tag}"))),
            None => Ok(Ran::Not(supply::NO_RELEASE)),
        },
    },
];

const FUZZ: &str = "fuzz";

fn sanitized(run: fn() -> Result<u32>) -> Result<Ran> {
    if sanitize::IS_TARGET_HERE {
        tests(run())
    } else {
        Ok(Ran::Not(sanitize::TARGET_MISSING))
    }
}

/// The long form of the test that kills the sides of a shared ring.
fn two_processes() -> Result<Ran> {
    if !cfg!(target_os = "linux") {
        return Ok(Ran::Not("regions are shared on Linux alone"));
    }
    let mut cargo = shell::cargo(["test", "--package", "delta-native", "--test", "processes"]);
    let passed = shell::run_tests(cargo.env("DELTA_LONG", "1"));
    count(passed, "tests: 10 M records, 200 SIGKILLs a side")
}

fn tests(passed: Result<u32>) -> Result<Ran> {
    count(passed, "tests")
}

fn count(number: Result<u32>, of_what: &str) -> Result<Ran> {
    number.map(|number| Ran::Cases(format!("{number} {of_what}")))
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    let is_chosen = |name: &str| {
        options.chosen.is_empty() || options.chosen.iter().any(|chosen| chosen == name)
    };
    let mut rows = Vec::new();
    for check in CHECKS.iter().filter(|check| is_chosen(check.name)) {
        println!("\n=== {}", check.name);
        let start = Instant::now();
        let result = (check.run)(&options);
        rows.push(row(check.name.to_owned(), start.elapsed(), result));
    }
    if is_chosen(FUZZ) {
        println!("\n=== {FUZZ}");
        rows.extend(fuzz_rows(options.seconds));
    }
    let total = rows.iter().map(|row| row.took).sum::<Duration>().as_secs();
    println!("\n{}{total} s in all", table(&rows));
    if let Some(path) = &options.markdown {
        fs::write(path, markdown(&rows)).with_context(|| path.display().to_string())?;
    }
    let failed = rows
        .iter()
        .filter(|row| matches!(row.result, Verdict::Failed(_)))
        .count();
    ensure!(failed == 0, "{failed} of {} checks failed", rows.len());
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        seconds: 20,
        markdown: None,
        chosen: Vec::new(),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let number = words.next().context("--seconds needs a number")?;
                options.seconds = number
                    .parse()
                    .with_context(|| format!("--seconds {number}"))?;
                ensure!(options.seconds > 0, "--seconds 0 would run for ever");
            }
            "--markdown" => {
                let path = words.next().context("--markdown needs a file")?;
                options.markdown = Some(PathBuf::from(path));
            }
            name if name == FUZZ || CHECKS.iter().any(|check| check.name == name) => {
                options.chosen.push(name.to_owned());
            }
            other => bail!(
                "unexpected argument `{other}`: proof [--seconds N] [--markdown FILE] [CHECK...], \
                 where a check is one of: {}",
                names()
            ),
        }
    }
    Ok(options)
}

/// The names of all checks.
pub(crate) fn names() -> String {
    let names: Vec<&str> = CHECKS
        .iter()
        .map(|check| check.name)
        .chain([FUZZ])
        .collect();
    names.join(", ")
}

fn row(check: String, took: Duration, result: Result<Ran>) -> Row {
    let (cases, result) = match result {
        Ok(Ran::Cases(cases)) => (cases, Verdict::Ok),
        Ok(Ran::Not(reason)) => (String::new(), Verdict::NotRun(reason.to_owned())),
        Err(error) => {
            let verdict = verdict_of(&error, setup::is_ci());
            let kind = match verdict {
                Verdict::NotRun(_) => "NOT RUN",
                _ => "FAILED",
            };
            println!("{kind} {check}: {error:#}");
            (String::new(), verdict)
        }
    };
    Row {
        check,
        cases,
        took,
        result,
    }
}

/// What an error says of its check: a machine of CI must have what the check needs.
fn verdict_of(error: &anyhow::Error, is_ci: bool) -> Verdict {
    if let (Some(reason), false) = (cannot_run(error), is_ci) {
        return Verdict::NotRun(reason.to_owned());
    }
    let reason = format!("{error:#}");
    Verdict::Failed(reason.lines().next().unwrap_or_default().to_owned())
}

/// What the machine lacks, if that is why a check failed.
fn cannot_run(error: &anyhow::Error) -> Option<&str> {
    error
        .downcast_ref::<Unmet>()
        .map(|unmet| unmet.reason.as_str())
}

fn fuzz_rows(seconds: u32) -> Vec<Row> {
    let start = Instant::now();
    match fuzz::run_targets(seconds, &[]) {
        Err(error) => vec![row(FUZZ.to_owned(), start.elapsed(), Err(error))],
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| {
                let executions = format!("{} executions", grouped(outcome.executions));
                let took = Duration::from_secs_f64(outcome.seconds);
                let result = outcome.result.map(|()| Ran::Cases(executions));
                row(format!("fuzz {}", outcome.target), took, result)
            })
            .collect(),
    }
}

/// With a comma before every third digit from the end.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Verdict {
    fn words(&self) -> String {
        match self {
            Self::Ok => "ok".to_owned(),
            Self::NotRun(reason) => format!("not run: {reason}"),
            Self::Failed(reason) => format!("FAILED: {reason}"),
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<28} {:<40} {:>8}  result\n", "check", "cases", "seconds");
    for row in rows {
        let (cases, seconds) = (&row.cases, row.took.as_secs_f64());
        let result = row.result.words();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<28} {cases:<40} {seconds:>8.1}  {result}",
            row.check
        );
    }
    text
}

fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| check | cases | time | result |\n|---|---|---|---|\n");
    for row in rows {
        let (cases, seconds) = (&row.cases, row.took.as_secs_f64());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {cases} | {seconds:.0} s | {} |",
            row.check,
            row.result.words()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn arguments_are_options_and_checks() {
        let options = parse(&words(&["--seconds", "3", "loom models", "fuzz"])).unwrap();
        assert_eq!((options.seconds, options.chosen.len()), (3, 2));
        assert!(parse(&words(&["--markdown"])).is_err());
        assert!(parse(&words(&["lomo"])).is_err());
    }

    #[test]
    fn tables_tell_what_ran_and_what_did_not() {
        let second = Duration::from_secs(1);
        let rows = [
            row("a".into(), second, count(Ok(3), "models")),
            row("b".into(), second, Ok(Ran::Not("missing"))),
            row("c".into(), second, Err(anyhow::anyhow!("cause\nmore"))),
        ];
        let text = markdown(&rows);
        assert!(text.contains("| a | 3 models | 1 s | ok |\n"), "{text}");
        assert!(
            text.contains("| b |  | 1 s | not run: missing |\n"),
            "{text}"
        );
        assert!(text.contains("| c |  | 1 s | FAILED: cause |\n"), "{text}");
        assert_eq!(table(&rows).lines().count(), 4);
    }

    #[test]
    fn what_is_missing_fails_in_ci_alone() {
        let missing = anyhow::Error::from(Unmet::new("no nightly"));
        let here = verdict_of(&missing, false).words();
        assert_eq!(here, "not run: no nightly");
        let in_ci = verdict_of(&missing, true).words();
        assert_eq!(in_ci, "FAILED: no nightly");
        let broken = anyhow::anyhow!("broken");
        for is_ci in [false, true] {
            assert_eq!(verdict_of(&broken, is_ci).words(), "FAILED: broken");
        }
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
