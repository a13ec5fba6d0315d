//! What a process that will be killed tells those that come after it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Written by one call each time, so that it is whole whenever its writer is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Producer: all up to this sequence are committed. Consumer: are processed.
    pub(crate) acked: u64,
    /// Producer: nothing beyond this sequence was ever going to be committed.
    pub(crate) intended: u64,
    /// Producer: 1 if what lies between is one batch. Consumer: records that came more than once.
    pub(crate) extra: u64,
}

pub(crate) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> Self {
        let file = File::create_new(path).unwrap();
        file.write_all_at(&[0; 24], 0).unwrap();
        drop(file);
        Self::open(path)
    }

    pub(crate) fn open(path: &Path) -> Self {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let path = path.to_owned();
        Self { file, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> Entry {
        let mut bytes = [0; 24];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        let [acked, intended, extra] = bytemuck::pod_read_unaligned::<[u64; 3]>(&bytes);
        Entry {
            acked,
            intended,
            extra,
        }
    }

    pub(crate) fn write(&self, entry: Entry) {
        let words = [entry.acked, entry.intended, entry.extra];
        let bytes: &[u8; 24] = bytemuck::cast_ref(&words);
        assert_eq!(self.file.write_at(bytes, 0).unwrap(), bytes.len());
    }
}
