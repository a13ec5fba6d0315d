//! The bits of a whole block's numbers, put one behind the other in steps that vector units have.
//!
//! Two neighbours become one string, then two strings: three steps put eight numbers into a word,
//! all words of a block at once, where number by number each would wait for the one before it.

use super::{BLOCK, Numbers};
use crate::codec::bits::{BitWriter, PUSH_BITS};

/// Numbers of which the strings are joined.
pub(super) const GROUP: usize = 8;
const GROUPS: usize = BLOCK / GROUP;

/// The bits of a block's numbers, and their strings. It is filled again for every block: arrays
/// that are made anew are cleared anew.
pub(super) struct Joined {
    /// What the caller sets: the bits of each number.
    pub(super) bits: Numbers,
    /// How many they are, below 32; other bits are 0.
    pub(super) counts: Numbers,
    twos: [u64; BLOCK / 2],
    two_counts: [u64; BLOCK / 2],
    /// Of four numbers each; meaningless beyond 64 bits.
    fours: [u64; 2 * GROUPS],
    four_counts: [u64; 2 * GROUPS],
    /// Of eight numbers each.
    eights: [u64; GROUPS],
    eight_counts: [u64; GROUPS],
}

impl Joined {
    pub(super) const EMPTY: Self = Self {
        bits: [0; BLOCK],
        counts: [0; BLOCK],
        twos: [0; BLOCK / 2],
        two_counts: [0; BLOCK / 2],
        fours: [0; 2 * GROUPS],
        four_counts: [0; 2 * GROUPS],
        eights: [0; GROUPS],
        eight_counts: [0; GROUPS],
    };

    /// Joins the numbers' bits.
    #[inline(always)]
    pub(super) fn join(&mut self) {
        let bits: [u64; BLOCK / 2] = bytemuck::cast(self.bits);
        let counts: [u64; BLOCK / 2] = bytemuck::cast(self.counts);
        for ((two, bits), counts) in self.twos.iter_mut().zip(&bits).zip(&counts) {
            *two = first(*bits) | second(*bits) << (first(*counts) & 63);
        }
        for (two, counts) in self.two_counts.iter_mut().zip(&counts) {
            *two = first(*counts) + second(*counts);
        }
        let (fours, counts) = (&mut self.fours, &mut self.four_counts);
        halve(&self.twos, &self.two_counts, fours, counts);
        let (eights, counts) = (&mut self.eights, &mut self.eight_counts);
        halve(&self.fours, &self.four_counts, eights, counts);
    }

    /// Appends the string of the group at `place`, if one push takes it; whether it did.
    #[inline(always)]
    pub(super) fn push(&self, place: usize, writer: &mut BitWriter<'_>) -> Option<bool> {
        let (bits, count) = (self.eights.get(place)?, self.eight_counts.get(place)?);
        if *count > PUSH_BITS.into() {
            return Some(false);
        }
        writer.push(*bits, low_half(*count))?;
        Some(true)
    }

    /// Appends the strings of a group whose fours have at most [`PUSH_BITS`] bits each.
    #[inline(always)]
    pub(super) fn push_fours(&self, place: usize, writer: &mut BitWriter<'_>) -> Option<()> {
        let fours = self.fours.as_chunks::<2>().0.get(place)?;
        let counts = self.four_counts.as_chunks::<2>().0.get(place)?;
        for (bits, count) in fours.iter().zip(counts) {
            writer.push(*bits, low_half(*count))?;
        }
        Some(())
    }
}

#[inline(always)]
fn first(pair: u64) -> u64 {
    pair & 0xffff_ffff
}

#[inline(always)]
fn second(pair: u64) -> u64 {
    pair >> 32
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low_half(count: u64) -> u32 {
    count as u32
}

/// Joins strings two by two.
#[inline(always)]
fn halve(bits: &[u64], counts: &[u64], joined: &mut [u64], joined_counts: &mut [u64]) {
    let pairs = bits
        .as_chunks::<2>()
        .0
        .iter()
        .zip(counts.as_chunks::<2>().0);
    let places = joined.iter_mut().zip(joined_counts);
    for ((joined, joined_count), ([first, second], [count, second_count])) in places.zip(pairs) {
        *joined = first | second << (count & 63);
        *joined_count = count + second_count;
    }
}

/// Room behind the low bits of a block that [`write_low`] may write to, in bytes: a window's.
const SLACK: usize = 32;

/// Writes the `low_bits` low bits of a block's numbers, if there are enough and not too many of
/// them and there is some room behind; whether it did.
#[inline(always)]
pub(super) fn write_low(numbers: &Numbers, low_bits: u32, writer: &mut BitWriter<'_>) -> bool {
    if !(8..=28).contains(&low_bits) {
        return false;
    }
    let Some(out) = writer.take_bytes(GROUPS * low_bits as usize, SLACK) else {
        return false;
    };
    let numbers: [u64; BLOCK / 2] = bytemuck::cast(*numbers);
    let mask = u64::from(!(u32::MAX << low_bits));
    let mut twos = [0; BLOCK / 2];
    for (two, numbers) in twos.iter_mut().zip(&numbers) {
        *two = numbers & mask | (numbers >> 32 & mask) << low_bits;
    }
    if low_bits > 14 {
        put::<4>(&twos, low_bits, out);
    } else {
        let mut fours = [0; BLOCK / 4];
        for (four, [first, second]) in fours.iter_mut().zip(twos.as_chunks::<2>().0) {
            *four = first | second << (2 * low_bits);
        }
        put::<2>(&fours, low_bits, out);
    }
    true
}

/// Writes groups of `PIECES` strings of equal length that have eight numbers together: whole
/// bytes, so that no group waits for the one before it.
#[inline(always)]
fn put<const PIECES: usize>(pieces: &[u64], low_bits: u32, out: &mut [u8]) {
    let group_size = low_bits as usize;
    let bits = group_size * GROUP / PIECES;
    let mut rest = out;
    for group in pieces.as_chunks::<PIECES>().0 {
        let Some(window) = rest.first_chunk_mut::<SLACK>() else {
            return;
        };
        let (mut begin, mut carry) = (0, 0);
        for piece in group {
            let word = piece << (begin % 8) | carry;
            let place = window.get_mut(begin / 8..).unwrap_or_default();
            if let Some(place) = place.first_chunk_mut() {
                *place = word.to_le_bytes();
            }
            // The bits of the byte that the next piece begins in.
            carry = word >> (8 * ((begin + bits) / 8 - begin / 8));
            begin += bits;
        }
        rest = rest.get_mut(group_size..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, GROUP, Joined, write_low};
    use crate::codec::bits::{BitReader, BitWriter};
    use proptest::{array::uniform, collection::vec, prelude::*};

    proptest! {
        #[test]
        fn prop_joined_strings_stand_one_behind_the_other(
            numbers in vec(any::<u32>(), BLOCK),
            counts in vec(0..=31_u32, BLOCK),
            count_max in 0..=31_u32,
        ) {
            let mut joined = Joined::EMPTY;
            let counts = counts.iter().map(|count| *count.min(&count_max));
            let places = joined.bits.iter_mut().zip(&mut joined.counts);
            for ((bits, to), (number, count)) in places.zip(numbers.iter().zip(counts)) {
                (*bits, *to) = (number & !(u32::MAX << count), count);
            }
            joined.join();
            for place in 0..BLOCK / GROUP {
                let mut out = [0; 40];
                let mut writer = BitWriter::new(&mut out);
                let range = place * GROUP..(place + 1) * GROUP;
                let total: u32 = joined.counts[range.clone()].iter().sum();
                let done = joined.push(place, &mut writer).unwrap();
                prop_assert_eq!(done, total <= 56);
                if !done {
                    if count_max > 8 {
                        continue;
                    }
                    joined.push_fours(place, &mut writer).unwrap();
                }
                writer.finish().unwrap();
                let mut reader = BitReader::new(&out);
                for number in range {
                    prop_assert_eq!(reader.take(joined.counts[number]), joined.bits[number]);
                }
            }
        }

        #[test]
        fn prop_low_bits_stand_one_behind_the_other(
            numbers in vec(any::<u32>(), BLOCK),
            low_bits in 0..32_u32,
            before in 0..3_usize,
            room in 0..300_usize,
        ) {
            let numbers = numbers.first_chunk().unwrap();
            let mut out = vec![0xaa; before + room];
            let mut writer = BitWriter::new(&mut out);
            (0..before).for_each(|_| writer.push(0x55, 8).unwrap());
            let size = 8 * low_bits as usize;
            let fits = (8..=28).contains(&low_bits) && size + 32 <= room;
            prop_assert_eq!(write_low(numbers, low_bits, &mut writer), fits);
            if !fits {
                return Ok(());
            }
            prop_assert_eq!(writer.finish(), Some(before + size));
            let mut reader = BitReader::new(&out);
            (0..before).for_each(|_| assert_eq!(reader.take(8), 0x55));
            for number in numbers {
                prop_assert_eq!(reader.take(low_bits), number & !(u32::MAX << low_bits));
            }
        }

        #[test]
        fn prop_low_bits_begin_at_whole_bytes_alone(numbers in uniform::<_, BLOCK>(any::<u32>())) {
            let mut out = [0; 300];
            let mut writer = BitWriter::new(&mut out);
            writer.push(0, 3).unwrap();
            prop_assert!(!write_low(&numbers, 12, &mut writer));
        }
    }
}
