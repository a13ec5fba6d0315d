//! Edits as bytes (WIRE.md, section 8), and back.
//!
//! | form | writer | holds |
//! |---|---|---|
//! | edits | [`encode_edits`] | any set of edits: lists grouped by layer, slots as gaps |
//! | insert | [`InsertWriter`] | one node, its lists, and what it did to its neighbours' lists |
//! | edges | [`encode_edges`] | edges of one layer as plain tuples, with weights that nothing
//! reads |
//!
//! [`Change::parse`] checks the bytes once; reading the edits of a [`Change`] then cannot fail.
//! Whether they fit a graph is for [`Adjacency::prepare`](super::Adjacency::prepare) to say.

pub(crate) mod bits;
mod edges;
mod edits;
mod insert;

pub use edges::{Edge, encode_edges};
pub use edits::encode_edits;
pub(super) use edits::{EditsWriter, Fault};
pub use insert::{InsertWriter, Link};

use super::Edit;
use core::fmt;
use edges::EdgesReader;
use edits::EditsReader;
use insert::InsertReader;

const FORM_MASK: u8 = 0b11;
const FORM_EDITS: u8 = 0;
const FORM_INSERT: u8 = 1;
const FORM_EDGES: u8 = 2;

/// Why bytes are not a graph change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// No bytes.
    Empty,
    /// A first byte that this version does not know.
    UnknownForm {
        /// The byte.
        found: u8,
    },
    /// The bytes end early, or spell no edit.
    Malformed {
        /// Offset at which the broken edit starts, or in which it breaks.
        offset: u32,
    },
    /// Bytes, or set bits, after the last edit.
    Trailing {
        /// Offset of the first of them.
        offset: u32,
    },
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "a graph change of no bytes: fetch the record again"),
            Self::UnknownForm { found } => {
                write!(
                    f,
                    "unknown form {found} of graph change: upgrade this reader"
                )
            }
            Self::Malformed { offset } => write!(
                f,
                "the graph change breaks at byte {offset}: fetch the record again"
            ),
            Self::Trailing { offset } => write!(
                f,
                "the graph change ends at byte {offset}, more follows: fetch the record again"
            ),
        }
    }
}

impl core::error::Error for ChangeError {}

/// Why edits could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeEncodeError {
    /// The buffer is too small.
    BufferFull {
        /// Its bytes.
        size: usize,
    },
    /// An edit that no graph accepts: a list out of order, or a layer that does not exist.
    Unencodable {
        /// Number of the edit, from 0.
        index: u32,
    },
}

impl fmt::Display for ChangeEncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BufferFull { size } => {
                write!(f, "{size} bytes do not hold the graph change: give it more")
            }
            Self::Unencodable { index } => write!(
                f,
                "edit {index} fits no graph: sort its lists and name existing layers"
            ),
        }
    }
}

impl core::error::Error for ChangeEncodeError {}

/// A set of edits inside checked bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    bytes: &'a [u8],
}

impl<'a> Change<'a> {
    /// Checks that `bytes` spell edits, and nothing after them. O(bytes).
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ChangeError> {
        match Reader::new(bytes)? {
            Reader::Edits(mut reader) => {
                while reader.step().is_some() {}
                reader.fault.map_or(Ok(()), Err)
            }
            Reader::Insert(reader) => reader.check(),
            // Checked whole when it was made.
            Reader::Edges(_) => Ok(()),
        }?;
        Ok(Self { bytes })
    }

    /// The bytes that were parsed.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The neighbours on layer 0 of the node that an insert form inserts.
    #[inline]
    pub(super) fn linked(self) -> impl Iterator<Item = u32> + use<'a> {
        let own = match Reader::new(self.bytes) {
            Ok(Reader::Insert(mut reader)) => reader.own_list(),
            _ => None,
        };
        own.into_iter().flatten()
    }

    /// The edits, in their order.
    #[must_use]
    pub fn edits(&self) -> Edits<'a> {
        Edits {
            reader: Reader::new(self.bytes).ok(),
        }
    }
}

impl<'a> IntoIterator for Change<'a> {
    type Item = Edit<'a>;
    type IntoIter = Edits<'a>;

    fn into_iter(self) -> Edits<'a> {
        self.edits()
    }
}

/// Iterates over the edits of a [`Change`].
#[derive(Clone, Debug)]
pub struct Edits<'a> {
    /// `None`: at the end.
    reader: Option<Reader<'a>>,
}

impl<'a> Iterator for Edits<'a> {
    type Item = Edit<'a>;

    #[inline]
    fn next(&mut self) -> Option<Edit<'a>> {
        self.reader.as_mut()?.step()
    }

    #[inline]
    fn fold<B, F: FnMut(B, Edit<'a>) -> B>(self, init: B, mut next: F) -> B {
        match self.reader {
            Some(Reader::Insert(reader)) => reader.fold(init, next),
            Some(mut reader) => {
                let mut all = init;
                while let Some(edit) = reader.step() {
                    all = next(all, edit);
                }
                all
            }
            None => init,
        }
    }
}

#[derive(Clone, Debug)]
enum Reader<'a> {
    Edits(EditsReader<'a>),
    Insert(InsertReader<'a>),
    Edges(EdgesReader<'a>),
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, ChangeError> {
        let &form = bytes.first().ok_or(ChangeError::Empty)?;
        match form & FORM_MASK {
            FORM_EDITS if form == FORM_EDITS => Ok(Self::Edits(EditsReader::new(bytes))),
            FORM_INSERT => InsertReader::new(bytes).map(Self::Insert),
            FORM_EDGES => EdgesReader::new(bytes).map(Self::Edges),
            _ => Err(ChangeError::UnknownForm { found: form }),
        }
    }

    /// The next edit; `None` at the end of the bytes, or where they break.
    #[inline]
    fn step(&mut self) -> Option<Edit<'a>> {
        match self {
            Self::Edits(reader) => reader.step(),
            Self::Insert(reader) => reader.step(),
            Self::Edges(reader) => reader.step(),
        }
    }
}

/// A break at a byte; offsets beyond 4 GiB are capped.
fn malformed(offset: usize) -> ChangeError {
    ChangeError::Malformed {
        offset: u32::try_from(offset).unwrap_or(u32::MAX),
    }
}

fn trailing(offset: usize) -> ChangeError {
    ChangeError::Trailing {
        offset: u32::try_from(offset).unwrap_or(u32::MAX),
    }
}
