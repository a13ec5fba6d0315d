//! Applying a range segment.

use super::{
    Applier, ApplyError, BatchApplyError, Outcome, Refusal, agreed, judge::Unjudged, undo::Undo,
};
use crate::{
    compact::RangeSegment,
    digest::tombstone_term,
    header::DeltaHeader,
    payload::{Payload, control::Control},
    pipeline::sequencer::Position,
    record::Record,
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
            if let (Some(counters), BatchApplyError::Apply(error)) = (self.counters, &error) {
                counters.note_refused(&error.reason);
            }
            return Err(error);
        }
        undo.clear();
        self.position = to;
        self.applied += 1;
        if let Some(counters) = self.counters {
            counters.note_range(segment.records(), to, segment.header().timestamp_us);
        }
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
            Payload::Update(vector) => self.update(header, vector, replica, &mut Unjudged),
            Payload::Delete { slot, graph } => self.delete(header, *slot, *graph, replica),
            Payload::Reindex(change) => self.reindex(header, *change, replica),
            Payload::Control(Control::Erased { slot, sum }) => {
                self.erased(header, *slot, *sum, replica)
            }
            // No segment holds others.
            _ => Ok(self.position.digest),
        }
    }

    /// Uses the next slot for an entity that is gone.
    fn erased<R: Rewind + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        slot: u32,
        sum: u64,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        let expected = replica.slot_count();
        if slot != expected {
            return Err(Refusal::SlotCount {
                expected,
                found: slot,
            });
        }
        if replica.graph().is_some() {
            return Err(Refusal::Erased { slot });
        }
        replica.next_row()?;
        let change = sum.wrapping_add(tombstone_term(slot));
        let digest = agreed(self.position, header, change, None)?;
        replica.push_erased(sum);
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
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
