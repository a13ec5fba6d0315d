//! Value codecs: how the change of one row becomes bytes (WIRE.md, section 4).
//!
//! Every codec of this version is exact and absolute: it sets bits, so applying it twice changes
//! nothing. [`encode`] takes the cheapest one; [`Values::parse`] checks bytes once, after which
//! applying them cannot fail.

pub mod lz4;
pub mod sparse;
pub mod varint;

use crate::kernel::{apply, diff, digest};
use core::{fmt, ops::ControlFlow};
use sparse::{SparseValues, SparseWriter};

/// Names a codec on the wire. The discriminants are the wire values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Tag {
    /// The row does not change: no bytes.
    Same = 0,
    /// All components.
    Raw = 1,
    /// Changed components with the gaps between them.
    Sparse = 2,
}

impl Tag {
    /// The name that the wire format and the `delta` command use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Raw => "raw",
            Self::Sparse => "sparse",
        }
    }
}

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
    /// A gap that is no varint, or a value cut off.
    Truncated {
        /// Offset in the encoded values.
        offset: u32,
    },
    /// A sparse change names a component that the row does not have.
    IndexOutOfRange {
        /// The index found.
        index: u64,
        /// Components of the row.
        dim: u32,
    },
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
                    "the values end or break at byte {offset}: fetch the record again"
                )
            }
            Self::IndexOutOfRange { index, dim } => write!(
                f,
                "component {index} of a row of {dim}: check that both sides use the same dim"
            ),
        }
    }
}

impl core::error::Error for ValuesError {}

/// Why a row's change could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Old and new row differ in length.
    LengthMismatch {
        /// Components of the old row.
        old: usize,
        /// Components of the new row.
        new: usize,
    },
    /// The output must hold [`encoded_size_max`] bytes.
    OutputTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LengthMismatch { old, new } => write!(
                f,
                "the old row has {old} components, the new one {new}: pass rows of one dim"
            ),
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

/// Most bytes that the encoded values of `dim` components take, without their tag.
#[inline]
pub const fn encoded_size_max(dim: usize) -> usize {
    4 * dim
}

/// What a change is measured against.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a> {
    /// The row before the change.
    Row(&'a [f32]),
    /// A row of +0.0, as before an insert.
    Zero,
}

/// Encodes the change from `base` to `new` into the front of `out` with the codec that needs the
/// fewest bytes, and returns its tag and the bytes used. O(dim).
///
/// # Errors
/// Rows of different lengths, or `out` shorter than [`encoded_size_max`].
///
/// ```
/// use delta_core::codec::{Base, Tag, encode};
/// let (old, new) = ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.5, 4.0]);
/// let mut out = [0; 16];
/// assert_eq!(encode(Base::Row(&old), &new, &mut out), Ok((Tag::Sparse, 5)));
/// assert_eq!(out[..5], [2, 0x00, 0x00, 0x60, 0x40]); // gap 2, then the bits of 3.5
/// ```
#[inline]
pub fn encode(base: Base<'_>, new: &[f32], out: &mut [u8]) -> Result<(Tag, usize), EncodeError> {
    let raw_size = encoded_size_max(new.len());
    let given = out.len();
    let Some(out) = out.get_mut(..raw_size) else {
        return Err(EncodeError::OutputTooSmall {
            needed: raw_size,
            given,
        });
    };
    let changed = count_changed(base, new)?;
    if changed == 0 {
        return Ok((Tag::Same, 0));
    }
    // A change takes at least one byte of gap and four of value: dense changes skip the sparse
    // loop altogether.
    if changed * 5 < raw_size {
        if let Some(size) = encode_sparse(base, new, out)? {
            return Ok((Tag::Sparse, size));
        }
    }
    for (bytes, component) in out.as_chunks_mut().0.iter_mut().zip(new) {
        *bytes = component.to_bits().to_le_bytes();
    }
    Ok((Tag::Raw, raw_size))
}

fn count_changed(base: Base<'_>, new: &[f32]) -> Result<usize, EncodeError> {
    chunks(base, new).try_fold(0, |sum, (_, old, new)| {
        Ok(sum + diff::count_changed(old, new).map_err(|_| mismatch(old, new))?)
    })
}

/// Bytes written, `None` if raw is not larger.
fn encode_sparse(
    base: Base<'_>,
    new: &[f32],
    out: &mut [u8],
) -> Result<Option<usize>, EncodeError> {
    let below_raw = out.len().saturating_sub(1);
    let mut writer = SparseWriter::new(out.get_mut(..below_raw).unwrap_or_default());
    for (start, old, new) in chunks(base, new) {
        let flow = diff::for_each_changed(old, new, |index, bits| {
            match writer.push(start + index, bits) {
                Some(()) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            }
        });
        if flow.map_err(|_| mismatch(old, new))?.is_break() {
            return Ok(None);
        }
    }
    Ok(Some(writer.size()))
}

fn mismatch(old: &[f32], new: &[f32]) -> EncodeError {
    EncodeError::LengthMismatch {
        old: old.len(),
        new: new.len(),
    }
}

/// Pairs of old and new slices with the index of their first component: one pair for a row, and
/// pieces for a row of zeros, of which only [`ZEROS`] exists.
fn chunks<'a>(base: Base<'a>, new: &'a [f32]) -> impl Iterator<Item = (u32, &'a [f32], &'a [f32])> {
    static ZEROS: [f32; 512] = [0.0; 512];
    let (row, size) = match base {
        Base::Row(row) => (Some(row), new.len().max(1)),
        Base::Zero => (None, ZEROS.len()),
    };
    let empty = row.filter(|_| new.is_empty()).map(|row| (0, row, new));
    let mut start = 0;
    empty.into_iter().chain(new.chunks(size).map(move |new| {
        let old = row.or_else(|| ZEROS.get(..new.len())).unwrap_or_default();
        let chunk = (start, old, new);
        start += new.len() as u32;
        chunk
    }))
}

/// Checked encoded values of a row of `dim` components.
///
/// Made by [`Values::parse`]: sizes fit, sparse indices ascend and lie within the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Values<'a> {
    /// The row does not change.
    Same,
    /// All components.
    Raw(RawValues<'a>),
    /// Some components.
    Sparse(SparseValues<'a>),
}

/// The little-endian bits of all components of a row, at any alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawValues<'a> {
    /// A multiple of 4 bytes.
    bytes: &'a [u8],
}

impl<'a> RawValues<'a> {
    /// Four bytes a component.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Values<'a> {
    /// Checks encoded values for a row of `dim` components. O(changes).
    ///
    /// # Errors
    /// See [`ValuesError`].
    #[inline]
    pub fn parse(tag: u8, bytes: &'a [u8], dim: u32) -> Result<Self, ValuesError> {
        let sized = |expected: u64| {
            let found = bytes.len() as u64;
            if found == expected {
                Ok(())
            } else {
                Err(ValuesError::Size {
                    dim,
                    expected,
                    found,
                })
            }
        };
        match tag {
            0 => sized(0).map(|()| Self::Same),
            1 => sized(4 * u64::from(dim)).map(|()| Self::Raw(RawValues { bytes })),
            2 => SparseValues::parse(bytes, dim).map(Self::Sparse),
            found => Err(ValuesError::UnknownTag { found }),
        }
    }

    /// The codec.
    #[inline]
    pub const fn tag(&self) -> Tag {
        match self {
            Self::Same => Tag::Same,
            Self::Raw(_) => Tag::Raw,
            Self::Sparse(_) => Tag::Sparse,
        }
    }

    /// Encoded size in bytes, with the tag.
    #[inline]
    pub fn size(&self) -> usize {
        1 + match self {
            Self::Same => 0,
            Self::Raw(raw) => raw.bytes.len(),
            Self::Sparse(sparse) => sparse.as_bytes().len(),
        }
    }

    /// Sets the changed components of `row`, which has the `dim` that the values were checked
    /// for. Components beyond a shorter row are ignored. O(changes).
    #[inline]
    pub fn apply(&self, row: &mut [f32]) {
        match self {
            Self::Same => {}
            Self::Raw(raw) => {
                let fits = apply::copy_bits_le(row, raw.bytes);
                debug_assert!(fits.is_ok(), "values are applied to rows of their own dim");
            }
            Self::Sparse(sparse) => {
                for (index, bits) in sparse.iter() {
                    if let Some(component) = row.get_mut(index as usize) {
                        *component = f32::from_bits(bits);
                    }
                }
            }
        }
    }

    /// By how much applying these values to `old` changes the row's sum in the state digest,
    /// mod 2^64 (WIRE.md, section 5). O(changes).
    #[inline]
    pub fn change_sum(&self, old: &[f32]) -> u64 {
        match self {
            Self::Same => 0,
            Self::Raw(raw) => digest::row_change_sum_le(old, raw.bytes).unwrap_or(0),
            Self::Sparse(sparse) => sparse.iter().fold(0, |sum, (index, bits)| {
                let before = old.get(index as usize).map_or(0, |value| value.to_bits());
                sum.wrapping_add(digest::lane_change(index, before, bits))
            }),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
