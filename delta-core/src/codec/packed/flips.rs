//! The codec `flips`: rows of packed bits, as a list of the bits that flip (WIRE.md, section 4,
//! tag 9).
//!
//! A binary vector travels as its bytes, a component each. Where it is embedded anew a few of its
//! bits flip, anywhere: a list of them takes half of what the bytes' differences do.

use super::{
    as_f32,
    change::Change,
    listing::{Listing, Selection},
    positions::{PositionList, PositionWriter, estimate_bits},
};
use crate::codec::{Base, ValuesError, bytes::byte_of};

/// Bits that flip from one component to another, of their bits.
fn flipped(old: u32, new: u32) -> Option<u8> {
    Some(byte_of(f32::from_bits(old))? ^ byte_of(f32::from_bits(new))?)
}

/// A change that the codec can encode: every component that changes is a byte before and after.
pub(in crate::codec) struct Plan<'r> {
    change: Change<'r>,
    /// Bits of the row, eight a component.
    size: u32,
    /// Those that flip.
    count: u32,
    /// Bits of the encoded values, about.
    pub(in crate::codec) bits: f32,
}

impl<'r> Plan<'r> {
    /// How to encode the change from `old` to `new`, rows of one length. O(dim); O(1) if the first
    /// component that changes is no byte.
    pub(in crate::codec) fn new(old: &'r [f32], new: &'r [f32]) -> Option<Self> {
        let change = Change {
            base: Base::Row(old),
            new,
            selection: Selection::Changed,
        };
        let size = u32::try_from(new.len()).ok()?.checked_mul(u8::BITS)?;
        let mut count = 0;
        change.for_each(&mut |_, old, new| {
            count += flipped(old, new)?.count_ones();
            Some(())
        })?;
        Some(Self {
            change,
            size,
            count,
            bits: as_f32(usize::try_from(estimate_bits(count, size)).ok()?),
        })
    }

    /// Writes the encoded values and returns their size; `None` if `out` is too small. O(dim).
    pub(in crate::codec) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut list = PositionWriter::new(out, self.count, self.size)?;
        self.change.for_each(&mut |index, old, new| {
            let mut flipped = flipped(old, new)?;
            while flipped != 0 {
                list.push(index * u8::BITS + flipped.trailing_zeros())?;
                flipped &= flipped - 1;
            }
            Some(())
        })?;
        list.finish()
    }
}

/// Checked values of this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlipsValues<'a> {
    bytes: &'a [u8],
    listing: Listing<'a>,
}

impl<'a> FlipsValues<'a> {
    /// Checks the list; whether the components that it names are bytes is known only of a row.
    pub(in crate::codec) fn parse(bytes: &'a [u8], dim: u32) -> Result<Self, ValuesError> {
        // Positions are 32-bit numbers, so that a longer row has bits which no list reaches.
        let size = (u64::from(dim) * u64::from(u8::BITS)).min(1 << 32);
        let mut at = 0;
        let list = PositionList::parse(bytes, &mut at, size).map_err(|error| match error {
            ValuesError::IndexOutOfRange { index, .. } => ValuesError::IndexOutOfRange {
                index: index / u64::from(u8::BITS),
                dim,
            },
            error => error,
        })?;
        if at != bytes.len() {
            return Err(ValuesError::truncated(at));
        }
        Ok(Self {
            bytes,
            listing: Listing::of_bits(list, dim),
        })
    }

    /// The encoded bytes, without the tag.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Index of each component of which bits flip, ascending, and a mask of them. O(flips).
    pub fn iter(&self) -> impl Iterator<Item = (u32, u8)> + use<'a> {
        self.listing.bytes().into_iter().flatten()
    }

    pub(in crate::codec) fn listing(&self) -> &Listing<'a> {
        &self.listing
    }

    /// Decodes the new bits of the components that change, in order, into `out`, which has one
    /// element for each. O(flips).
    pub(in crate::codec) fn decode(
        &self,
        old: &[f32],
        out: &mut [[u8; 4]],
    ) -> Result<(), ValuesError> {
        for ((index, flipped), slot) in self.iter().zip(out) {
            let old = old.get(index as usize).copied().and_then(byte_of);
            let old = old.ok_or(ValuesError::NotAByte { index })?;
            *slot = f32::from(old ^ flipped).to_bits().to_le_bytes();
        }
        Ok(())
    }
}
