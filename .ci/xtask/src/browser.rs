//! The live page in a real browser: Chromium without a window.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::setup::{self, Need};
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
        return setup::not_run(
            "the page's test",
            "Chromium (on Debian: apt-get install chromium)",
        );
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
