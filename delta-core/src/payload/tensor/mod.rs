//! The payload of tensor updates: what changes in one tensor (WIRE.md, section 9).

mod dtype;
pub(crate) mod elements;
mod rows;
#[cfg(test)]
mod tests;

use super::{PayloadError, require_zero, size_error};
use crate::{
    codec::{EncodeError, ValuesError},
    header::DeltaHeader,
};
use core::fmt;

pub use dtype::{DType, ELEMENTS_MAX, RANK_MAX, Shape, ShapeError};
pub use rows::RowChanges;
use rows::RowsWriter;

/// Bytes before what the kinds of changes have of their own.
pub const PREFIX_SIZE: usize = 16;

/// Slot; then dtype, kind, axis or rank, 0; then two words that depend on the kind.
type Prefix = [[u8; 4]; PREFIX_SIZE / 4];

const DENSE: u8 = 0;
const ROWS: u8 = 1;
const PUT: u8 = 2;
const CLEAR: u8 = 3;
const EVICT: u8 = 4;

/// A run of places on one axis, over the whole extent of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slab {
    /// Place of the axis in the shape, from 0; below [`RANK_MAX`].
    pub axis: u8,
    /// First place.
    pub start: u32,
    /// Places, at least 1.
    pub count: u32,
}

/// What changes in a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorChange<'a> {
    /// All elements, and the shape.
    Dense {
        /// The shape after the change.
        shape: Shape,
        /// All elements, in C order, little-endian.
        elements: &'a [u8],
    },
    /// Some elements of some rows.
    Rows(RowChanges<'a>),
    /// All elements of a slab. Where it ends behind the axis, the axis becomes longer: at the axis'
    /// end this appends.
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
    /// A slab goes, and what lies behind it moves up: at the axis' end this truncates.
    Evict {
        /// Within the axis.
        slab: Slab,
    },
}

/// A checked tensor update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorPayload<'a> {
    /// Number of the tensor.
    pub slot: u32,
    /// Type of its elements.
    pub dtype: DType,
    /// What changes.
    pub change: TensorChange<'a>,
}

/// Why bytes are no tensor update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorFormatError {
    /// An element type that this version does not know.
    UnknownDType {
        /// The byte found.
        found: u8,
    },
    /// A kind of change that this version does not know.
    UnknownKind {
        /// The byte found.
        found: u8,
    },
    /// The extents are no shape.
    Shape(ShapeError),
    /// The axis is not below [`RANK_MAX`].
    Axis {
        /// The axis found.
        found: u8,
    },
    /// No row, no place or no element changes.
    Empty,
    /// The entry of a row is broken, or bytes follow the last one.
    Entry {
        /// Number of the entry, from 0.
        entry: u32,
    },
    /// The encoded elements of a row are broken.
    Elements {
        /// Number of the entry, from 0.
        entry: u32,
        /// What is wrong with them.
        error: ValuesError,
    },
}

impl fmt::Display for TensorFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownDType { found } => {
                write!(f, "unknown element type {found}: upgrade this reader")
            }
            Self::UnknownKind { found } => {
                write!(
                    f,
                    "unknown kind of tensor change {found}: upgrade this reader"
                )
            }
            Self::Shape(error) => error.fmt(f),
            Self::Axis { found } => {
                write!(f, "axis {found}: a tensor has at most {RANK_MAX} axes")
            }
            Self::Empty => write!(f, "a tensor change of nothing: send none at all"),
            Self::Entry { entry } => {
                write!(
                    f,
                    "entry {entry} of the tensor change is broken: check the writer"
                )
            }
            Self::Elements { entry, error } => write!(f, "entry {entry}: {error}"),
        }
    }
}

impl core::error::Error for TensorFormatError {}

impl From<TensorFormatError> for PayloadError {
    fn from(error: TensorFormatError) -> Self {
        Self::Tensor(error)
    }
}

impl<'a> TensorPayload<'a> {
    /// Checks the payload of a tensor update, but for what depends on the tensor itself.
    /// O(payload).
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn parse(header: &DeltaHeader, bytes: &'a [u8]) -> Result<Self, PayloadError> {
        let too_short = size_error(PREFIX_SIZE, bytes);
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX_SIZE>().ok_or(too_short)?;
        let [slot, [dtype, kind, axis, reserved], first, second]: Prefix = bytemuck::cast(*prefix);
        let [slot, first, second] = [slot, first, second].map(u32::from_le_bytes);
        let dtype =
            DType::from_wire(dtype).ok_or(TensorFormatError::UnknownDType { found: dtype })?;
        require_zero(&[reserved], 7)?;
        let change = match kind {
            DENSE => {
                require_zero(&first.to_le_bytes(), 8)?;
                require_zero(&second.to_le_bytes(), 12)?;
                let (shape, elements) = parse_shape(axis, rest, bytes)?;
                let size = u64::from(shape.elements()) * dtype.width() as u64;
                if elements.len() as u64 != size {
                    let prefix = (bytes.len() - elements.len()) as u64;
                    return Err(PayloadError::Size {
                        expected: prefix + size,
                        found: bytes.len() as u64,
                    });
                }
                TensorChange::Dense { shape, elements }
            }
            ROWS => {
                require_zero(&[axis], 6)?;
                TensorChange::Rows(RowChanges::parse(dtype, first, second, rest)?)
            }
            PUT | CLEAR | EVICT => {
                let slab = Slab {
                    axis,
                    start: first,
                    count: second,
                };
                slab.check()?;
                let is_whole = rest.len().is_multiple_of(dtype.width());
                match kind {
                    PUT if is_whole => TensorChange::Put {
                        slab,
                        elements: rest,
                    },
                    CLEAR if rest.is_empty() => TensorChange::Clear { slab },
                    EVICT if rest.is_empty() => TensorChange::Evict { slab },
                    PUT => return Err(size_error(bytes.len() - rest.len() % dtype.width(), bytes)),
                    _ => return Err(size_error(PREFIX_SIZE, bytes)),
                }
            }
            found => return Err(TensorFormatError::UnknownKind { found }.into()),
        };
        let is_relative = matches!(&change, TensorChange::Rows(rows) if rows.is_relative());
        if header.relative != is_relative {
            return Err(PayloadError::HeaderField { offset: 9 });
        }
        Ok(Self {
            slot,
            dtype,
            change,
        })
    }

    /// Bytes of the payload.
    #[must_use]
    pub fn size(&self) -> usize {
        PREFIX_SIZE
            + match &self.change {
                TensorChange::Dense { shape, elements } => {
                    size_of_val(shape.extents()) + elements.len()
                }
                TensorChange::Rows(rows) => rows.entries().len(),
                TensorChange::Put { elements, .. } => elements.len(),
                TensorChange::Clear { .. } | TensorChange::Evict { .. } => 0,
            }
    }

    /// Writes the payload to the front of `out`; `None` if it is shorter than [`Self::size`].
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (kind, axis, first, second) = match &self.change {
            // At most RANK_MAX axes.
            TensorChange::Dense { shape, .. } => {
                (DENSE, shape.extents().len().to_le_bytes()[0], 0, 0)
            }
            TensorChange::Rows(rows) => (ROWS, 0, rows.row_elements(), rows.len()),
            TensorChange::Put { slab, .. } => (PUT, slab.axis, slab.start, slab.count),
            TensorChange::Clear { slab } => (CLEAR, slab.axis, slab.start, slab.count),
            TensorChange::Evict { slab } => (EVICT, slab.axis, slab.start, slab.count),
        };
        let out = out.get_mut(..self.size())?;
        let (prefix, mut rest) = out.split_first_chunk_mut::<PREFIX_SIZE>()?;
        let kinds = [self.dtype as u8, kind, axis, 0];
        *prefix = bytemuck::cast([
            self.slot.to_le_bytes(),
            kinds,
            first.to_le_bytes(),
            second.to_le_bytes(),
        ]);
        let bytes = match &self.change {
            TensorChange::Dense { shape, elements } => {
                for extent in shape.extents() {
                    let (field, behind) = rest.split_first_chunk_mut::<4>()?;
                    *field = extent.to_le_bytes();
                    rest = behind;
                }
                elements
            }
            TensorChange::Rows(rows) => rows.entries(),
            TensorChange::Put { elements, .. } => elements,
            TensorChange::Clear { .. } | TensorChange::Evict { .. } => &[],
        };
        rest.copy_from_slice(bytes);
        Some(self.size())
    }
}

/// The extents at the front of `rest`, of a payload of `bytes`, and what follows them.
fn parse_shape<'a>(
    rank: u8,
    rest: &'a [u8],
    bytes: &[u8],
) -> Result<(Shape, &'a [u8]), PayloadError> {
    let mut extents = [0; RANK_MAX];
    let found = usize::from(rank);
    let extents = extents
        .get_mut(..found)
        .ok_or(TensorFormatError::Shape(ShapeError::Rank { found }))?;
    let too_short = size_error(PREFIX_SIZE + 4 * found, bytes);
    let (fields, elements) = rest.split_at_checked(4 * found).ok_or(too_short)?;
    for (extent, field) in extents.iter_mut().zip(fields.as_chunks::<4>().0) {
        *extent = u32::from_le_bytes(*field);
    }
    let shape = Shape::new(extents).map_err(TensorFormatError::Shape)?;
    Ok((shape, elements))
}

impl Slab {
    /// Refuses what no tensor has.
    fn check(&self) -> Result<(), TensorFormatError> {
        if usize::from(self.axis) >= RANK_MAX {
            return Err(TensorFormatError::Axis { found: self.axis });
        }
        if self.count == 0 {
            return Err(TensorFormatError::Empty);
        }
        Ok(())
    }
}

/// Most bytes of the payload that [`write_rows`] needs for `size` bytes of rows.
pub(crate) fn rows_size_max(row_size: usize, size: usize) -> usize {
    let rows = size.checked_div(row_size).unwrap_or(0);
    let entries = rows.saturating_mul(rows::ENTRY_PREFIX_SIZE_MAX);
    entries.saturating_add(PREFIX_SIZE).saturating_add(size)
}

/// Rows of a tensor before and after a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowsBetween<'a> {
    pub(crate) slot: u32,
    pub(crate) dtype: DType,
    /// Elements of a row.
    pub(crate) row_elements: u32,
    /// Place of the first row.
    pub(crate) start: u32,
    /// Whole rows.
    pub(crate) old: &'a [u8],
    /// As many as `old`.
    pub(crate) new: &'a [u8],
}

/// Writes the rows that differ as a payload to the front of `out`. Returns its size, and whether
/// the header must say that it is relative; `None` if no row differs. O(elements).
///
/// # Errors
/// [`EncodeError`]; [`rows_size_max`] bytes always suffice.
pub(crate) fn write_rows(
    rows: &RowsBetween<'_>,
    out: &mut [u8],
) -> Result<Option<(usize, bool)>, EncodeError> {
    let (needed, given) = (PREFIX_SIZE, out.len());
    let (prefix, rest) = out
        .split_first_chunk_mut::<PREFIX_SIZE>()
        .ok_or(EncodeError::OutputTooSmall { needed, given })?;
    let row_size = rows.row_elements as usize * rows.dtype.width();
    if row_size == 0 {
        return Ok(None);
    }
    let mut writer = RowsWriter::new(rows.dtype, rest);
    let pairs = rows.old.chunks_exact(row_size);
    let pairs = pairs.zip(rows.new.chunks_exact(row_size));
    for (row, (old, new)) in (rows.start..).zip(pairs) {
        if old != new {
            writer.push(row, old, new)?;
        }
    }
    if writer.count == 0 {
        return Ok(None);
    }
    *prefix = bytemuck::cast([
        rows.slot.to_le_bytes(),
        [rows.dtype as u8, ROWS, 0, 0],
        rows.row_elements.to_le_bytes(),
        writer.count.to_le_bytes(),
    ]);
    Ok(Some((PREFIX_SIZE + writer.size, writer.is_relative)))
}
