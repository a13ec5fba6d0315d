//! A gate in front of an applier.

use super::{Coherence, Gate, Hold, Quarantine, Step, Verdict};
use crate::{
    pipeline::apply::{Applier, ApplyError, Outcome, is_duplicate},
    record::Record,
    store::Replica,
};
use core::fmt;

/// What became of a record at a gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GatedOutcome {
    /// The gate let it pass, and the replica took it or had it already.
    Passed(Outcome),
    /// It waits: nothing has changed. Ask again after the next tick.
    Held(Hold),
}

/// Why a record was not applied. Nothing has changed but the gate, which may be in quarantine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum GatedError {
    /// The gate asks for a snapshot.
    Quarantined(Quarantine),
    /// The replica refuses the record.
    Apply(ApplyError),
}

impl fmt::Display for GatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined(reason) => {
                write!(f, "the gate is closed ({reason:?}): start from a snapshot")
            }
            Self::Apply(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for GatedError {}

impl Applier<'_> {
    /// As [`apply_delta`](Self::apply_delta), if `gate` lets the record pass. O(change).
    ///
    /// # Errors
    /// See [`GatedError`].
    #[inline]
    pub fn apply_gated<R: Replica + ?Sized, C: Coherence>(
        &mut self,
        record: &Record<'_>,
        replica: &mut R,
        gate: &mut Gate<C>,
    ) -> Result<GatedOutcome, GatedError> {
        // What is not the next record is none of the gate's business.
        if !matches!(is_duplicate(self.current_position(), record), Ok(false)) {
            let outcome = self.apply_delta(record, replica);
            return outcome.map(GatedOutcome::Passed).map_err(GatedError::Apply);
        }
        let step = Step::of(record, replica);
        match gate.assess(&step) {
            Verdict::Apply => {}
            Verdict::Hold(hold) => {
                self.note_held();
                return Ok(GatedOutcome::Held(hold));
            }
            Verdict::Quarantine(reason) => return Err(GatedError::Quarantined(reason)),
        }
        let outcome = self
            .apply_delta(record, replica)
            .map_err(GatedError::Apply)?;
        gate.commit(&step);
        Ok(GatedOutcome::Passed(outcome))
    }
}
