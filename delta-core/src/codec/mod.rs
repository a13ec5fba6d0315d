//! Value codecs: how the change of one row becomes bytes (WIRE.md, section 4).
//!
//! Every codec of this version is exact and absolute: it sets bits, so applying it twice changes
//! nothing. [`encode`] takes the cheapest one; [`Values::parse`] checks bytes once, after which
//! applying them cannot fail.

pub mod lz4;
pub mod sparse;
pub mod varint;

use crate::kernel::{
    apply,
    diff::{self, DiffError},
    digest,
};
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
    /// The codec of a wire value, `None` for an unknown one.
    #[inline]
    pub const fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Same,
            1 => Self::Raw,
            2 => Self::Sparse,
            _ => return None,
        })
    }

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
                    "the values end or break at byte {offset}: check the writer"
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

/// Most bytes that the encoded values of `dim` components take, without their tag.
#[inline]
pub const fn encoded_size_max(dim: usize) -> usize {
    dim.saturating_mul(4)
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
/// See [`EncodeError`]; `out` must have [`encoded_size_max`] bytes.
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
    let (needed, given) = (encoded_size_max(new.len()), out.len());
    let Some(out) = out.get_mut(..needed) else {
        return Err(EncodeError::OutputTooSmall { needed, given });
    };
    if u32::try_from(new.len()).is_err() {
        return Err(DiffError::TooLong { len: new.len() }.into());
    }
    let encoded = match base {
        Base::Row(old) => encode_pieces([(0, old, new)], out),
        Base::Zero => encode_pieces(pieces_from_zero(new), out),
    }?;
    if encoded.0 == Tag::Raw {
        // Little-endian targets only (the crate compiles on no other): memory order is wire order.
        out.copy_from_slice(bytemuck::cast_slice(new));
    }
    Ok(encoded)
}

/// Index of the first component, old components, as many new ones.
type Piece<'a> = (u32, &'a [f32], &'a [f32]);

/// The new row in pieces, each beside as many components of +0.0.
fn pieces_from_zero(new: &[f32]) -> impl Iterator<Item = Piece<'_>> + Clone {
    static ZEROS: [f32; 512] = [0.0; 512];
    let starts = (0_u32..).step_by(ZEROS.len());
    new.chunks(ZEROS.len())
        .zip(starts)
        .map(|(new, start)| (start, ZEROS.get(..new.len()).unwrap_or_default(), new))
}

/// The best codec and its size in bytes; the values are written if it is sparse. `out` has the
/// size of the raw values.
#[inline]
fn encode_pieces<'a>(
    pieces: impl IntoIterator<Item = Piece<'a>> + Clone,
    out: &mut [u8],
) -> Result<(Tag, usize), DiffError> {
    let mut changed = 0;
    for (_, old, new) in pieces.clone() {
        changed += diff::count_changed(old, new)?;
    }
    if changed == 0 {
        return Ok((Tag::Same, 0));
    }
    // A change takes at least one byte of gap and four of value: dense changes skip the sparse
    // loop altogether.
    if changed * 5 < out.len()
        && let Some(size) = encode_sparse(pieces, out)?
    {
        return Ok((Tag::Sparse, size));
    }
    Ok((Tag::Raw, out.len()))
}

/// Bytes written, `None` if raw is not larger.
#[inline]
fn encode_sparse<'a>(
    pieces: impl IntoIterator<Item = Piece<'a>>,
    out: &mut [u8],
) -> Result<Option<usize>, DiffError> {
    let below_raw = out.len().saturating_sub(1);
    let mut writer = SparseWriter::new(out.get_mut(..below_raw).unwrap_or_default());
    for (start, old, new) in pieces {
        let flow = diff::for_each_changed(old, new, |index, bits| {
            match writer.push(start + index, bits) {
                Some(()) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            }
        })?;
        if flow.is_break() {
            return Ok(None);
        }
    }
    Ok(Some(writer.size()))
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
        let tag = Tag::from_wire(tag).ok_or(ValuesError::UnknownTag { found: tag })?;
        let found = bytes.len() as u64;
        let expected = match tag {
            Tag::Same => 0,
            Tag::Raw => 4 * u64::from(dim),
            Tag::Sparse => return SparseValues::parse(bytes, dim).map(Self::Sparse),
        };
        if found != expected {
            return Err(ValuesError::Size {
                dim,
                expected,
                found,
            });
        }
        Ok(Self::from_checked(tag, bytes))
    }

    /// The values in bytes that [`encode`] wrote or [`Values::parse`] accepted.
    #[inline]
    pub(crate) fn from_checked(tag: Tag, bytes: &'a [u8]) -> Self {
        match tag {
            Tag::Same => Self::Same,
            Tag::Raw => Self::Raw(RawValues { bytes }),
            Tag::Sparse => Self::Sparse(SparseValues::from_checked(bytes)),
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
mod tests;
