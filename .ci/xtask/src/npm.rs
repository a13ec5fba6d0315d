//! Packages of npm that tests and builds use, of pinned versions, installed into target/tools.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell;

/// A package of npm, with those that it needs. Its scripts never run.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

pub(crate) const PLAYWRIGHT: Package = Package {
    name: "playwright-core",
    version: "1.60.0",
};

pub(crate) const JCO: Package = Package {
    name: "@bytecodealliance/jco",
    version: "1.35.0",
};

impl Package {
    /// Installs the package unless this version is there; where it is.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        let name = self.name.rsplit('/').next().unwrap_or(self.name);
        let folder = shell::target_dir("tools").join("npm").join(name);
        let package = folder.join("node_modules").join(self.name);
        let manifest = package.join("package.json");
        let installed = std::fs::read_to_string(&manifest).unwrap_or_default();
        if installed.contains(&format!("\"version\": \"{}\"", self.version)) {
            return Ok(package);
        }
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        println!("installing {} {}", self.name, self.version);
        let mut npm = shell::command("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--prefix")
            .arg(&folder)
            .arg(format!("{}@{}", self.name, self.version));
        shell::run(&mut npm)?;
        Ok(package)
    }
}
