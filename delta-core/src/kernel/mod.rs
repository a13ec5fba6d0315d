//! The loops over rows: find what changed, write it, sum it.
//!
//! Each is written once over the trait of `simd` where a vector unit pays, and takes slices of the
//! caller: nothing here allocates, and no input makes it panic.

pub mod apply;
pub mod diff;
pub mod digest;
pub mod distance;

use core::fmt;

pub use crate::simd::VectorUnit;

/// The bytes given for a row are not 4 for each of its components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowSizeError {
    /// Components of the row.
    pub dim: usize,
    /// Bytes that were given for it.
    pub size_bytes: usize,
}

impl fmt::Display for RowSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dim, size_bytes } = self;
        write!(
            f,
            "{size_bytes} bytes for a row of {dim} components: pass 4 bytes a component"
        )
    }
}

impl core::error::Error for RowSizeError {}
