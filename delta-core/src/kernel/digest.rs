//! Sums of component bits times lane keys: the part of a row's digest term that depends on its
//! values.
//!
//! A row's term is [`digest::row_term`](crate::digest::row_term) of its sum. Sums are linear: the
//! sum of the new row is that of the old one plus the changes, modulo 2^64, which is why a sparse
//! change costs only its components.

use super::RowSizeError;
use crate::digest::{LANES_PER_BLOCK, block_key, key_in_block};
use crate::simd::{Native, Vector};

/// Blocks whose keys are looked up (4,096 components); those of the blocks beyond are computed.
const TABLED_BLOCKS: usize = 64;

static KEYS_IN_BLOCK: [u32; LANES_PER_BLOCK] = {
    let mut keys = [0; LANES_PER_BLOCK];
    let mut lane = 0;
    while lane < keys.len() {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "`lane` is below the length and keys have 32 bits; const code has no iterators"
        )]
        {
            keys[lane] = key_in_block(lane as u64) as u32;
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
    row_sum_le(bytemuck::cast_slice(row))
}

/// [`row_sum`] of the new row less that of the old one; `new_le` is the new row as
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
    Ok(row_sum_le(new).wrapping_sub(row_sum(old)))
}

/// [`row_sum`] of a row in little-endian bytes, as it lies in memory too (the crate compiles on no
/// other target).
#[inline]
fn row_sum_le(row: &[[u8; 4]]) -> u64 {
    let (blocks, rest) = row.as_chunks::<LANES_PER_BLOCK>();
    let mut last = [[0; 4]; LANES_PER_BLOCK];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let last = (!rest.is_empty()).then_some(&last);
    let sums = blocks.iter().chain(last).enumerate().map(|(block, lanes)| {
        let sum = Native.weighted_sum(lanes, &KEYS_IN_BLOCK);
        sum.wrapping_mul(looked_up_block_key(block))
    });
    sums.fold(0, u64::wrapping_add)
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
    u64::from(new_bits)
        .wrapping_sub(u64::from(old_bits))
        .wrapping_mul(u64::from(lane_key))
        .wrapping_mul(looked_up_block_key(index / LANES_PER_BLOCK))
}

#[inline]
fn looked_up_block_key(block: usize) -> u64 {
    BLOCK_KEYS
        .get(block)
        .copied()
        .unwrap_or_else(|| block_key(block as u64))
}

#[cfg(test)]
mod tests;
