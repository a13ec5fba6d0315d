//! From records to state: every check before the first change (WIRE.md, section 6).

use super::{counters::Counters, graph::RowsAfter, sequencer::Position};
use crate::{
    digest::{id_term, row_term, tombstone_term},
    graph::{CheckedChange, encode::Change},
    header::DeltaHeader,
    kernel::VectorUnit,
    payload::{
        Payload, batch::BatchPayload, control::Control, metadata::SECTION_SIZE_MAX,
        vector::VectorPayload,
    },
    record::Record,
    store::Replica,
};

mod chain;
mod control;
mod error;
mod graph;
mod group;
mod judge;
mod metadata;
mod poll;
mod range;
mod rows;
mod undo;

use chain::{check_chain, check_entry};
pub use error::{ApplyError, Refusal};
use graph::check_graph;
pub use group::{BatchApplyError, BatchResult};
use judge::allowed;
pub(super) use judge::{Judge, Unjudged};
use metadata::metadata_change;
pub use poll::{Apply, PollError};
pub use rows::apply_rows;
pub use undo::Undo;

/// What became of a record that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The replica is one record further.
    Applied,
    /// The replica had applied it before; it was skipped and counted.
    Duplicate,
}

/// Applies records to a replica: sans-io, without a ring.
#[derive(Debug)]
pub struct Applier<'s> {
    position: Position,
    /// Room for decoded rows and decompressed metadata.
    scratch: &'s mut [u8],
    unit: VectorUnit,
    applied: u64,
    duplicates: u64,
    counters: Option<&'s Counters>,
}

impl<'s> Applier<'s> {
    /// An applier for a replica that is at `position`. `scratch` takes a decoded row and
    /// decompressed metadata: [`scratch_size_max`](Self::scratch_size_max) bytes always suffice,
    /// none do where writers use plain codecs and do not compress.
    pub fn new(position: Position, scratch: &'s mut [u8]) -> Self {
        Self {
            position,
            scratch,
            unit: VectorUnit::BASELINE,
            applied: 0,
            duplicates: 0,
            counters: None,
        }
    }

    /// Counts what becomes of records in `counters`, which this applier alone may feed.
    #[must_use]
    pub fn with_counters(mut self, counters: &'s Counters) -> Self {
        self.counters = Some(counters);
        self
    }

    /// Decodes on this unit of the processor: the same rows, sooner.
    #[must_use]
    pub fn on(mut self, unit: VectorUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Most bytes of scratch that records of rows of `dim` components need.
    pub const fn scratch_size_max(dim: u32) -> usize {
        (dim as usize)
            .saturating_mul(4)
            .saturating_add(SECTION_SIZE_MAX)
    }

    /// Epoch, sequence and digest after the last applied record.
    pub fn current_position(&self) -> Position {
        self.position
    }

    /// Counts that a gate held a record.
    #[inline]
    pub(super) fn note_held(&self) {
        if let Some(counters) = self.counters {
            counters.note_held();
        }
    }

    /// Records applied since this applier was made.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Records skipped since this applier was made because they had been applied before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Applies one record to `replica`, wholly or not at all. O(change).
    ///
    /// # Errors
    /// See [`Refusal`]; neither `replica` nor this applier has changed then.
    #[inline]
    pub fn apply_delta<R: Replica + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &mut R,
    ) -> Result<Outcome, ApplyError> {
        let outcome = self.apply_judged(record, replica, &mut Unjudged);
        self.note_outcome(record, outcome)
    }

    /// Counts what became of a record, and says whose refusal it is.
    #[inline]
    pub(super) fn note_outcome(
        &self,
        record: &Record<'_>,
        outcome: Result<Outcome, Refusal>,
    ) -> Result<Outcome, ApplyError> {
        if let Some(counters) = self.counters {
            counters.note_outcome(record, outcome);
        }
        outcome.map_err(|reason| ApplyError {
            sequence: record.header().sequence,
            reason,
        })
    }

    /// As [`apply_delta`](Self::apply_delta) if `judge` allows it, uncounted.
    #[inline]
    pub(super) fn apply_judged<R: Replica + ?Sized, J: Judge>(
        &mut self,
        record: &Record<'_>,
        replica: &mut R,
        judge: &mut J,
    ) -> Result<Outcome, Refusal> {
        let header = record.header();
        if is_duplicate(self.position, record)? {
            self.duplicates += 1;
            return Ok(Outcome::Duplicate);
        }
        let digest = match record.payload() {
            Payload::Insert(vector) => self.insert(header, vector, replica),
            Payload::Update(vector) => self.update(header, vector, replica, judge),
            Payload::Delete { slot, graph } => self.delete(header, *slot, *graph, replica),
            Payload::Batch(batch) => self.batch(header, batch, replica, judge),
            Payload::Reindex(change) => self.reindex(header, *change, replica),
            Payload::Control(control) => self.control(header, control, replica),
            Payload::Tensor(_) => Err(Refusal::TensorRecord),
        }?;
        self.position = Position {
            epoch: header.epoch,
            sequence: header.sequence,
            digest,
        };
        self.applied += 1;
        Ok(Outcome::Applied)
    }

    fn insert<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        vector: &VectorPayload<'_>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        let (slot, expected) = (vector.slot(), replica.slot_count());
        check_dim(replica, vector.dim())?;
        if slot != expected {
            return Err(Refusal::SlotCount {
                expected,
                found: slot,
            });
        }
        // What its links need comes from memory while the row is decoded.
        if let (Some(graph), Some(change)) = (replica.graph(), vector.graph()) {
            graph.adjacency().prefetch(change);
        }
        let (scratch, rest) = split_scratch(self.scratch, vector.values().scratch_size());
        let row = replica.next_row()?;
        let row_change = vector.values().decode_on(self.unit, row, scratch)?;
        let metadata = vector.metadata().decode(rest)?;
        replica.reserve_attributes(slot, vector.id(), metadata)?;
        let change = row_term(slot, row_change.change_sum(row))
            .wrapping_add(id_term(slot, vector.id()))
            .wrapping_add(metadata.digest_sum(slot));
        let graph = check_graph(replica, vector.graph(), RowsAfter::of(slot + 1))?;
        let digest = agreed(self.position, header, change, graph.as_ref())?;
        replica.push(vector.id(), metadata);
        row_change.apply(replica.row_mut(slot));
        change_graph(replica, graph);
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
    }

    #[inline]
    fn update<R: Replica + ?Sized, J: Judge>(
        &mut self,
        header: &DeltaHeader,
        vector: &VectorPayload<'_>,
        replica: &mut R,
        judge: &mut J,
    ) -> Result<u64, Refusal> {
        let slot = vector.slot();
        check_dim(replica, vector.dim())?;
        let prev_sequence = header.prev_sequence;
        let old = check_chain(replica, slot, prev_sequence)
            .map_err(|error| error.of_values(vector.values()))?;
        let (scratch, rest) = split_scratch(self.scratch, vector.values().scratch_size());
        let row_change = vector.values().decode_on(self.unit, old, scratch)?;
        let row_term = row_term(slot, judge.row(old, &row_change));
        let metadata = vector.metadata().decode(rest)?;
        replica.reserve_attributes(slot, &[], metadata)?;
        let change = row_term.wrapping_add(metadata_change(replica, slot, metadata));
        let graph = check_graph(replica, vector.graph(), RowsAfter::of(replica.slot_count()))?;
        let digest = agreed(self.position, header, change, graph.as_ref())?;
        allowed(judge)?;
        row_change.apply(replica.row_mut(slot));
        replica.change_metadata(slot, metadata);
        change_graph(replica, graph);
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
    }

    fn delete<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        slot: u32,
        graph: Option<Change<'_>>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        check_chain(replica, slot, header.prev_sequence)?;
        let after = RowsAfter::without(replica.slot_count(), slot);
        let graph = check_graph(replica, graph, after)?;
        let change = tombstone_term(slot);
        let digest = agreed(self.position, header, change, graph.as_ref())?;
        replica.mark_deleted(slot);
        change_graph(replica, graph);
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
    }

    fn reindex<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        change: Change<'_>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        let graph = check_graph(replica, Some(change), RowsAfter::of(replica.slot_count()))?;
        let digest = agreed(self.position, header, 0, graph.as_ref())?;
        change_graph(replica, graph);
        Ok(digest)
    }

    /// All entries, or none: while they are checked their slots are marked with the batch's
    /// sequence, so that one that stands twice is found; a refusal takes the marks back.
    fn batch<R: Replica + ?Sized, J: Judge>(
        &mut self,
        header: &DeltaHeader,
        batch: &BatchPayload<'_>,
        replica: &mut R,
        judge: &mut J,
    ) -> Result<u64, Refusal> {
        check_dim(replica, batch.dim())?;
        let (text, scratch) = split_scratch(self.scratch, batch.scratch_size());
        let changes = batch.decode(text)?;
        let (mut change, mut marked, mut promised) = (0_u64, 0, 0);
        let checked = changes.clone().try_for_each(|(entry, metadata)| {
            let slot = entry.slot;
            let on = (self.unit, &mut *scratch);
            let sum = check_entry(replica, header.sequence, &entry, on, judge)?;
            promised = replica.reserve_more_attributes(slot, metadata, promised)?;
            change = change
                .wrapping_add(row_term(slot, sum))
                .wrapping_add(metadata_change(replica, slot, metadata));
            replica.set_last_sequence(slot, header.sequence);
            marked += 1;
            Ok(())
        });
        let digest = checked
            .and_then(|()| agreed(self.position, header, change, None))
            .and_then(|digest| allowed(judge).map(|()| digest));
        if digest.is_ok() {
            for (entry, metadata) in changes {
                // Decodes as it did a moment ago: slots of a batch are distinct.
                let row = replica.row(entry.slot).unwrap_or_default();
                if let Ok(change) = entry.values.decode_on(self.unit, row, scratch) {
                    change.apply(replica.row_mut(entry.slot));
                }
                replica.change_metadata(entry.slot, metadata);
            }
        } else {
            for entry in batch.entries().take(marked) {
                replica.set_last_sequence(entry.slot, entry.prev_sequence);
            }
        }
        digest
    }
}

/// Whether a reader at `position` has `record` already; refuses one that is not the next.
#[inline]
pub(super) fn is_duplicate(position: Position, record: &Record<'_>) -> Result<bool, Refusal> {
    let header = record.header();
    let (current, found) = (position.epoch, header.epoch);
    let position = position.sequence;
    if header.sequence <= position && found <= current {
        return Ok(true);
    }
    if found < current {
        return Err(Refusal::StaleEpoch { current, found });
    }
    let resync = matches!(record.payload(), Payload::Control(Control::Resync { .. }));
    if (found > current) != resync {
        return Err(Refusal::UnknownEpoch { current, found });
    }
    if header.sequence <= position {
        let found = header.sequence - 1;
        return Err(Refusal::Behind { position, found });
    }
    let expected = position + 1;
    if header.sequence != expected {
        return Err(Refusal::Gap { expected });
    }
    Ok(false)
}

/// The digest after a record that changes that of rows by `change`, if the writer has the same.
#[inline]
pub(super) fn agreed(
    position: Position,
    header: &DeltaHeader,
    change: u64,
    graph: Option<&CheckedChange<'_>>,
) -> Result<u64, Refusal> {
    let graph_change = graph.map_or(0, CheckedChange::digest_change);
    let computed = position
        .digest
        .wrapping_add(change)
        .wrapping_add(graph_change);
    match header.state_digest {
        Some(expected) if expected != computed => Err(Refusal::Diverged { expected, computed }),
        _ => Ok(computed),
    }
}

#[inline]
fn change_graph<R: Replica + ?Sized>(replica: &mut R, checked: Option<CheckedChange<'_>>) {
    if let Some(checked) = checked {
        replica.change_graph(checked);
    }
}

#[inline]
fn check_dim<R: Replica + ?Sized>(replica: &R, found: u32) -> Result<(), Refusal> {
    let expected = replica.dim();
    if expected != found {
        return Err(Refusal::Dim { expected, found });
    }
    Ok(())
}

/// The first `size` bytes of `scratch`, if it has as many, and the rest.
#[inline]
fn split_scratch(scratch: &mut [u8], size: usize) -> (&mut [u8], &mut [u8]) {
    scratch.split_at_mut(size.min(scratch.len()))
}
