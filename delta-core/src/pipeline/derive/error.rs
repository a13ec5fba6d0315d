//! Why a derived stream cannot follow.

use crate::{
    payload::metadata::MetadataError,
    pipeline::sequencer::PrepareError,
    ring::{CommitError, ReserveError},
    store::StoreError,
};
use core::fmt;

/// Why a derived stream does not take a record of its source. It can be offered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeriveError {
    /// The stream's ring is full, and its [`Overflow`](super::Overflow) is to block.
    Full(ReserveError),
    /// The stream's ring can never hold the record, or is damaged.
    Ring(ReserveError),
    /// The ring did not take the record.
    Commit(CommitError),
    /// The record does not follow the last one.
    Gap {
        /// The sequence that does.
        expected: u64,
        /// The record's.
        found: u64,
    },
    /// The derived change is refused.
    Prepare(PrepareError),
    /// The derived state has no room.
    Store(StoreError),
    /// The map has no place for a slot of the source.
    Map {
        /// The slot.
        slot: u32,
    },
    /// The metadata cannot be read, or more is needed of the scratch.
    Metadata(MetadataError),
    /// The record changes more pairs than a derived record can.
    Pairs {
        /// Most pairs.
        max: usize,
    },
}

impl DeriveError {
    /// Whether the same record can be taken once the ring's reader has caught up.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl fmt::Display for DeriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full(error) | Self::Ring(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
            Self::Gap { expected, found } => write!(
                f,
                "record {found} where {expected} follows: offer all records of the source in order"
            ),
            Self::Prepare(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Map { slot } => write!(
                f,
                "slot {slot} of the source has no place in the map: give one for each slot"
            ),
            Self::Metadata(error) => error.fmt(f),
            Self::Pairs { max } => write!(
                f,
                "a record changes more than {max} metadata pairs: split the change at the source"
            ),
        }
    }
}

impl core::error::Error for DeriveError {}

impl From<StoreError> for DeriveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<MetadataError> for DeriveError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}
