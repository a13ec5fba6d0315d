//! Changes of some rows of a tensor: the entries of a rows change, one a row.

use super::{DType, TensorFormatError, elements, elements::Elements};
use crate::codec::{EncodeError, varint};

/// Bytes of an entry before its encoded elements, at most.
pub(super) const ENTRY_PREFIX_SIZE_MAX: usize = 2 * varint::SIZE_MAX + 1;

/// Checked changes of rows: at least one, places ascending, encoded elements whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowChanges<'a> {
    dtype: DType,
    /// Elements of a row, at least 1.
    row_elements: u32,
    /// Rows that change, at least 1.
    count: u32,
    entries: &'a [u8],
    /// Some row is a difference from what it was.
    is_relative: bool,
}

impl<'a> RowChanges<'a> {
    /// Checks the entries of `count` rows of `row_elements` each. O(entries).
    pub(super) fn parse(
        dtype: DType,
        row_elements: u32,
        count: u32,
        entries: &'a [u8],
    ) -> Result<Self, TensorFormatError> {
        if row_elements == 0 || count == 0 {
            return Err(TensorFormatError::Empty);
        }
        let mut rest = entries;
        let mut next = 0_u32;
        let mut is_relative = false;
        for entry in 0..count {
            let truncated = TensorFormatError::Entry { entry };
            let (gap, tag, bytes, tail) = split(rest).ok_or(truncated)?;
            let row = next.checked_add(gap).ok_or(truncated)?;
            next = row.checked_add(1).ok_or(truncated)?;
            let elements = Elements::parse(tag, bytes, dtype, row_elements)
                .map_err(|error| TensorFormatError::Elements { entry, error })?;
            is_relative |= elements.is_relative();
            rest = tail;
        }
        if !rest.is_empty() {
            return Err(TensorFormatError::Entry { entry: count });
        }
        Ok(Self {
            dtype,
            row_elements,
            count,
            entries,
            is_relative,
        })
    }

    /// Elements of a row, at least 1.
    #[must_use]
    pub const fn row_elements(&self) -> u32 {
        self.row_elements
    }

    /// Rows that change, at least 1.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Some row is a difference from what it was: the header says so.
    #[must_use]
    pub const fn is_relative(&self) -> bool {
        self.is_relative
    }

    /// Never: at least one row changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) const fn entries(&self) -> &'a [u8] {
        self.entries
    }

    /// The changed rows in ascending order: place and encoded elements.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Elements<'a>)> + use<'a> {
        let (dtype, row_elements) = (self.dtype, self.row_elements);
        let (mut rest, mut next) = (self.entries, 0_u32);
        core::iter::from_fn(move || {
            let (gap, tag, bytes, tail) = split(rest)?;
            rest = tail;
            let row = next.wrapping_add(gap);
            next = row.wrapping_add(1);
            Some((
                row,
                Elements::from_checked(tag, bytes, dtype, row_elements)?,
            ))
        })
    }
}

/// Gap, tag and encoded elements of the first entry, and what follows it.
fn split(entries: &[u8]) -> Option<(u32, u8, &[u8], &[u8])> {
    let mut at = 0;
    let gap = varint::read(entries, &mut at)?;
    let size = varint::read(entries, &mut at)?;
    let (&tag, rest) = entries.get(at..)?.split_first()?;
    let (bytes, tail) = rest.split_at_checked(size as usize)?;
    Some((gap, tag, bytes, tail))
}

/// Appends the changes of rows.
#[derive(Debug)]
pub(super) struct RowsWriter<'o> {
    dtype: DType,
    out: &'o mut [u8],
    /// Bytes written.
    pub(super) size: usize,
    /// Rows written.
    pub(super) count: u32,
    /// Least place that the next row may have.
    next: u32,
    /// Some row is a difference from what it was.
    pub(super) is_relative: bool,
}

impl<'o> RowsWriter<'o> {
    pub(super) const fn new(dtype: DType, out: &'o mut [u8]) -> Self {
        Self {
            dtype,
            out,
            size: 0,
            count: 0,
            next: 0,
            is_relative: false,
        }
    }

    /// Appends the change of the row at place `row`, above all before it, from `old` to `new`,
    /// which differ.
    pub(super) fn push(&mut self, row: u32, old: &[u8], new: &[u8]) -> Result<(), EncodeError> {
        let given = self.out.len();
        let needed = self.size + ENTRY_PREFIX_SIZE_MAX + new.len();
        let too_small = EncodeError::OutputTooSmall { needed, given };
        // Encoded behind the longest prefix, then moved up to the real one.
        let start = self.size + ENTRY_PREFIX_SIZE_MAX;
        let room = self.out.get_mut(start..).ok_or(too_small)?;
        let (tag, size) = elements::encode(old, new, self.dtype, room)?;
        let mut at = self.size;
        varint::write(self.out, &mut at, row - self.next).ok_or(too_small)?;
        let size_field = u32::try_from(size).map_err(|_| too_small)?;
        varint::write(self.out, &mut at, size_field).ok_or(too_small)?;
        *self.out.get_mut(at).ok_or(too_small)? = tag as u8;
        self.out.copy_within(start..start + size, at + 1);
        self.size = at + 1 + size;
        self.is_relative |= tag.is_relative();
        self.count += 1;
        self.next = row + 1;
        Ok(())
    }
}
