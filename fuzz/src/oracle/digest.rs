//! Section 5: the state digest, from its definition.

use twox_hash::XxHash3_64;

/// XXH3-64 with seed 0.
pub fn xxh3(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

pub(super) fn mix(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

pub(super) fn slot_key(slot: u32) -> u64 {
    mix(0x2_0000_0000 + u64::from(slot)) | 1
}

pub(super) fn lane_key(d: u64) -> u64 {
    (mix(d % 64) >> 32 | 1).wrapping_mul(mix(0x1_0000_0000 + d / 64) | 1)
}

/// The sum over the row's components, before it is multiplied by the slot's key.
pub fn row_sum(row: &[u32]) -> u64 {
    (0..).zip(row).fold(0, |sum: u64, (d, &bits)| {
        sum.wrapping_add(u64::from(bits).wrapping_mul(lane_key(d)))
    })
}

pub fn row_term(slot: u32, row: &[u32]) -> u64 {
    slot_key(slot).wrapping_mul(row_sum(row))
}

pub fn id_term(slot: u32, id: &[u8]) -> u64 {
    mix(slot_key(slot) ^ xxh3(id))
}

pub fn tombstone_term(slot: u32) -> u64 {
    mix(slot_key(slot) ^ 0xdead_5107_5107_dead)
}

pub fn pair_term(slot: u32, key: &[u8], value: &[u8]) -> u64 {
    mix(mix(slot_key(slot) ^ xxh3(key)) ^ xxh3(value))
}
