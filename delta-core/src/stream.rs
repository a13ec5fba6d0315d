//! Streams of frames in memory or files: a start, records with dense sequences, an end (WIRE.md,
//! section 2).

use crate::{
    payload::{Payload, control::Control},
    record::{Record, RecordError},
};
use core::{fmt, iter::FusedIterator};

/// Why bytes are not a whole stream. Each variant names the record, counted from 0, and its
/// offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// A record is refused.
    Record {
        /// Number of the record.
        record: u64,
        /// Offset of its first byte.
        offset: usize,
        /// What is wrong with it.
        error: RecordError,
    },
    /// The first record is not a start.
    NoStart,
    /// A start within the stream.
    SecondStart {
        /// Number of the record.
        record: u64,
    },
    /// A range segment within the stream.
    Segment {
        /// Number of the record.
        record: u64,
    },
    /// The stream ends without an end record.
    NoEnd {
        /// Records read.
        records: u64,
    },
    /// Bytes stand behind the end.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A record is missing, repeated or out of order.
    Sequence {
        /// Number of the record.
        record: u64,
        /// The sequence that follows from the record before.
        expected: u64,
        /// The sequence found.
        found: u64,
    },
    /// The epoch changes without a resync, or a resync does not raise it.
    Epoch {
        /// Number of the record.
        record: u64,
        /// The epoch before.
        expected: u32,
        /// The epoch found.
        found: u32,
    },
    /// A row or batch has another dim than the start.
    Dim {
        /// Number of the record.
        record: u64,
        /// The start's dim.
        expected: u32,
        /// The dim found.
        found: u32,
    },
    /// A control record, which changes nothing, has another digest than the record before it.
    Digest {
        /// Number of the record.
        record: u64,
        /// Digest of the record before it.
        expected: u64,
        /// The digest found.
        found: u64,
    },
    /// The end counts other records than were there.
    RecordCount {
        /// What the end says.
        expected: u64,
        /// What was there.
        found: u64,
    },
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Record {
                record,
                offset,
                error,
            } => {
                write!(f, "record {record} at byte {offset}: {error}")
            }
            Self::NoStart => {
                write!(
                    f,
                    "record 0 is not a start: pass a stream from its beginning"
                )
            }
            Self::SecondStart { record } => {
                write!(f, "record {record} is a second start: split the streams")
            }
            Self::Segment { record } => {
                write!(f, "record {record} is a range segment: read it as one")
            }
            Self::NoEnd { records } => write!(
                f,
                "the stream breaks off after {records} records without an end: fetch it again"
            ),
            Self::TrailingBytes { count } => {
                write!(f, "{count} bytes stand behind the end: cut them off")
            }
            Self::Sequence {
                record,
                expected,
                found,
            } => write!(
                f,
                "record {record} has sequence {found}, {expected} expected: a record is missing, \
                 repeated or out of order; fetch the stream again"
            ),
            Self::Epoch {
                record,
                expected,
                found,
            } => write!(
                f,
                "record {record} has epoch {found} in epoch {expected}: epochs change by resync, \
                 upwards"
            ),
            Self::Dim {
                record,
                expected,
                found,
            } => write!(
                f,
                "record {record} has rows of {found} components, the start says {expected}: \
                 check the writer"
            ),
            Self::Digest {
                record,
                expected,
                found,
            } => write!(
                f,
                "record {record} has digest {found:016x} after {expected:016x} and changes \
                 nothing: check the writer"
            ),
            Self::RecordCount { expected, found } => write!(
                f,
                "the end counts {expected} records, {found} were there: fetch the stream again"
            ),
        }
    }
}

impl core::error::Error for StreamError {}

/// Iterates over the records of a whole stream, start and end included, and checks that it is
/// one. After an error it ends.
///
/// What needs the state (slots, conflicts, digests) is checked by
/// [`Applier`](crate::pipeline::apply::Applier).
#[derive(Clone, Debug)]
pub struct StreamReader<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
    /// Records read, start and end included.
    records: u64,
    /// Sequence and epoch of the last record.
    sequence: u64,
    epoch: u32,
    /// Of the start.
    dim: u32,
    /// Of the last record, if it carries one.
    digest: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    BeforeStart,
    Within,
    Ended,
    /// An error was returned: nothing follows.
    Failed,
}

impl<'a> StreamReader<'a> {
    /// Reads the stream that `bytes` hold.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            rest: bytes,
            records: 0,
            sequence: 0,
            epoch: 0,
            dim: 0,
            digest: None,
            state: State::BeforeStart,
        }
    }

    /// Offset of the next record; after an error, of the record that it is about.
    pub fn offset(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    fn read(&mut self) -> Result<Option<Record<'a>>, StreamError> {
        let (record, offset, left) = (self.records, self.offset(), self.rest.len());
        match (self.state, left) {
            (State::BeforeStart, 0) => return Err(StreamError::NoStart),
            (State::Within, 0) => return Err(StreamError::NoEnd { records: record }),
            (State::Ended, 0) | (State::Failed, _) => return Ok(None),
            (State::Ended, count) => return Err(StreamError::TrailingBytes { count }),
            (State::BeforeStart | State::Within, _) => {}
        }
        let (next, rest) = Record::split(self.rest).map_err(|error| StreamError::Record {
            record,
            offset,
            error,
        })?;
        self.check(&next)?;
        self.rest = rest;
        self.records += 1;
        self.sequence = next.header().sequence;
        self.epoch = next.header().epoch;
        self.digest = next.header().state_digest;
        Ok(Some(next))
    }

    fn check(&mut self, next: &Record<'_>) -> Result<(), StreamError> {
        let record = self.records;
        let header = next.header();
        if self.state == State::BeforeStart {
            let Payload::Control(Control::Start { dim, .. }) = *next.payload() else {
                return Err(StreamError::NoStart);
            };
            self.dim = dim;
            self.state = State::Within;
            return Ok(());
        }
        let expected = self.sequence.wrapping_add(1);
        if header.sequence != expected {
            return Err(StreamError::Sequence {
                record,
                expected,
                found: header.sequence,
            });
        }
        let resync = matches!(next.payload(), Payload::Control(Control::Resync { .. }));
        if header.epoch < self.epoch || (header.epoch > self.epoch) != resync {
            let (expected, found) = (self.epoch, header.epoch);
            return Err(StreamError::Epoch {
                record,
                expected,
                found,
            });
        }
        let dim = match next.payload() {
            Payload::Insert(vector) | Payload::Update(vector) => vector.dim(),
            Payload::Batch(batch) => batch.dim(),
            Payload::Delete { .. }
            | Payload::Reindex(_)
            | Payload::Tensor(_)
            | Payload::Control(_) => self.dim,
        };
        if dim != self.dim {
            return Err(StreamError::Dim {
                record,
                expected: self.dim,
                found: dim,
            });
        }
        if let (Payload::Control(_), Some(expected), Some(found)) =
            (next.payload(), self.digest, header.state_digest)
            && expected != found
        {
            return Err(StreamError::Digest {
                record,
                expected,
                found,
            });
        }
        match *next.payload() {
            Payload::Control(Control::Start { .. }) => Err(StreamError::SecondStart { record }),
            Payload::Control(Control::Range { .. } | Control::Erased { .. }) => {
                Err(StreamError::Segment { record })
            }
            Payload::Control(Control::End { record_count }) => {
                let found = record - 1;
                if record_count != found {
                    return Err(StreamError::RecordCount {
                        expected: record_count,
                        found,
                    });
                }
                self.state = State::Ended;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Iterator for StreamReader<'a> {
    type Item = Result<Record<'a>, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read();
        if next.is_err() {
            self.state = State::Failed;
        }
        next.transpose()
    }
}

impl FusedIterator for StreamReader<'_> {}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
