//! The codec `ranks`: rows of few distinct values, as how far each component moves among them
//! (WIRE.md, section 4, tags 7 and 8).
//!
//! Counters, ratings, categories and functions of them (a logarithm of a count) take few values.
//! The reader has most of them in the old row: a dictionary that need not be sent. A counter that
//! grows by one moves to the next value of the dictionary, whatever function of it is stored.

use super::{
    DIM_MIN, as_f32,
    change::Change,
    dictionary::Dictionary,
    listing::{ListKind, Listing, Selection},
    numbers::{NumberReader, NumberWriter},
    positions::{PositionWriter, estimate_bits},
    scale::Scale,
    unzigzag, zigzag,
};
use crate::codec::{Base, Tag, ValuesError, encoding::count_not_zero};

pub(in crate::codec) use super::dictionary::Values;

/// Bytes before the new values.
const HEAD_SIZE: usize = 2;
/// New values, at most.
const FRESH_MAX: u8 = 0x7f;
/// Of the byte that counts them: the list has the components that do not change; from zero, that
/// there is a list.
const LISTS_OTHERS: u8 = 0x80;

/// Whether a row seems to have few distinct values: one of the first stands again within eight.
#[inline]
pub(in crate::codec) fn has_repeats(row: &[f32]) -> bool {
    const LANES: usize = DIM_MIN;
    if row.len() < DIM_MIN {
        return false;
    }
    let mut equal = 0;
    for behind in 1..=8 {
        let others = row.get(behind..).unwrap_or_default();
        let pairs = match (row.first_chunk::<LANES>(), others.first_chunk::<LANES>()) {
            (Some(ones), Some(others)) => (&ones[..], &others[..]),
            _ => (row, others),
        };
        for (one, other) in pairs.0.iter().zip(pairs.1) {
            equal |= u32::from(one.to_bits() == other.to_bits());
        }
    }
    equal != 0
}

/// A change that the codec can encode.
pub(in crate::codec) struct Plan<'r> {
    change: Change<'r>,
    dictionary: Dictionary<'r>,
    /// Values of the old row, or +0.0.
    old_count: usize,
    /// Values that it does not have.
    fresh_count: u8,
    kind: ListKind,
    changed: usize,
    scale: Scale,
    /// Bits of the encoded values, about.
    pub(in crate::codec) bits: f32,
}

impl<'r> Plan<'r> {
    /// How to encode the change of `changed` components from `base`, of which `values` has all, to
    /// `new`, rows of one length, if there is room in `values` for those that are new. From zero
    /// `changed` is not looked at. O(dim).
    #[inline(never)]
    pub(in crate::codec) fn new(
        base: Base<'r>,
        new: &'r [f32],
        changed: usize,
        values: &'r mut Values,
    ) -> Option<Self> {
        let old_count = values.count();
        let mut change = Change {
            base,
            new,
            selection: Selection::Changed,
        };
        change.for_each(&mut |_, _, new| values.add(new))?;
        let fresh_count = u8::try_from(values.count() - old_count).ok()?;
        let dictionary = Dictionary::new(values);

        let dim = u32::try_from(new.len()).ok()?;
        let changed = match base {
            Base::Zero => count_not_zero(new),
            Base::Row(_) => changed,
        };
        let listed = u32::try_from(changed).ok()?;
        let (mut kind, list_bits) = match base {
            Base::Zero => (ListKind::Changed, estimate_bits(listed, dim)),
            Base::Row(_) => ListKind::shorter(listed, dim),
        };
        let (mut scale, mut bits) = scale_of(change, &dictionary, kind)?;
        bits += list_bits;
        if matches!(base, Base::Zero) {
            let all = Change {
                selection: Selection::All,
                ..change
            };
            let (scale_of_all, bits_of_all) = scale_of(all, &dictionary, ListKind::All)?;
            if bits_of_all <= bits {
                (change, kind) = (all, ListKind::All);
                (scale, bits) = (scale_of_all, bits_of_all);
            }
        }
        let head_size = HEAD_SIZE + 4 * usize::from(fresh_count);
        Some(Self {
            change,
            dictionary,
            old_count,
            fresh_count,
            kind,
            changed,
            scale,
            bits: as_f32(8 * head_size + usize::try_from(bits).ok()?),
        })
    }

    /// The codec.
    pub(in crate::codec) fn tag(&self) -> Tag {
        match self.change.base {
            Base::Row(_) => Tag::Ranks,
            Base::Zero => Tag::RanksFromZero,
        }
    }

    /// Writes the encoded values and returns their size; `None` if `out` is too small. O(dim).
    #[inline(never)]
    pub(in crate::codec) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (head, mut rest) = out.split_first_chunk_mut::<HEAD_SIZE>()?;
        let lists_others = match (self.change.base, self.kind) {
            (Base::Row(_), ListKind::Unchanged) | (Base::Zero, ListKind::Changed) => LISTS_OTHERS,
            _ => 0,
        };
        *head = [self.scale.to_wire(), self.fresh_count | lists_others];
        for value in self.dictionary.since(self.old_count) {
            let (to, behind) = rest.split_first_chunk_mut()?;
            *to = value.to_le_bytes();
            rest = behind;
        }
        let list_size = self.write_list(rest)?;
        let packed_size = self.write_numbers(rest.get_mut(list_size..)?)?;
        let fresh_size = 4 * usize::from(self.fresh_count);
        Some(HEAD_SIZE + fresh_size + list_size + packed_size)
    }

    fn write_list(&self, out: &mut [u8]) -> Option<usize> {
        let dim = u32::try_from(self.change.new.len()).ok()?;
        let changed = u32::try_from(self.changed).ok()?;
        match self.kind {
            ListKind::All => Some(0),
            ListKind::Changed => {
                let mut list = PositionWriter::new(out, changed, dim)?;
                self.change.for_each(&mut |index, _, _| list.push(index))?;
                list.finish()
            }
            ListKind::Unchanged => {
                let mut list = PositionWriter::new(out, dim.checked_sub(changed)?, dim)?;
                let mut next = 0;
                self.change.for_each(&mut |index, _, _| {
                    (next..index).try_for_each(|index| list.push(index))?;
                    next = index + 1;
                    Some(())
                })?;
                (next..dim).try_for_each(|index| list.push(index))?;
                list.finish()
            }
        }
    }

    fn write_numbers(&self, out: &mut [u8]) -> Option<usize> {
        let count = self
            .kind
            .selection()
            .count(self.change.new.len(), self.changed);
        let mut numbers = NumberWriter::new(out, self.scale, count)?;
        self.change.for_each(&mut |_, old, new| {
            numbers.push(number_of(&self.dictionary, self.kind, old, new))
        })?;
        numbers.finish()
    }
}

/// How to write the numbers of a change, and the bits that they take. O(dim).
#[inline(never)]
fn scale_of(
    change: Change<'_>,
    dictionary: &Dictionary<'_>,
    kind: ListKind,
) -> Option<(Scale, u64)> {
    let mut counts = [0_u32; 256];
    change.for_each(&mut |_, old, new| {
        *counts.get_mut(number_of(dictionary, kind, old, new) as usize)? += 1;
        Some(())
    })?;
    Some(Scale::of_counts(&mut counts))
}

/// The number of a component that changes.
#[inline(always)]
fn number_of(dictionary: &Dictionary<'_>, kind: ListKind, old: u32, new: u32) -> u32 {
    let moved = dictionary.rank(new) - dictionary.rank(old);
    zigzag(moved).wrapping_sub(least_move(kind != ListKind::All))
}

/// What zigzag makes of the least move: where a list says which components change, none moves by 0.
#[inline(always)]
fn least_move(is_listed: bool) -> u32 {
    u32::from(is_listed)
}

/// Checked values of this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RanksValues<'a> {
    bytes: &'a [u8],
    /// The change is measured against +0.0, not against the old row.
    from_zero: bool,
    scale: Scale,
    /// Values that the old row may not have, in any order, four bytes each.
    fresh: &'a [[u8; 4]],
    listing: Listing<'a>,
    numbers: &'a [u8],
}

impl<'a> RanksValues<'a> {
    /// Checks the head and the list; what lies behind is checked by [`Self::decode`].
    pub(in crate::codec) fn parse(
        bytes: &'a [u8],
        dim: u32,
        from_zero: bool,
    ) -> Result<Self, ValuesError> {
        let (&[scale, count], rest) = bytes
            .split_first_chunk::<HEAD_SIZE>()
            .ok_or(ValuesError::truncated(bytes.len()))?;
        let parameter = |offset| ValuesError::Parameter { offset };
        let scale = Scale::from_wire(scale).ok_or(parameter(0))?;
        let kind = match (from_zero, count & LISTS_OTHERS) {
            (true, 0) => ListKind::All,
            (true, _) | (false, 0) => ListKind::Changed,
            (false, _) => ListKind::Unchanged,
        };
        let fresh = rest
            .as_chunks()
            .0
            .get(..usize::from(count & FRESH_MAX))
            .ok_or(ValuesError::truncated(bytes.len()))?;
        let mut at = HEAD_SIZE + 4 * fresh.len();
        let mut listing = Listing::parse(kind, bytes, &mut at, dim)?;
        if from_zero {
            listing = listing.or_zero();
        }
        Ok(Self {
            bytes,
            from_zero,
            scale,
            fresh,
            listing,
            numbers: bytes.get(at..).unwrap_or_default(),
        })
    }

    /// The encoded bytes, without the tag.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The change is measured against +0.0: it can be applied to any row.
    #[inline]
    pub fn is_from_zero(&self) -> bool {
        self.from_zero
    }

    pub(in crate::codec) fn listing(&self) -> &Listing<'a> {
        &self.listing
    }

    /// Decodes the new bits of the components that change, in order, into `out`, which has one
    /// element for each. O(dim + values^2), of at most 128 values.
    #[inline(never)]
    pub(in crate::codec) fn decode(
        &self,
        old: &[f32],
        out: &mut [[u8; 4]],
    ) -> Result<(), ValuesError> {
        let old_values = if self.from_zero { &[0.0][..] } else { old };
        let mut values = Values::NONE;
        let fresh = self.fresh.iter().map(|bytes| u32::from_le_bytes(*bytes));
        values
            .add_row(old_values)
            .and_then(|()| fresh.into_iter().try_for_each(|bits| values.add(bits)))
            .ok_or(ValuesError::TooManyDistinct)?;
        let dictionary = Dictionary::new(&values);
        let broken = ValuesError::truncated(self.bytes.len());
        let count = self.listing.number_count() as usize;
        let mut numbers = NumberReader::new(self.numbers, self.scale, count).ok_or(broken)?;
        let is_listed = self.listing.is_listed();
        let least = least_move(is_listed);
        if self.from_zero {
            // What a list does not have.
            out.fill([0; 4]);
        }
        for (place, index) in (0..).zip(self.listing.iter()) {
            let old = old.get(index as usize).filter(|_| !self.from_zero);
            let old_rank = dictionary.rank(old.map_or(0, |old| old.to_bits()));
            let moved = unzigzag(numbers.take().wrapping_add(least));
            let value = dictionary.value(old_rank.wrapping_add(moved));
            let value = value.filter(|_| moved != 0 || !is_listed).ok_or(broken)?;
            let place = if self.from_zero { index } else { place };
            if let Some(slot) = out.get_mut(place as usize) {
                *slot = value.to_le_bytes();
            }
        }
        match numbers.finish() {
            Some([]) => Ok(()),
            _ => Err(broken),
        }
    }
}
