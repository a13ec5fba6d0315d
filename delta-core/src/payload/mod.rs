//! Payloads: borrowed readers that are checked once, and writers into the caller's bytes
//! (WIRE.md, section 3).

pub mod batch;
pub mod control;
pub mod metadata;
pub mod tensor;
pub mod vector;

use crate::{
    codec::ValuesError,
    graph::encode::{Change, ChangeError},
    header::{DeltaHeader, Operation},
};
use batch::BatchPayload;
use control::Control;
use core::fmt;
use metadata::MetadataError;
use tensor::{TensorFormatError, TensorPayload};
use vector::VectorPayload;

/// A checked payload: its accessors and iterators cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// A new entity.
    Insert(VectorPayload<'a>),
    /// A change of one entity.
    Update(VectorPayload<'a>),
    /// The entity of this slot is deleted.
    Delete {
        /// The entity's slot.
        slot: u32,
        /// What changes in the graph.
        graph: Option<Change<'a>>,
    },
    /// Row changes of several entities.
    Batch(BatchPayload<'a>),
    /// A change of the graph alone.
    Reindex(Change<'a>),
    /// A change of one tensor.
    Tensor(TensorPayload<'a>),
    /// Start, end, resync or watermark.
    Control(Control<'a>),
}

/// Why bytes are not the payload that their header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadError {
    /// The payload has another size than its parts.
    Size {
        /// Bytes that the parts need, at least.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A reserved byte is not 0.
    Reserved {
        /// Offset in the payload.
        offset: u32,
    },
    /// A row of no components.
    ZeroDim,
    /// An insert has an id of 1 to 255 bytes, an update has none.
    IdSize {
        /// Size found.
        found: u8,
    },
    /// A header field that does not fit the operation or the payload.
    HeaderField {
        /// Offset of the field in the header.
        offset: u8,
    },
    /// The encoded values are broken.
    Values(ValuesError),
    /// The metadata section is broken.
    Metadata(MetadataError),
    /// A start declares a graph that cannot be.
    GraphParameters {
        /// Offset in the payload.
        offset: u8,
    },
    /// The graph change is broken.
    Graph(ChangeError),
    /// A batch of no entries.
    EmptyBatch,
    /// An entry of a batch is broken, or too long a prefix stands before its values.
    BatchEntry {
        /// Number of the entry, from 0.
        entry: u32,
        /// Offset in the payload.
        offset: u32,
    },
    /// The encoded values of a batch's entry are broken.
    BatchValues {
        /// Number of the entry, from 0.
        entry: u32,
        /// What is wrong with them.
        error: ValuesError,
    },
    /// A batch says that some entry has metadata, or has them compressed, where none has; or the
    /// other way round.
    BatchMetadata,
    /// The change of a tensor is broken.
    Tensor(TensorFormatError),
    /// A control kind that this version does not know.
    UnknownControl {
        /// The kind found.
        found: u8,
    },
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Size { expected, found } => write!(
                f,
                "a payload of {found} bytes, its parts need {expected}: check the writer"
            ),
            Self::Reserved { offset } => {
                write!(f, "reserved byte {offset} is not 0: upgrade this reader")
            }
            Self::ZeroDim => write!(f, "a row of 0 components: rows have at least one"),
            Self::IdSize { found } => write!(
                f,
                "an id of {found} bytes: inserts carry 1 to 255 bytes, updates none"
            ),
            Self::HeaderField { offset } => write!(
                f,
                "the header field at offset {offset} does not fit the payload: check the writer"
            ),
            Self::Values(error) => error.fmt(f),
            Self::Metadata(error) => error.fmt(f),
            Self::GraphParameters { offset } => write!(
                f,
                "byte {offset} of the start declares no graph that there is: give degrees of at \
                 least 1 and a known metric"
            ),
            Self::Graph(error) => error.fmt(f),
            Self::EmptyBatch => write!(f, "a batch of 0 entries: send none at all"),
            Self::BatchEntry { entry, offset } => write!(
                f,
                "entry {entry} of the batch is broken at byte {offset}: check the writer"
            ),
            Self::BatchValues { entry, error } => write!(f, "entry {entry} of the batch: {error}"),
            Self::BatchMetadata => write!(
                f,
                "the batch and its entries differ on whether there is metadata: check the writer"
            ),
            Self::Tensor(error) => error.fmt(f),
            Self::UnknownControl { found } => {
                write!(f, "unknown control kind {found}: upgrade this reader")
            }
        }
    }
}

impl core::error::Error for PayloadError {}

impl From<ValuesError> for PayloadError {
    fn from(error: ValuesError) -> Self {
        Self::Values(error)
    }
}

impl From<MetadataError> for PayloadError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

impl From<ChangeError> for PayloadError {
    fn from(error: ChangeError) -> Self {
        Self::Graph(error)
    }
}

impl<'a> Payload<'a> {
    /// Checks the payload that `header` announces. O(payload).
    ///
    /// # Errors
    /// See [`PayloadError`].
    #[inline]
    pub fn parse(header: &DeltaHeader, bytes: &'a [u8]) -> Result<Self, PayloadError> {
        match header.operation {
            Operation::Update if header.tensor => {
                TensorPayload::parse(header, bytes).map(Self::Tensor)
            }
            // One call, so that it is compiled in line: the checked payload is large to hand on.
            Operation::Insert | Operation::Update => {
                let vector = VectorPayload::parse(header, bytes)?;
                Ok(if header.operation == Operation::Insert {
                    Self::Insert(vector)
                } else {
                    Self::Update(vector)
                })
            }
            Operation::Delete => {
                let (slot, rest) = bytes.split_first_chunk().ok_or(size_error(4, bytes))?;
                let graph = match (header.graph, rest) {
                    (true, change) => Some(Change::parse(change)?),
                    (false, []) => None,
                    (false, _) => return Err(size_error(4, bytes)),
                };
                let slot = u32::from_le_bytes(*slot);
                Ok(Self::Delete { slot, graph })
            }
            Operation::BatchUpdate => BatchPayload::parse(header, bytes).map(Self::Batch),
            Operation::Control => Control::parse(header, bytes).map(Self::Control),
            Operation::ReindexLayers => {
                require_no_entity(header)?;
                Ok(Self::Reindex(Change::parse(bytes)?))
            }
        }
    }
}

/// Refuses headers of records that stand for no single entity but name one.
fn require_no_entity(header: &DeltaHeader) -> Result<(), PayloadError> {
    if header.vector_id_hash != 0 {
        return Err(PayloadError::HeaderField { offset: 12 });
    }
    if header.prev_sequence != 0 {
        return Err(PayloadError::HeaderField { offset: 40 });
    }
    Ok(())
}

/// Refuses reserved bytes that are not 0; `offset` is the first one's in the payload.
fn require_zero(reserved: &[u8], offset: u32) -> Result<(), PayloadError> {
    match (offset..).zip(reserved).find(|(_, byte)| **byte != 0) {
        Some((offset, _)) => Err(PayloadError::Reserved { offset }),
        None => Ok(()),
    }
}

fn size_error(expected: usize, found: &[u8]) -> PayloadError {
    PayloadError::Size {
        expected: expected as u64,
        found: found.len() as u64,
    }
}

#[cfg(test)]
mod tests;
