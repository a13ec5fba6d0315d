//! Local change: no single delta is too large.

use super::Step;

/// The property *local change*: limits of one delta. What exceeds them is refused for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalChange {
    /// Most bytes of a payload.
    pub payload_size_max: u32,
    /// Most components that a delta may set.
    pub changed_max: u32,
    /// Largest squared length of a row's step; infinity: anything, NaN included.
    pub square_norm_max: f32,
}

/// What exceeds a limit of [`LocalChange`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LocalViolation {
    /// The payload.
    PayloadSize {
        /// Its bytes.
        found: u32,
        /// The limit.
        max: u32,
    },
    /// The number of components.
    Changed {
        /// How many.
        found: u32,
        /// The limit.
        max: u32,
    },
    /// The step of a row.
    Norm {
        /// Its squared length, perhaps NaN.
        found: f32,
        /// The limit.
        max: f32,
    },
}

impl LocalChange {
    /// No limits.
    pub const ANY: Self = Self {
        payload_size_max: u32::MAX,
        changed_max: u32::MAX,
        square_norm_max: f32::INFINITY,
    };

    /// Whether `step` is within the limits. O(1).
    ///
    /// # Errors
    /// The first limit that is exceeded.
    #[inline]
    pub fn check(&self, step: &Step) -> Result<(), LocalViolation> {
        let (found, max) = (step.payload_size, self.payload_size_max);
        if found > max {
            return Err(LocalViolation::PayloadSize { found, max });
        }
        let (found, max) = (step.changed, self.changed_max);
        if found > max {
            return Err(LocalViolation::Changed { found, max });
        }
        let (found, max) = (step.square_norm_max, self.square_norm_max);
        if max.is_finite() && (found.is_nan() || found > max) {
            return Err(LocalViolation::Norm { found, max });
        }
        Ok(())
    }
}
