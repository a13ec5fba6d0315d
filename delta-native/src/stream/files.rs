//! The files of a stem, and the shape they say.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::StreamError;
use crate::source::Source;

/// Endings that a path may have and a stem has not; the longest first. Those of [`ROW_UPDATES`]
/// too, if their `.init.npy` is there: `model.new.npy` alone is an array whose stem is `model.new`.
const STRIPPED: [&str; 3] = [".init.npy", ".jsonl", ".npy"];
/// Files of the row-update shape.
const ROW_UPDATES: [&str; 4] = [".init.npy", ".step.npy", ".row.npy", ".new.npy"];

/// How a stream lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Events,
    RowUpdates,
    /// Snapshots or pairs: the array's axes tell.
    OneArray,
}

/// A stem and the place of its files.
pub(super) enum Files<'a> {
    Disk(PathBuf),
    Embedded {
        stem: &'a str,
        files: &'a [(&'a str, &'a [u8])],
    },
}

/// A [`Source`] that owns its path.
pub(super) enum OwnedSource<'a> {
    File(PathBuf),
    Bytes { name: String, bytes: &'a [u8] },
}

impl OwnedSource<'_> {
    pub(super) fn name(&self) -> String {
        Source::from(self).name()
    }
}

impl<'a> From<&'a OwnedSource<'_>> for Source<'a> {
    fn from(owned: &'a OwnedSource<'_>) -> Self {
        match owned {
            OwnedSource::File(path) => Self::File(path),
            OwnedSource::Bytes { name, bytes } => Self::Bytes { name, bytes },
        }
    }
}

impl<'a> Files<'a> {
    pub(super) fn on_disk(path: &Path) -> Self {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let without = |endings: &[&str]| {
            let stem = endings
                .iter()
                .find_map(|ending| name.strip_suffix(ending))?;
            (!stem.is_empty()).then(|| path.with_file_name(stem))
        };
        let of_row_updates =
            without(&ROW_UPDATES).filter(|stem| with_ending(stem, ".init.npy").exists());
        let stem = of_row_updates.or_else(|| without(&STRIPPED));
        Self::Disk(stem.unwrap_or_else(|| path.to_owned()))
    }

    pub(super) fn embedded(stem: &'a str, files: &'a [(&'a str, &'a [u8])]) -> Self {
        Self::Embedded { stem, files }
    }

    /// The stem's file name: the name of the stream.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Disk(stem) => stem
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            Self::Embedded { stem, .. } => (*stem).to_owned(),
        }
    }

    /// The stem with its folder, for messages.
    fn stem(&self) -> String {
        match self {
            Self::Disk(stem) => stem.display().to_string(),
            Self::Embedded { stem, .. } => (*stem).to_owned(),
        }
    }

    /// The file with an ending, whether it exists or not (a missing embedded one is empty).
    pub(super) fn source(&self, ending: &str) -> OwnedSource<'a> {
        match self {
            Self::Disk(stem) => OwnedSource::File(with_ending(stem, ending)),
            Self::Embedded { stem, files } => {
                let name = format!("{stem}{ending}");
                let bytes = files
                    .iter()
                    .find(|file| file.0 == name)
                    .map_or(&[][..], |file| file.1);
                OwnedSource::Bytes { name, bytes }
            }
        }
    }

    fn has(&self, ending: &str) -> bool {
        match self {
            Self::Disk(stem) => with_ending(stem, ending).exists(),
            Self::Embedded { stem, files } => files
                .iter()
                .any(|(name, _)| name.strip_prefix(stem).is_some_and(|rest| rest == ending)),
        }
    }

    /// What the files that are there say. All files of the shape exist then.
    pub(super) fn shape(&self) -> Result<Shape, StreamError> {
        let events = self.has(".jsonl");
        let row_updates = ROW_UPDATES.iter().any(|ending| self.has(ending));
        match (events, row_updates) {
            (true, true) => Err(StreamError::Ambiguous { stem: self.stem() }),
            (true, false) => {
                self.require(&[".npy"], ".jsonl")?;
                Ok(Shape::Events)
            }
            // Beside an array `model.npy`, a lone `model.new.npy` is another array, not part of a
            // stream.
            (false, true) if !self.has(".npy") || self.has(".init.npy") => {
                let present = ROW_UPDATES
                    .iter()
                    .find(|ending| self.has(ending))
                    .unwrap_or(&"");
                self.require(&ROW_UPDATES, present)?;
                Ok(Shape::RowUpdates)
            }
            _ if self.has(".npy") => Ok(Shape::OneArray),
            _ => Err(StreamError::NotFound { stem: self.stem() }),
        }
    }

    fn require(&self, endings: &[&str], present: &str) -> Result<(), StreamError> {
        match endings.iter().find(|ending| !self.has(ending)) {
            None => Ok(()),
            Some(missing) => Err(StreamError::MissingFile {
                file: self.source(missing).name(),
                beside: self.source(present).name(),
            }),
        }
    }
}

/// The path whose file name is that of `stem` and `ending`. `Path::with_extension` would replace
/// what follows a dot of the stem.
fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(stem.as_os_str());
    path.push(ending);
    PathBuf::from(path)
}
