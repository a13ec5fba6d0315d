//! Sums of component bits times lane keys: the part of a row's digest term that depends on its
//! values.
//!
//! A row's term is [`digest::row_term`](crate::digest::row_term) of its sum. Sums are linear: the
//! sum of the new row is that of the old one plus the changes, modulo 2^64, which is why a sparse
//! change costs only its components.

use super::RowSizeError;
use crate::digest::{LANES_PER_BLOCK, block_key, key_in_block};

/// Blocks whose keys are looked up (4,096 components); those of the blocks beyond are computed.
const TABLED_BLOCKS: usize = 64;

static KEYS_IN_BLOCK: [u64; LANES_PER_BLOCK] = {
    let mut keys = [0; LANES_PER_BLOCK];
    let mut lane = 0;
    while lane < keys.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "`lane` is below the length; const code has no iterators"
        )]
        {
            keys[lane] = key_in_block(lane as u64);
        }
        lane += 1;
    }
    keys
};

static BLOCK_KEYS: [u64; TABLED_BLOCKS] = {
    let mut keys = [0; TABLED_BLOCKS];
    let mut block = 0;
    while block < keys.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "`block` is below the length; const code has no iterators"
        )]
        {
            keys[block] = block_key(block as u64);
        }
        block += 1;
    }
    keys
};

/// The sum over all components of their bits times their lane keys, modulo 2^64. Time:
/// O(`row.len()`).
#[must_use]
pub fn row_sum(row: &[f32]) -> u64 {
    row.chunks(LANES_PER_BLOCK)
        .enumerate()
        .fold(0, |sum, (block, lanes)| {
            let bits = lanes.iter().map(|lane| u64::from(lane.to_bits()));
            sum.wrapping_add(block_sum(block, bits))
        })
}

/// [`row_sum`] of the new row less that of the old one, in one pass; `new_le` is the new row as
/// little-endian f32, at any alignment. Time: O(`old.len()`).
///
/// # Errors
///
/// [`RowSizeError`] if `new_le` is not `4 * old.len()` bytes.
pub fn row_change_sum_le(old: &[f32], new_le: &[u8]) -> Result<u64, RowSizeError> {
    let (new, rest) = new_le.as_chunks::<4>();
    if new.len() != old.len() || !rest.is_empty() {
        return Err(RowSizeError {
            dim: old.len(),
            size_bytes: new_le.len(),
        });
    }
    let blocks = old.chunks(LANES_PER_BLOCK).zip(new.chunks(LANES_PER_BLOCK));
    Ok(blocks.enumerate().fold(0, |sum, (block, (old, new))| {
        let changes = old
            .iter()
            .zip(new)
            .map(|(old, new)| bits_change(old.to_bits(), u32::from_le_bytes(*new)));
        sum.wrapping_add(block_sum(block, changes))
    }))
}

/// What the change of one component from `old_bits` to `new_bits` adds to the sum of its row. Time:
/// O(1).
#[must_use]
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "a remainder is below its divisor, the table's length"
)]
pub fn lane_change(index: u32, old_bits: u32, new_bits: u32) -> u64 {
    let index = index as usize;
    let lane_key = KEYS_IN_BLOCK[index % LANES_PER_BLOCK];
    bits_change(old_bits, new_bits)
        .wrapping_mul(lane_key)
        .wrapping_mul(looked_up_block_key(index / LANES_PER_BLOCK))
}

/// `block_key * sum(values * keys)`: one multiplication by the block's key for up to 64 values.
#[inline]
fn block_sum(block: usize, values: impl Iterator<Item = u64>) -> u64 {
    let weighted = values
        .zip(&KEYS_IN_BLOCK)
        .map(|(value, key)| value.wrapping_mul(*key));
    weighted
        .fold(0, u64::wrapping_add)
        .wrapping_mul(looked_up_block_key(block))
}

#[inline]
fn looked_up_block_key(block: usize) -> u64 {
    BLOCK_KEYS
        .get(block)
        .copied()
        .unwrap_or_else(|| block_key(block as u64))
}

#[inline]
fn bits_change(old_bits: u32, new_bits: u32) -> u64 {
    u64::from(new_bits).wrapping_sub(u64::from(old_bits))
}

#[cfg(test)]
mod tests;
