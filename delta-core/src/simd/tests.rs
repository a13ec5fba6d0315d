//! Any backend against [`Scalar`], and `Scalar` against literal masks.
//!
//! The helpers need neither randomness from outside nor files, so that they run wherever a test
//! harness does.
#![allow(
    clippy::cast_possible_truncation,
    reason = "tests cut bits down on purpose"
)]

use super::{Block, LANES, Scalar, Vector};
use crate::digest::mix;

/// One value of every kind that an f32's bits can spell.
pub(crate) const SPECIAL_BITS: [u32; 20] = [
    0x0000_0000, // +0.0
    0x8000_0000, // -0.0
    0x0000_0001, // smallest subnormal
    0x8000_0001,
    0x007f_ffff, // largest subnormal
    0x0080_0000, // smallest normal
    0x3f80_0000, // 1.0
    0x3f80_0001, // the next one
    0xbf80_0000,
    0x7f7f_ffff, // largest finite
    0xff7f_ffff,
    0x7f80_0000, // infinities
    0xff80_0000,
    0x7fc0_0000, // quiet NaNs
    0xffc0_0000,
    0x7fc0_0001,
    0x7f80_0001, // signalling NaNs
    0xff80_0001,
    0x7fff_ffff,
    0xffff_ffff,
];

const EPSILONS: [f32; 9] = [
    0.0,
    -0.0,
    f32::MIN_POSITIVE,
    1e-6,
    0.5,
    f32::MAX,
    f32::INFINITY,
    f32::NAN,
    -1.0,
];

/// Calls `check` with blocks in which every special value meets every other in every lane, then
/// with arbitrary bits.
fn for_each_block_pair(mut check: impl FnMut(&Block, &Block)) {
    for old in SPECIAL_BITS {
        for shift in 0..SPECIAL_BITS.len() {
            let new = core::array::from_fn(|lane| {
                f32::from_bits(SPECIAL_BITS[(shift + lane) % SPECIAL_BITS.len()])
            });
            check(&[f32::from_bits(old); LANES], &new);
            check(&new, &[f32::from_bits(old); LANES]);
        }
    }
    for seed in 0..2_000 {
        let random = |lane: usize| mix(seed * 64 + lane as u64);
        let old: Block = core::array::from_fn(|lane| f32::from_bits(random(lane) as u32));
        let new = core::array::from_fn(|lane| {
            let bits = random(LANES + lane);
            match bits % 4 {
                0 => old[lane],
                1 => f32::from_bits(old[lane].to_bits() ^ (1 << (bits >> 59))),
                2 => old[lane] + 1e-6,
                _ => f32::from_bits((bits >> 8) as u32),
            }
        });
        check(&old, &new);
    }
}

/// Panics unless `V` finds the changes that [`Scalar`] finds.
pub(crate) fn assert_changed_mask_matches_scalar<V: Vector>() {
    for_each_block_pair(|old, new| {
        assert_eq!(
            V::changed_mask(old, new),
            Scalar::changed_mask(old, new),
            "{old:?} {new:?}"
        );
    });
}

/// As [`assert_changed_mask_matches_scalar`], for [`Vector::changed_beyond_mask`].
pub(crate) fn assert_changed_beyond_mask_matches_scalar<V: Vector>() {
    for_each_block_pair(|old, new| {
        for epsilon in EPSILONS {
            assert_eq!(
                V::changed_beyond_mask(old, new, epsilon),
                Scalar::changed_beyond_mask(old, new, epsilon),
                "epsilon {epsilon}: {old:?} {new:?}"
            );
        }
    });
}

fn blocks(lanes: [(u32, u32); LANES]) -> (Block, Block) {
    (
        lanes.map(|lane| f32::from_bits(lane.0)),
        lanes.map(|lane| f32::from_bits(lane.1)),
    )
}

#[test]
fn scalar_masks_of_literal_blocks() {
    let (old, new) = blocks([
        (0x3f80_0000, 0x3f80_0000), // 0: equal
        (0x0000_0000, 0x8000_0000), // 1: +0.0 to -0.0
        (0x7fc0_0000, 0x7fc0_0000), // 2: the same NaN
        (0x7fc0_0000, 0x7fc0_0001), // 3: another payload
        (0x3f80_0000, 0x7fc0_0000), // 4: to NaN
        (0x7f80_0000, 0x7f80_0000), // 5: the same infinity
        (0x7f80_0000, 0xff80_0000), // 6: the other infinity
        (0x0000_0001, 0x0000_0002), // 7: subnormals
        (0x3f80_0000, 0x3f80_0001), // 8: 2^-23 apart
        (0x3f80_0000, 0x3fc0_0000), // 9: 0.5 apart
        (0x3fc0_0000, 0x3f80_0000), // 10: -0.5 apart
        (0x3f80_0000, 0x4000_0000), // 11: 1.0 apart
        (0x7f7f_ffff, 0xff7f_ffff), // 12: further apart than an f32 can say
        (0, 0),
        (0, 0),
        (0, 1), // 15
    ]);
    assert_eq!(Scalar::changed_mask(&old, &new), 0b1001_1111_1101_1010);
    assert_eq!(
        Scalar::changed_beyond_mask(&old, &new, 0.0),
        0b1001_1111_1101_1000
    );
    assert_eq!(
        Scalar::changed_beyond_mask(&old, &new, 0.5),
        0b0001_1000_0101_1000
    );
    assert_eq!(
        Scalar::changed_beyond_mask(&old, &new, f32::INFINITY),
        0b0000_0000_0001_1000
    );
    assert_eq!(
        Scalar::changed_beyond_mask(&old, &new, f32::NAN),
        0b1001_1111_1101_1010
    );
    assert_eq!(
        Scalar::changed_beyond_mask(&old, &new, -1.0),
        0b1001_1111_1101_1010
    );
}

/// One test a method for the backend `$backend`.
macro_rules! backend_tests {
    ($backend:ty: $changed:ident, $changed_beyond:ident) => {
        #[test]
        fn $changed() {
            $crate::simd::tests::assert_changed_mask_matches_scalar::<$backend>();
        }

        #[test]
        fn $changed_beyond() {
            $crate::simd::tests::assert_changed_beyond_mask_matches_scalar::<$backend>();
        }
    };
}
pub(crate) use backend_tests;
