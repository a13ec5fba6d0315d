//! Any backend against [`Scalar`], and `Scalar` against literal masks.
//!
//! The helpers need neither randomness from outside nor files, so that they run wherever a test
//! harness does.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "tests cut bits down on purpose"
)]

use super::{Block, LANES, Scalar, Vector, VectorUnit, WORD_LANES, WordBytes, WordLanes};
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

/// An interpreter takes minutes for more.
const RANDOM_PAIRS: u64 = if cfg!(miri) { 50 } else { 2_000 };

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
    for seed in 0..RANDOM_PAIRS {
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

/// Panics unless `unit` finds the changes that [`Scalar`] finds.
pub(crate) fn assert_changed_mask_matches_scalar(unit: impl Vector) {
    for_each_block_pair(|old, new| {
        assert_eq!(
            unit.changed_mask(old, new),
            Scalar.changed_mask(old, new),
            "{old:?} {new:?}"
        );
    });
}

/// As [`assert_changed_mask_matches_scalar`], for [`Vector::changed_word`].
pub(crate) fn assert_changed_word_matches_scalar(unit: impl Vector) {
    for seed in 0..500 {
        let old: WordLanes =
            core::array::from_fn(|lane| f32::from_bits(mix(seed * 64 + lane as u64) as u32));
        let mut new = old;
        let word = mix(seed) & mix(seed + 1_000);
        for (place, lane) in new.iter_mut().enumerate() {
            let bit = u32::from(word >> place & 1 == 1) << (place % 32);
            *lane = f32::from_bits(lane.to_bits() ^ bit);
        }
        assert_eq!(unit.changed_word(&old, &new), word);
        assert_eq!(Scalar.changed_word(&old, &new), word);
    }
}

/// As [`assert_changed_mask_matches_scalar`], for [`Vector::changed_beyond_mask`].
pub(crate) fn assert_changed_beyond_mask_matches_scalar(unit: impl Vector) {
    for_each_block_pair(|old, new| {
        for epsilon in EPSILONS {
            assert_eq!(
                unit.changed_beyond_mask(old, new, epsilon),
                Scalar.changed_beyond_mask(old, new, epsilon),
                "epsilon {epsilon}: {old:?} {new:?}"
            );
        }
    });
}

/// Panics unless `unit` packs the lanes that [`Scalar`] picks, for words of every density.
pub(crate) fn assert_pack_matches_scalar(unit: impl Vector) {
    let lanes = core::array::from_fn(|lane| f32::from_bits(mix(lane as u64) as u32));
    for seed in 0..4_000_u64 {
        let (one, other, third) = (mix(3 * seed), mix(3 * seed + 1), mix(3 * seed + 2));
        let word = match seed % 7 {
            0 => one,
            1 => one & other & third,
            2 => one | other | third,
            3 => 1 << (one % 64),
            4 => u64::MAX << (one % 64),
            5 => one & 0xff << (other % 8 * 8),
            _ => [0, u64::MAX, 0xff, 0xff << 56][(one % 4) as usize],
        };
        let start = third as u32 >> 1;
        let pack = |unit: &dyn Fn(&mut [u32; WORD_LANES], &mut WordLanes)| {
            let (mut indices, mut values) = ([0; WORD_LANES], [0.0; WORD_LANES]);
            unit(&mut indices, &mut values);
            let values = values.map(f32::to_bits).into_iter();
            let packed = indices.into_iter().zip(values);
            packed
                .take(word.count_ones() as usize)
                .collect::<std::vec::Vec<_>>()
        };
        let ours = pack(&|indices, values| unit.pack(word, &lanes, start, indices, values));
        let scalars = pack(&|indices, values| Scalar.pack(word, &lanes, start, indices, values));
        assert_eq!(ours, scalars, "{word:#x}");
        let places = (0..64_u32).filter(|place| word >> place & 1 == 1);
        let expected = places.map(|place| (start + place, lanes[place as usize].to_bits()));
        assert!(scalars.into_iter().eq(expected), "{word:#x}");
    }
}

/// The bits of a result; every NaN is the same one.
fn bits(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits & 0x7fff_ffff > 0x7f80_0000 {
        0x7fc0_0000
    } else {
        bits
    }
}

/// As [`assert_changed_mask_matches_scalar`], for the sums that distances are made of.
pub(crate) fn assert_sums_match_scalar(unit: impl Vector) {
    let (mut ours, mut scalars) = (unit.no_sums(), Scalar.no_sums());
    let mut blocks = 0;
    for_each_block_pair(|a, b| {
        ours = unit.add_products(unit.add_squared_differences(ours, a, b), a, b);
        scalars = Scalar.add_products(Scalar.add_squared_differences(scalars, a, b), a, b);
        assert_eq!(
            bits(unit.total(ours)),
            bits(Scalar.total(scalars)),
            "{a:?} {b:?}"
        );
        // A sum that is no number says nothing of the blocks after it.
        blocks += 1;
        if blocks % 3 == 0 || !Scalar.total(scalars).is_finite() {
            (ours, scalars) = (unit.no_sums(), Scalar.no_sums());
        }
    });
    for seed in 0..RANDOM_PAIRS {
        let part = |lane: u64| mix(seed * 64 + lane) as i32 as f32 * (seed as f32 * 1e-7);
        let a: Block = core::array::from_fn(|lane| part(lane as u64));
        let b: Block = core::array::from_fn(|lane| part((lane + LANES) as u64));
        ours = unit.add_products(unit.add_squared_differences(ours, &a, &b), &b, &a);
        scalars = Scalar.add_squared_differences(scalars, &a, &b);
        scalars = Scalar.add_products(scalars, &b, &a);
        assert_eq!(unit.total(ours).to_bits(), Scalar.total(scalars).to_bits());
    }
    assert!(Scalar.total(scalars).is_finite());
}

/// As [`assert_changed_mask_matches_scalar`], for [`Vector::weighted_sum`], at every alignment.
pub(crate) fn assert_weighted_sum_matches_scalar(unit: impl Vector) {
    for seed in 0..RANDOM_PAIRS {
        // All ones in the first one: the sum passes 2^64.
        let word = |at: u64| mix(seed * 256 + at) as u32 | if seed == 0 { u32::MAX } else { 0 };
        let weights: [u32; WORD_LANES] = core::array::from_fn(|lane| word(lane as u64));
        let mut bytes = [0; 4 * WORD_LANES + 4];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = word(128 + at as u64).to_le_bytes()[0];
        }
        for start in 0..4 {
            let bits = bytes[start..].first_chunk::<{ 4 * WORD_LANES }>().unwrap();
            let bits: &WordBytes = bytemuck::cast_ref(bits);
            let (ours, scalars) = (
                unit.weighted_sum(bits, &weights),
                Scalar.weighted_sum(bits, &weights),
            );
            assert_eq!(ours, scalars, "{bits:x?}");
        }
    }
}

/// As [`assert_changed_mask_matches_scalar`], for [`Vector::square_root`].
pub(crate) fn assert_square_root_matches_scalar(unit: impl Vector) {
    let random = (0..100_000).map(|seed| mix(seed) as u32);
    for value in SPECIAL_BITS.into_iter().chain(random).map(f32::from_bits) {
        assert_eq!(
            bits(unit.square_root(value)),
            bits(Scalar.square_root(value)),
            "{value:?}"
        );
    }
}

#[test]
fn scalar_sums_of_literal_blocks() {
    let a: Block = core::array::from_fn(|lane| lane as f32);
    let b: Block = core::array::from_fn(|lane| (2 * lane) as f32);
    let sums = Scalar.add_squared_differences(Scalar.no_sums(), &a, &b);
    assert_eq!(Scalar.total(sums), 1_240.0);
    let sums = Scalar.add_products(sums, &a, &b);
    assert_eq!(Scalar.total(sums), 3_720.0);
    // The tree, told by what rounding loses: 2^24 + 1 is lost, 2^24 + 2 is not.
    let large = 16_777_216.0;
    let total = |places: &[(usize, f32)]| {
        let mut sums = Scalar.no_sums();
        for &(lane, value) in places {
            sums[lane] = value;
        }
        Scalar.total(sums)
    };
    for (partner, other) in [(8, 4), (4, 2), (2, 1), (12, 6), (6, 3)] {
        assert_eq!(total(&[(0, large), (partner, 1.0), (other, 1.0)]), large);
        assert_eq!(total(&[(0, large), (15, 1.0), (7, 1.0)]), large + 2.0);
    }
    assert_eq!(total(&[(0, large), (1, 1.0), (3, 1.0)]), large + 2.0);
    assert_eq!(total(&[(0, large), (1, 1.0), (2, 1.0)]), large);
}

#[test]
fn scalar_square_roots_are_rounded_to_nearest() {
    let all_exponents = (0..0x8000_0000_u32).step_by(9_973);
    for value in all_exponents.chain(SPECIAL_BITS).map(f32::from_bits) {
        assert_eq!(
            bits(Scalar.square_root(value)),
            bits(value.sqrt()),
            "{value:?}"
        );
    }
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
    assert_eq!(Scalar.changed_mask(&old, &new), 0b1001_1111_1101_1010);
    assert_eq!(
        Scalar.changed_beyond_mask(&old, &new, 0.0),
        0b1001_1111_1101_1000
    );
    assert_eq!(
        Scalar.changed_beyond_mask(&old, &new, 0.5),
        0b0001_1000_0101_1000
    );
    assert_eq!(
        Scalar.changed_beyond_mask(&old, &new, f32::INFINITY),
        0b0000_0000_0001_1000
    );
    assert_eq!(
        Scalar.changed_beyond_mask(&old, &new, f32::NAN),
        0b1001_1111_1101_1010
    );
    assert_eq!(
        Scalar.changed_beyond_mask(&old, &new, -1.0),
        0b1001_1111_1101_1010
    );
}

/// The vector units that this processor has.
pub(crate) fn vector_units() -> impl Iterator<Item = VectorUnit> {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a value of `Avx2` exists only where the processor has it.
    let wider = super::avx2::tests::unit().map(|_| unsafe { VectorUnit::avx2() });
    #[cfg(not(target_arch = "x86_64"))]
    let wider = None;
    [Some(VectorUnit::BASELINE), wider].into_iter().flatten()
}

/// One test a method for the backend `$unit`: `Some` value of its type, or `None` where the
/// processor lacks it.
macro_rules! backend_tests {
    (
        $unit:expr;
        $changed:ident, $changed_beyond:ident, $sums:ident, $weighted_sum:ident,
        $square_root:ident
    ) => {
        #[test]
        fn $changed() {
            $unit
                .into_iter()
                .for_each($crate::simd::tests::assert_changed_mask_matches_scalar);
        }

        #[test]
        fn $changed_beyond() {
            $unit
                .into_iter()
                .for_each($crate::simd::tests::assert_changed_beyond_mask_matches_scalar);
        }

        #[test]
        fn $sums() {
            $unit
                .into_iter()
                .for_each($crate::simd::tests::assert_sums_match_scalar);
        }

        #[test]
        fn $weighted_sum() {
            $unit
                .into_iter()
                .for_each($crate::simd::tests::assert_weighted_sum_matches_scalar);
        }

        #[test]
        fn $square_root() {
            $unit
                .into_iter()
                .for_each($crate::simd::tests::assert_square_root_matches_scalar);
        }
    };
}
pub(crate) use backend_tests;
