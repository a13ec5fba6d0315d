//! Why a tensor's change cannot become a record.

use crate::{
    codec::EncodeError, header::HeaderError, payload::PayloadError, tensor::TensorRefusal,
};
use core::fmt;

/// Why a tensor's change cannot become a record. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorPrepareError {
    /// There is no such tensor.
    UnknownSlot {
        /// The slot.
        slot: u32,
        /// Tensors that exist.
        slot_count: usize,
    },
    /// The edit changes nothing: there is no record to send.
    Unchanged,
    /// A resync must raise the epoch.
    Epoch {
        /// The epoch so far.
        current: u32,
        /// The epoch asked for.
        found: u32,
    },
    /// The tensor cannot take the change.
    Refused(TensorRefusal),
    /// The rows cannot be encoded.
    Encode(EncodeError),
    /// The edit has no form on the wire.
    Payload(PayloadError),
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

impl fmt::Display for TensorPrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownSlot { slot, slot_count } => write!(
                f,
                "tensor {slot} does not exist, {slot_count} do: declare it on both sides"
            ),
            Self::Unchanged => write!(f, "no element differs: send nothing"),
            Self::Epoch { current, found } => write!(
                f,
                "epoch {found} does not follow {current}: allocate a greater one"
            ),
            Self::Refused(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Payload(error) => error.fmt(f),
            Self::Header(error) => error.fmt(f),
            Self::OutputTooSmall { needed, given } => write!(
                f,
                "{given} bytes of output, {needed} needed: pass a larger buffer"
            ),
        }
    }
}

impl core::error::Error for TensorPrepareError {}

impl From<TensorRefusal> for TensorPrepareError {
    fn from(error: TensorRefusal) -> Self {
        Self::Refused(error)
    }
}
