//! Why a replica refuses a record.

use crate::{
    codec::{DecodeError, Values},
    graph::{EditError, GraphParameters},
    payload::metadata::MetadataError,
    pipeline::graph::GraphRowsError,
    store::StoreError,
    tensor::TensorRefusal,
};
use core::fmt;

/// Why a replica does not take a record. Nothing has changed, the position included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// Sequence of the refused record.
    pub sequence: u64,
    /// The reason.
    pub reason: Refusal,
}

/// The reason of an [`ApplyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The record comes from a writer that was replaced.
    StaleEpoch {
        /// The replica's epoch.
        current: u32,
        /// The record's epoch.
        found: u32,
    },
    /// The epoch changes without a resync, or a resync does not raise it.
    UnknownEpoch {
        /// The replica's epoch.
        current: u32,
        /// The record's epoch.
        found: u32,
    },
    /// Records are missing before this one.
    Gap {
        /// The sequence that the replica waits for.
        expected: u64,
    },
    /// A resync goes on before the replica's position: the writer has lost records.
    Behind {
        /// Sequence of the replica's last record.
        position: u64,
        /// Sequence of the writer's last record before the resync.
        found: u64,
    },
    /// The record has rows of another dim.
    Dim {
        /// The replica's dim.
        expected: u32,
        /// The record's dim.
        found: u32,
    },
    /// An insert has another slot than the next, or a start another slot count.
    SlotCount {
        /// Slots of the replica.
        expected: u32,
        /// What the record says.
        found: u32,
    },
    /// The slot does not exist.
    UnknownSlot {
        /// The slot.
        slot: u32,
        /// Slots of the replica.
        slot_count: u32,
    },
    /// The slot is a tombstone.
    Deleted {
        /// The slot.
        slot: u32,
    },
    /// The record was made against another version of the entity.
    Conflict {
        /// The slot.
        slot: u32,
        /// Sequence of the last record that the replica applied to it.
        last_sequence: u64,
        /// Sequence that the record follows.
        prev_sequence: u64,
    },
    /// The values are a difference from another version of the row: ask the writer for an absolute
    /// record of the slot.
    NeedsAbsolute {
        /// The slot.
        slot: u32,
        /// Sequence of the last record that the replica applied to it.
        last_sequence: u64,
        /// Sequence that the record follows.
        prev_sequence: u64,
    },
    /// A batch changes a slot twice.
    Repeated {
        /// The slot.
        slot: u32,
    },
    /// The record changes a tensor, the replica has rows.
    TensorRecord,
    /// The record is no update of rows, which alone a worker of several takes.
    NoRowChange,
    /// The record changes rows, the replica has tensors.
    RowRecord,
    /// The tensor cannot take the change.
    Tensor(TensorRefusal),
    /// A gate does not let the record pass; whoever asked it knows why.
    Gated,
    /// The record belongs in a range segment.
    Segment,
    /// A segment leaves out a deleted row, which the replica's graph may need.
    Erased {
        /// The slot.
        slot: u32,
    },
    /// The values cannot be decoded.
    Values(DecodeError),
    /// The metadata cannot be read.
    Metadata(MetadataError),
    /// The store has no room.
    Store(StoreError),
    /// The record changes a graph, and the replica has none.
    NoGraph,
    /// A start declares another graph than the replica's.
    GraphParameters {
        /// The replica's.
        expected: Option<GraphParameters>,
        /// The stream's.
        found: Option<GraphParameters>,
    },
    /// The graph refuses its change.
    Graph(EditError),
    /// The graph change does not fit the rows.
    GraphRows(GraphRowsError),
    /// The stream starts from another state than this.
    Base {
        /// Digest that the start carries.
        expected: u64,
        /// Digest of the replica.
        found: u64,
    },
    /// The state after the record would differ from the writer's: one of both has drifted.
    Diverged {
        /// Digest that the record carries.
        expected: u64,
        /// Digest that the replica would have.
        computed: u64,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sequence {}: {}", self.sequence, self.reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::StaleEpoch { current, found } => write!(
                f,
                "epoch {found} is over, {current} goes on: stop the writer that was replaced"
            ),
            Self::UnknownEpoch { current, found } => write!(
                f,
                "epoch {found} after {current}: epochs change by resync, upwards; read the stream \
                 again from there"
            ),
            Self::Gap { expected } => {
                write!(
                    f,
                    "record {expected} is missing: read the stream again from there"
                )
            }
            Self::Behind { position, found } => write!(
                f,
                "the writer goes on after record {found}, the replica is at {position}: start \
                 from a snapshot"
            ),
            Self::Dim { expected, found } => {
                write!(
                    f,
                    "rows of {found} components for a replica of {expected}: wrong stream"
                )
            }
            Self::SlotCount { expected, found } => write!(
                f,
                "the record counts {found} slots, the replica {expected}: start from a snapshot"
            ),
            Self::UnknownSlot { slot, slot_count } => write!(
                f,
                "slot {slot} does not exist, {slot_count} do: start from a snapshot"
            ),
            Self::Deleted { slot } => {
                write!(
                    f,
                    "slot {slot} is deleted: an id that comes back is a new insert"
                )
            }
            Self::Conflict {
                slot,
                last_sequence,
                prev_sequence,
            } => write!(
                f,
                "slot {slot} was last changed by record {last_sequence}, not {prev_sequence}: \
                 have the writer read it again and send the change anew"
            ),
            Self::NeedsAbsolute {
                slot,
                last_sequence,
                prev_sequence,
            } => write!(
                f,
                "a difference from record {prev_sequence} of slot {slot}, the replica's is \
                 {last_sequence}: ask the writer for an absolute record of it"
            ),
            Self::Repeated { slot } => {
                write!(f, "the batch changes slot {slot} twice: send two batches")
            }
            Self::NoRowChange => write!(
                f,
                "the record is no update of rows: apply it to the whole replica"
            ),
            Self::TensorRecord => write!(
                f,
                "a tensor's record for a replica of rows: read it with a tensor replica"
            ),
            Self::RowRecord => write!(
                f,
                "a row's record for a replica of tensors: read it with a row replica"
            ),
            Self::Tensor(error) => error.fmt(f),
            Self::Gated => write!(
                f,
                "the gate holds the record: ask it again after the next tick"
            ),
            Self::Segment => write!(f, "a range segment: apply it whole, with apply_range"),
            Self::Erased { slot } => write!(
                f,
                "the segment leaves out the deleted row of slot {slot}, through which searches in \
                 the replica's graph may pass: compact the log with its graph"
            ),
            Self::Values(error) => error.fmt(f),
            Self::Metadata(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::NoGraph => write!(
                f,
                "the record changes a graph, the replica has none: give the store one"
            ),
            Self::GraphParameters { expected, found } => write!(
                f,
                "the stream has graph {found:?}, the replica {expected:?}: give the store a graph \
                 of the stream's degrees and metric, or none"
            ),
            Self::Graph(error) => error.fmt(f),
            Self::GraphRows(error) => error.fmt(f),
            Self::Base { expected, found } => write!(
                f,
                "the stream starts from state {expected:016x}, this is {found:016x}: apply it to \
                 the base it was made for"
            ),
            Self::Diverged { expected, computed } => write!(
                f,
                "the state would have digest {computed:016x}, the writer has {expected:016x}: \
                 start from a snapshot"
            ),
        }
    }
}

impl core::error::Error for ApplyError {}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<EditError> for Refusal {
    fn from(error: EditError) -> Self {
        Self::Graph(error)
    }
}

impl From<GraphRowsError> for Refusal {
    fn from(error: GraphRowsError) -> Self {
        Self::GraphRows(error)
    }
}

impl From<TensorRefusal> for Refusal {
    fn from(error: TensorRefusal) -> Self {
        Self::Tensor(error)
    }
}

impl Refusal {
    /// Of a conflict over relative values: what would help.
    pub(super) fn of_values(self, values: &Values<'_>) -> Self {
        match self {
            Self::Conflict {
                slot,
                last_sequence,
                prev_sequence,
            } if values.tag().is_relative() => Self::NeedsAbsolute {
                slot,
                last_sequence,
                prev_sequence,
            },
            other => other,
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Values(error)
    }
}

impl From<MetadataError> for Refusal {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}
