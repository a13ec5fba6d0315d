//! The records that a server hands out: a whole stream of frames in memory, cut into records.

use std::fmt;

use delta_core::graph::GraphParameters;
use delta_core::payload::Payload;
use delta_core::payload::control::Control;
use delta_core::stream::{StreamError, StreamReader};

use super::refusal::Refusal;
use crate::replay::{ExportError, export};
use crate::search::upper_lists;
use crate::stream::Stream;

/// Why frames cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// They are no whole stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The update stream cannot become frames.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The stream goes on where another ended, so no reader could begin with it.
    #[error(
        "the stream begins at record {sequence} over {slot_count} rows: serve one that begins at \
         record 1 over none, as `delta export` writes it"
    )]
    NotFromTheBeginning {
        /// Sequence of its start.
        sequence: u64,
        /// Rows of its base.
        slot_count: u32,
    },
}

/// Where a reader is: the sequence of its last record, and the digest of its state after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReaderPosition {
    /// 0: it has none.
    pub(super) sequence: u64,
    /// Of no meaning at sequence 0.
    pub(super) digest: u64,
}

/// A record, by what a server needs to know of it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its frame ends.
    end: usize,
    /// State digest after it, if it carries one.
    digest: Option<u64>,
}

/// A whole stream of frames from an empty base, checked. Record `k` (from 0) has sequence `k + 1`.
pub struct Log {
    name: String,
    dim: u32,
    /// Inserts.
    slots: u32,
    graph: Option<GraphParameters>,
    /// Lists of the graph above layer 0, over all nodes.
    upper_lists: u32,
    frames: Vec<u8>,
    entries: Vec<Entry>,
    /// Bytes of the largest frame.
    frame_size_max: usize,
}

impl Log {
    /// Checks `frames`, which are a whole stream (WIRE.md, section 2). O(bytes).
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn new(name: &str, frames: Vec<u8>) -> Result<Self, LogError> {
        let (mut dim, mut slots, mut end, mut frame_size_max) = (0, 0, 0, 0);
        let (mut graph, mut lists) = (None, 0_u32);
        let mut entries = Vec::new();
        for record in StreamReader::new(&frames) {
            let record = record?;
            match *record.payload() {
                Payload::Control(Control::Start {
                    dim: of_rows,
                    slot_count,
                    graph: declared,
                    ..
                }) => {
                    let sequence = record.header().sequence;
                    if sequence != 1 || slot_count != 0 {
                        return Err(LogError::NotFromTheBeginning {
                            sequence,
                            slot_count,
                        });
                    }
                    (dim, graph) = (of_rows, declared);
                }
                // Slots are 32-bit numbers without gaps, which a replica checks.
                Payload::Insert(_) => slots += 1,
                _ => {}
            }
            lists = lists.saturating_add(upper_lists(record.payload()));
            end += record.size();
            frame_size_max = frame_size_max.max(record.size());
            entries.push(Entry {
                end,
                digest: record.header().state_digest,
            });
        }
        Ok(Self {
            name: name.to_owned(),
            dim,
            slots,
            graph,
            upper_lists: lists,
            frames,
            entries,
            frame_size_max,
        })
    }

    /// The frames that [`export`] makes of an update stream. O(stream).
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn from_stream(stream: &Stream) -> Result<Self, LogError> {
        let mut frames = Vec::new();
        export(stream, &mut frames)?;
        Self::new(stream.name(), frames)
    }

    /// What the stream is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Components of a row.
    #[must_use]
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// Inserts of the whole stream: the slots that a replica needs.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// The stream's graph, and its lists above layer 0 over all nodes, if it carries one.
    #[must_use]
    pub fn graph(&self) -> Option<(GraphParameters, u32)> {
        self.graph.map(|graph| (graph, self.upper_lists))
    }

    /// Count of records, start and end included; at least 2.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a stream has start and end")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the largest frame.
    #[must_use]
    pub fn frame_size_max(&self) -> usize {
        self.frame_size_max
    }

    /// Frames of the records `from..to`; none where that is no range of the log.
    pub(super) fn frames(&self, from: usize, to: usize) -> &[u8] {
        let end_of = |count: usize| match count.checked_sub(1) {
            None => Some(0),
            Some(last) => self.entries.get(last).map(|entry| entry.end),
        };
        end_of(from)
            .zip(end_of(to))
            .and_then(|(start, end)| self.frames.get(start..end))
            .unwrap_or_default()
    }

    /// The number of the record with which a reader goes on, of which `records` are out so far. A
    /// reader whose state nothing tells from another's is refused.
    pub(super) fn resume(
        &self,
        position: ReaderPosition,
        records: usize,
    ) -> Result<usize, Refusal> {
        let ReaderPosition { sequence, digest } = position;
        let ahead = Refusal::Ahead {
            position: sequence,
            last: records as u64,
        };
        let next = usize::try_from(sequence).map_err(|_| ahead)?;
        if next > records {
            return Err(ahead);
        }
        let Some(number) = next.checked_sub(1) else {
            return Ok(next);
        };
        match self.entries.get(number).ok_or(ahead)?.digest {
            Some(expected) if expected == digest => Ok(next),
            Some(expected) => Err(Refusal::OtherHistory {
                position: sequence,
                expected,
                found: digest,
            }),
            None => Err(Refusal::NoDigest { position: sequence }),
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("name", &self.name)
            .field("records", &self.len())
            .field("bytes", &self.frames.len())
            .finish_non_exhaustive()
    }
}
