//! The gate in front of a replica: slows down, holds or refuses what would carry it away from a
//! coherent state.
//!
//! The four properties of Δ-behaviour are a type each:
//!
//! | property | type | so that |
//! |---|---|---|
//! | local change | [`LocalChange`] | no single delta is too large |
//! | global preservation | [`GlobalPreservation`] | coherence falls slowly, never too low |
//! | violation resistance | [`ViolationResistance`] | what changes much costs much |
//! | closure | [`ClosurePreference`] | what piles up is compacted to a stable state |
//!
//! Sans-io: the caller says what time it is, and what the gate said happens to the record.
//! [`Gate::assess`] costs O(1); [`Step::of`], which measures a record, O(change). A record is
//! never skipped: it is applied, waits, or the replica starts again from a snapshot. A primary may
//! ask a gate, too, before it gives a change a sequence: [`Step::between`].
//!
//! ```
//! use delta_core::pipeline::gate::{Gate, GateConfig, Step, Verdict};
//!
//! let mut gate = Gate::new(GateConfig::BALANCED)?;
//! let step = Step { payload_size: 400, changed: 19, square_norm_max: 0.02, rows: 1 };
//! assert_eq!(gate.assess(&step), Verdict::Apply);
//! gate.commit(&step); // once the replica has taken it
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod apply;
mod closure;
mod coherence;
mod limits;
mod resistance;
mod step;

pub use apply::{GatedError, GatedOutcome};
pub use closure::ClosurePreference;
pub use coherence::{Coherence, Disturbance, GlobalPreservation};
pub use limits::{LocalChange, LocalViolation};
pub use resistance::{Band, ViolationResistance};
pub use step::Step;

use core::fmt;

/// What is to happen to a delta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Apply it, then [`commit`](Gate::commit).
    Apply,
    /// Not now: the position stays, the delta is asked about again after the next tick.
    Hold(Hold),
    /// Not ever: the replica needs a snapshot, then [`release`](Gate::release).
    Quarantine(Quarantine),
}

/// Why a delta waits.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hold {
    /// The tick's energy is used up.
    Energy {
        /// Energy that the delta costs.
        cost: u32,
        /// Energy left.
        left: u32,
    },
    /// The tick has had its deltas of this band.
    Band {
        /// The band, from 0.
        band: u8,
    },
    /// Coherence would fall below its least, or by too much at once, or has not recovered from it.
    Coherence {
        /// Coherence now, 0..=1.
        current: f32,
        /// What it would be after the delta.
        after: f32,
        /// What is waited for.
        needed: f32,
    },
}

/// Why a replica needs a snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Quarantine {
    /// The delta is larger than any may be.
    Local(LocalViolation),
    /// A delta was held for longer than [`GateConfig::patience_ticks`].
    Patience(Hold),
}

/// How strict a gate is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateConfig {
    /// Limits of one delta.
    pub local: LocalChange,
    /// Limits of coherence.
    pub preservation: GlobalPreservation,
    /// Energy and rates.
    pub resistance: ViolationResistance,
    /// When to compact.
    pub closure: ClosurePreference,
    /// Ticks that a delta may be held before the replica is quarantined, at least 1.
    pub patience_ticks: u32,
}

impl GateConfig {
    /// Refuses nothing and holds nothing.
    pub const OPEN: Self = Self {
        local: LocalChange::ANY,
        preservation: GlobalPreservation::ANY,
        resistance: ViolationResistance::ANY,
        closure: ClosurePreference::NEVER,
        patience_ticks: u32::MAX,
    };

    /// For rows of about unit length that change a few components at a time, at up to some 100,000
    /// deltas a second.
    pub const BALANCED: Self = Self {
        local: LocalChange {
            payload_size_max: 1 << 20,
            changed_max: 1 << 18,
            square_norm_max: 16.0,
        },
        preservation: GlobalPreservation::SEED,
        resistance: ViolationResistance::BALANCED,
        closure: ClosurePreference {
            records_max: 65_536,
            bytes_max: 64 << 20,
        },
        patience_ticks: 10_000,
    };

    /// As [`BALANCED`](Self::BALANCED) with steps of at most half a unit and a tenth of the energy.
    pub const STRICT: Self = Self {
        local: LocalChange {
            payload_size_max: 64 << 10,
            changed_max: 1 << 14,
            square_norm_max: 0.25,
        },
        resistance: ViolationResistance {
            energy_per_tick: ViolationResistance::BALANCED.energy_per_tick / 10,
            ..ViolationResistance::BALANCED
        },
        patience_ticks: 1_000,
        ..Self::BALANCED
    };
}

/// A configuration that no gate can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateConfigError {
    /// Thresholds of coherence lie within 0..=1 and ascend: min, throttle, target.
    Thresholds,
    /// A tick lasts at least a microsecond and has energy.
    Tick,
    /// Bands ascend in energy.
    Bands,
    /// Patience is at least a tick.
    Patience,
}

impl fmt::Display for GateConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thresholds => "coherence thresholds: use 0 <= min <= throttle <= target <= 1",
            Self::Tick => "a tick of no time or no energy: use at least 1 of either",
            Self::Bands => "energy bands do not ascend: order them by energy_max",
            Self::Patience => "no patience at all: use at least 1 tick",
        })
    }
}

impl core::error::Error for GateConfigError {}

/// What a gate has decided since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateCounts {
    /// Deltas that were applied.
    pub applied: u64,
    /// Times that a delta was told to wait.
    pub held: u64,
    /// Times that a snapshot was asked for.
    pub quarantined: u64,
    /// Deltas that cost more because coherence was below its target.
    pub throttled: u64,
}

/// Decides delta by delta. Deltas come in the order of their stream, each again until it is
/// applied.
#[derive(Clone, Debug)]
pub struct Gate<C = Disturbance> {
    config: GateConfig,
    coherence: C,
    /// Coherence fell to its least; nothing passes before it has recovered.
    blocked: bool,
    quarantine: Option<Quarantine>,
    budget: resistance::Budget,
    /// Ticks for which the delta in front has been held.
    held_ticks: u32,
    /// The delta in front has been held.
    holding: bool,
    pending: closure::Pending,
    counts: GateCounts,
    /// Time of the last tick, microseconds; `None` before the first.
    ticked_us: Option<u64>,
}

impl Gate {
    /// A gate that measures coherence by [`Disturbance`].
    ///
    /// # Errors
    /// See [`GateConfigError`].
    pub fn new(config: GateConfig) -> Result<Self, GateConfigError> {
        Self::with_coherence(config, Disturbance::default())
    }
}

impl<C: Coherence> Gate<C> {
    /// A gate with a measure of coherence of the caller's own.
    ///
    /// # Errors
    /// See [`GateConfigError`].
    pub fn with_coherence(config: GateConfig, coherence: C) -> Result<Self, GateConfigError> {
        config.preservation.check()?;
        config.resistance.check()?;
        if config.patience_ticks == 0 {
            return Err(GateConfigError::Patience);
        }
        Ok(Self {
            budget: config.resistance.full(),
            config,
            coherence,
            blocked: false,
            quarantine: None,
            held_ticks: 0,
            holding: false,
            pending: closure::Pending::default(),
            counts: GateCounts::default(),
            ticked_us: None,
        })
    }

    /// Says what time it is: microseconds that never go back (if they do, nothing happens). Whole
    /// ticks since the last call renew the energy and let coherence recover. O(1).
    pub fn advance(&mut self, now_us: u64) {
        let last = *self.ticked_us.get_or_insert(now_us);
        let tick_us = u64::from(self.config.resistance.tick_us);
        let ticks = now_us.saturating_sub(last) / tick_us;
        if ticks == 0 {
            return;
        }
        self.ticked_us = Some(last + ticks * tick_us);
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        self.budget = self.config.resistance.renewed(self.budget, ticks);
        self.coherence.rest(ticks);
        if self.holding {
            self.held_ticks = self.held_ticks.saturating_add(ticks);
        }
    }

    /// What is to happen to the delta in front. O(1).
    #[inline]
    pub fn assess(&mut self, step: &Step) -> Verdict {
        let verdict = self.judge(step);
        match verdict {
            Verdict::Apply => {}
            Verdict::Hold(_) => {
                self.holding = true;
                self.counts.held += 1;
            }
            Verdict::Quarantine(reason) => {
                self.quarantine = Some(reason);
                self.counts.quarantined += 1;
            }
        }
        verdict
    }

    #[inline]
    fn judge(&mut self, step: &Step) -> Verdict {
        if let Some(reason) = self.quarantine {
            return Verdict::Quarantine(reason);
        }
        if let Err(violation) = self.config.local.check(step) {
            return Verdict::Quarantine(Quarantine::Local(violation));
        }
        match self.hold(step) {
            None => Verdict::Apply,
            Some(hold) if self.held_ticks >= self.config.patience_ticks => {
                Verdict::Quarantine(Quarantine::Patience(hold))
            }
            Some(hold) => Verdict::Hold(hold),
        }
    }

    #[inline]
    fn hold(&mut self, step: &Step) -> Option<Hold> {
        let (current, after) = (self.coherence.current(), self.coherence.after(step));
        let preservation = &self.config.preservation;
        let needed = preservation.violated(current, after, self.blocked);
        self.blocked = needed.is_some_and(|needed| needed > preservation.min);
        if let Some(needed) = needed {
            return Some(Hold::Coherence {
                current,
                after,
                needed,
            });
        }
        let cost = self.cost(step, after);
        self.config.resistance.exhausted(&self.budget, cost)
    }

    #[inline]
    fn cost(&self, step: &Step, after: f32) -> u32 {
        let factor = self.config.preservation.cost_factor(after);
        self.config.resistance.energy(step).saturating_mul(factor)
    }

    /// Notes that the delta that [`assess`](Self::assess) let pass has been applied. O(1).
    #[inline]
    pub fn commit(&mut self, step: &Step) {
        let after = self.coherence.after(step);
        let cost = self.cost(step, after);
        self.config.resistance.spend(&mut self.budget, cost);
        self.coherence.commit(step);
        self.pending.add(step);
        (self.holding, self.held_ticks) = (false, 0);
        self.counts.applied += 1;
        self.counts.throttled += u64::from(self.config.preservation.cost_factor(after) > 1);
    }

    /// Whether so much has been applied since the last stable state that the log should be
    /// compacted now.
    pub fn wants_compaction(&self) -> bool {
        self.config.closure.is_due(&self.pending)
    }

    /// The log has been compacted: what was applied so far is a stable state.
    pub fn compacted(&mut self) {
        self.pending = closure::Pending::default();
    }

    /// The replica has been started again from a snapshot: a quarantine is over, coherence whole.
    pub fn release(&mut self) {
        self.quarantine = None;
        self.blocked = false;
        (self.holding, self.held_ticks) = (false, 0);
        self.coherence.reset();
        self.pending = closure::Pending::default();
    }

    /// Coherence now, 0..=1.
    pub fn coherence(&self) -> f32 {
        self.coherence.current()
    }

    /// Why the replica needs a snapshot, if it does.
    pub fn quarantine(&self) -> Option<Quarantine> {
        self.quarantine
    }

    /// What has been decided so far.
    pub fn counts(&self) -> GateCounts {
        self.counts
    }
}
