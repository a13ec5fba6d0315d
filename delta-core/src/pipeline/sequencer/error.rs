//! Why a change cannot become a record.

use crate::{
    codec::DecodeError, header::HeaderError, payload::vector::VectorWriteError,
    pipeline::graph::GraphRowsError,
};
use core::fmt;

/// Why a change cannot become a record. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrepareError {
    /// The row has another length than the stream's dim.
    Dim {
        /// The stream's dim.
        expected: u32,
        /// Components of the row.
        found: usize,
    },
    /// The slot does not exist.
    UnknownSlot {
        /// The slot.
        slot: u32,
        /// Slots that exist.
        slot_count: u32,
    },
    /// The slot was deleted; an id that comes back is a new insert.
    Deleted {
        /// The slot.
        slot: u32,
    },
    /// All slots are used.
    SlotsFull {
        /// Slots that the sequencer's memory holds.
        capacity: usize,
    },
    /// A resync must raise the epoch.
    Epoch {
        /// The epoch so far.
        current: u32,
        /// The epoch asked for.
        found: u32,
    },
    /// A graph change in a stream that declares no graph.
    NoGraph,
    /// The graph change does not fit the rows.
    GraphRows(GraphRowsError),
    /// The encoded row cannot be decoded again.
    Values(DecodeError),
    /// The payload cannot be written.
    Payload(VectorWriteError),
    /// The header cannot be written.
    Header(HeaderError),
    /// The output cannot hold the payload.
    OutputTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dim { expected, found } => write!(
                f,
                "a row of {found} components in a stream of dim {expected}: pass rows of its dim"
            ),
            Self::UnknownSlot { slot, slot_count } => write!(
                f,
                "slot {slot} does not exist, {slot_count} do: insert the entity first"
            ),
            Self::Deleted { slot } => {
                write!(
                    f,
                    "slot {slot} was deleted: insert the entity again, as a new slot"
                )
            }
            Self::SlotsFull { capacity } => {
                write!(
                    f,
                    "all {capacity} slots are used: give the sequencer more memory"
                )
            }
            Self::Epoch { current, found } => {
                write!(
                    f,
                    "epoch {found} does not follow {current}: allocate a greater one"
                )
            }
            Self::NoGraph => write!(
                f,
                "a graph change in a stream without a graph: declare it by Sequencer::with_graph"
            ),
            Self::GraphRows(error) => error.fmt(f),
            Self::Values(error) => error.fmt(f),
            Self::Payload(error) => error.fmt(f),
            Self::Header(error) => error.fmt(f),
            Self::OutputTooSmall { needed, given } => {
                write!(
                    f,
                    "{given} bytes of output, {needed} needed: pass a larger buffer"
                )
            }
        }
    }
}

impl core::error::Error for PrepareError {}

impl From<HeaderError> for PrepareError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<VectorWriteError> for PrepareError {
    fn from(error: VectorWriteError) -> Self {
        Self::Payload(error)
    }
}
