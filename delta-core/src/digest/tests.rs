//! The literal values were computed from WIRE.md, section 5, by another implementation (Python
//! integers and libxxhash).
#![allow(
    clippy::cast_possible_truncation,
    reason = "tests cut bits down on purpose"
)]

use super::*;

#[test]
fn keys_have_their_literal_values() {
    assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    assert_eq!(mix(1), 0x910a_2dec_8902_5cc1);

    assert_eq!(slot_key(0), 0xe7b2_5ad2_7bcc_b533);
    assert_eq!(slot_key(1), 0xc485_8308_e594_9c49);
    assert_eq!(slot_key(7), 0x7756_b8a5_9461_4147);
    assert_eq!(slot_key(4096), 0x2c71_7d4a_d434_5753);
    assert_eq!(slot_key(u32::MAX), 0x5263_5892_ef9e_fb4f);

    assert_eq!(lane_key(0), 0x90ae_c090_31df_adb1);
    assert_eq!(lane_key(1), 0x048d_1f2c_8ecc_26c5);
    assert_eq!(lane_key(63), 0x0da2_1a25_cd97_819f);
    assert_eq!(lane_key(64), 0x2729_c58f_dee3_1db7);
    assert_eq!(lane_key(1535), 0x4063_e669_61da_66b5);
    assert_eq!(lane_key(4095), 0x0841_d32a_1bd3_c90b);
    assert_eq!(lane_key(4096), 0x5f09_1ddc_bc76_177f);
    assert_eq!(lane_key(u32::MAX), 0x593a_7016_dd12_e1f1);
}

#[test]
fn terms_have_their_literal_values() {
    let long_id: [u8; 255] = core::array::from_fn(|byte| byte as u8);
    assert_eq!(id_term(0, b"a"), 0xf43f_de09_ee70_b1df);
    assert_eq!(id_term(7, b"doc-7"), 0x40f3_d1c6_2a6e_12f8);
    assert_eq!(id_term(u32::MAX, &long_id), 0xabd3_c0ce_6c55_4863);

    assert_eq!(tombstone_term(0), 0x5825_f115_8f57_a0d3);
    assert_eq!(tombstone_term(7), 0xa8c1_c0ed_4015_42c1);

    assert_eq!(pair_term(0, b"k", b""), 0x1840_c36f_c484_1e4b);
    assert_eq!(pair_term(7, b"title", b"hello"), 0xdbba_d552_289e_e72d);
}

/// Slot 0: "a", [1.0, -0.0, NaN, -inf], {"k": "v"}, deleted; slot 1: "b", [0.0, 0.0, 0.0, 1.0].
#[test]
fn a_small_state_has_its_literal_digest() {
    let sum = |bits: [u32; 4]| {
        (0..).zip(bits).fold(0_u64, |sum, (lane, bits)| {
            sum.wrapping_add(u64::from(bits).wrapping_mul(lane_key(lane)))
        })
    };
    let terms = [
        row_term(0, sum([0x3f80_0000, 0x8000_0000, 0x7fc0_0001, 0xff80_0000])),
        id_term(0, b"a"),
        pair_term(0, b"k", b"v"),
        tombstone_term(0),
        row_term(1, sum([0, 0, 0, 0x3f80_0000])),
        id_term(1, b"b"),
    ];
    assert_eq!(
        terms.into_iter().fold(0, u64::wrapping_add),
        0xe411_8b23_192f_f547
    );
}

/// A sign flip changes a row's sum by 2^31 times an odd key. Two of them cancel only if their keys
/// agree, up to sign, in 33 bits: none of the first 4,096 do.
#[test]
fn no_two_sign_flips_cancel() {
    let mut low_bits: Vec<u64> = (0..4096)
        .flat_map(|lane| [lane_key(lane), lane_key(lane).wrapping_neg()])
        .map(|key| key & ((1 << 33) - 1))
        .collect();
    low_bits.sort_unstable();
    low_bits.dedup();
    assert_eq!(low_bits.len(), 2 * 4096);
}
