//! Distances between rows, pinned: the same bits on every target.
//!
//! Sixteen lanes sum in turn, every multiplication and addition is rounded on its own, the last
//! lanes of a row that is no multiple of 16 are +0.0, and the lanes are added by one fixed tree.
//! So a replica in a browser computes the distances that the primary computes, bit for bit, and
//! ranks as it does.

use crate::simd::{Block, LANES, Native, Vector};

/// What a distance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// The squared Euclidean distance.
    SquaredL2,
    /// 1 less the inner product; of rows that are not of length 1 it may be negative.
    Dot,
    /// 1 less the cosine of the angle: 0..=2 but for rounding, NaN where a row has length 0.
    Cosine,
}

/// A row whose distances to many others are asked for; what depends on it alone is computed once.
///
/// ```
/// use delta_core::kernel::distance::{Metric, Query};
///
/// let query = Query::new(Metric::SquaredL2, &[1.0, 2.0]);
/// assert_eq!(query.distance_to(&[1.0, 4.0]), 4.0);
/// assert!(query.distance_to(&[1.0]).is_nan());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    metric: Metric,
    row: &'a [f32],
    /// Length of the row; 0 where the metric needs none.
    norm: f32,
}

impl<'a> Query<'a> {
    /// O(dim).
    #[must_use]
    pub fn new(metric: Metric, row: &'a [f32]) -> Self {
        let norm = match metric {
            Metric::Cosine => Native::square_root(dot_on::<Native>(row, row)),
            Metric::SquaredL2 | Metric::Dot => 0.0,
        };
        Self { metric, row, norm }
    }

    /// The row that distances are from.
    #[must_use]
    pub const fn row(&self) -> &'a [f32] {
        self.row
    }

    /// The distance to `row`. Every NaN is `0x7fc00000`, which is also what rows of another dim
    /// get. O(dim).
    #[must_use]
    #[inline]
    pub fn distance_to(&self, row: &[f32]) -> f32 {
        self.distance_on::<Native>(row)
    }

    #[inline]
    fn distance_on<V: Vector>(&self, row: &[f32]) -> f32 {
        if row.len() != self.row.len() {
            return f32::from_bits(bits_with_one_nan(f32::NAN));
        }
        let distance = match self.metric {
            Metric::SquaredL2 => squared_l2_on::<V>(self.row, row),
            Metric::Dot => 1.0 - dot_on::<V>(self.row, row),
            Metric::Cosine => {
                let (dot, square) = dot_and_square_on::<V>(self.row, row);
                1.0 - dot / (self.norm * V::square_root(square))
            }
        };
        f32::from_bits(bits_with_one_nan(distance))
    }
}

/// The bits of `distance`, and one NaN for all: which one an operation returns differs between
/// targets. Compared as integers: an optimiser may take any float NaN for another and leave it.
#[inline]
const fn bits_with_one_nan(distance: f32) -> u32 {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    const NAN: u32 = 0x7fc0_0000;
    let bits = distance.to_bits();
    if bits & !(1 << 31) > INFINITY {
        NAN
    } else {
        bits
    }
}

/// The distance between two rows of one dim; see [`Query::distance_to`].
#[must_use]
#[inline]
pub fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    Query::new(metric, a).distance_to(b)
}

/// Orders distances as integers: NaN, of whatever sign, behind all numbers; -0.0 before +0.0.
/// No distance has the key `u32::MAX`.
#[must_use]
#[inline]
pub const fn order_key(distance: f32) -> u32 {
    const SIGN: u32 = 1 << 31;
    let bits = bits_with_one_nan(distance);
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

#[inline]
fn squared_l2_on<V: Vector>(a: &[f32], b: &[f32]) -> f32 {
    V::total(fold(a, b, V::no_sums(), V::add_squared_differences))
}

#[inline]
fn dot_on<V: Vector>(a: &[f32], b: &[f32]) -> f32 {
    V::total(fold(a, b, V::no_sums(), V::add_products))
}

/// The inner product, and that of `b` with itself, in one pass.
#[inline]
fn dot_and_square_on<V: Vector>(a: &[f32], b: &[f32]) -> (f32, f32) {
    let none = (V::no_sums(), V::no_sums());
    let (dot, square) = fold(a, b, none, |(dot, square), a, b| {
        (V::add_products(dot, a, b), V::add_products(square, b, b))
    });
    (V::total(dot), V::total(square))
}

/// Folds the blocks of two rows of one length, the last one padded with +0.0.
#[inline(always)]
fn fold<S>(a: &[f32], b: &[f32], start: S, mut step: impl FnMut(S, &Block, &Block) -> S) -> S {
    let (a_blocks, a_tail) = a.as_chunks::<LANES>();
    let (b_blocks, b_tail) = b.as_chunks::<LANES>();
    let mut sums = start;
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        sums = step(sums, a, b);
    }
    if a_tail.is_empty() {
        sums
    } else {
        step(sums, &padded(a_tail), &padded(b_tail))
    }
}

#[inline]
fn padded(tail: &[f32]) -> Block {
    let mut block = [0.0; LANES];
    for (lane, &value) in block.iter_mut().zip(tail) {
        *lane = value;
    }
    block
}

#[cfg(test)]
mod tests;
