//! `cargo xtask fuzz [--seconds N] [TARGET...]`: every fuzz target for a while.

use std::fs::{self, File};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::tools::{self, CARGO_FUZZ};
use crate::{setup, shell};

const SECONDS_DEFAULT: u32 = 20;
/// Longest input in bytes: a whole small region, a stream of some dozens of frames.
const INPUT_SIZE_MAX: u32 = 6144;
/// An input that takes longer is a fault: the work is bounded.
const INPUT_SECONDS_MAX: u32 = 10;
const MANIFEST: &str = "fuzz/Cargo.toml";

/// What became of one target.
pub(crate) struct Outcome {
    pub(crate) target: String,
    pub(crate) executions: u64,
    pub(crate) seconds: f64,
    pub(crate) result: Result<()>,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (seconds, chosen) = parse(arguments)?;
    let outcomes = run_targets(seconds, &chosen)?;
    print!("\n{}", table(&outcomes));
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .count();
    ensure!(
        failed == 0,
        "{failed} of {} fuzz targets failed",
        outcomes.len()
    );
    Ok(())
}

fn parse(arguments: &[String]) -> Result<(u32, Vec<String>)> {
    let (mut seconds, mut chosen) = (SECONDS_DEFAULT, Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let number = words.next().context("--seconds needs a number")?;
            seconds = number
                .parse()
                .with_context(|| format!("--seconds {number}"))?;
            ensure!(seconds > 0, "--seconds 0 would run for ever");
        } else if word.starts_with('-') {
            bail!("unexpected argument `{word}`: fuzz [--seconds N] [TARGET...]");
        } else {
            chosen.push(word.clone());
        }
    }
    Ok((seconds, chosen))
}

/// Builds the chosen targets, or all, and runs each for `seconds`.
pub(crate) fn run_targets(seconds: u32, chosen: &[String]) -> Result<Vec<Outcome>> {
    let all = targets()?;
    for name in chosen {
        ensure!(
            all.contains(name),
            "no fuzz target is called `{name}`; there are: {}",
            all.join(", ")
        );
    }
    setup::meet(&[&setup::CXX])?;
    if !tools::ensure_nightly() {
        return Err(setup::Unmet::new(tools::NIGHTLY_MISSING).into());
    }
    CARGO_FUZZ.ensure()?;
    let seeds = shell::target_dir("fuzz-seeds");
    let mut write_seeds = shell::cargo(["run", "--quiet", "--manifest-path", MANIFEST]);
    write_seeds
        .args(["--example", "seeds", "--target-dir"])
        .arg(shell::target_dir("fuzz"));
    shell::run(write_seeds.arg("--").arg(&seeds))?;
    let mut build = tools::nightly(["fuzz", "build", "--target-dir"]);
    build.arg(shell::target_dir("fuzz-nightly"));
    tools::add_path(&mut build)?;
    shell::run(&mut build)?;
    let is_chosen = |name: &&String| chosen.is_empty() || chosen.contains(name);
    Ok(all
        .iter()
        .filter(is_chosen)
        .map(|name| run_one(name, seconds))
        .collect())
}

/// The names in fuzz/fuzz_targets.
fn targets() -> Result<Vec<String>> {
    let folder = shell::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn run_one(target: &str, seconds: u32) -> Outcome {
    let start = Instant::now();
    let (executions, result) = match fuzz(target, seconds) {
        Ok(executions) => (executions, Ok(())),
        Err(error) => (0, Err(error)),
    };
    Outcome {
        target: target.to_owned(),
        executions,
        seconds: start.elapsed().as_secs_f64(),
        result,
    }
}

/// Runs libFuzzer; returns how many inputs it has tried. Its output goes into a log, whose end is
/// shown on a failure.
fn fuzz(target: &str, seconds: u32) -> Result<u64> {
    let corpus = shell::root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let log = shell::target_dir("fuzz-nightly").join(format!("{target}.log"));
    let mut run = tools::nightly(["fuzz", "run", "--target-dir"]);
    run.arg(shell::target_dir("fuzz-nightly")).arg(target);
    run.arg(corpus)
        .arg(shell::target_dir("fuzz-seeds").join(target))
        .arg("--");
    run.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_SIZE_MAX}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        "-print_final_stats=1".to_owned(),
    ]);
    run.arg(format!(
        "-dict={}",
        shell::root().join("fuzz/delta.dict").display()
    ));
    tools::add_path(&mut run)?;
    run.stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?);
    println!("fuzzing {target} for {seconds} s");
    let status = run.status().context("cannot start cargo fuzz")?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        println!("{}", failure_in(&text));
        println!(
            "fix it, and keep the input that shows it, from fuzz/artifacts/{target}, in \
             fuzz/regressions/{target}: `cargo xtask test fuzz` tries it from then on"
        );
        bail!(
            "{target}: {status}; the whole output is in {}",
            log.display()
        );
    }
    executions_in(&text).with_context(|| format!("{}: no count of executions", log.display()))
}

/// From the first line that tells of a fault, a screenful.
fn failure_in(log: &str) -> String {
    let is_before = |line: &&str| !(line.contains("panicked at") || line.contains("ERROR: "));
    let lines: Vec<&str> = log.lines().skip_while(is_before).take(50).collect();
    lines.join("\n")
}

fn executions_in(log: &str) -> Option<u64> {
    let line = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:<24} {:>12} {:>8}  result\n",
        "target", "executions", "seconds"
    );
    for Outcome {
        target,
        executions,
        seconds,
        result,
    } in outcomes
    {
        let result = match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("FAILED: {error:#}"),
        };
        text += &format!("{target:<24} {executions:>12} {seconds:>8.1}  {result}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_seconds_and_targets() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(parse(&[]).unwrap(), (SECONDS_DEFAULT, vec![]));
        let (seconds, chosen) = parse(&words(&["a", "--seconds", "3", "b"])).unwrap();
        assert_eq!((seconds, chosen), (3, words(&["a", "b"])));
        for wrong in [
            &["--seconds"][..],
            &["--seconds", "0"],
            &["--seconds", "x"],
            &["--fast"],
        ] {
            assert!(parse(&words(wrong)).is_err(), "{wrong:?}");
        }
        assert!(run_targets(1, &words(&["no_such_target"])).is_err());
    }

    #[test]
    fn every_target_has_a_file() {
        let names = targets().unwrap();
        assert!(names.contains(&"record_stream".to_owned()), "{names:?}");
    }

    #[test]
    fn executions_are_read_from_the_final_statistics() {
        let log = "Done 12 runs\nstat::number_of_executed_units: 1234\nstat::average: 3\n";
        assert_eq!(executions_in(log), Some(1234));
        assert_eq!(executions_in("Done 12 runs"), None);
    }
}
