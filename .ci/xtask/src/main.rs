//! Workspace tasks, run as `cargo xtask COMMAND`; `cargo xtask --help` lists them.

mod bench;
mod browser;
mod build_std;
mod component;
mod cross;
mod fuzz;
mod instructions;
mod lint;
mod loom;
mod no_os;
mod npm;
mod page;
mod proof;
mod sanitize;
mod setup;
mod shell;
mod style;
mod summary;
mod supply;
mod targets;
mod test;
mod tools;
mod unsafe_table;
mod wasm;
mod wasm_bench;
mod wasm_replay;

use std::process::ExitCode;

use anyhow::{Result, bail};

struct Command {
    name: &'static str,
    /// One line for the help text.
    about: &'static str,
    /// Takes the arguments after the command's name.
    run: fn(&[String]) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        about: "Install what the tests need, then run all of them (or the checks named after it)",
        run: test::run,
    },
    Command {
        name: "lint",
        about: "rustfmt, clippy and docs with warnings denied, lengths, the table of unsafe code",
        run: lint::run,
    },
    Command {
        name: "wasm",
        about: "Build delta-wasm for wasm32, scalar and simd128, and print the sizes",
        run: |rest| without_arguments(rest, wasm::build),
    },
    Command {
        name: "component",
        about: "Build the WIT component and test it in Node; --wasmtime: in wasmtime too (15 min)",
        run: component::command,
    },
    Command {
        name: "page",
        about: "Build the modules, and gather the live page for `delta serve --site`",
        run: |rest| without_arguments(rest, page::build),
    },
    Command {
        name: "wasm-replay",
        about: "Replay STREAM... by the wasm modules in Node; the digest must be the native one",
        run: wasm_replay::run,
    },
    Command {
        name: "wasm-bench",
        about: "Time the wasm modules in Node: kernels, latency, ring",
        run: wasm_bench::run,
    },
    Command {
        name: "targets",
        about: "Build delta-core for wasm32 and thumbv7m with nothing but `core`: no allocator",
        run: |rest| without_arguments(rest, targets::prove),
    },
    Command {
        name: "loom",
        about: "Run the loom models of the ring; --mutate: with each memory ordering weakened",
        run: loom::command,
    },
    Command {
        name: "fuzz",
        about: "Run the fuzz targets: fuzz [--seconds N] [TARGET...], 20 s each by default",
        run: fuzz::run,
    },
    Command {
        name: "thumbv7m",
        about: "Run ring, diff and apply on bare metal in an emulated Cortex-M3",
        run: |rest| without_arguments(rest, || no_os::run().map(drop)),
    },
    Command {
        name: "aarch64",
        about: "Run the core's tests for aarch64 in an emulator",
        run: |rest| without_arguments(rest, || cross::AARCH64.test().map(drop)),
    },
    Command {
        name: "i686",
        about: "Run the core's tests for i686: sizes of 32 bits",
        run: |rest| without_arguments(rest, || cross::I686.test().map(drop)),
    },
    Command {
        name: "sanitize",
        about: "Run the tests under the address and thread sanitizers, and Miri where it is",
        run: |rest| without_arguments(rest, sanitize::run),
    },
    Command {
        name: "supply",
        about: "Check licences, sources and advisories of the dependencies, and the packages",
        run: |rest| without_arguments(rest, supply::run),
    },
    Command {
        name: "bench",
        about: "Ours and the peers in turn: bench [--quick] [--json] [--write] [GROUP...]",
        run: bench::run,
    },
    Command {
        name: "instructions",
        about: "Count the hot kernels' instructions and compare; --renew: write the figures anew",
        run: instructions::run,
    },
    Command {
        name: "proof",
        about: "Run all of these: proof [--seconds N] [--markdown FILE] [CHECK...]",
        run: proof::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let (name, rest) = match arguments.split_first() {
        None => ("--help", arguments),
        Some((name, rest)) => (name.as_str(), rest),
    };
    if matches!(name, "--help" | "-h" | "help") || rest.iter().any(|word| word == "--help") {
        print!("{}", help());
        return Ok(());
    }
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => bail!("no task is called `{name}`; `cargo xtask --help` lists them"),
    }
}

fn without_arguments(rest: &[String], run: impl FnOnce() -> Result<()>) -> Result<()> {
    match rest.first() {
        None => run(),
        Some(word) => bail!("unexpected argument `{word}`: this task takes none"),
    }
}

fn help() -> String {
    let mut text = String::from("Usage: cargo xtask COMMAND\n\nCommands:\n");
    for Command { name, about, .. } in COMMANDS {
        text += &format!("  {name:<12} {about}\n");
    }
    text += &format!(
        "\nChecks of `test`:\n  {}\n",
        summary::names_of(test::CHECKS)
    );
    text += &format!("Checks of `lint`:\n  {}\n", summary::names_of(lint::CHECKS));
    text += &format!(
        "\nEnvironment:\n  {} chooses the compiler of wasm32:\n{}",
        build_std::COMPILER_VARIABLE,
        "    debian  Debian's rustc-web, with the sources of rust-web-src\n    \
         target  the toolchain's own wasm32 target\n    \
         PATH    a rustc that has a wasm32 core library\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_command() {
        let help = help();
        for command in COMMANDS {
            assert!(
                help.contains(&format!("  {} ", command.name)),
                "{}",
                command.name
            );
        }
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }

    #[test]
    fn an_unknown_command_or_argument_is_refused() {
        assert!(dispatch(&["tset".into()]).is_err());
        assert!(dispatch(&["loom".into(), "fast".into()]).is_err());
        assert!(dispatch(&["test".into(), "no-such-check".into()]).is_err());
    }
}
