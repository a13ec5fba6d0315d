//! Why an operation did not become a record.

use std::fmt;

use delta_core::graph::capture::GraphCaptureError;
use delta_core::pipeline::capture::CaptureError;

use super::IndexOperation;
use super::call::Call;

/// Why an operation did not become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapturedIndexError<E> {
    /// The stream does not take the operation. The index was not asked, and nothing has changed.
    #[error(transparent)]
    Refused(Refusal),
    /// The index refused, which must not change it. The stream has not changed.
    #[error(transparent)]
    Index(E),
    /// The index has made the operation, and the ring is full. The same call again goes on from
    /// there.
    #[error(transparent)]
    Full(CaptureError),
    /// An operation that the index has made is still without a record: another call came, or the
    /// same with another id, other rows or other metadata.
    #[error(
        "the {operation:?} of node {slot} is in the index and not in the stream: make that call \
         again first, with the same arguments"
    )]
    Unsent {
        /// The operation.
        operation: IndexOperation,
        /// Its node.
        slot: u32,
    },
    /// Index and stream have parted, now or in an earlier call, and this call changed nothing more.
    #[error(transparent)]
    Parted(Parted),
}

impl<E> CapturedIndexError<E> {
    /// Whether the same call can succeed once the ring's consumer has caught up.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<E> From<Call> for CapturedIndexError<E> {
    /// The call is unsent.
    fn from(call: Call) -> Self {
        Self::Unsent {
            operation: call.operation,
            slot: call.slot,
        }
    }
}

/// What a stream has against an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not fit the graph.
    #[error(transparent)]
    Graph(#[from] GraphCaptureError),
    /// It fits no record, or the ring takes none.
    #[error(transparent)]
    Record(#[from] CaptureError),
}

/// The index made an operation that the stream cannot tell. Replicas stay at the record before it;
/// the captured index takes no further operation.
///
/// Take out the cause and build the index anew, over the rows as they are, into a new stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The operation.
    pub operation: IndexOperation,
    /// Its node.
    pub slot: u32,
    /// Why no record tells it; `None`: its closure panicked.
    pub cause: Option<Refusal>,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation, slot, ..
        } = self;
        write!(
            f,
            "index and stream parted at the {operation:?} of node {slot}, "
        )?;
        match &self.cause {
            Some(cause) => write!(f, "which no record can tell ({cause})")?,
            None => write!(f, "whose closure panicked")?,
        }
        write!(f, ": mend that, and build the index anew into a new stream")
    }
}

impl std::error::Error for Parted {}
