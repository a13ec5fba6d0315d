//! The distinct values of a row, and where each of them stands among all (WIRE.md, section 4).

use super::BLOCK;

/// Distinct values in the first block of a row that is worth a dictionary, at most.
const BLOCK_VALUES_MAX: usize = 40;
/// Values, at most.
pub(super) const VALUES_MAX: usize = 128;
/// Places of the hash table: half of them stay empty.
const PLACES: usize = 2 * VALUES_MAX;

/// A value's place in the order of values: that of their numbers where they are numbers, and total
/// over all bit patterns.
#[inline(always)]
fn order(bits: u32) -> i32 {
    let signed = bits.cast_signed();
    signed ^ ((signed >> 31).cast_unsigned() >> 1).cast_signed()
}

/// Values in the order in which they were found.
pub(in crate::codec) struct Values {
    /// The first [`Self::count`] are the bits of values.
    bits: [u32; VALUES_MAX],
    /// 0..=[`VALUES_MAX`].
    count: usize,
    /// The hash table: one more than a value's number stands where its hash leads, or where that is
    /// taken, at the next free place. 0: free.
    places: [u8; PLACES],
}

impl Values {
    /// None as yet.
    pub(in crate::codec) const NONE: Self = Self {
        bits: [0; VALUES_MAX],
        count: 0,
        places: [0; PLACES],
    };

    /// How many there are.
    pub(in crate::codec) fn count(&self) -> usize {
        self.count
    }

    /// The number of a value, if it was added, and its place, or a free one for it.
    #[inline(always)]
    fn find(&self, bits: u32) -> (Option<u8>, u8) {
        // The golden ratio's bits: near values are spread (Knuth, volume 3, section 6.4).
        let [.., mut place] = bits.wrapping_mul(0x9e37_79b1).to_le_bytes();
        // Ends: more places are free than not.
        loop {
            let found = self.places.get(usize::from(place)).copied();
            let Some(number) = found.unwrap_or(0).checked_sub(1) else {
                return (None, place);
            };
            if self.bits(number) == Some(bits) {
                return (Some(number), place);
            }
            place = place.wrapping_add(1);
        }
    }

    /// Adds a value unless it is there; `None` if there are too many.
    #[inline(always)]
    pub(super) fn add(&mut self, bits: u32) -> Option<()> {
        let (None, place) = self.find(bits) else {
            return Some(());
        };
        *self.bits.get_mut(self.count)? = bits;
        self.count += 1;
        *self.places.get_mut(usize::from(place))? = u8::try_from(self.count).ok()?;
        Some(())
    }

    #[inline(always)]
    fn bits(&self, number: u8) -> Option<u32> {
        self.bits.get(usize::from(number)).copied()
    }

    /// Adds the values of a row that has few of them: `None` if its first block already has many,
    /// or all have too many. O(row).
    pub(in crate::codec) fn add_few(&mut self, row: &[f32]) -> Option<()> {
        let (first, rest) = row.split_at_checked(BLOCK).unwrap_or((row, &[]));
        self.add_row(first)?;
        if self.count > BLOCK_VALUES_MAX {
            return None;
        }
        self.add_row(rest)
    }

    /// Adds the values of a row; `None` if there are too many. O(row).
    pub(super) fn add_row(&mut self, row: &[f32]) -> Option<()> {
        row.iter().try_for_each(|value| self.add(value.to_bits()))
    }
}

/// Values in their order.
pub(super) struct Dictionary<'v> {
    values: &'v Values,
    /// How many values are below each, by its number.
    ranks: [u8; VALUES_MAX],
    /// The number of the value at each rank.
    numbers: [u8; VALUES_MAX],
}

impl<'v> Dictionary<'v> {
    /// Orders values. O(values^2), many at a time.
    pub(super) fn new(values: &'v Values) -> Self {
        let (mut ranks, mut numbers) = ([0; VALUES_MAX], [0; VALUES_MAX]);
        let places = values.bits.map(order);
        let places = places.get(..values.count).unwrap_or_default();
        for ((number, place), rank) in (0..).zip(places).zip(&mut ranks) {
            let below: u32 = places.iter().map(|other| u32::from(other < place)).sum();
            [*rank, ..] = below.to_le_bytes();
            if let Some(at) = numbers.get_mut(below as usize) {
                *at = number;
            }
        }
        Self {
            values,
            ranks,
            numbers,
        }
    }

    /// How many values are below one of them; 0 of another.
    #[inline(always)]
    pub(super) fn rank(&self, bits: u32) -> i32 {
        let number = self.values.find(bits).0.unwrap_or(0);
        let rank = self.ranks.get(usize::from(number));
        rank.map_or(0, |rank| i32::from(*rank))
    }

    /// The value that has so many below it, if there is one.
    #[inline(always)]
    pub(super) fn value(&self, rank: i32) -> Option<u32> {
        let rank = usize::try_from(rank).ok();
        let rank = rank.filter(|rank| *rank < self.values.count)?;
        self.values.bits(*self.numbers.get(rank)?)
    }

    /// The values that were found behind the first `before`, ascending.
    pub(super) fn since(&self, before: usize) -> impl Iterator<Item = u32> {
        let numbers = self.numbers.iter().take(self.values.count);
        numbers
            .filter(move |number| usize::from(**number) >= before)
            .filter_map(|number| self.values.bits(*number))
    }
}
