//! Violation resistance: what changes much costs much, and a tick has only so much energy.

use super::{GateConfigError, Hold, Step};

/// Energy of a delta whatever its size.
const ENERGY_BASE: u32 = 4;
/// Payload bytes that cost a unit of energy.
const BYTES_PER_ENERGY: u32 = 64;

/// The deltas of a range of energies, and how many of them a tick takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Largest energy of the band's deltas.
    pub energy_max: u32,
    /// Deltas a tick.
    pub deltas_per_tick: u32,
}

/// The property *violation resistance*: an energy budget a tick, and rates by energy band.
///
/// A delta costs 4, and 1 for every 64 payload bytes. What is not spent is kept for one more tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViolationResistance {
    /// Length of a tick in microseconds, at least 1.
    pub tick_us: u32,
    /// Energy of a tick, at least 1; [`u32::MAX`]: without end. A delta that costs more than two
    /// ticks have passes alone, when nothing of either has been spent.
    pub energy_per_tick: u32,
    /// Bands in ascending order of energy; deltas beyond the last belong to it.
    pub bands: [Band; 3],
}

impl ViolationResistance {
    /// No budget.
    pub const ANY: Self = Self {
        tick_us: 1_000,
        energy_per_tick: u32::MAX,
        bands: [Band {
            energy_max: u32::MAX,
            deltas_per_tick: u32::MAX,
        }; 3],
    };

    /// Ticks of a millisecond with energy for some 1,000 sparse deltas, of which 64 may be dense
    /// and 8 huge.
    pub const BALANCED: Self = Self {
        tick_us: 1_000,
        energy_per_tick: 16_384,
        bands: [
            Band {
                energy_max: 64,
                deltas_per_tick: u32::MAX,
            },
            Band {
                energy_max: 512,
                deltas_per_tick: 64,
            },
            Band {
                energy_max: u32::MAX,
                deltas_per_tick: 8,
            },
        ],
    };

    pub(super) fn check(&self) -> Result<(), GateConfigError> {
        if self.tick_us == 0 || self.energy_per_tick == 0 {
            return Err(GateConfigError::Tick);
        }
        let passes = self.bands.iter().all(|band| band.deltas_per_tick > 0);
        if !passes || !self.bands.is_sorted_by_key(|band| band.energy_max) {
            return Err(GateConfigError::Bands);
        }
        Ok(())
    }

    /// What a delta costs while coherence is on target. O(1).
    #[inline]
    pub fn energy(&self, step: &Step) -> u32 {
        if step.rows == 0 {
            return 0;
        }
        ENERGY_BASE + step.payload_size / BYTES_PER_ENERGY
    }

    #[inline]
    fn band(&self, cost: u32) -> usize {
        let [low, middle, _] = self.bands;
        usize::from(cost > low.energy_max)
            + usize::from(cost > low.energy_max.max(middle.energy_max))
    }

    pub(super) fn full(&self) -> Budget {
        Budget {
            energy: self.energy_per_tick,
            deltas: self.bands.map(|band| band.deltas_per_tick),
        }
    }

    pub(super) fn renewed(&self, budget: Budget, ticks: u32) -> Budget {
        let energy_max = self.energy_per_tick.saturating_mul(2);
        let renewed = self.energy_per_tick.saturating_mul(ticks);
        Budget {
            energy: budget.energy.saturating_add(renewed).min(energy_max),
            ..self.full()
        }
    }

    #[inline]
    pub(super) fn exhausted(&self, budget: &Budget, cost: u32) -> Option<Hold> {
        let left = budget.energy;
        // One that costs more than two ticks have waits for both and takes them all.
        if cost.min(self.energy_per_tick.saturating_mul(2)) > left {
            return Some(Hold::Energy { cost, left });
        }
        let band = self.band(cost);
        let has_none = cost > 0 && budget.deltas.get(band) == Some(&0);
        has_none.then(|| Hold::Band {
            band: u8::try_from(band).unwrap_or(u8::MAX),
        })
    }

    #[inline]
    pub(super) fn spend(&self, budget: &mut Budget, cost: u32) {
        if self.energy_per_tick < u32::MAX {
            budget.energy = budget.energy.saturating_sub(cost);
        }
        if let Some(left) = budget.deltas.get_mut(self.band(cost)) {
            let is_limited = *left < u32::MAX && cost > 0;
            *left = left.saturating_sub(u32::from(is_limited));
        }
    }
}

/// What is left of a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    energy: u32,
    /// By band.
    deltas: [u32; 3],
}
