//! Distances against their literal bits, another formula, and the scalar backend.

#![allow(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "tests compare exact numbers"
)]

use super::*;
use crate::{
    simd::{Scalar, tests::vector_units},
    testing::any_row,
};
use proptest::prelude::*;

const METRICS: [Metric; 3] = [Metric::SquaredL2, Metric::Dot, Metric::Cosine];

/// Components whose products are not exact.
fn wave(dim: usize, step: f32) -> Vec<f32> {
    let mut value = 0.1_f32;
    let next = |_| {
        value = 1.0 - value * value * step;
        value
    };
    (0..dim).map(next).collect()
}

#[test]
fn distances_have_their_literal_values() {
    let (a, b) = ([3.0, 4.0], [4.0, -3.0]);
    assert_eq!(distance(Metric::SquaredL2, &a, &b), 50.0);
    assert_eq!(distance(Metric::Dot, &a, &[1.0, 0.5]), -4.0);
    assert_eq!(distance(Metric::Cosine, &a, &b), 1.0);
    assert_eq!(distance(Metric::Cosine, &a, &[6.0, 8.0]), 0.0);
    assert_eq!(distance(Metric::Cosine, &a, &[-3.0, -4.0]), 2.0);
    assert_eq!(distance(Metric::SquaredL2, &[], &[]), 0.0);
}

/// The bits that WIRE.md's order of operations gives, computed with binary32 arithmetic by a
/// program that shares no code with this one.
#[test]
fn distances_have_their_literal_bits() {
    let (a, b) = (wave(100, 1.5), wave(100, 1.7));
    let bits = METRICS.map(|metric| distance(metric, &a, &b).to_bits());
    assert_eq!(bits, LITERAL_BITS);
}

const LITERAL_BITS: [u32; 3] = [0x4271_ee48, 0xc11a_40fc, 0x3f3d_5ad4];

#[test]
fn a_distance_that_is_no_number_is_one_nan() {
    let nan = f32::NAN.to_bits();
    assert_eq!(nan, 0x7fc0_0000);
    for value in [f32::from_bits(0xffff_ffff), f32::INFINITY] {
        let bits = distance(Metric::SquaredL2, &[value], &[value]).to_bits();
        assert_eq!(bits, nan);
    }
    assert_eq!(distance(Metric::Cosine, &[0.0], &[1.0]).to_bits(), nan);
    for metric in METRICS {
        assert_eq!(distance(metric, &[1.0; 3], &[1.0; 2]).to_bits(), nan);
    }
}

#[test]
fn keys_are_in_the_order_of_numbers_and_nan_is_last() {
    let ascending = [
        f32::NEG_INFINITY,
        f32::MIN,
        -1.0,
        -f32::from_bits(1),
        -0.0,
        0.0,
        f32::from_bits(1),
        1.0,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    assert!(ascending.map(order_key).is_sorted_by(|a, b| a < b));
    assert_eq!(order_key(f32::from_bits(0xffc0_0001)), order_key(f32::NAN));
}

proptest! {
    #[test]
    fn prop_distances_match_scalar_on_every_unit(
        (a, b) in (0_usize..70).prop_flat_map(|dim| (any_row(dim), any_row(dim))),
        scale in -20_i32..20,
    ) {
        let finite = |row: &[f32]| -> Vec<f32> {
            row.iter().map(|value| (value.to_bits() >> 8) as f32 * 2_f32.powi(scale)).collect()
        };
        for (a, b) in [(a.clone(), b.clone()), (finite(&a), finite(&b))] {
            for metric in METRICS {
                let query = Query::new(metric, &a);
                let scalar = query.distance_on(Scalar, &b);
                for unit in vector_units() {
                    let distance = query.on(unit).distance_to(&b);
                    prop_assert_eq!(distance.to_bits(), scalar.to_bits(), "{:?}", unit);
                }
            }
        }
    }

    #[test]
    fn prop_distances_are_near_those_of_exact_arithmetic(
        rows in proptest::collection::vec((-100_i16..100, -100_i16..100), 1..200),
    ) {
        // Small integers: squares and products sum without rounding.
        let a: Vec<f32> = rows.iter().map(|row| f32::from(row.0)).collect();
        let b: Vec<f32> = rows.iter().map(|row| f32::from(row.1)).collect();
        let sum = |of: fn(i64, i64) -> i64| -> i64 {
            rows.iter().map(|row| of(row.0.into(), row.1.into())).sum()
        };
        let squared = distance(Metric::SquaredL2, &a, &b);
        prop_assert_eq!(squared, sum(|a, b| (a - b) * (a - b)) as f32);
        let dot = sum(|a, b| a * b) as f32;
        prop_assert_eq!(distance(Metric::Dot, &a, &b), 1.0 - dot);
        let norms = ((sum(|a, _| a * a) * sum(|_, b| b * b)) as f64).sqrt();
        if norms > 0.0 {
            let exact = 1.0 - f64::from(dot) / norms;
            let near = f64::from(distance(Metric::Cosine, &a, &b));
            prop_assert!((near - exact).abs() < 1e-6);
        }
    }
}
