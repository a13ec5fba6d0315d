//! The mutation check of the ring's memory orderings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::with_loom;
use crate::shell;

/// Where every ordering is named, with its mutants.
const ORDERS: &str = "delta-core/src/ring/mem/order.rs";
/// Code that may name no ordering of its own but Relaxed.
const RING: &str = "delta-core/src/ring";
/// The models that make mistakes of their own; under a mutant they would make two.
const SKIPPED: &str = "loom_finds";

/// An ordering as the source has it.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    /// Of the constant.
    name: String,
    /// As in `Ordering::...`.
    right: String,
    mutants: Vec<Mutant>,
}

#[derive(Debug, PartialEq, Eq)]
struct Mutant {
    /// The value of `--cfg ring_mutant`.
    name: String,
    /// The ordering that it has instead.
    weaker: String,
}

/// Checks every mutant, prints a table, and returns their number. An error if one survives.
pub(super) fn check_all() -> Result<u32> {
    let source = fs::read_to_string(shell::root().join(ORDERS)).context(ORDERS)?;
    let orders = parse(&source)?;
    ensure_complete(&orders)?;
    ensure_named_once()?;
    let mut table = format!(
        "{:<24} {:<8} {:<8} killed by\n",
        "mutant", "right", "mutated"
    );
    let mut survivors = Vec::new();
    let mut found = 0;
    for order in &orders {
        for Mutant { name, weaker } in &order.mutants {
            let killers = killers(&build(name)?)?;
            let by = match killers.as_slice() {
                [] => "SURVIVES".to_owned(),
                [one] => one.clone(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            };
            if killers.is_empty() {
                survivors.push(name.clone());
            }
            let mutated = if is_dropped_fence(order, weaker) {
                "none"
            } else {
                weaker
            };
            let row = format!("{name:<24} {:<8} {mutated:<8} {by}\n", order.right);
            print!("{row}");
            table += &row;
            found += 1;
        }
    }
    print!("\n{table}\n{found} mutants of {} orderings\n", orders.len());
    if !survivors.is_empty() {
        bail!("no model fails with {}", survivors.join(", "));
    }
    Ok(found)
}

fn is_dropped_fence(order: &Order, weaker: &str) -> bool {
    order.right == "SeqCst" && weaker == "Relaxed"
}

/// Reads all `const NAME: Ordering = order!(...);`.
fn parse(source: &str) -> Result<Vec<Order>> {
    let mut orders = Vec::new();
    for definition in source.split("const ").skip(1) {
        let (name, rest) = definition
            .split_once(": Ordering =")
            .context("a constant that is no ordering")?;
        let arguments = rest
            .trim_start()
            .strip_prefix("order!(")
            .and_then(|rest| rest.split_once(");"))
            .with_context(|| format!("{name} is not made by order!(...)"))?
            .0;
        let mut words = arguments.split(',').map(str::trim);
        let right = words.next().unwrap_or_default().to_owned();
        let mutants = words.filter(|word| !word.is_empty()).map(|word| {
            let (mutant, weaker) = word.split_once(':').context("\"name\": Ordering")?;
            Ok(Mutant {
                name: mutant.trim().trim_matches('"').to_owned(),
                weaker: weaker.trim().to_owned(),
            })
        });
        orders.push(Order {
            name: name.to_owned(),
            right,
            mutants: mutants.collect::<Result<_>>()?,
        });
    }
    ensure!(!orders.is_empty(), "no orderings in {ORDERS}");
    Ok(orders)
}

/// Every ordering has a mutant for each weaker step, and every mutant a name of its own.
fn ensure_complete(orders: &[Order]) -> Result<()> {
    for Order {
        name,
        right,
        mutants,
    } in orders
    {
        let steps: &[&str] = match right.as_str() {
            "Relaxed" => &[],
            "Acquire" | "Release" => &["Relaxed"],
            "SeqCst" if name.starts_with("FENCE_") => &["AcqRel", "Relaxed"],
            _ => bail!("{name}: {right} is not known here"),
        };
        let weaker: Vec<_> = mutants.iter().map(|mutant| &mutant.weaker).collect();
        ensure!(
            weaker == steps,
            "{name}: {right} must have mutants {steps:?}, not {weaker:?}"
        );
    }
    let mut names: Vec<_> = orders
        .iter()
        .flat_map(|order| order.mutants.iter().map(|mutant| &mutant.name))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    ensure!(names.len() == count, "two mutants have one name");
    Ok(())
}

/// No ordering is named in the ring but in [`ORDERS`]: none is without a mutant.
fn ensure_named_once() -> Result<()> {
    let mut faults = Vec::new();
    let mut folders = vec![shell::root().join(RING)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !is_exempt(path.strip_prefix(shell::root())?)
                && names_an_order(&fs::read_to_string(&path)?)
            {
                faults.push(path.display().to_string());
            }
        }
    }
    ensure!(
        faults.is_empty(),
        "orderings belong into {ORDERS}, not {}",
        faults.join(", ")
    );
    Ok(())
}

/// Tests, the models' memory with its deliberate mistakes, and the orderings themselves. `path` is
/// within the workspace: a folder above it may be called `tests`.
fn is_exempt(path: &Path) -> bool {
    let in_tests = path
        .components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "loom_tests")));
    in_tests || path.ends_with("mem/loom.rs") || path.ends_with(ORDERS)
}

fn names_an_order(source: &str) -> bool {
    ["Acquire", "Release", "AcqRel", "SeqCst"]
        .iter()
        .any(|order| source.contains(&format!("Ordering::{order}")))
}

/// Compiles delta-core's unit tests with a mutant; only that crate is compiled again.
fn build(mutant: &str) -> Result<PathBuf> {
    let mut cargo = shell::cargo(["rustc", "--quiet", "--package", "delta-core", "--lib"]);
    cargo.args(["--profile", "test", "--message-format", "json", "--"]);
    cargo.args(["--cfg", &format!("ring_mutant=\"{mutant}\"")]);
    let messages = shell::output(with_loom(&mut cargo))?;
    let executable = messages
        .rsplit_once("\"executable\":\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .with_context(|| format!("{mutant}: cargo names no executable"))?;
    Ok(PathBuf::from(executable.0))
}

/// Runs the models of a mutant and returns the names of those that fail.
fn killers(executable: &Path) -> Result<Vec<String>> {
    let mut models = Command::new(executable);
    models
        .args(["loom_", "--skip", SKIPPED])
        .env("RUST_BACKTRACE", "0");
    let output = with_loom(&mut models).stderr(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> = text.lines().filter_map(failed_model).collect();
    let ended = text.lines().any(|line| line.starts_with("test result: "));
    ensure!(ended, "the models crash: {}\n{text}", executable.display());
    // A model that loom gave up on has found nothing.
    ensure!(
        !text.contains("exceeded maximum"),
        "a model is too large with this mutant:\n{text}"
    );
    ensure!(
        output.status.success() == failed.is_empty(),
        "unexpected output:\n{text}"
    );
    Ok(failed)
}

/// The model's name in `test path::name ... FAILED`.
fn failed_model(line: &str) -> Option<String> {
    let path = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(path.rsplit("::").next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_names_a_mutant_for_each_weaker_step() {
        let source = fs::read_to_string(shell::root().join(ORDERS)).unwrap();
        let orders = parse(&source).unwrap();
        assert_eq!(orders.len(), source.matches("order!(").count());
        ensure_complete(&orders).unwrap();
        ensure_named_once().unwrap();
    }

    #[test]
    fn parses_orderings_and_their_mutants() {
        let source = "const A: Ordering = order!(Relaxed);\n\
            const FENCE_B: Ordering =\n    order!(SeqCst, \"b_acqrel\": AcqRel, \"b\": Relaxed);";
        let orders = parse(source).unwrap();
        assert!(orders[0].mutants.is_empty() && orders[0].name == "A");
        assert_eq!(
            (orders[1].name.as_str(), orders[1].right.as_str()),
            ("FENCE_B", "SeqCst")
        );
        assert_eq!(orders[1].mutants[0].name, "b_acqrel");
        assert_eq!(orders[1].mutants[1].weaker, "Relaxed");
        ensure_complete(&orders).unwrap();
        assert!(parse("const A: Ordering = Ordering::Relaxed;").is_err());
    }

    #[test]
    fn a_missing_or_doubled_mutant_is_refused() {
        for source in [
            "const A: Ordering = order!(Acquire);",
            "const FENCE_A: Ordering = order!(SeqCst, \"a\": Relaxed);",
            "const A: Ordering = order!(SeqCst, \"a\": Relaxed);",
            "const A: Ordering = order!(Acquire, \"a\": Relaxed);\n\
             const B: Ordering = order!(Acquire, \"a\": Relaxed);",
        ] {
            assert!(
                ensure_complete(&parse(source).unwrap()).is_err(),
                "{source}"
            );
        }
    }

    #[test]
    fn tests_and_the_orderings_are_exempt() {
        for exempt in [
            "mem/tests/hostile.rs",
            "loom_tests/batch.rs",
            "mem/loom.rs",
            "mem/order.rs",
        ] {
            assert!(is_exempt(&Path::new(RING).join(exempt)), "{exempt}");
        }
        assert!(!is_exempt(&Path::new(RING).join("mem/reader.rs")));
    }

    #[test]
    fn finds_failed_models() {
        assert_eq!(
            failed_model("test a::b::loom_c ... FAILED").as_deref(),
            Some("loom_c")
        );
        assert_eq!(failed_model("test a::b::loom_c ... ok"), None);
        assert!(names_an_order("x.load(Ordering::Acquire)"));
        assert!(!names_an_order("x.load(order::LOOK)"));
    }
}
