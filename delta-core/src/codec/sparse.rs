//! The sparse codec: gap and new bits of every changed component (WIRE.md, section 4, tag 2).
//!
//! Gap and value alternate, so that a diff can be written in one pass into the ring's grant
//! without knowing the number of changes, and no scratch is needed on either side.

use super::{ValuesError, varint};

/// Appends changes in ascending order of their index.
#[derive(Debug)]
pub struct SparseWriter<'a> {
    out: &'a mut [u8],
    /// Bytes of `out` in use.
    size: usize,
    /// Least index that the next change may have.
    next: u32,
}

impl<'a> SparseWriter<'a> {
    /// Starts at the front of `out`.
    #[inline]
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            size: 0,
            next: 0,
        }
    }

    /// Appends the new bits of component `index`; `None` if `out` is full or `index` does not
    /// ascend.
    #[inline]
    pub fn push(&mut self, index: u32, bits: u32) -> Option<()> {
        let gap = index.checked_sub(self.next)?;
        let next = index.checked_add(1)?;
        if gap < 0x80 {
            let change = self.out.get_mut(self.size..)?.first_chunk_mut::<5>()?;
            let [b0, b1, b2, b3] = bits.to_le_bytes();
            *change = [gap.to_le_bytes()[0], b0, b1, b2, b3];
            self.size += 5;
        } else {
            let mut at = self.size;
            varint::write(self.out, &mut at, gap)?;
            *self.out.get_mut(at..)?.first_chunk_mut()? = bits.to_le_bytes();
            self.size = at + 4;
        }
        self.next = next;
        Some(())
    }

    /// Bytes written.
    #[inline]
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Checked sparse values: whole changes, at least one, indices ascending and below `dim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseValues<'a> {
    bytes: &'a [u8],
}

impl<'a> SparseValues<'a> {
    /// Checks the bytes of sparse values for a row of `dim` components. O(changes).
    ///
    /// # Errors
    /// [`ValuesError::Truncated`] and [`ValuesError::IndexOutOfRange`].
    #[inline]
    pub fn parse(bytes: &'a [u8], dim: u32) -> Result<Self, ValuesError> {
        if has_short_gaps(bytes, dim) {
            return Ok(Self { bytes });
        }
        let mut at = 0;
        let mut next = 0_u64;
        loop {
            let truncated = ValuesError::Truncated {
                offset: u32::try_from(at).unwrap_or(u32::MAX),
            };
            let index = next + u64::from(varint::read(bytes, &mut at).ok_or(truncated)?);
            if index >= u64::from(dim) {
                return Err(ValuesError::IndexOutOfRange { index, dim });
            }
            at += 4;
            if at > bytes.len() {
                return Err(truncated);
            }
            if at == bytes.len() {
                return Ok(Self { bytes });
            }
            next = index + 1;
        }
    }

    /// The values in bytes that a [`SparseWriter`] wrote or [`SparseValues::parse`] accepted.
    #[inline]
    pub(super) fn from_checked(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The encoded bytes, without the tag.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The changes in ascending order of their index: `(index, new bits)`.
    #[inline]
    pub fn iter(&self) -> Changes<'a> {
        Changes {
            bytes: self.bytes,
            next: 0,
        }
    }
}

/// Whether these are changes, at least one, whose gaps have a byte each and whose indices are below
/// `dim`: without a branch a change.
#[inline]
fn has_short_gaps(bytes: &[u8], dim: u32) -> bool {
    let (changes, rest) = bytes.as_chunks::<5>();
    let (gaps, any) = changes.iter().fold((0_u64, 0), |(gaps, any), &[gap, ..]| {
        (gaps + u64::from(gap), any | gap)
    });
    // The last index is the sum of all gaps, and one for each change before it.
    let next = gaps + changes.len() as u64;
    rest.is_empty() && any < 0x80 && (1..=u64::from(dim)).contains(&next)
}

impl<'a> IntoIterator for &SparseValues<'a> {
    type Item = (u32, u32);
    type IntoIter = Changes<'a>;

    fn into_iter(self) -> Changes<'a> {
        self.iter()
    }
}

/// Iterator over `(index, new bits)`, see [`SparseValues::iter`].
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    bytes: &'a [u8],
    /// Least index of the next change.
    next: u32,
}

impl Iterator for Changes<'_> {
    type Item = (u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32)> {
        let (gap, rest) = match self.bytes {
            [gap @ 0..0x80, rest @ ..] => (u32::from(*gap), rest),
            bytes => {
                let mut at = 0;
                let gap = varint::read(bytes, &mut at)?;
                (gap, bytes.get(at..)?)
            }
        };
        let (bits, rest) = rest.split_first_chunk::<4>()?;
        self.bytes = rest;
        let index = self.next.wrapping_add(gap);
        self.next = index.wrapping_add(1);
        Some((index, u32::from_le_bytes(*bits)))
    }
}
