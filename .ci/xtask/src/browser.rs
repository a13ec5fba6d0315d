//! The live page in a real browser: Chromium without a window.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::setup::Need;
use crate::{npm, page, shell};

/// Names of the browser's program.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The browser, which the page's test cannot do without.
pub(crate) const CHROMIUM: Need = Need {
    what: "Chromium, to test the page",
    is_met: || program().is_some(),
    debian_packages: &["chromium"],
    otherwise: &[],
};

/// Whether a machine may lack what a check needs.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// The browser of this machine.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS.iter().find_map(|name| {
        let mut found = folders.iter().map(|folder| folder.join(name));
        found.find(|file| file.is_file())
    })
}

/// Follows a stream in the page, by the native server; screenshots are left in target/page-test.
pub(crate) fn run() -> Result<u32> {
    let Some(chromium) = program() else {
        let how = "install it, e.g. apt-get install chromium";
        if is_ci() {
            bail!("no Chromium is here: {how}");
        }
        println!("NOT RUN: the page's test, because no Chromium is here: {how}");
        return Ok(0);
    };
    let playwright = npm::PLAYWRIGHT.ensure()?;
    page::build()?;
    shell::run(&mut shell::cargo(["build", "--package", "delta-native"]))?;
    let pictures = shell::target_dir("page-test");
    std::fs::create_dir_all(&pictures).with_context(|| pictures.display().to_string())?;
    let mut node = shell::command("node");
    node.args(["--test", "--test-reporter=tap", "delta-wasm/tests/page.mjs"])
        .env("DELTA_CHROMIUM", chromium)
        .env("DELTA_PLAYWRIGHT", playwright.join("index.mjs"))
        .env("DELTA_COMMAND", shell::target_dir("debug").join("delta"))
        .env("DELTA_PICTURES", pictures);
    shell::run_tests(&mut node)
}
