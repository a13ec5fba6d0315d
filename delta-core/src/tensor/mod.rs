//! Tensors: arrays of any element type and shape that a stream of small changes keeps identical.
//!
//! Embeddings of a graph network, weights and low-rank adapters, partition assignments, and the
//! blocks of a KV cache are all changed by the same few operations:
//!
//! | change | is |
//! |---|---|
//! | [`TensorEdit::Rows`] | sparse or dense: the rows that differ, as small as they get |
//! | [`TensorEdit::Dense`] | everything, with another shape |
//! | [`TensorEdit::Put`] | a block, all of it; beyond the end of an axis: append |
//! | [`TensorEdit::Clear`] | a block that is free again, in place |
//! | [`TensorEdit::Evict`] | a block that goes; at the end of an axis: truncate |
//!
//! A [`Tensor`] has a fixed capacity over the caller's memory and knows its part of the state
//! digest before it changes. [`TensorStream`](crate::pipeline::tensor::TensorStream) numbers,
//! chains and applies the records.

mod change;
mod layout;
mod sum;
#[cfg(test)]
mod tests;

use core::fmt;

use crate::{
    codec::DecodeError,
    payload::tensor::{DType, Shape, Slab},
};

/// What a writer does to a tensor. The state after it is what replicas have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorEdit<'a> {
    /// Elements of some rows change; the shape stays. Only what differs is sent.
    Rows {
        /// The first row.
        start: u32,
        /// All elements of whole rows, in C order, little-endian; elements of 32 bits must be
        /// 4-aligned. A tensor of one axis, or none, is one row.
        elements: &'a [u8],
    },
    /// All elements, and the shape.
    Dense {
        /// The shape after the change.
        shape: Shape,
        /// All elements, in C order, little-endian.
        elements: &'a [u8],
    },
    /// All elements of a slab, which may end behind the axis: the axis becomes longer.
    Put {
        /// Begins at the axis' end or before it.
        slab: Slab,
        /// The slab's elements, in C order of the slab, little-endian.
        elements: &'a [u8],
    },
    /// The elements of a slab become zero; the shape stays.
    Clear {
        /// Within the axis.
        slab: Slab,
    },
    /// A slab goes, and what lies behind it moves up.
    Evict {
        /// Within the axis.
        slab: Slab,
    },
}

/// Why a tensor cannot take a change. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorRefusal {
    /// The elements have another type.
    DType {
        /// The tensor's.
        expected: DType,
        /// The change's.
        found: DType,
    },
    /// A row has another number of elements.
    RowElements {
        /// The tensor's.
        expected: u32,
        /// The change's.
        found: u32,
    },
    /// A row that the tensor does not have.
    Row {
        /// The row.
        row: u32,
        /// Rows of the tensor.
        rows: u32,
    },
    /// The slab does not lie within the axis, or, where it may end behind it, not at its end.
    Range {
        /// The slab.
        slab: Slab,
        /// Extent of the axis; 0 if the tensor has no such axis.
        extent: u32,
    },
    /// The elements are not as many as the change needs.
    Size {
        /// Bytes needed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The tensor's memory does not hold the elements after the change.
    Full {
        /// Bytes needed.
        needed: u64,
        /// Bytes that there are.
        capacity: u64,
    },
    /// Elements of 32 bits do not begin at a multiple of 4 bytes.
    Misaligned,
    /// The elements of a row cannot be decoded.
    Elements {
        /// The row.
        row: u32,
        /// What is wrong with them.
        error: DecodeError,
    },
}

impl fmt::Display for TensorRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DType { expected, found } => write!(
                f,
                "{} elements for a tensor of {}: convert them first",
                found.name(),
                expected.name()
            ),
            Self::RowElements { expected, found } => write!(
                f,
                "rows of {found} elements for a tensor with rows of {expected}: wrong tensor"
            ),
            Self::Row { row, rows } => {
                write!(
                    f,
                    "row {row} of a tensor of {rows}: put new rows at the end"
                )
            }
            Self::Range { slab, extent } => write!(
                f,
                "{} places from {} on axis {} of extent {extent}: stay within the axis, or begin \
                 at its end to append",
                slab.count, slab.start, slab.axis
            ),
            Self::Size { expected, found } => {
                write!(
                    f,
                    "{found} bytes of elements, {expected} needed: pass the whole slab"
                )
            }
            Self::Full { needed, capacity } => write!(
                f,
                "{needed} bytes of elements in a memory of {capacity}: give the tensor more"
            ),
            Self::Misaligned => write!(f, "elements of 32 bits off a multiple of 4: align them"),
            Self::Elements { row, error } => write!(f, "row {row}: {error}"),
        }
    }
}

impl core::error::Error for TensorRefusal {}

/// A tensor of fixed capacity over the caller's memory.
///
/// ```
/// use delta_core::{payload::tensor::{DType, Shape}, tensor::Tensor};
///
/// let mut memory = [0; 6];
/// let tensor = Tensor::new(DType::F16, Shape::new(&[3, 4])?, &mut memory)?;
/// assert_eq!(tensor.as_bytes(), [0; 24]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tensor<'m> {
    dtype: DType,
    shape: Shape,
    /// Zero behind the elements, so that equal tensors are equal bytes.
    memory: &'m mut [u32],
    /// Sequence of the tensor's last record, 0: none.
    last_sequence: u64,
}

impl<'m> Tensor<'m> {
    /// A tensor of zeros in `memory`, which is cleared, and whose size is the most that it can grow
    /// to. O(memory).
    ///
    /// # Errors
    /// [`TensorRefusal::Full`].
    pub fn new(dtype: DType, shape: Shape, memory: &'m mut [u32]) -> Result<Self, TensorRefusal> {
        memory.fill(0);
        let tensor = Self {
            dtype,
            shape,
            memory,
            last_sequence: 0,
        };
        tensor.check_room(&shape)?;
        Ok(tensor)
    }

    /// Type of the elements.
    #[must_use]
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// Extents of the axes.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Sequence of the tensor's last record, 0: none.
    #[must_use]
    pub const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    pub(crate) const fn set_last_sequence(&mut self, sequence: u64) {
        self.last_sequence = sequence;
    }

    /// All elements, in C order, little-endian; 4-aligned.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let size = self.size_of(&self.shape);
        let bytes = bytemuck::cast_slice(self.memory);
        bytes.get(..size).unwrap_or_default()
    }

    fn memory_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(self.memory)
    }

    /// Bytes of a tensor of `shape` and this one's element type.
    fn size_of(&self, shape: &Shape) -> usize {
        (shape.elements() as usize).saturating_mul(self.dtype.width())
    }

    fn check_room(&self, shape: &Shape) -> Result<(), TensorRefusal> {
        let capacity = size_of_val(self.memory) as u64;
        let needed = u64::from(shape.elements()) * self.dtype.width() as u64;
        if needed > capacity {
            return Err(TensorRefusal::Full { needed, capacity });
        }
        Ok(())
    }
}
