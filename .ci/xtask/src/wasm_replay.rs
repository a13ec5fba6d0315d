//! `cargo xtask wasm-replay STREAM...`: replays streams by the wasm modules in Node's workers, and
//! holds the digest against that of the native replay.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, wasm};

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
        let report = replay(stream)?;
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

/// The report of one stream; an error if the replica or its digest differ.
fn replay(stream: &Path) -> Result<String> {
    let name = stream.file_stem().context("a stream's path has a name")?;
    let name = name.to_string_lossy();
    let folder = shell::target_dir("wasm").join("replay");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let frames = folder.join(format!("{name}.delta"));
    let delta = || {
        let mut cargo = shell::cargo(["run", "--quiet", "--release", "--package", "delta-native"]);
        cargo.arg("--");
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
    let (wasm, native) = (field(&report, "digest"), field(&native, "digest"));
    ensure!(
        wasm == native,
        "{name}: digest {wasm:?} by wasm, {native:?} by the native replay"
    );
    Ok(report)
}

/// The value of a field of a flat JSON object, without its quotes.
fn field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    let value = rest.split([',', '}']).next()?;
    Some(value.trim().trim_matches('"'))
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
        assert_eq!(field(json, "none"), None);
    }

    #[test]
    fn a_command_without_streams_or_with_options_is_refused() {
        assert!(run(&[]).is_err());
        assert!(run(&["--fast".into(), "x".into()]).is_err());
    }
}
