//! Where input comes from: a file, or bytes that are already in memory.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// One input, not yet opened.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A regular file.
    File(&'a Path),
    /// Bytes in memory, and the name by which errors call them.
    Bytes {
        /// Stands where a file's path would stand in messages.
        name: &'a str,
        /// The whole input.
        bytes: &'a [u8],
    },
}

/// Reads a whole regular file. Memory: its length, which is known before.
///
/// # Errors
/// Whatever opening or reading gives; pipes and devices are refused.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let opened = Source::File(path).open()?;
    let mut bytes = Vec::new();
    let len = usize::try_from(opened.len_bytes).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(len).map_err(io::Error::other)?;
    // A file that grows meanwhile is cut off, and its format's checks refuse it.
    opened
        .reader
        .take(opened.len_bytes)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Source<'_> {
    /// The path or name for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } => (*name).to_owned(),
        }
    }
}

impl<'a> From<&'a Path> for Source<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a PathBuf> for Source<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::File(path)
    }
}

/// An opened input whose length is known before a byte is read, so that sizes claimed inside it can
/// be checked before memory is allocated for them.
pub(crate) struct Opened<'a> {
    /// At the first byte.
    pub(crate) reader: Box<dyn BufRead + 'a>,
    /// Bytes of the whole input.
    pub(crate) len_bytes: u64,
}

impl<'a> Source<'a> {
    /// Opens the input. Pipes and devices are refused: they have no length.
    pub(crate) fn open(self) -> io::Result<Opened<'a>> {
        match self {
            Self::File(path) => {
                // Asked before opening: to open a pipe would wait for its writer.
                if !fs::metadata(path)?.is_file() {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "it is not a regular file; copy its content into one",
                    ));
                }
                let file = File::open(path)?;
                let len_bytes = file.metadata()?.len();
                Ok(Opened {
                    reader: Box::new(BufReader::with_capacity(1 << 16, file)),
                    len_bytes,
                })
            }
            Self::Bytes { bytes, .. } => {
                let len_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                Ok(Opened {
                    reader: Box::new(bytes),
                    len_bytes,
                })
            }
        }
    }
}
