//! Applying a range segment.

use super::{Applier, ApplyError, BatchApplyError, Outcome, Refusal, undo::Undo};
use crate::{
    compact::RangeSegment, payload::Payload, pipeline::sequencer::Position, record::Record,
    store::Rewind,
};

impl Applier<'_> {
    /// Moves the replica from the segment's beginning to its end, wholly or not at all, with `undo`
    /// as memory for taking it back; it is empty afterwards: one goes back no further than the end
    /// of a segment. O(changes + rows changed).
    ///
    /// # Errors
    /// See [`BatchApplyError`]; nothing has changed then. A replica that is elsewhere than at the
    /// segment's beginning refuses it as [`Refusal::Gap`] or [`Refusal::Base`].
    pub fn apply_range<R: Rewind + ?Sized>(
        &mut self,
        segment: &RangeSegment<'_>,
        replica: &mut R,
        undo: &mut Undo<'_>,
    ) -> Result<Outcome, BatchApplyError> {
        let (from, to, start) = (segment.from(), segment.to(), self.position);
        if to.sequence <= start.sequence && to.epoch <= start.epoch {
            self.duplicates += 1;
            return Ok(Outcome::Duplicate);
        }
        let refused = |sequence, reason| BatchApplyError::Apply(ApplyError { sequence, reason });
        elsewhere(start, from).map_err(|reason| refused(to.sequence, reason))?;
        let needed = segment.records().fold(0_usize, |sum, record| {
            sum.saturating_add(self.undo_size_max(&record, replica))
        });
        let given = undo.capacity();
        if !undo.make_room(needed) {
            return Err(BatchApplyError::UndoTooSmall { needed, given });
        }
        let (mut result, mut taken) = (Ok(()), 0_u32);
        for record in segment.records() {
            let noted = self.note(&record, replica, undo);
            debug_assert!(noted, "the undo memory suffices");
            match self.range_record(&record, replica) {
                Ok(digest) => {
                    self.position.digest = digest;
                    taken += 1;
                }
                Err(reason) => {
                    undo.drop_last();
                    result = Err(refused(record.header().sequence, reason));
                    break;
                }
            }
        }
        let (expected, computed) = (to.digest, self.position.digest);
        if result.is_ok() && expected != computed {
            let reason = Refusal::Diverged { expected, computed };
            result = Err(refused(to.sequence, reason));
        }
        if let Err(error) = result {
            for _ in 0..taken {
                self.step_back(replica, undo);
            }
            self.position = start;
            return Err(error);
        }
        undo.clear();
        self.position = to;
        self.applied += 1;
        Ok(Outcome::Applied)
    }

    /// Applies a record of a segment; the digest after it.
    fn range_record<R: Rewind + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        let header = record.header();
        match record.payload() {
            Payload::Insert(vector) => self.insert(header, vector, replica),
            Payload::Update(vector) => self.update(header, vector, replica),
            Payload::Delete { slot, .. } => self.delete(header, *slot, None, replica),
            // No segment holds others.
            _ => Ok(self.position.digest),
        }
    }
}

/// Refuses a segment that begins elsewhere than at `position`.
fn elsewhere(position: Position, from: Position) -> Result<(), Refusal> {
    if position.epoch != from.epoch {
        let (current, found) = (position.epoch, from.epoch);
        return Err(Refusal::UnknownEpoch { current, found });
    }
    if position.sequence != from.sequence {
        let expected = position.sequence + 1;
        return Err(Refusal::Gap { expected });
    }
    let (expected, found) = (from.digest, position.digest);
    if expected != found {
        return Err(Refusal::Base { expected, found });
    }
    Ok(())
}
