//! Encoded values, checked.

use super::{
    DecodeError, Tag, ValuesError,
    bytes::BytesValues,
    packed::{
        flips::FlipsValues,
        grid::GridValues,
        listing::{Indices, Listing},
        ranks::RanksValues,
        steps::StepsValues,
    },
    sparse::SparseValues,
};
use crate::{
    kernel::{apply, digest},
    simd::{Job, Vector, VectorUnit},
};

/// Checked encoded values of a row of `dim` components.
///
/// Made by [`Values::parse`]: sizes, parameters and listed indices are in range. What stands in
/// strings of bits shows only when they are decoded, by [`Values::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Values<'a> {
    /// The row does not change.
    Same,
    /// All components.
    Raw(RawValues<'a>),
    /// Some components.
    Sparse(SparseValues<'a>),
    /// Exact differences.
    Grid(GridValues<'a>),
    /// Differences within a bound.
    Steps(StepsValues<'a>),
    /// Moves among the values of the row.
    Ranks(RanksValues<'a>),
    /// Bits that flip.
    Flips(FlipsValues<'a>),
    /// All components, a byte each.
    Bytes(BytesValues<'a>),
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
    /// Checks encoded values for a row of `dim` components. O(changes) for sparse ones and lists,
    /// else O(1).
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
            Tag::Grid | Tag::GridFromZero => {
                return GridValues::parse(bytes, dim, tag == Tag::GridFromZero).map(Self::Grid);
            }
            Tag::Ranks | Tag::RanksFromZero => {
                return RanksValues::parse(bytes, dim, tag == Tag::RanksFromZero).map(Self::Ranks);
            }
            Tag::Bytes => return BytesValues::parse(bytes, dim).map(Self::Bytes),
            Tag::Flips => return FlipsValues::parse(bytes, dim).map(Self::Flips),
            Tag::Steps | Tag::StepsFromZero => {
                return StepsValues::parse(bytes, dim, tag == Tag::StepsFromZero).map(Self::Steps);
            }
        };
        if found != expected {
            return Err(ValuesError::Size {
                dim,
                expected,
                found,
            });
        }
        Ok(match tag {
            Tag::Same => Self::Same,
            _ => Self::Raw(RawValues { bytes }),
        })
    }

    /// The values in bytes that an encoder wrote or [`Values::parse`] accepted.
    #[inline]
    pub(crate) fn from_checked(tag: Tag, bytes: &'a [u8], dim: u32) -> Option<Self> {
        match tag {
            Tag::Same => Some(Self::Same),
            Tag::Raw => Some(Self::Raw(RawValues { bytes })),
            Tag::Sparse => Some(Self::Sparse(SparseValues::from_checked(bytes))),
            _ => Self::parse(tag as u8, bytes, dim).ok(),
        }
    }

    /// The codec.
    #[inline]
    pub fn tag(&self) -> Tag {
        match self {
            Self::Same => Tag::Same,
            Self::Raw(_) => Tag::Raw,
            Self::Sparse(_) => Tag::Sparse,
            Self::Grid(grid) if grid.is_from_zero() => Tag::GridFromZero,
            Self::Grid(_) => Tag::Grid,
            Self::Steps(steps) if steps.is_from_zero() => Tag::StepsFromZero,
            Self::Steps(_) => Tag::Steps,
            Self::Ranks(ranks) if ranks.is_from_zero() => Tag::RanksFromZero,
            Self::Ranks(_) => Tag::Ranks,
            Self::Flips(_) => Tag::Flips,
            Self::Bytes(_) => Tag::Bytes,
        }
    }

    /// Encoded size in bytes, with the tag.
    #[inline]
    pub fn size(&self) -> usize {
        1 + self.as_bytes().len()
    }

    /// The encoded bytes, without the tag.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Same => &[],
            Self::Raw(raw) => raw.as_bytes(),
            Self::Sparse(sparse) => sparse.as_bytes(),
            Self::Grid(grid) => grid.as_bytes(),
            Self::Steps(steps) => steps.as_bytes(),
            Self::Ranks(ranks) => ranks.as_bytes(),
            Self::Flips(flips) => flips.as_bytes(),
            Self::Bytes(bytes) => bytes.as_bytes(),
        }
    }

    /// By how much these values, if they are exact, change the sum of the row `old`, as
    /// [`RowChange::change_sum`], known from the new row that they were encoded from. O(changes).
    #[inline]
    pub(crate) fn exact_change_sum(&self, old: &[f32], new: &[f32]) -> u64 {
        match self {
            Self::Same => 0,
            Self::Sparse(sparse) => sum(old, sparse.iter()),
            _ => digest::row_change_sum_le(old, bytemuck::cast_slice(new)).unwrap_or(0),
        }
    }

    /// Bytes of scratch that [`Self::decode`] needs: 4 for each changed component where the new
    /// bits do not stand in the encoded values as they are, else 0.
    #[inline]
    pub fn scratch_size(&self) -> usize {
        match self {
            Self::Same | Self::Raw(_) | Self::Sparse(_) => 0,
            Self::Grid(grid) => 4 * grid.listing().count() as usize,
            Self::Steps(steps) => 4 * steps.listing().count() as usize,
            Self::Ranks(ranks) => 4 * ranks.listing().count() as usize,
            Self::Flips(flips) => 4 * flips.listing().count() as usize,
            Self::Bytes(bytes) => 4 * bytes.as_bytes().len(),
        }
    }

    /// Works out what changes in the row `old`, which has the `dim` that the values were checked
    /// for. Relative values need the very row that they were encoded against. O(changes); of
    /// `ranks` O(dim).
    ///
    /// # Errors
    /// See [`DecodeError`]; [`Self::scratch_size`] bytes of scratch suffice.
    #[inline]
    pub fn decode<'s>(
        &self,
        old: &[f32],
        scratch: &'s mut [u8],
    ) -> Result<RowChange<'s>, DecodeError>
    where
        'a: 's,
    {
        self.decode_on(VectorUnit::BASELINE, old, scratch)
    }

    /// As [`Self::decode`], computed on `unit`.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn decode_on<'s>(
        &self,
        unit: VectorUnit,
        old: &[f32],
        scratch: &'s mut [u8],
    ) -> Result<RowChange<'s>, DecodeError>
    where
        'a: 's,
    {
        let listing = match self {
            Self::Same => return Ok(RowChange::Same),
            Self::Raw(raw) => return Ok(RowChange::All(raw.as_bytes())),
            Self::Sparse(sparse) => return Ok(RowChange::Sparse(*sparse)),
            Self::Grid(grid) => Some(grid.listing()),
            Self::Steps(steps) => Some(steps.listing()),
            Self::Ranks(ranks) => Some(ranks.listing()),
            Self::Flips(flips) => Some(flips.listing()),
            Self::Bytes(_) => None,
        };
        let (needed, given) = (self.scratch_size(), scratch.len());
        let scratch = scratch
            .get_mut(..needed)
            .ok_or(DecodeError::ScratchTooSmall { needed, given })?;
        let components = scratch.as_chunks_mut::<4>().0;
        unit.run(Decode {
            values: *self,
            old,
            components: &mut *components,
        })?;
        Ok(match listing.filter(|listing| !listing.is_all()) {
            None => RowChange::All(scratch),
            Some(listing) => RowChange::Listed(ListedChange {
                listing: *listing,
                components: scratch,
            }),
        })
    }
}

/// Values whose components are worked out.
struct Decode<'a> {
    values: Values<'a>,
    old: &'a [f32],
    components: &'a mut [[u8; 4]],
}

impl Job for Decode<'_> {
    type Output = Result<(), ValuesError>;

    #[inline(always)]
    fn on<V: Vector>(self, _: V) -> Self::Output {
        match self.values {
            Values::Grid(grid) => grid.decode(self.old, self.components),
            Values::Steps(steps) => steps.decode(self.old, self.components),
            Values::Ranks(ranks) => ranks.decode(self.old, self.components),
            Values::Flips(flips) => flips.decode(self.old, self.components),
            Values::Bytes(bytes) => {
                bytes.decode(self.components);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What changes in a row, in bits.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RowChange<'a> {
    /// Nothing.
    Same,
    /// The little-endian bits of all components.
    All(&'a [u8]),
    /// Some components.
    Sparse(SparseValues<'a>),
    /// Some components, worked out.
    Listed(ListedChange<'a>),
}

/// Listed components and their new bits.
#[derive(Clone, Copy, Debug)]
pub struct ListedChange<'a> {
    listing: Listing<'a>,
    /// Four bytes for each listed component.
    components: &'a [u8],
}

impl<'a> ListedChange<'a> {
    /// Index and new bits of each component, ascending.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + use<'a> {
        let bits = self.components.as_chunks::<4>().0.iter();
        let indices: Indices<'a> = self.listing.iter();
        indices.zip(bits.map(|bits| u32::from_le_bytes(*bits)))
    }
}

impl RowChange<'_> {
    /// Sets the changed components of `row`, which has the `dim` that the values were checked
    /// for. Components beyond a shorter row are ignored. O(changes).
    #[inline]
    pub fn apply(&self, row: &mut [f32]) {
        match self {
            Self::Same => {}
            Self::All(bytes) => {
                let fits = apply::copy_bits_le(row, bytes);
                debug_assert!(fits.is_ok(), "values are applied to rows of their own dim");
            }
            Self::Sparse(sparse) => set(row, sparse.iter()),
            Self::Listed(listed) => set(row, listed.iter()),
        }
    }

    /// Calls `f(index, new bits)` for the components that it sets, ascending. O(changes).
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(u32, u32)) {
        match self {
            Self::Same => {}
            Self::All(bytes) => {
                let bits = bytes.as_chunks::<4>().0.iter();
                for (index, bits) in (0..).zip(bits) {
                    f(index, u32::from_le_bytes(*bits));
                }
            }
            Self::Sparse(sparse) => sparse.iter().for_each(|(index, bits)| f(index, bits)),
            Self::Listed(listed) => listed.iter().for_each(|(index, bits)| f(index, bits)),
        }
    }

    /// By how much applying this to `old` changes the row's sum in the state digest, mod 2^64
    /// (WIRE.md, section 5). O(changes).
    #[inline]
    pub fn change_sum(&self, old: &[f32]) -> u64 {
        match self {
            Self::Same => 0,
            Self::All(bytes) => digest::row_change_sum_le(old, bytes).unwrap_or(0),
            Self::Sparse(sparse) => sum(old, sparse.iter()),
            Self::Listed(listed) => sum(old, listed.iter()),
        }
    }
}

#[inline]
fn set(row: &mut [f32], changes: impl Iterator<Item = (u32, u32)>) {
    for (index, bits) in changes {
        if let Some(component) = row.get_mut(index as usize) {
            *component = f32::from_bits(bits);
        }
    }
}

#[inline]
fn sum(old: &[f32], changes: impl Iterator<Item = (u32, u32)>) -> u64 {
    changes.fold(0, |sum, (index, bits)| {
        let before = old.get(index as usize).map_or(0, |value| value.to_bits());
        sum.wrapping_add(digest::lane_change(index, before, bits))
    })
}
