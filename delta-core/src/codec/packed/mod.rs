//! Values as many small numbers: what the codecs `grid`, `steps` and `ranks` share (WIRE.md,
//! section 4); `flips` has their lists alone.
//!
//! A codec turns every component's change into a number that is small where the change is. The
//! numbers are written in two parts: `low_bits` low bits each, side by side, so that they can be
//! read in any order; and what is above them, which is small and has a prefix code.

mod change;
mod dictionary;
mod estimate;
pub(super) mod flips;
pub(super) mod grid;
mod join;
pub(super) mod listing;
mod numbers;
mod pack;
mod positions;
pub(super) mod ranks;
mod scale;
mod step;
pub(super) mod steps;
mod tables;
mod tails;

use super::{
    ValuesError,
    bits::{BitWindow, bits_at},
    survey::Block,
};
use pack::{compress, pack};
use scale::Scale;
use tables::{ESCAPE, FOUND_MAX};

/// Rows of fewer components are not worth an attempt.
pub(super) const DIM_MIN: usize = 16;

/// Components that are worked on at a time; a mask of them is a `u64`.
pub(super) const BLOCK: usize = 64;

/// Of so many blocks one is looked at where a choice is made by an estimate.
const SAMPLE: usize = 3;

/// Numbers of a block; those of lanes beyond the row's end mean nothing.
type Numbers = [u32; BLOCK];

/// What a codec makes of a row's change, number by number.
trait Source {
    /// Components of the row.
    fn dim(&self) -> usize;
    /// The numbers of the components from `start` on, a multiple of [`BLOCK`].
    fn fill(&self, start: usize, numbers: &mut Numbers);
    /// Which of these components change; `numbers` are theirs. Zero beyond the row's end.
    fn changed(&self, start: usize, numbers: &Numbers) -> u64;
}

/// What a codec makes of numbers that were read. (Not a closure: one would not be compiled for the
/// vector unit of the job that it is part of.)
trait Target {
    /// Turns the next numbers into bits of components; those beyond the last mean nothing.
    fn turn(&mut self, numbers: &mut Numbers);
}

/// Lanes of a block at `start` that lie in a row of `dim` components.
#[inline]
fn lanes(dim: usize, start: usize) -> usize {
    dim.saturating_sub(start).min(BLOCK)
}

/// A mask of the first `count` lanes.
#[inline]
fn mask_of(count: usize) -> u64 {
    if count < BLOCK {
        !(u64::MAX << count)
    } else {
        u64::MAX
    }
}

/// The number of a signed difference: 0, -1, 1, -2, .. are 0, 1, 2, 3, ..
#[inline]
fn zigzag(difference: i32) -> u32 {
    ((difference << 1) ^ (difference >> 31)).cast_unsigned()
}

/// The difference of a number.
#[inline]
fn unzigzag(number: u32) -> i32 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn as_f32(count: usize) -> f32 {
    count as f32
}

/// Bits that a number of no change takes beside others of that mean, about.
fn number_bits(mean: f32) -> u64 {
    u64::from((mean.to_bits() >> 23).saturating_sub(126)) + 1
}

/// Bits that `dim` numbers take of which the differences have that mean, about.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn row_bits(dim: usize, mean: f32) -> f32 {
    // Linear between powers of two; a normal distribution takes 2.4 bits more than the log2 of
    // its mean absolute difference.
    let log2 = (mean + 0.5).to_bits() as f32 / 8_388_608.0 - 127.0;
    as_f32(dim) * (log2 + 2.4)
}

/// Reads numbers, one for each element of `numbers`, lets `target` turn them, a block at a time in
/// order, and returns the bytes behind them. O(numbers).
#[inline(always)]
fn unpack<'a>(
    bytes: &'a [u8],
    numbers: &mut [[u8; 4]],
    scale: Scale,
    target: &mut impl Target,
) -> Result<&'a [u8], ValuesError> {
    let truncated = ValuesError::truncated(bytes.len());
    let count = numbers.len();
    let low_size = scale.low_size(count).ok_or(truncated)?;
    let (low, codes) = bytes.split_at_checked(low_size).ok_or(truncated)?;
    let rest = read_codes(codes, scale, numbers).ok_or(truncated)?;
    let low_bits = scale.low_bits() as usize;
    let used = count * low_bits % 8;
    if used > 0 && low.last().is_some_and(|last| last >> used != 0) {
        return Err(truncated);
    }
    let mut block = [0; BLOCK];
    for (chunk, start) in numbers.chunks_mut(BLOCK).zip((0..).step_by(BLOCK)) {
        read_low(bytes, start / 8 * low_bits, scale, chunk, &mut block);
        target.turn(&mut block);
        store(&block, chunk);
    }
    Ok(rest)
}

/// Writes the first of `block`.
#[inline(always)]
fn store(block: &Numbers, slots: &mut [[u8; 4]]) {
    for (slot, number) in slots.iter_mut().zip(block) {
        *slot = number.to_le_bytes();
    }
}

/// Look-ups that the bits at hand are enough for.
const LOOKS: usize = 6;
/// Places that their numbers need, and what is written beyond them.
const SLOTS: usize = LOOKS * FOUND_MAX + 1;

/// Reads what is above the low bits; the bytes behind the codes.
#[inline(always)]
fn read_codes<'a>(bytes: &'a [u8], scale: Scale, numbers: &mut [[u8; 4]]) -> Option<&'a [u8]> {
    let table = scale.table();
    let mut window = BitWindow::new(bytes, 0);
    let mut rest = numbers;
    while let Some(slots) = rest.first_chunk_mut::<SLOTS>() {
        window.fill();
        let (mut done, mut escape) = (0_usize, false);
        for _ in 0..LOOKS {
            let decoded = table.decode(window.bits());
            window.skip(decoded.length());
            // Always `Some`: at most three a round.
            if let Some(places) = slots.get_mut(done..).and_then(<[_]>::first_chunk_mut) {
                *places = decoded.numbers().map(u32::to_le_bytes);
            }
            done += decoded.count();
            if decoded.first() == ESCAPE {
                escape = true;
                break;
            }
        }
        if escape && let Some(number) = slots.get_mut(done.wrapping_sub(1)) {
            let mut codes = window.reader();
            *number = codes.take(32 - scale.low_bits()).to_le_bytes();
            window = BitWindow::new(bytes, codes.position());
        }
        rest = rest.get_mut(done..)?;
    }
    let mut codes = window.reader();
    for slot in rest {
        let mut number = table.decode(codes.peek()).first();
        codes.skip(table.code(number).length());
        if number == ESCAPE {
            number = codes.take(32 - scale.low_bits());
        }
        *slot = number.to_le_bytes();
    }
    codes.finish()
}

/// Numbers whose low bits are read together: they are whole bytes.
const LOW_AT_ONCE: usize = 8;
/// Bytes that hold the low bits of [`LOW_AT_ONCE`] numbers, and a word behind where the last
/// begins.
const WINDOW: usize = 32 + size_of::<u64>();

/// Puts the low bits of some numbers, from byte `at` on, below what they are. What lies behind the
/// low bits may be in `bytes`, too.
#[inline(always)]
fn read_low(bytes: &[u8], at: usize, scale: Scale, highs: &[[u8; 4]], numbers: &mut Numbers) {
    let low_bits = scale.low_bits();
    let mask = u64::from(!(u32::MAX << low_bits));
    let begin: [usize; LOW_AT_ONCE] = core::array::from_fn(|number| number * low_bits as usize);
    let mut at = at;
    let (groups, rest) = highs.as_chunks::<LOW_AT_ONCE>();
    let (places, last) = numbers.split_at_mut((LOW_AT_ONCE * groups.len()).min(BLOCK));
    for (places, highs) in places
        .as_chunks_mut::<LOW_AT_ONCE>()
        .0
        .iter_mut()
        .zip(groups)
    {
        let places = places.iter_mut().zip(highs).zip(begin);
        if let Some(window) = bytes.get(at..).unwrap_or_default().first_chunk::<WINDOW>() {
            for ((number, high), begin) in places {
                *number = joined(*high, word(window, begin) & mask, low_bits);
            }
        } else {
            for ((number, high), begin) in places {
                *number = joined(*high, bits_at(bytes, 8 * at + begin) & mask, low_bits);
            }
        }
        at += low_bits as usize;
    }
    for ((number, high), begin) in last.iter_mut().zip(rest).zip(begin) {
        *number = joined(*high, bits_at(bytes, 8 * at + begin) & mask, low_bits);
    }
}

/// The bits from bit `at` on, below 256, at least 57.
#[inline(always)]
fn word(window: &[u8; WINDOW], at: usize) -> u64 {
    let rest = window.get(at / 8 % 32..).unwrap_or_default();
    let word = rest.first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(word) >> (at % 8)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "low bits are at most 31")]
fn joined(high: [u8; 4], low: u64, low_bits: u32) -> u32 {
    u32::from_le_bytes(high) << low_bits | low as u32
}

/// Old components, a block at a time: those of a list, or of all.
enum Olds<'o> {
    Zero,
    All(&'o [f32]),
    Listed(&'o [f32], listing::Indices<'o>),
}

impl<'o> Olds<'o> {
    fn new(old: &'o [f32], listing: &listing::Listing<'o>, from_zero: bool) -> Self {
        if from_zero {
            Self::Zero
        } else if listing.is_all() {
            Self::All(old)
        } else {
            Self::Listed(old, listing.iter())
        }
    }

    /// The next [`BLOCK`] of them, in place or in `spare`; any beyond the end.
    #[inline(always)]
    fn next<'b>(&mut self, spare: &'b mut Block) -> &'b Block
    where
        'o: 'b,
    {
        static ZEROS: Block = [0.0; BLOCK];
        match self {
            Self::Zero => &ZEROS,
            Self::All(old) => match old.split_first_chunk() {
                Some((block, rest)) => {
                    *old = rest;
                    block
                }
                None => {
                    for (to, from) in spare.iter_mut().zip(*old) {
                        *to = *from;
                    }
                    *old = &[];
                    spare
                }
            },
            Self::Listed(old, indices) => {
                for (to, index) in spare.iter_mut().zip(indices) {
                    *to = old.get(index as usize).copied().unwrap_or(0.0);
                }
                spare
            }
        }
    }
}

#[cfg(test)]
mod tests;
