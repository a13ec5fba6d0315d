//! A gate in front of an applier.

use super::{Coherence, Gate, Hold, Quarantine, Step, Verdict};
use crate::{
    codec::RowChange,
    payload::Payload,
    pipeline::apply::{Applier, ApplyError, Judge, Outcome, Refusal, Unjudged, is_duplicate},
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
        let step = Step::beside_rows(record);
        let measured = matches!(record.payload(), Payload::Update(_) | Payload::Batch(_));
        let mut door = Door {
            gate,
            step,
            closed: None,
        };
        // What changes no row as it is can be judged at once; and a quarantine is for all.
        let is_closed = door.gate.quarantine().is_some();
        if is_closed || !measured {
            door.allows();
        }
        let outcome = match door.closed {
            Some(_) => Err(Refusal::Gated),
            None if measured => self.apply_judged(record, replica, &mut door),
            None => self.apply_judged(record, replica, &mut Unjudged),
        };
        match door.closed {
            Some(Closed::Quarantined(reason)) => return Err(GatedError::Quarantined(reason)),
            Some(Closed::Held(hold)) => {
                self.note_held();
                return Ok(GatedOutcome::Held(hold));
            }
            None => {}
        }
        if outcome.is_ok() {
            door.gate.commit(&door.step);
        }
        self.note_outcome(record, outcome)
            .map(GatedOutcome::Passed)
            .map_err(GatedError::Apply)
    }
}

/// Measures rows where they are decoded, and asks the gate when all are.
struct Door<'g, C> {
    gate: &'g mut Gate<C>,
    step: Step,
    /// Why it is closed.
    closed: Option<Closed>,
}

#[derive(Clone, Copy)]
enum Closed {
    Held(Hold),
    Quarantined(Quarantine),
}

impl<C: Coherence> Judge for Door<'_, C> {
    #[inline]
    fn row(&mut self, old: &[f32], change: &RowChange<'_>) -> u64 {
        self.step.add(old, change)
    }

    #[inline]
    fn allows(&mut self) -> bool {
        self.closed = match self.gate.assess(&self.step) {
            Verdict::Apply => None,
            Verdict::Hold(hold) => Some(Closed::Held(hold)),
            Verdict::Quarantine(reason) => Some(Closed::Quarantined(reason)),
        };
        self.closed.is_none()
    }
}
