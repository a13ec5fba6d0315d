//! Update streams: the history of a set of vectors as one list of events, whatever its shape on
//! disk.
//!
//! A stream is named by its *stem*, the path without these endings; the files that are there say
//! its shape:
//!
//! - *events*: `.jsonl`, an insert, update or delete a line with id, time and metadata, and `.npy`,
//!   its vectors (rows, dim);
//! - *row updates*: an insert for each row of `.init.npy` (rows, dim), then updates k: row
//!   `.row.npy`\[k\] becomes `.new.npy`\[k\] (k, dim), in the order of `.step.npy`\[k\];
//! - *snapshots*: `.npy` (steps, n), one entity: an insert, then steps - 1 updates;
//! - *pairs*: `.npy` (2, n, dim), n inserts of the old rows, then n updates to the new ones.
//!
//! An update is an event also if it changes no bit. Step and version numbers group nothing. Shapes
//! without ids use the decimal number of the row (snapshots: `0`), those without times the
//! timestamp 0.
//!
//! Rows lie in one buffer, ids and metadata in another; an event is 24 bytes of indices into them.
//! All indices are checked while loading, so that reading events cannot fail.

mod build;
mod clustered;
mod error;
mod events;
mod files;
mod pairs;
mod row_updates;
mod snapshots;

use std::ops::Range;
use std::path::Path;

use files::{Files, Shape};

pub use error::{LineFault, StreamError};

/// What an event does to its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new entity, with a row and an id.
    Insert,
    /// A new row (perhaps with the same bits) of a live entity.
    Update,
    /// The end of a live entity.
    Delete,
}

/// One event, borrowed from its [`Stream`].
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// What happens.
    pub operation: Operation,
    /// The entity's number: inserts count up from 0, and no number is used twice, also not when an
    /// id that was deleted is inserted again.
    pub slot: u32,
    /// The entity's vector after the event, [`Stream::dim`] components; empty for a delete.
    pub row: &'a [f32],
    /// The entity's id, 1 to 255 bytes; for every operation, though only an insert needs to send
    /// it.
    pub id: &'a [u8],
    /// All metadata of the entity after the event; empty for a delete, which leaves metadata as it
    /// is.
    pub metadata: Metadata<'a>,
    /// Microseconds since the Unix epoch; 0 in shapes without times.
    pub timestamp_us: u64,
}

/// An entity's metadata: pairs of key and value in strictly ascending byte order of the keys.
///
/// Keys have 1 to 255 bytes. A value is JSON text exactly as it stood in the file. Iterate over a
/// copy to read it again.
#[derive(Debug, Clone, Copy)]
pub struct Metadata<'a> {
    pairs: &'a [Pair],
    text: &'a [u8],
}

impl<'a> Iterator for Metadata<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (pair, rest) = self.pairs.split_first()?;
        self.pairs = rest;
        let both = self.text.get(pair.start..pair.end)?;
        both.split_at_checked(usize::from(pair.key_bytes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.pairs.len(), Some(self.pairs.len()))
    }
}

impl ExactSizeIterator for Metadata<'_> {}

/// How many events of each kind a stream has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inserts, which are also the slots used.
    pub inserts: u64,
    /// Updates.
    pub updates: u64,
    /// Deletes.
    pub deletes: u64,
}

/// Memory that a loaded stream holds, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamMemory {
    /// All rows of the files, each once.
    pub rows_bytes: usize,
    /// Text of ids and metadata.
    pub text_bytes: usize,
    /// Events, and the tables that point into the text.
    pub events_bytes: usize,
}

/// A loaded update stream. Every event's slot, row, id and metadata are there: the loaders checked.
pub struct Stream {
    name: String,
    /// 1 ..= `u32::MAX`
    dim: u32,
    /// Rows of `dim` components.
    rows: Vec<f32>,
    events: Vec<Indices>,
    /// Ranges of `text`, by slot.
    ids: Vec<Range<usize>>,
    /// Of all events, in their order.
    pairs: Vec<Pair>,
    /// Ids, and keys each followed by its value.
    text: Vec<u8>,
    counts: Counts,
}

/// An event as numbers.
#[derive(Debug, Clone, Copy)]
struct Indices {
    timestamp_us: u64,
    slot: u32,
    /// Index of a row of `rows`; 0 for a delete.
    row: u32,
    /// Where its pairs end; they begin where those of the event before it end.
    pairs_end: u32,
    operation: Operation,
}

/// A key and its value, one behind the other in `text`.
#[derive(Debug, Clone, Copy)]
struct Pair {
    start: usize,
    end: usize,
    key_bytes: u8,
}

impl Stream {
    /// Loads the stream of a stem; the path of one of a stream's files is taken for its stem.
    /// O(bytes of the files), which also bounds the memory.
    ///
    /// # Errors
    /// [`StreamError`] names the file (and line), what was found and what to do.
    pub fn load(path: &Path) -> Result<Self, StreamError> {
        Self::from_files(Files::on_disk(path))
    }

    /// As [`load`](Self::load), from files in memory: pairs of file name and content.
    ///
    /// # Errors
    /// [`StreamError`] names the file (and line), what was found and what to do.
    pub fn load_embedded(stem: &str, files: &[(&str, &[u8])]) -> Result<Self, StreamError> {
        Self::from_files(Files::embedded(stem, files))
    }

    fn from_files(files: Files<'_>) -> Result<Self, StreamError> {
        match files.shape()? {
            Shape::Events => events::load(&files),
            Shape::RowUpdates => row_updates::load(&files),
            Shape::OneArray => {
                let source = files.source(".npy");
                let array = crate::npy::read_rows(&source)?;
                match *array.shape.as_slice() {
                    [steps, n] => snapshots::build(&files, source.name(), [steps, n], array.data),
                    [2, n, dim] => pairs::build(&files, source.name(), [n, dim], array.data),
                    _ => Err(StreamError::Shape {
                        file: source.name(),
                        found: array.shape,
                        expected: "(steps, n) for snapshots or (2, n, dim) for pairs",
                    }),
                }
            }
        }
    }

    /// The stem's file name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Components of each row, at least 1.
    #[must_use]
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// Entities inserted over the whole stream; every slot is below this.
    #[must_use]
    pub fn slots(&self) -> u32 {
        // One insert a slot, counted in 32 bits while loading.
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    /// How many events there are of each kind.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Count of events, at least 1.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a stream without events is refused when loaded"
    )]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The memory held, by purpose.
    #[must_use]
    pub fn memory(&self) -> StreamMemory {
        StreamMemory {
            rows_bytes: size_of_val(self.rows.as_slice()),
            text_bytes: self.text.len(),
            events_bytes: size_of_val(self.events.as_slice())
                + size_of_val(self.ids.as_slice())
                + size_of_val(self.pairs.as_slice()),
        }
    }

    /// The event at `position` (from 0), if there is one. O(1).
    #[must_use]
    pub fn event(&self, position: usize) -> Option<Event<'_>> {
        let event = *self.events.get(position)?;
        let pairs_start = match position.checked_sub(1) {
            Some(before) => self.events.get(before)?.pairs_end,
            None => 0,
        };
        let dim = wide(self.dim);
        let row = match event.operation {
            Operation::Delete => &[],
            Operation::Insert | Operation::Update => {
                let start = wide(event.row) * dim;
                self.rows.get(start..start + dim)?
            }
        };
        Some(Event {
            operation: event.operation,
            slot: event.slot,
            row,
            id: self.text.get(self.ids.get(wide(event.slot))?.clone())?,
            metadata: Metadata {
                pairs: self.pairs.get(wide(pairs_start)..wide(event.pairs_end))?,
                text: &self.text,
            },
            timestamp_us: event.timestamp_us,
        })
    }

    /// All events in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Event<'_>> + Clone {
        (0..self.len()).map(|position| {
            #[expect(
                clippy::expect_used,
                reason = "the loaders checked every index of every event"
            )]
            self.event(position)
                .expect("events of a loaded stream are complete")
        })
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("name", &self.name)
            .field("dim", &self.dim)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// A 32-bit number as an index; targets with files have at least 32 bits.
fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod bad_files_tests;
#[cfg(test)]
mod bad_list_tests;
#[cfg(test)]
mod tests;
