//! The files of a page, read once: a request looks a name up and never touches the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most bytes of all files: a page and its modules take less than 1 MiB.
const BYTES_MAX: u64 = 64 << 20;
/// Most files.
const FILES_MAX: usize = 1024;
/// Most folders one within another.
const DEPTH_MAX: usize = 16;

/// Content types by the ending of a file's name. Files with other endings are not served.
const CONTENT_TYPES: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
];

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds more than is kept in memory.
    #[error(
        "{} holds more than 1,024 files, 64 MiB or 16 levels: name a folder of the page alone",
        path.display()
    )]
    TooLarge {
        /// Where the bound was met.
        path: PathBuf,
    },
    /// There is no page.
    #[error("{} has no index.html: name the folder of the page", path.display())]
    NoIndex {
        /// The folder.
        path: PathBuf,
    },
}

/// A file's content.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// The files that a server hands out beside its stream.
#[derive(Debug, Default)]
pub struct Site {
    /// By path, which begins with `/`.
    files: BTreeMap<String, Page>,
    bytes: u64,
}

impl Site {
    /// Reads the files of a folder and those below it whose endings a page uses. Symbolic links and
    /// names that begin with a dot are left out.
    ///
    /// # Errors
    /// See [`SiteError`].
    pub fn load(folder: &Path) -> Result<Self, SiteError> {
        let mut site = Self::default();
        site.add_folder(folder, "/", DEPTH_MAX)?;
        if site.get("/").is_none() {
            let path = folder.to_owned();
            return Err(SiteError::NoIndex { path });
        }
        Ok(site)
    }

    /// The file of a request's path; that of a folder, with its closing `/`, is its `index.html`.
    pub(super) fn get(&self, path: &str) -> Option<&Page> {
        if path.ends_with('/') {
            return self.files.get(&format!("{path}index.html"));
        }
        self.files.get(path)
    }

    /// `prefix` begins and ends with `/`.
    fn add_folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), SiteError> {
        let read = |source| SiteError::Read {
            path: folder.to_owned(),
            source,
        };
        let Some(depth) = depth.checked_sub(1) else {
            let path = folder.to_owned();
            return Err(SiteError::TooLarge { path });
        };
        for entry in fs::read_dir(folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            let kind = entry.file_type().map_err(read)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                self.add_folder(&entry.path(), &format!("{prefix}{name}/"), depth)?;
            } else if kind.is_file()
                && let Some(content_type) = content_type(&name)
            {
                self.add_file(&entry.path(), format!("{prefix}{name}"), content_type)?;
            }
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        path: &Path,
        name: String,
        content_type: &'static str,
    ) -> Result<(), SiteError> {
        let mut bytes = Vec::new();
        // One byte more than there is room for tells a file that is too large.
        let left = BYTES_MAX - self.bytes;
        let count = File::open(path)
            .and_then(|file| file.take(left + 1).read_to_end(&mut bytes))
            .map_err(|source| SiteError::Read {
                path: path.to_owned(),
                source,
            })? as u64;
        if count > left || self.files.len() == FILES_MAX {
            let path = path.to_owned();
            return Err(SiteError::TooLarge { path });
        }
        self.bytes += count;
        self.files.insert(
            name,
            Page {
                content_type,
                bytes,
            },
        );
        Ok(())
    }
}

fn content_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    CONTENT_TYPES
        .iter()
        .find(|(known, _)| *known == ending)
        .map(|(_, content_type)| *content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_the_pages_files_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), name).unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        for name in ["index.html", "a/b.wasm", "a/c.rs", ".secret.js", "noending"] {
            write(name);
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.js")).unwrap();
        let site = Site::load(folder.path()).unwrap();
        let names: Vec<&str> = site.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["/a/b.wasm", "/index.html"]);
        assert_eq!(site.get("/").unwrap().bytes, b"index.html");
        assert_eq!(
            site.get("/a/b.wasm").unwrap().content_type,
            "application/wasm"
        );
        assert!(site.get("/a").is_none() && site.get("/a/").is_none());
    }

    #[test]
    fn a_folder_without_a_page_or_too_deep_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let load = || Site::load(folder.path());
        assert!(matches!(load(), Err(SiteError::NoIndex { .. })));
        fs::create_dir_all(folder.path().join("a/".repeat(DEPTH_MAX))).unwrap();
        assert!(matches!(load(), Err(SiteError::TooLarge { .. })));
        let gone = folder.path().join("gone");
        assert!(matches!(Site::load(&gone), Err(SiteError::Read { .. })));
    }
}
