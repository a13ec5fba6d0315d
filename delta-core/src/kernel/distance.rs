//! Distances between rows, pinned: the same bits on every target.
//!
//! Sixteen lanes sum in turn, every multiplication and addition is rounded on its own, the last
//! lanes of a row that is no multiple of 16 are +0.0, and the lanes are added by one fixed tree.
//! So a replica in a browser computes the distances that the primary computes, bit for bit, and
//! ranks as it does.

use crate::simd::{Block, Job, LANES, Vector, VectorUnit};

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
    unit: VectorUnit,
}

impl<'a> Query<'a> {
    /// O(dim).
    #[must_use]
    pub fn new(metric: Metric, row: &'a [f32]) -> Self {
        let norm = match metric {
            Metric::Cosine => VectorUnit::BASELINE.run(Norm { row }),
            Metric::SquaredL2 | Metric::Dot => 0.0,
        };
        Self {
            metric,
            row,
            norm,
            unit: VectorUnit::BASELINE,
        }
    }

    /// Computes on `unit`: the same distances, sooner where it is wider. O(1).
    #[must_use]
    pub const fn on(self, unit: VectorUnit) -> Self {
        Self { unit, ..self }
    }

    /// The vector unit that computes the distances.
    #[must_use]
    #[inline]
    pub const fn unit(&self) -> VectorUnit {
        self.unit
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
        self.unit.run(Distance { query: self, row })
    }

    /// As [`distance_to`](Self::distance_to), within a [`Job`].
    #[inline(always)]
    pub(crate) fn distance_on(&self, unit: impl Vector, row: &[f32]) -> f32 {
        if row.len() != self.row.len() {
            return f32::from_bits(bits_with_one_nan(f32::NAN));
        }
        let distance = match self.metric {
            Metric::SquaredL2 => squared_l2_on(unit, self.row, row),
            Metric::Dot => 1.0 - dot_on(unit, self.row, row),
            Metric::Cosine => {
                let (dot, square) = dot_and_square_on(unit, self.row, row);
                1.0 - dot / (self.norm * unit.square_root(square))
            }
        };
        f32::from_bits(bits_with_one_nan(distance))
    }
}

struct Norm<'a> {
    row: &'a [f32],
}

impl Job for Norm<'_> {
    type Output = f32;

    #[inline(always)]
    fn on<V: Vector>(self, unit: V) -> f32 {
        unit.square_root(dot_on(unit, self.row, self.row))
    }
}

struct Distance<'q> {
    query: &'q Query<'q>,
    row: &'q [f32],
}

impl Job for Distance<'_> {
    type Output = f32;

    #[inline(always)]
    fn on<V: Vector>(self, unit: V) -> f32 {
        self.query.distance_on(unit, self.row)
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

#[inline(always)]
fn squared_l2_on<V: Vector>(unit: V, a: &[f32], b: &[f32]) -> f32 {
    let step = |sums, a: &Block, b: &Block| unit.add_squared_differences(sums, a, b);
    unit.total(fold(a, b, unit.no_sums(), step))
}

#[inline(always)]
fn dot_on<V: Vector>(unit: V, a: &[f32], b: &[f32]) -> f32 {
    let step = |sums, a: &Block, b: &Block| unit.add_products(sums, a, b);
    unit.total(fold(a, b, unit.no_sums(), step))
}

/// The inner product, and that of `b` with itself, in one pass.
#[inline(always)]
fn dot_and_square_on<V: Vector>(unit: V, a: &[f32], b: &[f32]) -> (f32, f32) {
    let none = (unit.no_sums(), unit.no_sums());
    let (dot, square) = fold(a, b, none, |(dot, square), a, b| {
        (
            unit.add_products(dot, a, b),
            unit.add_products(square, b, b),
        )
    });
    (unit.total(dot), unit.total(square))
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
