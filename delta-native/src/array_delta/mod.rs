//! The change from one `.npy` array to another as a `.delta` file: a stream of records that,
//! applied to the first file's array, gives the second file byte for byte.
//!
//! Both arrays, whatever their shapes, are seen as rows of one length: the new array's last axis,
//! or [`ROW_LENGTH`] where that is the only axis, too short or too long. A last row that is not
//! full ends in +0.0. Rows that differ are updates, rows beyond the old array inserts (their id is
//! their decimal number), and rows beyond the new one deletes. Times are 0: the same arrays give
//! the same file.
//!
//! The start record's consumer bytes are: XXH3-64 of the old file, count of the new array's values
//! (both u64), and the new file's bytes before its values.
//!
//! ```
//! use delta_native::{array_delta, npy::NpyF32};
//!
//! let header_bytes = b"any".to_vec();
//! let old = NpyF32 { shape: vec![2], header_bytes: header_bytes.clone(), data: vec![1.0, 2.0] };
//! let new = NpyF32 { data: vec![1.0, -0.0], ..old.clone() };
//! let mut delta = Vec::new();
//! array_delta::diff(&old, &new, &mut delta)?;
//! let mut file = Vec::new();
//! array_delta::apply(&old, &delta, &mut file)?;
//! assert_eq!(file, [&b"any"[..], &[0, 0, 128, 63, 0, 0, 0, 128]].concat());
//! # Ok::<(), array_delta::ArrayDeltaError>(())
//! ```

mod apply;
mod diff;

use std::io;

use delta_core::digest::slot_key;
use delta_core::kernel::digest::row_sum;
use delta_core::pipeline::apply::ApplyError;
use delta_core::pipeline::batch::BatchError;
use delta_core::pipeline::capture::CaptureError;
use delta_core::ring::{Corrupt, RegionError as RingError};
use delta_core::stream::StreamError;
use xxhash_rust::xxh3::Xxh3;

use crate::memory::OutOfMemory;
use crate::npy::NpyF32;
use crate::region::RegionError;

pub use apply::apply;
pub use diff::{DiffSummary, diff};

/// Components of a row of arrays whose last axis does not give one.
pub const ROW_LENGTH: usize = 1024;
/// Shortest last axis that is a row: records of shorter ones would cost more than their values.
const ROW_LENGTH_MIN: usize = 64;
/// Longest last axis that is a row. It bounds the memory that an insert, of 81 bytes at least, can
/// ask for: 16 KiB.
const ROW_LENGTH_MAX: usize = 4096;
/// Bytes before the new file's header in the consumer bytes.
const ORIGIN_SIZE: usize = 16;

/// Why a delta between arrays cannot be made or applied. Nothing that was written is of use then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayDeltaError {
    /// There is no memory for the ring.
    #[error(transparent)]
    Memory(#[from] RegionError),
    /// There is no memory for the rows.
    #[error(transparent)]
    Rows(#[from] OutOfMemory),
    /// The ring's region is refused.
    #[error("the ring cannot be made: {0}")]
    Region(RingError),
    /// A row was not captured.
    #[error("row {row}: {error}")]
    Capture {
        /// Number of the row.
        row: usize,
        /// Why.
        error: CaptureError,
    },
    /// A row was not taken into a batch.
    #[error("row {row}: {error}")]
    Batch {
        /// Number of the row.
        row: usize,
        /// Why.
        error: BatchError,
    },
    /// Records were lost between two ends of one ring.
    #[error(transparent)]
    Ring(#[from] Corrupt),
    /// The array has more rows than a stream can number.
    #[error("{rows} rows, a delta numbers at most 4294967295: split the array")]
    TooManyRows {
        /// Rows of the larger array.
        rows: usize,
    },
    /// The delta is no whole stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The delta's records are of another kind of stream.
    #[error("the delta was not made from two .npy files: {reason}")]
    NotArrays {
        /// What is different.
        reason: &'static str,
    },
    /// The delta was made for another old file.
    #[error(
        "the delta was made for a file with hash {expected:016x}, this one has {found:016x}: apply \
         it to the file it was made for"
    )]
    OtherOld {
        /// XXH3-64 of the file that the delta was made for.
        expected: u64,
        /// XXH3-64 of the file given.
        found: u64,
    },
    /// A record is refused.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// An array as rows of one length.
struct Rows<'a> {
    data: &'a [f32],
    /// At least 1.
    row_length: usize,
    /// The last row, if it is not full, with +0.0 behind its values.
    tail: Vec<f32>,
}

impl<'a> Rows<'a> {
    fn new(data: &'a [f32], row_length: usize) -> Self {
        let mut tail = data.chunks_exact(row_length).remainder().to_vec();
        if !tail.is_empty() {
            tail.resize(row_length, 0.0);
        }
        Self {
            data,
            row_length,
            tail,
        }
    }

    fn count(&self) -> usize {
        self.data.len().div_ceil(self.row_length)
    }

    /// The row of a number below `count`.
    fn row(&self, number: usize) -> &[f32] {
        let start = number * self.row_length;
        self.data
            .get(start..start + self.row_length)
            .unwrap_or(&self.tail)
    }

    /// The state digest of a replica that has these rows and nothing else.
    fn digest(&self) -> u64 {
        (0..)
            .zip(0..self.count())
            .fold(0, |sum: u64, (slot, number)| {
                sum.wrapping_add(slot_key(slot).wrapping_mul(row_sum(self.row(number))))
            })
    }
}

/// XXH3-64 of the bytes of the file that `array` was read from.
fn file_hash(array: &NpyF32) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&array.header_bytes);
    hash.update(bytemuck::cast_slice(&array.data));
    hash.digest()
}

/// Bytes of attributes that ids of decimal numbers take, and room to move them.
fn attributes_size(slots: usize) -> usize {
    (9 + 20) * (slots + 1)
}

#[cfg(test)]
mod tests;
