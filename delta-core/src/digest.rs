//! The state digest: a sum, modulo 2^64, of one term for everything in the state (WIRE.md, section
//! 5).
//!
//! Addition makes a change that was applied twice, or not at all, visible, and lets writer and
//! reader follow the digest in time proportional to the change: subtract the terms that go, add
//! those that come. The sums over a row's components are [`kernel::digest`](crate::kernel::digest).
//!
//! It detects faults. It does not withstand an adversary, who can construct states of equal digest.
//!
//! ```
//! use delta_core::digest::{id_term, row_term};
//! use delta_core::kernel::digest::{lane_change, row_sum};
//!
//! let mut row = [0.0_f32, 1.0, 2.0, 3.0];
//! let of = |row: &[f32]| id_term(7, b"doc-7").wrapping_add(row_term(7, row_sum(row)));
//! let digest = of(&row);
//!
//! let (old, new) = (row[2], 2.5_f32);
//! let change = row_term(7, lane_change(2, old.to_bits(), new.to_bits()));
//! row[2] = new;
//! assert_eq!(of(&row), digest.wrapping_add(change));
//! ```

use xxhash_rust::xxh3::xxh3_64;

/// Components that share a block key.
pub(crate) const LANES_PER_BLOCK: usize = 64;

const BLOCK_DOMAIN: u64 = 0x1_0000_0000;
const SLOT_DOMAIN: u64 = 0x2_0000_0000;
const TOMBSTONE: u64 = 0xdead_5107_5107_dead;

/// SplitMix64's output function of `x` advanced by one step (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014).
pub(crate) const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The odd key of a slot.
#[must_use]
#[inline]
pub const fn slot_key(slot: u32) -> u64 {
    mix(SLOT_DOMAIN + widen(slot)) | 1
}

/// The odd key of a row's component: the product of its key within a block of 64 and of the block's
/// key.
///
/// This is the definition; the kernels look most factors up.
#[must_use]
#[inline]
pub const fn lane_key(dim_index: u32) -> u64 {
    let index = widen(dim_index);
    key_in_block(index % LANES_PER_BLOCK as u64)
        .wrapping_mul(block_key(index / LANES_PER_BLOCK as u64))
}

/// The odd key of component `lane` (0..64) of any block: 32 bits, so that the product with a
/// component's bits is one 32 x 32 bit multiplication.
pub(crate) const fn key_in_block(lane: u64) -> u64 {
    (mix(lane) >> 32) | 1
}

/// The odd key of the block that starts at component `block * 64`.
pub(crate) const fn block_key(block: u64) -> u64 {
    mix(BLOCK_DOMAIN + block) | 1
}

/// The term of a slot's row, or of a change of it: `row_sum` is a sum of component bits times
/// [`lane_key`], or a difference of two.
#[must_use]
#[inline]
pub const fn row_term(slot: u32, row_sum: u64) -> u64 {
    slot_key(slot).wrapping_mul(row_sum)
}

/// The term of a slot's id.
#[must_use]
pub fn id_term(slot: u32, id: &[u8]) -> u64 {
    mix(slot_key(slot) ^ xxh3_64(id))
}

/// The term of a slot's tombstone.
#[must_use]
pub const fn tombstone_term(slot: u32) -> u64 {
    mix(slot_key(slot) ^ TOMBSTONE)
}

/// The term of one metadata pair of a slot.
#[must_use]
pub fn pair_term(slot: u32, key: &[u8], value: &[u8]) -> u64 {
    mix(mix(slot_key(slot) ^ xxh3_64(key)) ^ xxh3_64(value))
}

/// `u64::from`, which is not yet a const function.
#[allow(
    clippy::cast_lossless,
    reason = "u64::from cannot be called in a const function"
)]
const fn widen(value: u32) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests;
