//! Output files that appear completely or not at all.

use std::fs;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is written under a temporary name in the folder of its target and takes the target's
/// name on [`commit`](Self::commit). Dropped before that, it disappears and the target is as it
/// was.
///
/// ```
/// use std::io::Write;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("x.delta");
/// let mut file = delta_native::output::AtomicFile::create(&path)?;
/// file.write_all(b"all of it")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    temporary: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will replace `path`, or create it. A symbolic link is written through.
    ///
    /// # Errors
    /// [`OutputError`] if `path` is there and no regular file (a folder, a device, a pipe), or if
    /// its folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&target).is_ok_and(|existing| !existing.is_file()) {
            return Err(OutputError::NotAFile {
                path: path.to_owned(),
            });
        }
        let folder = target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let temporary = builder()
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(|source| OutputError::Create {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            temporary: BufWriter::new(temporary),
            target,
        })
    }

    /// Writes what is buffered, waits until the disk has it, and gives the file its name.
    ///
    /// # Errors
    /// [`OutputError`] if a step fails; the target is then as it was before.
    pub fn commit(self) -> Result<(), OutputError> {
        let Self { temporary, target } = self;
        let result = temporary
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| {
                file.as_file().sync_all()?;
                file.persist(&target).map_err(|refused| refused.error)
            });
        match result {
            Ok(_) => {
                sync_folder_of(&target);
                Ok(())
            }
            Err(source) => Err(OutputError::Commit {
                path: target,
                source,
            }),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Why an output file could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The target is a folder, a device or a pipe, which a rename would replace.
    #[error("{} is not a regular file; name a file to write", path.display())]
    NotAFile {
        /// The target.
        path: PathBuf,
    },
    /// No temporary file beside the target.
    #[error(
        "cannot create a file beside {}; check that its folder exists and may be written",
        path.display()
    )]
    Create {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing, syncing or renaming failed.
    #[error("cannot finish {}; check the space and the rights of its folder", path.display())]
    Commit {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Temporary files are private by default, but the result is an ordinary file: let the umask
/// decide.
#[cfg(unix)]
fn builder() -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(".delta-")
        .permissions(fs::Permissions::from_mode(0o666));
    builder
}

#[cfg(not(unix))]
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".delta-");
    builder
}

/// Makes the new name durable too, where the file system can: the file is complete either way, so a
/// folder that cannot be synced is no failure.
#[cfg(unix)]
fn sync_folder_of(target: &Path) {
    let folder = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _whether_synced = folder.sync_all();
    }
}

#[cfg(not(unix))]
fn sync_folder_of(_: &Path) {}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
