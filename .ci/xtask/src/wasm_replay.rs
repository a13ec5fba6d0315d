//! `cargo xtask wasm-replay STREAM...`: replays streams by the wasm modules in Node's workers, and
//! holds digest and counts against those of the native replay.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, wasm};

/// What both replays of a stream must agree in. Ratios follow from these; times and memory differ.
const COUNTS: [&str; 18] = [
    "digest",
    "dim",
    "deltas",
    "inserts",
    "updates",
    "deletes",
    "records",
    "raw_bytes",
    "value_bytes",
    "wire_bytes",
    "traffic.writer.records",
    "traffic.writer.duplicates",
    "traffic.writer.refused",
    "traffic.writer.raw_bytes",
    "traffic.reader.records",
    "traffic.reader.duplicates",
    "traffic.reader.refused",
    "traffic.reader.raw_bytes",
];

/// Small streams for [`test()`].
const SAMPLES: [&str; 2] = [
    "delta-native/sample/book_docs",
    "delta-native/sample/feat_tokens_log1p",
];

/// Bytes of metadata, and so of all records. The native capture compresses metadata, and the
/// modules' does not: theirs may be more, never fewer.
const SIZES: [&str; 3] = [
    "metadata_bytes",
    "traffic.writer.encoded_bytes",
    "traffic.reader.encoded_bytes",
];

/// Runs the command. `--json` prints the object that `delta replay --json` prints, a line a stream.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut streams, mut json) = (Vec::new(), false);
    for argument in arguments {
        match argument.as_str() {
            "--json" => json = true,
            option if option.starts_with('-') => bail!("unknown option `{option}`: --json alone"),
            stream => streams.push(Path::new(stream)),
        }
    }
    ensure!(
        !streams.is_empty(),
        "no stream: pass path stems, as `delta replay` takes them"
    );
    wasm::build()?;
    for stream in streams {
        let report = replay(stream, &["--release"])?;
        if json {
            println!("{}", report.trim_end());
        } else {
            let show = |name| field(&report, name).unwrap_or("?");
            println!(
                "{}: identical, digest {}; {} deltas, {} a second, p50 {} ns, p99 {} ns",
                show("stream"),
                show("digest"),
                show("deltas"),
                show("deltas_per_s"),
                show("latency_ns_p50"),
                show("latency_ns_p99"),
            );
        }
    }
    Ok(())
}

/// Replays the sample streams by the modules that are built; how many.
pub(crate) fn test() -> Result<u32> {
    let mut replayed = 0;
    for stream in SAMPLES {
        replay(Path::new(stream), &[])?;
        replayed += 1;
    }
    Ok(replayed)
}

/// The report of one stream; an error if the replica or its digest differ. `profile`: that of
/// the native command, as cargo's option.
fn replay(stream: &Path, profile: &[&str]) -> Result<String> {
    let name = stream.file_stem().context("a stream's path has a name")?;
    let name = name.to_string_lossy();
    let folder = shell::target_dir("wasm").join("replay");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let frames = folder.join(format!("{name}.delta"));
    let delta = || {
        let mut cargo = shell::cargo(["run", "--quiet", "--package", "delta-native"]);
        cargo.args(profile).arg("--");
        cargo
    };
    shell::output(
        delta()
            .arg("export")
            .arg("--output")
            .arg(&frames)
            .arg(stream),
    )
    .with_context(|| format!("cannot export {name}"))?;
    let native = shell::output(delta().args(["replay", "--json"]).arg(stream))?;
    let mut node = shell::command("node");
    node.arg("delta-wasm/bench/replay.mjs")
        .arg(&frames)
        .arg(&*name);
    let report = shell::output(&mut node)?;
    ensure!(
        field(&report, "replica_identical") == Some("true"),
        "the replica of {name} differs in {}",
        field(&report, "difference").unwrap_or("something")
    );
    compare(&report, &native).with_context(|| name.into_owned())?;
    Ok(report)
}

/// Refuses the report of a wasm replay that has other fields or counts than the native one.
fn compare(wasm: &str, native: &str) -> Result<()> {
    let names = |report| -> BTreeSet<String> {
        let fields = fields(report).into_iter();
        fields.map(|(path, _)| path).collect()
    };
    let (by_wasm, by_native) = (names(wasm), names(native));
    let others: Vec<&String> = by_wasm.symmetric_difference(&by_native).collect();
    ensure!(others.is_empty(), "fields of one replay alone: {others:?}");
    for count in COUNTS {
        let (wasm, native) = (field(wasm, count), field(native, count));
        ensure!(
            wasm.is_some() && wasm == native,
            "{count} is {wasm:?} by wasm, {native:?} by the native replay"
        );
    }
    for size in SIZES {
        let bytes = |report| field(report, size)?.parse::<u64>().ok();
        let (wasm, native) = (bytes(wasm), bytes(native));
        ensure!(
            native.is_some() && wasm >= native,
            "{size} is {wasm:?} by wasm, {native:?} by the native replay"
        );
    }
    Ok(())
}

/// The value of a field, without its quotes.
fn field<'a>(json: &'a str, path: &str) -> Option<&'a str> {
    let mut all = fields(json).into_iter();
    all.find(|(found, _)| found == path).map(|(_, value)| value)
}

/// The fields of a report and of the objects in it, by their paths, e.g. `memory.ring_bytes`. A
/// report has neither arrays nor escapes.
fn fields(json: &str) -> Vec<(String, &str)> {
    let (mut fields, mut path) = (Vec::new(), Vec::new());
    let mut rest = json;
    loop {
        rest = rest.trim_start_matches([',', '{', ' ', '\n']);
        if let Some(behind) = rest.strip_prefix('}') {
            path.pop();
            rest = behind;
            continue;
        }
        let key = rest.strip_prefix('"').and_then(|key| key.split_once("\":"));
        let Some((key, behind)) = key else {
            return fields;
        };
        path.push(key);
        rest = behind.trim_start();
        if rest.starts_with('{') {
            continue;
        }
        let (value, behind) = match rest.strip_prefix('"') {
            Some(text) => text.split_once('"').unwrap_or((text, "")),
            None => rest.split_at(rest.find([',', '}']).unwrap_or(rest.len())),
        };
        fields.push((path.join("."), value.trim()));
        path.pop();
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_of_an_object() {
        let json = r#"{"stream":"a","deltas":12,"memory":{"x":1},"digest":"00ff"}"#;
        assert_eq!(field(json, "stream"), Some("a"));
        assert_eq!(field(json, "deltas"), Some("12"));
        assert_eq!(field(json, "digest"), Some("00ff"));
        assert_eq!(field(json, "memory.x"), Some("1"));
        assert_eq!(field(json, "x"), None);
        let spaced = "{ \"a\": {\n \"b\": { \"c\": \"d, e\" } },\n \"f\": 1.5 }\n";
        let expected = [("a.b.c".to_owned(), "d, e"), ("f".to_owned(), "1.5")];
        assert_eq!(fields(spaced), expected);
        assert_eq!(fields("{}"), []);
    }

    #[test]
    fn reports_with_other_fields_or_counts_are_refused() {
        let report = |traffic: &str| {
            let names = COUNTS.iter().chain(&SIZES);
            let names = names.filter(|name| !name.contains('.'));
            let counts: Vec<String> = names.map(|name| format!("\"{name}\":7")).collect();
            let counts = counts.join(",");
            format!(
                "{{{counts},\"traffic\":{{\"writer\":{{{traffic}}},\"reader\":{{{traffic}}}}}}}"
            )
        };
        let end_of = |records: u32, encoded: u32| {
            let others = "\"duplicates\":0,\"refused\":0,\"raw_bytes\":8";
            let end = format!("\"records\":{records},{others},\"encoded_bytes\":{encoded}");
            report(&end)
        };
        let end = |records| end_of(records, 9);
        assert!(compare(&end(3), &end(3)).is_ok());
        let other = compare(&end(3), &end(4)).unwrap_err().to_string();
        assert!(other.contains("traffic.writer.records"), "{other}");
        let fewer = compare(&report("\"records\":3"), &end(3)).unwrap_err();
        assert!(fewer.to_string().contains("traffic.reader.refused"));
        assert!(compare("{}", "{}").is_err());
        assert!(compare(&end_of(3, 10), &end(3)).is_ok());
        let less = compare(&end_of(3, 8), &end(3)).unwrap_err().to_string();
        assert!(less.contains("traffic.writer.encoded_bytes"), "{less}");
    }

    #[test]
    fn a_command_without_streams_or_with_options_is_refused() {
        assert!(run(&[]).is_err());
        assert!(run(&["--fast".into(), "x".into()]).is_err());
    }
}
