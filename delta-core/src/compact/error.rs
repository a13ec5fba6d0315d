//! Why records cannot be compacted, or bytes are not a segment.

use crate::{
    codec::DecodeError, graph::EditError, payload::metadata::MetadataError, record::RecordError,
};
use core::fmt;

/// Why a compactor does not take a record. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompactError {
    /// The record does not follow the one before.
    Sequence {
        /// The sequence that does.
        expected: u64,
        /// The record's.
        found: u64,
    },
    /// The epoch changes without a resync, or a resync does not raise it.
    Epoch {
        /// The epoch so far.
        expected: u32,
        /// The record's.
        found: u32,
    },
    /// The record has rows of another dim.
    Dim {
        /// The stream's dim.
        expected: u32,
        /// The record's.
        found: u32,
    },
    /// The workspace is used up: finish the segment and push the record again.
    Full {
        /// Entities that it holds.
        entities: u32,
    },
    /// The workspace cannot even hold this record alone.
    TooLarge {
        /// Bytes of text that are needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The record is relative to a row that is not known.
    Relative {
        /// Its sequence.
        sequence: u64,
        /// The slot.
        slot: u32,
    },
    /// The record changes a tensor: no segment has those.
    NotRows {
        /// Its sequence.
        sequence: u64,
    },
    /// The record changes a graph, and the compactor has none.
    NoGraph {
        /// Its sequence.
        sequence: u64,
    },
    /// The graph refuses its change.
    Graph {
        /// Sequence of the record.
        sequence: u64,
        /// What is wrong with the change.
        error: EditError,
    },
    /// The metadata cannot be read.
    Metadata(MetadataError),
    /// Values cannot be decoded, or the scratch is too small for them.
    Values(DecodeError),
    /// The last record carries no digest.
    NoDigest {
        /// Its sequence.
        sequence: u64,
    },
    /// The output may not hold the segment.
    OutputTooSmall {
        /// Bytes that may be needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for CompactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Sequence { expected, found } => write!(
                f,
                "record {found} where {expected} follows: push the records of a log in order"
            ),
            Self::Epoch { expected, found } => write!(
                f,
                "epoch {found} after {expected} without a resync: push the records of one log"
            ),
            Self::Dim { expected, found } => write!(
                f,
                "rows of {found} components in a stream of {expected}: wrong log"
            ),
            Self::Full { entities } => write!(
                f,
                "the workspace is full with {entities} entities: finish the segment, then go on"
            ),
            Self::TooLarge { needed, given } => write!(
                f,
                "{needed} bytes of ids and metadata for {given} bytes of text memory: give more"
            ),
            Self::Relative { sequence, slot } => write!(
                f,
                "record {sequence} is relative to a row of slot {slot} that is not known: give the \
                 rows before the range"
            ),
            Self::NotRows { sequence } => write!(
                f,
                "record {sequence} changes a tensor: keep the records of tensors as they are"
            ),
            Self::NoGraph { sequence } => write!(
                f,
                "record {sequence} changes a graph: give the compactor the graph before the range"
            ),
            Self::Graph { sequence, error } => write!(f, "record {sequence}: {error}"),
            Self::Metadata(error) => error.fmt(f),
            Self::Values(error) => error.fmt(f),
            Self::NoDigest { sequence } => write!(
                f,
                "record {sequence} has no digest: end a range at a record that has one"
            ),
            Self::OutputTooSmall { needed, given } => write!(
                f,
                "{given} bytes of output, {needed} may be needed: pass a larger buffer"
            ),
        }
    }
}

impl core::error::Error for CompactError {}

impl From<DecodeError> for CompactError {
    fn from(error: DecodeError) -> Self {
        Self::Values(error)
    }
}

impl From<MetadataError> for CompactError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

/// Why bytes are not a range segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeError {
    /// A record is refused.
    Record {
        /// Number of the record, the range's own is 0.
        record: u32,
        /// What is wrong with it.
        error: RecordError,
    },
    /// The first record is not a range.
    NoRange,
    /// The records have other bytes or another number than the range says.
    Size {
        /// Bytes that it says.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A record that no segment holds there: another operation or epoch, a sequence outside of the
    /// range, or slots that do not ascend.
    Order {
        /// Number of the record.
        record: u32,
    },
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Record { record, error } => write!(f, "record {record} of the segment: {error}"),
            Self::NoRange => write!(f, "the bytes do not begin with a range: pass a segment"),
            Self::Size { expected, found } => write!(
                f,
                "a segment of {expected} bytes has {found}: fetch it again"
            ),
            Self::Order { record } => write!(
                f,
                "record {record} of the segment does not belong there: check the writer"
            ),
        }
    }
}

impl core::error::Error for RangeError {}
