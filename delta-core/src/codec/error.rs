//! What can be wrong with values.

use crate::kernel::diff::DiffError;
use core::fmt;

/// Why bytes are not encoded values of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValuesError {
    /// A tag that this version does not know.
    UnknownTag {
        /// The tag found.
        found: u8,
    },
    /// `same` and `raw` have one size for a row of `dim` components.
    Size {
        /// Components of the row.
        dim: u32,
        /// Bytes that the codec needs.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// What begins at an offset is cut off, too long, or broken.
    Truncated {
        /// Offset in the encoded values.
        offset: u32,
    },
    /// A parameter of the codec is out of its range.
    Parameter {
        /// Offset in the encoded values.
        offset: u32,
    },
    /// The old row and the new values have more than 128 distinct ones, the most of `ranks`.
    TooManyDistinct,
    /// Bits flip of a component that is no whole number from 0 to 255.
    NotAByte {
        /// Index of the component.
        index: u32,
    },
    /// A change names a component that the row does not have.
    IndexOutOfRange {
        /// The index found.
        index: u64,
        /// Components of the row.
        dim: u32,
    },
}

impl ValuesError {
    /// Broken at byte `at`.
    pub(super) fn truncated(at: usize) -> Self {
        Self::Truncated { offset: offset(at) }
    }
}

/// An offset in encoded values.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl fmt::Display for ValuesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownTag { found } => {
                write!(f, "unknown codec tag {found}: upgrade this reader")
            }
            Self::Size {
                dim,
                expected,
                found,
            } => write!(
                f,
                "{found} bytes of values for a row of {dim} components, {expected} expected: \
                 check that both sides use the same dim"
            ),
            Self::Truncated { offset } => {
                write!(
                    f,
                    "the values end or break at byte {offset}: check the writer"
                )
            }
            Self::Parameter { offset } => write!(
                f,
                "the values' parameter at byte {offset} is out of range: upgrade this reader"
            ),
            Self::TooManyDistinct => f.write_str(
                "more than 128 distinct values: check that both sides have the same row",
            ),
            Self::NotAByte { index } => write!(
                f,
                "bits flip of component {index}, which is no whole number from 0 to 255: check \
                 that both sides have the same row"
            ),
            Self::IndexOutOfRange { index, dim } => write!(
                f,
                "component {index} of a row of {dim}: check that both sides use the same dim"
            ),
        }
    }
}

impl core::error::Error for ValuesError {}

/// Why checked values could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// What only decoding finds is broken.
    Values(ValuesError),
    /// The scratch memory is too small for the new components.
    ScratchTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Values(error) => error.fmt(f),
            Self::ScratchTooSmall { needed, given } => write!(
                f,
                "{given} bytes of scratch, the values need {needed}: give 4 bytes a component"
            ),
        }
    }
}

impl core::error::Error for DecodeError {}

impl From<ValuesError> for DecodeError {
    fn from(error: ValuesError) -> Self {
        Self::Values(error)
    }
}

/// Why a row's change could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The rows cannot be compared.
    Rows(DiffError),
    /// The output cannot hold the most bytes that may be needed.
    OutputTooSmall {
        /// Bytes that may be needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rows(error) => error.fmt(f),
            Self::OutputTooSmall { needed, given } => {
                write!(
                    f,
                    "{given} bytes of output, {needed} may be needed: pass a larger buffer"
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<DiffError> for EncodeError {
    fn from(error: DiffError) -> Self {
        Self::Rows(error)
    }
}
