//! Components as whole steps of a power of two, and what is below (WIRE.md, section 4).

use crate::simd::cut;

pub(super) const FRACTION_BITS: u32 = 23;
/// Least and greatest biased exponent that a step is made for: it and its inverse are normal.
pub(super) const EXPONENT_MIN: u32 = 24;
pub(super) const EXPONENT_MAX: u32 = 254;
/// Most low bits of the significand that can be cut off.
pub(super) const TRIMMED_MAX: u32 = 22;

/// The steps of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Biased exponent of the smallest components that a step is made for:
    /// [`EXPONENT_MIN`]..=[`EXPONENT_MAX`].
    pub(super) floor: u32,
    /// Low bits that are zero in all new components, 0..=[`TRIMMED_MAX`].
    pub(super) trimmed: u32,
}

/// What a grid says of one lane.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    /// Biased exponent that the lane's step is made for.
    pub(super) exponent: u32,
    /// The step, a power of two.
    pub(super) step: f32,
    /// 1 / step.
    pub(super) inverse: f32,
}

impl Grid {
    /// Bits of a significand, the leading one included.
    #[inline]
    pub(super) fn width(self) -> u32 {
        FRACTION_BITS + 1 - self.trimmed
    }

    #[inline(always)]
    pub(super) fn lane(self, old: f32) -> Lane {
        let old = (old.to_bits() >> FRACTION_BITS) & 0xff;
        let exponent = old.max(self.floor).min(EXPONENT_MAX);
        Lane {
            exponent,
            step: f32::from_bits((exponent + self.trimmed - FRACTION_BITS) << FRACTION_BITS),
            inverse: f32::from_bits(
                (EXPONENT_MAX + FRACTION_BITS - self.trimmed - exponent) << FRACTION_BITS,
            ),
        }
    }

    /// Bits that a new component has below the step of its lane: from [`Self::width`] on it has
    /// no whole step.
    #[inline(always)]
    pub(super) fn tail_bits(self, lane: Lane, new: f32) -> u32 {
        let exponent = (new.to_bits() >> FRACTION_BITS) & 0xff;
        lane.exponent.saturating_sub(exponent)
    }
}

/// The steps in a component, cut towards 0; none of a NaN or of 2^28 steps and more.
#[inline(always)]
pub(super) fn whole_steps(component: f32, lane: Lane) -> i32 {
    cut(component * lane.inverse)
}

#[inline]
#[expect(
    clippy::cast_precision_loss,
    reason = "a number of steps has the bits of a significand; others come from no encoder"
)]
pub(super) fn on_step(steps: i32, lane: Lane) -> f32 {
    steps as f32 * lane.step
}
