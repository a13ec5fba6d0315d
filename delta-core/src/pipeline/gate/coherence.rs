//! Global preservation: coherence stays above its least and falls slowly.

use super::{GateConfigError, Step};

/// A measure of how much a replica is still in order, 0..=1, in O(1) a delta. A caller that can
/// measure better (by the recall of a few probes, say) brings a measure of its own.
pub trait Coherence {
    /// Now.
    fn current(&self) -> f32;
    /// What it would be after `step`.
    fn after(&self, step: &Step) -> f32;
    /// `step` has been applied.
    fn commit(&mut self, step: &Step);
    /// So many ticks have passed.
    fn rest(&mut self, ticks: u32);
    /// The replica starts again from a snapshot: whole.
    fn reset(&mut self);
}

/// Coherence as 1 less a moving average of the squared lengths of recent steps: a storm of large
/// steps lowers it, small steps and time raise it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    /// The moving average, 0..=1.
    average: f32,
    /// Squared length of a step that counts as wholly disturbing, above 0.
    square_norm_full: f32,
    /// Share of the newest step in the average, 0..=1.
    weight: f32,
    /// What a tick leaves of the average, 0..1.
    kept_per_tick: f32,
}

impl Disturbance {
    /// Steps of `square_norm_full` and beyond count as wholly disturbing; below, in proportion.
    ///
    /// # Errors
    /// [`GateConfigError::Thresholds`] if it is not above 0.
    pub fn new(square_norm_full: f32) -> Result<Self, GateConfigError> {
        if square_norm_full.is_nan() || square_norm_full <= 0.0 {
            return Err(GateConfigError::Thresholds);
        }
        Ok(Self {
            square_norm_full,
            ..Self::default()
        })
    }

    fn average_after(&self, step: &Step) -> f32 {
        let share = step.square_norm_max / self.square_norm_full;
        // Not `min`, which would pass NaN over: what cannot be measured is wholly disturbing.
        let share = if share < 1.0 { share } else { 1.0 };
        self.average + self.weight * (share - self.average)
    }
}

impl Default for Disturbance {
    /// A step of one unit length is wholly disturbing; the newest step weighs 1/16, and a tick
    /// halves what is left.
    fn default() -> Self {
        Self {
            average: 0.0,
            square_norm_full: 1.0,
            weight: 1.0 / 16.0,
            kept_per_tick: 0.5,
        }
    }
}

impl Coherence for Disturbance {
    fn current(&self) -> f32 {
        1.0 - self.average
    }

    #[inline]
    fn after(&self, step: &Step) -> f32 {
        1.0 - self.average_after(step)
    }

    #[inline]
    fn commit(&mut self, step: &Step) {
        self.average = self.average_after(step);
    }

    fn rest(&mut self, ticks: u32) {
        // Beyond 32 halvings nothing is left.
        for _ in 0..ticks.min(32) {
            self.average *= self.kept_per_tick;
        }
    }

    fn reset(&mut self) {
        self.average = 0.0;
    }
}

/// The property *global preservation*: thresholds of coherence.
///
/// Below `target` deltas cost more, below `throttle` still more; what would fall below `min`, or
/// fall by more than `drop_max` at once, waits. After it was blocked by `min` the gate waits for
/// `min + recovery`: so it does not flutter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlobalPreservation {
    /// Least coherence, 0..=1.
    pub min: f32,
    /// Below it deltas cost four times as much, `min`..=1.
    pub throttle: f32,
    /// Below it deltas cost twice as much, `throttle`..=1.
    pub target: f32,
    /// Most that coherence may fall by one delta, 0..=1.
    pub drop_max: f32,
    /// Above `min`, what is waited for after a block, 0..=1.
    pub recovery: f32,
}

impl GlobalPreservation {
    /// Least 0.3, throttled below 0.5, target 0.8, at most 0.1 at once, recovered at 0.5.
    pub const SEED: Self = Self {
        min: 0.3,
        throttle: 0.5,
        target: 0.8,
        drop_max: 0.1,
        recovery: 0.2,
    };

    /// Any coherence will do.
    pub const ANY: Self = Self {
        min: 0.0,
        throttle: 0.0,
        target: 0.0,
        drop_max: 1.0,
        recovery: 0.0,
    };

    pub(super) fn check(&self) -> Result<(), GateConfigError> {
        let unit = 0.0..=1.0;
        let in_range = [self.min, self.drop_max, self.recovery]
            .iter()
            .all(|value| unit.contains(value));
        let ascending = self.min <= self.throttle && self.throttle <= self.target;
        if in_range && ascending && self.target <= 1.0 && self.min + self.recovery <= 1.0 {
            Ok(())
        } else {
            Err(GateConfigError::Thresholds)
        }
    }

    /// What coherence a delta waits for that would move it from `current` to `after`.
    #[inline]
    pub(super) fn violated(&self, current: f32, after: f32, blocked: bool) -> Option<f32> {
        let recovered = self.min + self.recovery;
        if blocked && current < recovered {
            return Some(recovered);
        }
        if after < self.min {
            return Some(recovered);
        }
        // One that is blocked for a steep fall waits for room to fall, not for recovery.
        (after < current - self.drop_max).then_some(self.min)
    }

    /// By how much a delta costs more that leads to coherence `after`.
    #[inline]
    pub(super) fn cost_factor(&self, after: f32) -> u32 {
        if after < self.throttle {
            4
        } else if after < self.target {
            2
        } else {
            1
        }
    }
}
