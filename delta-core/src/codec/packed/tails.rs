//! What is below the steps of components: strings of bits of known lengths (WIRE.md, section 4).

use super::{
    BLOCK,
    join::{GROUP, Joined},
    lanes,
    listing::Selection,
    step::Grid,
};
use crate::codec::{
    bits::{BitReader, BitWriter, PEEK_BITS},
    survey::{Block, Rows, Spare},
};

/// Of every new component what a tail is cut from, and how many bits of it.
#[inline(always)]
fn tails_of(grid: Grid, olds: &Block, news: &Block, tails: &mut Joined) {
    let places = tails.bits.iter_mut().zip(&mut tails.counts);
    for ((bits, count), (old, new)) in places.zip(olds.iter().zip(news)) {
        *count = grid.tail_bits(grid.lane(*old), *new);
        *bits = new.to_bits() >> grid.trimmed;
    }
}

/// Writes the tails of the selected components and returns the bytes used; `None` if `out` is too
/// small. O(dim).
#[inline(always)]
pub(super) fn write(
    grid: Grid,
    rows: Rows<'_>,
    selection: Selection,
    out: &mut [u8],
) -> Option<usize> {
    let mut writer = BitWriter::new(out);
    let mut tails = Joined::EMPTY;
    for start in (0..rows.dim()).step_by(BLOCK) {
        let mut spare = Spare::new();
        let (olds, news) = rows.block(start, &mut spare);
        tails_of(grid, olds, news, &mut tails);
        let lanes = lanes(rows.dim(), start);
        let mask = match selection {
            Selection::All => u64::MAX,
            Selection::Changed => rows.changed(start),
        };
        if mask == u64::MAX && lanes == BLOCK {
            push_block(grid, &mut tails, &mut writer)?;
            continue;
        }
        for (number, (bits, count)) in tails.bits.iter().zip(&tails.counts).take(lanes).enumerate()
        {
            if mask >> number & 1 != 0 {
                push_tail(grid, *bits, *count, &mut writer)?;
            }
        }
    }
    writer.finish()
}

/// Appends what is below the steps of a block of components: eight by one push, if that takes them
/// and all components have steps.
#[inline(always)]
fn push_block(grid: Grid, tails: &mut Joined, writer: &mut BitWriter<'_>) -> Option<()> {
    let most = tails.counts.iter().fold(0, |most, count| most.max(*count));
    if most >= grid.width() {
        return push_tails(grid, &tails.bits, &tails.counts, writer);
    }
    for (bits, count) in tails.bits.iter_mut().zip(&tails.counts) {
        *bits &= !(u32::MAX << count);
    }
    tails.join();
    let groups = tails.bits.as_chunks::<GROUP>().0.iter();
    let groups = groups.zip(tails.counts.as_chunks::<GROUP>().0);
    for (place, (bits, counts)) in groups.enumerate() {
        if !tails.push(place, writer)? {
            push_tails(grid, bits, counts, writer)?;
        }
    }
    Some(())
}

/// Appends what is below the steps of components, one by one.
#[inline(always)]
fn push_tails(grid: Grid, bits: &[u32], counts: &[u32], writer: &mut BitWriter<'_>) -> Option<()> {
    for (bits, count) in bits.iter().zip(counts) {
        push_tail(grid, *bits, *count, writer)?;
    }
    Some(())
}

/// Appends the `count` bits below the step of a component of those `bits`.
#[inline(always)]
fn push_tail(grid: Grid, bits: u32, count: u32, writer: &mut BitWriter<'_>) -> Option<()> {
    if count < grid.width() {
        writer.push((bits & !(u32::MAX << count)).into(), count)
    } else if bits == 0 {
        writer.push(0, 1)
    } else {
        writer.push(u64::from(bits) << 1 | 1, 33 - grid.trimmed)
    }
}

/// Puts what is below the steps into the components in `slots`, at most [`BLOCK`].
#[inline(always)]
pub(super) fn add(
    grid: Grid,
    slots: &mut [[u8; 4]],
    olds: &[f32; BLOCK],
    tails: &mut BitReader<'_>,
) {
    let mut missing = [0; BLOCK];
    let mut wholes = [0_u32; BLOCK];
    for (whole, slot) in wholes.iter_mut().zip(slots.iter()) {
        *whole = u32::from_le_bytes(*slot);
    }
    for (missing, (whole, old)) in missing.iter_mut().zip(wholes.iter().zip(olds)) {
        let bits = grid.tail_bits(grid.lane(*old), f32::from_bits(*whole));
        // Of no step there is a bit that says whether anything follows.
        *missing = if *whole == 0 { 1 } else { bits };
    }
    let (groups, last) = slots.as_chunks_mut::<GROUP>();
    let parts = wholes.as_chunks::<GROUP>().0.iter();
    let parts = parts.zip(missing.as_chunks::<GROUP>().0);
    let done = groups.len() * GROUP;
    for (group, (wholes, missing)) in groups.iter_mut().zip(parts) {
        add_group(grid, group, wholes, missing, tails);
    }
    let rest = wholes.iter().zip(&missing).skip(done);
    for (slot, (whole, missing)) in last.iter_mut().zip(rest) {
        *slot = with_tail(grid, *whole, *missing, tails).to_le_bytes();
    }
}

/// Puts what is below the steps into a few components: by one look at the tails, if it holds
/// them all and no component without a step has one.
#[inline(always)]
fn add_group(
    grid: Grid,
    slots: &mut [[u8; 4]; GROUP],
    wholes: &[u32; GROUP],
    missing: &[u32; GROUP],
    tails: &mut BitReader<'_>,
) {
    let (offsets, total) = offsets(missing);
    let bits = tails.peek();
    let (mut found, mut unusual) = ([0; GROUP], u32::from(total > PEEK_BITS));
    for ((found, missing), offset) in found.iter_mut().zip(missing).zip(offsets) {
        *found = low(bits.wrapping_shr(offset), *missing);
    }
    for (found, whole) in found.iter().zip(wholes) {
        unusual |= if *whole == 0 { *found } else { 0 };
    }
    if unusual == 0 {
        tails.skip(total);
        for (slot, (whole, found)) in slots.iter_mut().zip(wholes.iter().zip(&found)) {
            *slot = (whole | found << grid.trimmed).to_le_bytes();
        }
        return;
    }
    for (slot, (whole, missing)) in slots.iter_mut().zip(wholes.iter().zip(missing)) {
        *slot = with_tail(grid, *whole, *missing, tails).to_le_bytes();
    }
}

/// The bits of a component, its `missing` ones taken from `tails`.
#[inline(always)]
fn with_tail(grid: Grid, whole: u32, missing: u32, tails: &mut BitReader<'_>) -> u32 {
    let mut tail = tails.take(missing);
    if whole == 0 && tail != 0 {
        tail = tails.take(32 - grid.trimmed);
    }
    whole | tail << grid.trimmed
}

/// Where each of some strings of bits begins if they follow one another, and where they end. Each
/// has fewer than 32 bits.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "each has fewer than 32 bits"
)]
fn offsets(counts: &[u32; GROUP]) -> ([u32; GROUP], u32) {
    // A product with ones in all bytes has in each byte the sum of the bytes up to it.
    let bytes = u64::from_le_bytes(counts.map(|count| count as u8));
    let sums = bytes.wrapping_mul(0x0101_0101_0101_0101);
    let offsets = (sums << 8).to_le_bytes().map(u32::from);
    (offsets, (sums >> 56) as u32)
}

/// The lowest `count` bits, at most 31.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "they fit")]
fn low(bits: u64, count: u32) -> u32 {
    bits as u32 & !(u32::MAX << count)
}
