//! Several records, all or nothing; and back again.

use super::{Applier, ApplyError, Outcome, is_duplicate, undo::Undo};
use crate::{pipeline::sequencer::Position, record::Record, store::Rewind};
use core::fmt;

/// What became of a batch that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchResult {
    /// Records applied.
    pub applied: u32,
    /// Records that the replica had applied before.
    pub duplicates: u32,
    /// The position after the batch.
    pub position: Position,
}

/// Why a batch of records was not applied. The replica is as it was before the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchApplyError {
    /// The undo memory cannot hold what the batch may change: found before the first change.
    UndoTooSmall {
        /// Bytes that may be needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The replica refuses a record.
    Apply(ApplyError),
}

impl fmt::Display for BatchApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UndoTooSmall { needed, given } => write!(
                f,
                "{given} bytes of undo memory, {needed} may be needed: give more, or apply smaller \
                 batches"
            ),
            Self::Apply(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for BatchApplyError {}

impl Applier<'_> {
    /// Applies `records` in their order, all or none, with `undo` as memory for taking them back,
    /// where the oldest records give way. O(changes + rows changed).
    ///
    /// A reader of the replica that must not see half of a batch is kept out meanwhile by the
    /// caller, who has the replica exclusively.
    ///
    /// # Errors
    /// See [`BatchApplyError`]; the replica and the position are then as they were.
    pub fn apply_batch<'r, R: Rewind + ?Sized>(
        &mut self,
        records: impl IntoIterator<Item = Record<'r>> + Clone,
        replica: &mut R,
        undo: &mut Undo<'_>,
    ) -> Result<BatchResult, BatchApplyError> {
        let mut needed = 0_usize;
        for record in records.clone() {
            needed = needed.saturating_add(self.undo_size_max(&record, replica));
        }
        let given = undo.capacity();
        if !undo.make_room(needed) {
            return Err(BatchApplyError::UndoTooSmall { needed, given });
        }
        // Counted once it is certain: what is taken back was never applied.
        let (mut position, counters) = (self.position, self.counters.take());
        let result = self.apply_each(records.clone(), replica, undo);
        self.counters = counters;
        if let Some(counters) = counters {
            match &result {
                Ok(_) => records.into_iter().for_each(|record| {
                    let outcome = if matches!(is_duplicate(position, &record), Ok(true)) {
                        Outcome::Duplicate
                    } else {
                        position.epoch = record.header().epoch;
                        position.sequence = record.header().sequence;
                        Outcome::Applied
                    };
                    counters.note_outcome(&record, Ok(outcome));
                }),
                Err(BatchApplyError::Apply(error)) => counters.note_refused(&error.reason),
                Err(BatchApplyError::UndoTooSmall { .. }) => {}
            }
        }
        result
    }

    /// Applies `records`, for which there is undo memory.
    fn apply_each<'r, R: Rewind + ?Sized>(
        &mut self,
        records: impl IntoIterator<Item = Record<'r>>,
        replica: &mut R,
        undo: &mut Undo<'_>,
    ) -> Result<BatchResult, BatchApplyError> {
        let (start, applied, duplicates) = (self.position, self.applied, self.duplicates);
        let mut result = BatchResult {
            applied: 0,
            duplicates: 0,
            position: self.position,
        };
        for record in records {
            match self.apply_undoable(&record, replica, undo) {
                Ok(Outcome::Applied) => result.applied += 1,
                Ok(Outcome::Duplicate) => result.duplicates += 1,
                Err(error) => {
                    while self.position != start && self.step_back(replica, undo).is_some() {}
                    (self.applied, self.duplicates) = (applied, duplicates);
                    return Err(error);
                }
            }
        }
        result.position = self.position;
        Ok(result)
    }

    /// Applies one record and keeps in `undo` how to take it back, on top of what is there. Where
    /// the memory is full the oldest records are forgotten. O(change + rows changed), amortised.
    ///
    /// # Errors
    /// See [`BatchApplyError`]; nothing has changed but perhaps what `undo` remembers.
    pub fn apply_undoable<R: Rewind + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &mut R,
        undo: &mut Undo<'_>,
    ) -> Result<Outcome, BatchApplyError> {
        let sequence = record.header().sequence;
        let refused = |reason| BatchApplyError::Apply(ApplyError { sequence, reason });
        if is_duplicate(self.position, record).map_err(refused)? {
            return self
                .apply_delta(record, replica)
                .map_err(BatchApplyError::Apply);
        }
        while !self.note(record, replica, undo) {
            if undo.is_empty() {
                let (needed, given) = (self.undo_size_max(record, replica), undo.capacity());
                return Err(BatchApplyError::UndoTooSmall { needed, given });
            }
            undo.forget_half();
        }
        let outcome = self.apply_delta(record, replica);
        if outcome.is_err() {
            undo.drop_last();
        }
        outcome.map_err(BatchApplyError::Apply)
    }

    /// Takes back the last record that `undo` remembers and returns the position before it; `None`
    /// if it remembers none. O(rows changed).
    ///
    /// `undo` must have been filled by this applier's calls on this replica, and nothing else may
    /// have changed the replica since.
    pub fn step_back<R: Rewind + ?Sized>(
        &mut self,
        replica: &mut R,
        undo: &mut Undo<'_>,
    ) -> Option<Position> {
        let position = undo.step_back(replica)?;
        self.position = position;
        Some(position)
    }
}
