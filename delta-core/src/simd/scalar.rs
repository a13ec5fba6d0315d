//! The definition of every method, one lane at a time: the oracle of the other backends, and the
//! backend of targets without a vector unit.

use super::{Block, LANES, Vector};

/// Plain integer and float code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scalar;

impl Vector for Scalar {
    #[inline(always)]
    fn changed_mask(self, old: &Block, new: &Block) -> u16 {
        mask_where(old, new, |old, new| old.to_bits() != new.to_bits())
    }

    #[inline(always)]
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16 {
        mask_where(old, new, |old, new| {
            let within = (new - old).abs() <= epsilon;
            old.to_bits() != new.to_bits() && !within
        })
    }

    type Sums = Block;

    #[inline(always)]
    fn no_sums(self) -> Block {
        [0.0; LANES]
    }

    #[inline(always)]
    fn add_squared_differences(self, mut sums: Block, a: &Block, b: &Block) -> Block {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            let difference = a - b;
            *sum += difference * difference;
        }
        sums
    }

    #[inline(always)]
    fn add_products(self, mut sums: Block, a: &Block, b: &Block) -> Block {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
        sums
    }

    #[inline(always)]
    fn total(self, mut sums: Block) -> f32 {
        for half in [8, 4, 2, 1] {
            let (low, high) = sums.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                *low += *high;
            }
        }
        let [total, ..] = sums;
        total
    }

    #[inline]
    fn square_root(self, value: f32) -> f32 {
        square_root(value)
    }
}

/// The root of the significand as an integer, with one bit more than the result holds. It never
/// lies halfway between two results: then it would be odd and its square even.
fn square_root(value: f32) -> f32 {
    const FRACTION_BITS: u32 = f32::MANTISSA_DIGITS - 1;
    const BIAS: i32 = 127;
    if value == 0.0 || value.is_nan() || value == f32::INFINITY {
        return value;
    }
    if value < 0.0 {
        return f32::NAN;
    }
    // value = significand * 2^exponent, the significand in 2^23..2^24 or of a subnormal.
    let fraction = value.to_bits() & ((1 << FRACTION_BITS) - 1);
    let biased = value.to_bits() >> FRACTION_BITS;
    let significand = fraction | u32::from(biased > 0) << FRACTION_BITS;
    let exponent = biased.max(1).cast_signed() - BIAS - FRACTION_BITS.cast_signed();
    // Into 2^24..2^26 with an even exponent.
    let shift = significand.leading_zeros() - 7;
    let shift = shift + ((exponent - shift.cast_signed()) & 1).cast_unsigned();
    let exponent = exponent - shift.cast_signed();
    let root = (u64::from(significand) << shift << 24).isqrt();
    // 25 bits: the last one rounds.
    let rounded = (root >> 1) + (root & 1);
    let biased = exponent / 2 - 12 + 1 + BIAS + FRACTION_BITS.cast_signed();
    let bits =
        (u64::from(biased.cast_unsigned()) << FRACTION_BITS) + rounded - (1 << FRACTION_BITS);
    f32::from_bits(u32::try_from(bits).unwrap_or(0))
}

/// The mask of the lanes for which `holds`.
#[inline(always)]
fn mask_where(old: &Block, new: &Block, holds: impl Fn(f32, f32) -> bool) -> u16 {
    let mut mask = 0;
    for (lane, (&old, &new)) in old.iter().zip(new).enumerate() {
        mask |= u16::from(holds(old, new)) << lane;
    }
    mask
}
