//! The kernels against the definition in WIRE.md, section 5, and literal values of another
//! implementation.
#![allow(
    clippy::cast_possible_truncation,
    reason = "tests cut bits down on purpose"
)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::digest::{lane_key, mix};

fn row(bits: impl IntoIterator<Item = u32>) -> Vec<f32> {
    bits.into_iter().map(f32::from_bits).collect()
}

fn bytes_le(row: &[f32]) -> Vec<u8> {
    row.iter()
        .flat_map(|lane| lane.to_bits().to_le_bytes())
        .collect()
}

fn defined_sum(row: &[f32]) -> u64 {
    (0..).zip(row).fold(0, |sum, (lane, value)| {
        sum.wrapping_add(u64::from(value.to_bits()).wrapping_mul(lane_key(lane)))
    })
}

fn mixed_bits(seed: u64) -> u32 {
    mix(seed) as u32
}

#[test]
fn sums_have_their_literal_values() {
    assert_eq!(row_sum(&[]), 0);
    assert_eq!(row_sum(&[0.0; 100]), 0);
    let special = row([0x3f80_0000, 0x8000_0000, 0x7fc0_0001, 0xff80_0000]);
    assert_eq!(row_sum(&special), 0xa43b_bd02_6257_dda7);
    assert_eq!(
        row_sum(&row((0..1536).map(mixed_bits))),
        0x07c4_e4bf_391e_4bca
    );
    assert_eq!(
        row_sum(&row((0..4200).map(mixed_bits))),
        0xb8b0_34b7_0b63_82d0
    );
}

#[test]
fn changes_have_their_literal_values() {
    assert_eq!(
        lane_change(2, 0x4000_0000, 0x4020_0000),
        0x8eec_62fb_b4e0_0000
    );
    assert_eq!(lane_change(100, 0xffff_ffff, 0), 0x03e2_e362_c9cd_78c7);
    assert_eq!(lane_change(5000, 0, 0x7fc0_0001), 0x2100_751b_c651_ba13);

    let old = row((0..1536).map(mixed_bits));
    let new = row((0..1536).map(|lane| mixed_bits(if lane % 3 == 0 { lane + 5000 } else { lane })));
    assert_eq!(
        row_change_sum_le(&old, &bytes_le(&new)),
        Ok(0x8060_9592_5389_11d8)
    );
}

#[test]
fn a_row_of_another_size_is_refused() {
    for size_bytes in [0, 7, 9, 12] {
        let refused = row_change_sum_le(&[0.0; 2], &[0; 12][..size_bytes]);
        assert_eq!(refused, Err(RowSizeError { dim: 2, size_bytes }));
    }
}

proptest! {
    #[test]
    fn prop_row_sum_is_its_definition(bits in vec(any::<u32>(), 0..300)) {
        let row = row(bits);
        prop_assert_eq!(row_sum(&row), defined_sum(&row));
    }

    #[test]
    fn prop_change_sum_is_the_difference_of_sums(
        lanes in vec((any::<u32>(), any::<u32>()), 0..300),
        offset in 0_usize..4,
    ) {
        let old = row(lanes.iter().map(|lane| lane.0));
        let new = row(lanes.iter().map(|lane| lane.1));
        let mut unaligned = vec![0; offset];
        unaligned.extend(bytes_le(&new));
        let change = row_change_sum_le(&old, &unaligned[offset..]).unwrap();
        prop_assert_eq!(row_sum(&old).wrapping_add(change), row_sum(&new));
    }

    #[test]
    fn prop_lane_change_is_its_definition(
        index in prop_oneof![0_u32..10_000, any::<u32>()],
        old in any::<u32>(),
        new in any::<u32>(),
    ) {
        let change = u64::from(new).wrapping_sub(u64::from(old));
        prop_assert_eq!(lane_change(index, old, new), change.wrapping_mul(lane_key(index)));
    }

    #[test]
    fn prop_one_wrong_component_changes_the_sum(
        bits in vec(any::<u32>(), 1..200),
        at in any::<prop::sample::Index>(),
        flip in 1_u32..,
    ) {
        let right = row(bits);
        let mut wrong = right.clone();
        let lane = at.index(wrong.len());
        wrong[lane] = f32::from_bits(wrong[lane].to_bits() ^ flip);
        prop_assert_ne!(row_sum(&wrong), row_sum(&right));
    }
}
