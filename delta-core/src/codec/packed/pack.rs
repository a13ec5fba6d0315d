//! Writes the numbers of a row.

use super::{
    BLOCK, Numbers, Source,
    join::{self, Joined},
    lanes,
    listing::Selection,
    scale::Scale,
    tables::ESCAPE,
};
use crate::codec::bits::{BitWriter, PUSH_BITS};

/// Writes the numbers of the selected components, `count` of them, and returns the bytes used;
/// `None` if `out` is too small.
#[inline(always)]
pub(super) fn pack(
    source: &impl Source,
    selection: Selection,
    count: usize,
    scale: Scale,
    out: &mut [u8],
) -> Option<usize> {
    let low_size = scale.low_size(count)?;
    let (low, codes) = out.split_at_mut_checked(low_size)?;
    let (mut low, mut codes) = (BitWriter::new(low), BitWriter::new(codes));
    let (mut numbers, mut selected) = ([0; BLOCK], [0; BLOCK]);
    let mut joined = Joined::EMPTY;
    for start in (0..source.dim()).step_by(BLOCK) {
        source.fill(start, &mut numbers);
        let lanes = lanes(source.dim(), start);
        let numbers = match selection {
            Selection::All => numbers.get(..lanes)?,
            Selection::Changed => {
                let mask = source.changed(start, &numbers);
                compress(&numbers, mask, &mut selected)
            }
        };
        push_block(numbers, scale, &mut joined, &mut low, &mut codes)?;
    }
    low.finish()?;
    Some(low_size + codes.finish()?)
}

/// The numbers of the lanes in `mask`.
#[inline(always)]
pub(super) fn compress<'s>(
    numbers: &Numbers,
    mut mask: u64,
    selected: &'s mut Numbers,
) -> &'s [u32] {
    let mut count = 0;
    for slot in selected.iter_mut() {
        let Some(number) = numbers.get(mask.trailing_zeros() as usize) else {
            break;
        };
        *slot = *number;
        mask &= mask - 1;
        count += 1;
    }
    selected.get(..count).unwrap_or_default()
}

/// Appends the numbers of a block.
#[inline(always)]
fn push_block(
    numbers: &[u32],
    scale: Scale,
    joined: &mut Joined,
    low: &mut BitWriter<'_>,
    codes: &mut BitWriter<'_>,
) -> Option<()> {
    let block = numbers.first_chunk();
    if !block.is_some_and(|block| join::write_low(block, scale.low_bits(), low)) {
        push_low(numbers, scale, low)?;
    }
    match block {
        Some(numbers) if greatest(numbers) >> scale.low_bits() < ESCAPE => {
            push_block_codes(numbers, scale, joined, codes)
        }
        _ => push_codes(numbers, scale, codes),
    }
}

#[inline(always)]
fn greatest(numbers: &[u32]) -> u32 {
    numbers
        .iter()
        .fold(0, |greatest, number| greatest.max(*number))
}

/// Appends the codes of what is above the low bits of a block's numbers, none of them an escape.
#[inline(always)]
fn push_block_codes(
    numbers: &Numbers,
    scale: Scale,
    joined: &mut Joined,
    codes: &mut BitWriter<'_>,
) -> Option<()> {
    let (low_bits, table) = (scale.low_bits(), scale.table());
    for (bits, number) in joined.bits.iter_mut().zip(numbers) {
        *bits = number >> low_bits;
    }
    for (bits, count) in joined.bits.iter_mut().zip(&mut joined.counts) {
        let code = table.code(*bits);
        (*bits, *count) = (code.bits(), code.length());
    }
    joined.join();
    for place in 0..BLOCK / join::GROUP {
        // Codes have at most 8 bits.
        if !joined.push(place, codes)? {
            joined.push_fours(place, codes)?;
        }
    }
    Some(())
}

/// Appends the low bits of numbers.
#[inline(always)]
fn push_low(numbers: &[u32], scale: Scale, low: &mut BitWriter<'_>) -> Option<()> {
    // As many low parts as one push takes, in loops whose length is known.
    match PUSH_BITS.checked_div(scale.low_bits()) {
        None => Some(()),
        Some(0..=1) => push_low_of::<1>(numbers, scale, low),
        Some(2) => push_low_of::<2>(numbers, scale, low),
        Some(3) => push_low_of::<3>(numbers, scale, low),
        Some(4..=7) => push_low_of::<4>(numbers, scale, low),
        Some(_) => push_low_of::<8>(numbers, scale, low),
    }
}

/// Appends the low bits of numbers, of `N` at a time.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "N is at most 8")]
fn push_low_of<const N: usize>(
    numbers: &[u32],
    scale: Scale,
    low: &mut BitWriter<'_>,
) -> Option<()> {
    let low_bits = scale.low_bits();
    let mask = !(u32::MAX << low_bits);
    let (groups, rest) = numbers.as_chunks::<N>();
    for group in groups {
        let joined = group.iter().rev().fold(0, |joined, number| {
            joined << low_bits | u64::from(number & mask)
        });
        low.push(joined, N as u32 * low_bits)?;
    }
    for number in rest {
        low.push((number & mask).into(), low_bits)?;
    }
    Some(())
}

/// Appends the codes of what is above the low bits.
#[inline(always)]
fn push_codes(numbers: &[u32], scale: Scale, codes: &mut BitWriter<'_>) -> Option<()> {
    /// Codes, of at most 8 bits, that one push takes.
    const AT_ONCE: usize = 7;
    let (low_bits, table) = (scale.low_bits(), scale.table());
    let (groups, rest) = if greatest(numbers) >> low_bits >= ESCAPE {
        (&[][..], numbers)
    } else {
        numbers.as_chunks::<AT_ONCE>()
    };
    for group in groups {
        let (mut bits, mut length) = (0, 0);
        for number in group {
            let code = table.code(number >> low_bits);
            bits |= u64::from(code.bits()) << length;
            length += code.length();
        }
        codes.push(bits, length)?;
    }
    for number in rest {
        let high = number >> low_bits;
        let code = table.code(high);
        codes.push(code.bits().into(), code.length())?;
        if high >= ESCAPE {
            codes.push(high.into(), 32 - low_bits)?;
        }
    }
    Some(())
}
