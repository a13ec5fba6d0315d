//! Lists of slots, given as a slice or still encoded.

use super::encode::bits;
use crate::codec::varint;
use core::fmt;

/// A list of slots that an edit names: a slice of the caller's, or one inside an encoded
/// [`Change`](super::encode::Change), decoded while it is read.
#[derive(Clone, Copy)]
pub struct Slots<'a> {
    source: Source<'a>,
    /// Slots in the list.
    count: u32,
}

/// Where the slots come from. The encoded forms were checked when their change was parsed.
#[derive(Clone, Copy)]
enum Source<'a> {
    Slice(&'a [u32]),
    /// A varint each: the distance to the slot before it, less 1; first: the slot itself.
    Gaps(&'a [u8]),
    /// The first slot, and the others as gaps.
    First(u32, &'a [u8]),
    /// The same distances as Rice codes, from a bit of `bytes` on.
    Rice {
        bytes: &'a [u8],
        bit: usize,
        parameter: u8,
    },
    /// The second word of entries of `stride` bytes.
    Entries {
        bytes: &'a [u8],
        stride: usize,
    },
}

impl<'a> Slots<'a> {
    /// No slots.
    pub const EMPTY: Self = Self {
        source: Source::Slice(&[]),
        count: 0,
    };

    pub(super) const fn gaps(bytes: &'a [u8], count: u32) -> Self {
        Self {
            source: Source::Gaps(bytes),
            count,
        }
    }

    /// A list of at least one slot.
    pub(super) const fn first_and_gaps(first: u32, bytes: &'a [u8], count: u32) -> Self {
        Self {
            source: Source::First(first, bytes),
            count,
        }
    }

    pub(super) const fn rice(bytes: &'a [u8], bit: usize, parameter: u8, count: u32) -> Self {
        let source = Source::Rice {
            bytes,
            bit,
            parameter,
        };
        Self { source, count }
    }

    pub(super) const fn entries(bytes: &'a [u8], stride: usize, count: u32) -> Self {
        let source = Source::Entries { bytes, stride };
        Self { source, count }
    }

    /// Slots in the list.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// As [`len`](Self::len).
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Calls `visit` for the slots in their order, until it returns an error.
    #[inline]
    pub(super) fn try_each<E>(self, mut visit: impl FnMut(u32) -> Result<(), E>) -> Result<(), E> {
        match self.source {
            Source::Slice(slots) => slots.iter().try_for_each(|&slot| visit(slot)),
            Source::Rice {
                bytes,
                bit,
                parameter,
            } => RiceSlots::new(bytes, bit, parameter, self.count).try_for_each(visit),
            _ => self.iter().try_for_each(visit),
        }
    }

    /// The slots in their order.
    #[must_use]
    #[inline]
    pub const fn iter(&self) -> SlotsIter<'a> {
        SlotsIter {
            slots: *self,
            at: match self.source {
                Source::Rice { bit, .. } => bit,
                _ => 0,
            },
            least: 0,
            is_first: true,
        }
    }
}

impl<'a> From<&'a [u32]> for Slots<'a> {
    /// The first `u32::MAX` of `slots`: more than any list holds.
    fn from(slots: &'a [u32]) -> Self {
        Self {
            source: Source::Slice(slots),
            count: u32::try_from(slots.len()).unwrap_or(u32::MAX),
        }
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Slots<'a> {
    fn from(slots: &'a [u32; N]) -> Self {
        Self::from(&slots[..])
    }
}

impl<'a> IntoIterator for Slots<'a> {
    type Item = u32;
    type IntoIter = SlotsIter<'a>;

    fn into_iter(self) -> SlotsIter<'a> {
        self.iter()
    }
}

/// Equal if the slots are, however they are given.
impl PartialEq for Slots<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl Eq for Slots<'_> {}

impl fmt::Debug for Slots<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The slot `gap` above `least`, which then is the one after it.
#[inline]
fn after_gap(least: &mut u32, gap: u32) -> Option<u32> {
    let slot = least.checked_add(gap)?;
    *least = slot.checked_add(1)?;
    Some(slot)
}

/// Reads slots that are Rice codes. The source of most lists that are applied: read without asking
/// for each slot where it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct RiceSlots<'a> {
    bytes: &'a [u8],
    /// The next code.
    pub(super) bit: usize,
    parameter: u8,
    /// Codes left.
    pub(super) left: u32,
    /// Least value of the next slot.
    least: u32,
}

impl<'a> RiceSlots<'a> {
    pub(super) const fn new(bytes: &'a [u8], bit: usize, parameter: u8, count: u32) -> Self {
        Self {
            bytes,
            bit,
            parameter,
            left: count,
            least: 0,
        }
    }

    /// The list that is left.
    pub(super) const fn slots(self) -> Slots<'a> {
        Slots::rice(self.bytes, self.bit, self.parameter, self.left)
    }
}

impl Iterator for RiceSlots<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let left = self.left.checked_sub(1)?;
        let gap = bits::read_rice(self.bytes, &mut self.bit, self.parameter)?;
        let slot = after_gap(&mut self.least, gap)?;
        self.left = left;
        Some(slot)
    }
}

/// Iterates over [`Slots`].
#[derive(Clone, Debug)]
pub struct SlotsIter<'a> {
    /// `count` is of those left.
    slots: Slots<'a>,
    /// Place of the next one: an index, a byte or a bit.
    at: usize,
    /// Least value of the next one, where distances are encoded.
    least: u32,
    /// No slot was returned yet.
    is_first: bool,
}

impl SlotsIter<'_> {
    /// Place after the last slot: a byte of a list of gaps, a bit of Rice codes; `None` if the list
    /// breaks before its end.
    pub(super) fn end(mut self) -> Option<usize> {
        let count = self.slots.count;
        let found = self.by_ref().map(|_| 1_u32).sum::<u32>();
        (found == count).then_some(self.at)
    }

    #[inline]
    fn after_gap(&mut self, gap: u32) -> Option<u32> {
        after_gap(&mut self.least, gap)
    }
}

impl Iterator for SlotsIter<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.slots.count = self.slots.count.checked_sub(1)?;
        match self.slots.source {
            Source::Slice(slots) => {
                let slot = slots.get(self.at).copied();
                self.at += 1;
                slot
            }
            Source::Gaps(bytes) => {
                let gap = varint::read(bytes, &mut self.at)?;
                self.after_gap(gap)
            }
            Source::First(first, _) if core::mem::take(&mut self.is_first) => self.after_gap(first),
            Source::First(_, bytes) => {
                let gap = varint::read(bytes, &mut self.at)?;
                self.after_gap(gap)
            }
            Source::Rice {
                bytes, parameter, ..
            } => {
                let gap = bits::read_rice(bytes, &mut self.at, parameter)?;
                self.after_gap(gap)
            }
            Source::Entries { bytes, stride } => {
                let slot = bytes.get(self.at + 4..)?.first_chunk()?;
                self.at += stride;
                Some(u32::from_le_bytes(*slot))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.slots.len()))
    }
}
