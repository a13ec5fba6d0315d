//! Why a row's payload cannot be written.

use super::DIM_MAX;
use crate::{codec::EncodeError, payload::metadata::MetadataError};
use core::fmt;

/// Why an insert or update cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VectorWriteError {
    /// The row cannot be encoded.
    Encode(EncodeError),
    /// The metadata cannot be written.
    Metadata(MetadataError),
    /// An id of an insert has 1 to 255 bytes.
    IdSize {
        /// Bytes of the id.
        size: usize,
    },
    /// A row has 1 to [`DIM_MAX`] components.
    Dim {
        /// Components of the row.
        dim: usize,
    },
}

impl fmt::Display for VectorWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Encode(error) => error.fmt(f),
            Self::Metadata(error) => error.fmt(f),
            Self::IdSize { size } => write!(f, "an id of {size} bytes: use 1 to 255 bytes"),
            Self::Dim { dim } => {
                write!(
                    f,
                    "a row of {dim} components: use 1 to {DIM_MAX} components"
                )
            }
        }
    }
}

impl core::error::Error for VectorWriteError {}

impl From<EncodeError> for VectorWriteError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<MetadataError> for VectorWriteError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}
