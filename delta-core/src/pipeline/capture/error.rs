//! Why a change was not captured.

use crate::{
    pipeline::sequencer::PrepareError,
    ring::{CommitError, ReserveError},
};
use core::fmt;

/// Why a change did not enter the ring. Nothing has changed: try again, or report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    /// The change is refused.
    Prepare(PrepareError),
    /// The ring has no room, now (`Full`) or ever (`TooLarge`).
    Ring(ReserveError),
    /// The ring did not take the record.
    Commit(CommitError),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Prepare(error) => error.fmt(f),
            Self::Ring(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CaptureError {}

impl CaptureError {
    /// Whether the same call can succeed once the consumer has caught up.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Ring(ReserveError::Full { .. }))
    }
}
