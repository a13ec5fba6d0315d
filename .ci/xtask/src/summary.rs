//! Runs named checks one after another, goes on after a failure, and sums up.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// The heading printed above the check's output.
    pub(crate) about: &'static str,
    /// Returns how many tests passed, 0 for a check that is a build.
    pub(crate) run: fn() -> Result<u32>,
}

struct Outcome {
    name: &'static str,
    took: Duration,
    /// Tests that passed, or why the check failed.
    result: Result<u32>,
}

/// Runs the checks that `names` lists, or all if it is empty.
pub(crate) fn run_chosen(checks: &[Check], names: &[String]) -> Result<()> {
    for name in names {
        if !checks.iter().any(|check| check.name == name) {
            bail!(
                "no check is called `{name}`; there are: {}",
                names_of(checks)
            );
        }
    }
    let chosen = |check: &&Check| names.is_empty() || names.iter().any(|name| name == check.name);
    run_all(checks.iter().filter(chosen))
}

/// The checks' names, in order.
pub(crate) fn names_of(checks: &[Check]) -> String {
    checks
        .iter()
        .map(|check| check.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Runs the checks in order and prints a table of them, then the tests of the checks that passed
/// (a failed check counts as one failed test), then the checks. An error if any failed.
fn run_all<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Result<()> {
    let outcomes: Vec<Outcome> = checks.into_iter().map(run_one).collect();
    print!("\n{}", table(&outcomes));
    match outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .count()
    {
        0 => Ok(()),
        failed => bail!("{failed} of {} checks failed", outcomes.len()),
    }
}

fn run_one(check: &Check) -> Outcome {
    println!("\n=== {}: {}", check.name, check.about);
    let start = Instant::now();
    let result = (check.run)();
    if let Err(error) = &result {
        println!("FAILED {}: {error:#}", check.name);
    }
    Outcome {
        name: check.name,
        took: start.elapsed(),
        result,
    }
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!("{:<10} {:>8} {:>6}  result\n", "check", "seconds", "tests");
    for Outcome { name, took, result } in outcomes {
        let seconds = took.as_secs_f64();
        text += &match result {
            Ok(0) => format!("{name:<10} {seconds:>8.1} {:>6}  ok\n", "-"),
            Ok(tests) => format!("{name:<10} {seconds:>8.1} {tests:>6}  ok\n"),
            Err(error) => {
                let reason = format!("{error:#}");
                let reason = reason.lines().next().unwrap_or_default();
                format!("{name:<10} {seconds:>8.1} {:>6}  FAILED: {reason}\n", "-")
            }
        };
    }
    let tests: u32 = outcomes
        .iter()
        .filter_map(|outcome| outcome.result.as_ref().ok())
        .sum();
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .count();
    let passed = outcomes.len() - failed;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let seconds = outcomes
        .iter()
        .map(|outcome| outcome.took)
        .sum::<Duration>()
        .as_secs_f64();
    text += &format!(
        "\ntest result: {word}. {tests} passed; {failed} failed; 0 ignored; 0 measured; \
         0 filtered out; finished in {seconds:.2}s\n"
    );
    text += &format!("checks: {passed} passed, {failed} failed\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &'static str, result: Result<u32>) -> Outcome {
        Outcome {
            name,
            took: Duration::from_millis(1500),
            result,
        }
    }

    #[test]
    fn the_table_ends_with_the_counts() {
        let table = table(&[outcome("unit", Ok(12)), outcome("wasm", Ok(0))]);
        assert!(
            table.contains("unit            1.5     12  ok\n"),
            "{table}"
        );
        assert!(
            table.contains("wasm            1.5      -  ok\n"),
            "{table}"
        );
        assert!(table.ends_with("checks: 2 passed, 0 failed\n"), "{table}");
    }

    #[test]
    fn a_failure_is_counted_and_shown_in_one_line() {
        let failure = anyhow::anyhow!("cause\nmore");
        let table = table(&[outcome("unit", Ok(1)), outcome("loom", Err(failure))]);
        assert!(table.contains("FAILED: cause\n"), "{table}");
        assert!(table.ends_with("checks: 1 passed, 1 failed\n"), "{table}");
    }

    #[test]
    fn a_failure_does_not_stop_the_others_and_is_an_error() {
        static RAN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let fails = Check {
            name: "a",
            about: "fails",
            run: || bail!("as it must"),
        };
        let counts = Check {
            name: "b",
            about: "counts",
            run: || Ok(RAN.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        };
        assert!(run_all([&fails, &counts]).is_err());
        assert_eq!(RAN.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
