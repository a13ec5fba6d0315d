//! How the change of one run of elements becomes bytes: the value codecs for elements of 32 bits,
//! raw and sparse for narrower ones (WIRE.md, section 9).

use super::DType;
use crate::{
    codec::{
        self, Base, CodecSet, DecodeError, EncodeError, Encoding, Tag, Values, ValuesError, varint,
    },
    kernel::digest::lane_change,
};

/// Elements of the longest run that is encoded as differences: they are worked out on the stack.
const DIFFERENCES_MAX: usize = 1_024;

/// Checked encoded elements of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elements<'a> {
    /// Of 32 bits.
    Words(Values<'a>),
    /// All of a run of narrower ones.
    Raw {
        /// Bytes of an element, 1 or 2.
        width: usize,
        /// As many as the run has.
        bytes: &'a [u8],
    },
    /// Some narrower ones.
    Sparse {
        /// Bytes of an element, 1 or 2.
        width: usize,
        /// Gaps and elements: at least one, indices ascending and within the run.
        bytes: &'a [u8],
    },
}

impl<'a> Elements<'a> {
    /// Checks the encoded elements of a run of `count`. O(changes).
    ///
    /// # Errors
    /// See [`ValuesError`].
    pub(super) fn parse(
        tag: u8,
        bytes: &'a [u8],
        dtype: DType,
        count: u32,
    ) -> Result<Self, ValuesError> {
        let width = dtype.width();
        if width == 4 {
            let values = Values::parse(tag, bytes, count)?;
            return if is_allowed(&values, dtype, count) {
                Ok(Self::Words(values))
            } else {
                Err(ValuesError::UnknownTag { found: tag })
            };
        }
        match Tag::from_wire(tag) {
            Some(Tag::Raw) => {
                let (expected, found) = (u64::from(count) * width as u64, bytes.len() as u64);
                if found != expected {
                    return Err(ValuesError::Size {
                        dim: count,
                        expected,
                        found,
                    });
                }
                Ok(Self::Raw { width, bytes })
            }
            Some(Tag::Sparse) => {
                check_sparse(bytes, width, count)?;
                Ok(Self::Sparse { width, bytes })
            }
            _ => Err(ValuesError::UnknownTag { found: tag }),
        }
    }

    /// The elements in bytes that [`Elements::parse`] accepted.
    pub(super) fn from_checked(tag: u8, bytes: &'a [u8], dtype: DType, count: u32) -> Option<Self> {
        let (tag, width) = (Tag::from_wire(tag)?, dtype.width());
        Some(match tag {
            tag if width == 4 => Self::Words(Values::from_checked(tag, bytes, count)?),
            Tag::Sparse => Self::Sparse { width, bytes },
            _ => Self::Raw { width, bytes },
        })
    }

    /// The elements are a difference from those before.
    pub(super) fn is_relative(&self) -> bool {
        matches!(self, Self::Words(values) if values.tag().is_relative())
    }

    /// By how much applying these elements to the run `old` changes the sum of its bits times lane
    /// keys, mod 2^64. O(changes).
    ///
    /// # Errors
    /// If they cannot be decoded.
    pub(crate) fn change_sum(&self, old: &[u8]) -> Result<u64, DecodeError> {
        Ok(match *self {
            Self::Words(values) => {
                let old = bytemuck::try_cast_slice(old).unwrap_or(&[]);
                if is_worked_out(&values) {
                    let mut scratch = [0; 4 * DIFFERENCES_MAX];
                    values.decode(old, &mut scratch)?.change_sum(old)
                } else {
                    values.decode(old, &mut [])?.change_sum(old)
                }
            }
            Self::Raw { width, bytes } => {
                let olds = old.chunks_exact(width).map(bits_of);
                let news = bytes.chunks_exact(width).map(bits_of);
                (0..)
                    .zip(olds.zip(news))
                    .fold(0, |sum: u64, (lane, (old, new))| {
                        sum.wrapping_add(lane_change(lane, old, new))
                    })
            }
            Self::Sparse { width, bytes } => {
                Changes::new(bytes, width).fold(0, |sum: u64, (lane, new)| {
                    let old = old.get(lane as usize * width..).unwrap_or(&[]);
                    let old = old.get(..width).map_or(0, bits_of);
                    sum.wrapping_add(lane_change(lane, old, bits_of(new)))
                })
            }
        })
    }

    /// Sets the changed elements of `run`, for which [`Self::change_sum`] found no fault.
    /// O(changes).
    pub(crate) fn apply(&self, run: &mut [u8]) {
        match *self {
            Self::Words(values) if is_worked_out(&values) => {
                let mut scratch = [0; 4 * DIFFERENCES_MAX];
                let run: &mut [f32] = bytemuck::try_cast_slice_mut(run).unwrap_or(&mut []);
                if let Ok(change) = values.decode(run, &mut scratch) {
                    change.apply(run);
                }
            }
            Self::Words(values) => {
                if let Ok(change) = values.decode(&[], &mut []) {
                    change.apply(bytemuck::try_cast_slice_mut(run).unwrap_or(&mut []));
                }
            }
            Self::Raw { bytes, .. } => {
                if let Some(run) = run.get_mut(..bytes.len()) {
                    run.copy_from_slice(bytes);
                }
            }
            Self::Sparse { width, bytes } => {
                for (lane, new) in Changes::new(bytes, width) {
                    let place = run.get_mut(lane as usize * width..);
                    if let Some(place) = place.and_then(|place| place.get_mut(..width)) {
                        place.copy_from_slice(new);
                    }
                }
            }
        }
    }
}

/// Whether a run of words may be encoded so: other than plainly only floats, exactly, and short
/// runs.
fn is_allowed(values: &Values<'_>, dtype: DType, count: u32) -> bool {
    !is_worked_out(values)
        || dtype == DType::F32 && count as usize <= DIFFERENCES_MAX && !values.tag().is_lossy()
}

/// Whether the new bits do not stand in the values as they are.
fn is_worked_out(values: &Values<'_>) -> bool {
    !matches!(values, Values::Same | Values::Raw(_) | Values::Sparse(_))
}

/// An element of 1, 2 or 4 bytes as bits.
#[inline]
pub(crate) fn bits_of(element: &[u8]) -> u32 {
    let fold = |bits, byte: &u8| bits << 8 | u32::from(*byte);
    element.iter().rev().fold(0, fold)
}

/// The changes of checked sparse elements: index in the run, new element.
struct Changes<'a> {
    bytes: &'a [u8],
    width: usize,
    at: usize,
    /// Least index of the next change.
    next: u32,
}

impl<'a> Changes<'a> {
    const fn new(bytes: &'a [u8], width: usize) -> Self {
        Self {
            bytes,
            width,
            at: 0,
            next: 0,
        }
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let gap = varint::read(self.bytes, &mut self.at)?;
        let element = self.bytes.get(self.at..self.at + self.width)?;
        self.at += self.width;
        let index = self.next.checked_add(gap)?;
        self.next = index.checked_add(1)?;
        Some((index, element))
    }
}

fn check_sparse(bytes: &[u8], width: usize, count: u32) -> Result<(), ValuesError> {
    let mut changes = Changes::new(bytes, width);
    while changes.at < bytes.len() || bytes.is_empty() {
        let offset = u32::try_from(changes.at).unwrap_or(u32::MAX);
        let (index, _) = changes.next().ok_or(ValuesError::Truncated { offset })?;
        if index >= count {
            return Err(ValuesError::IndexOutOfRange {
                index: u64::from(index),
                dim: count,
            });
        }
    }
    Ok(())
}

/// Encodes the change of a run from `old` to `new`, which differ and have equal lengths, into the
/// front of `out`, whose first `new.len()` bytes always suffice. Returns tag and size.
pub(super) fn encode(
    old: &[u8],
    new: &[u8],
    dtype: DType,
    out: &mut [u8],
) -> Result<(Tag, usize), EncodeError> {
    let width = dtype.width();
    let (needed, given) = (new.len(), out.len());
    let out = out
        .get_mut(..needed)
        .ok_or(EncodeError::OutputTooSmall { needed, given })?;
    if width == 4 {
        let old = bytemuck::try_cast_slice(old).unwrap_or(&[]);
        let plain = Encoding {
            codecs: CodecSet::PLAIN,
            ..Encoding::EXACT
        };
        let encoding = if dtype == DType::F32 && new.len() / width <= DIFFERENCES_MAX {
            Encoding::EXACT
        } else {
            plain
        };
        return codec::encode_as(
            encoding,
            Base::Row(old),
            bytemuck::try_cast_slice(new).unwrap_or(&[]),
            out,
        );
    }
    if let Some(size) = encode_sparse(old, new, width, out) {
        return Ok((Tag::Sparse, size));
    }
    out.copy_from_slice(new);
    Ok((Tag::Raw, needed))
}

/// Bytes written; `None` if raw is not larger.
fn encode_sparse(old: &[u8], new: &[u8], width: usize, out: &mut [u8]) -> Option<usize> {
    let below_raw = out.len().checked_sub(1)?;
    let out = out.get_mut(..below_raw)?;
    let (mut at, mut next) = (0, 0);
    let pairs = old.chunks_exact(width).zip(new.chunks_exact(width));
    for (index, (old, new)) in (0_u32..).zip(pairs) {
        if old != new {
            varint::write(out, &mut at, index - next)?;
            out.get_mut(at..at + width)?.copy_from_slice(new);
            at += width;
            next = index + 1;
        }
    }
    Some(at)
}
