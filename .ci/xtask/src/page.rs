//! `cargo xtask page`: gathers the page of delta-wasm/demo and the npm package that it uses in
//! one folder, which `delta serve --site` hands out, as any static host could.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{shell, wasm};

/// The page's own files. They import the package from `./delta-wasm/`.
const DEMO: &str = "delta-wasm/demo";
const PACKAGE_FOLDERS: [&str; 2] = ["src", "wasm"];

/// Builds the modules and gathers everything in `target/page`.
pub(crate) fn build() -> Result<()> {
    wasm::build()?;
    let folder = shell::target_dir("page");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    copy_files(&shell::root().join(DEMO), &folder)?;
    let package = shell::root().join(wasm::NPM_PACKAGE);
    for name in PACKAGE_FOLDERS {
        copy_files(&package.join(name), &folder.join("delta-wasm").join(name))?;
    }
    println!(
        "the page is in {0}: cargo run --release -- serve --site {0}",
        folder
            .strip_prefix(shell::root())
            .unwrap_or(&folder)
            .display()
    );
    Ok(())
}

/// Copies the files of a folder, those of folders in it apart.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let target = to.join(entry.file_name());
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}
