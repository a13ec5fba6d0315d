//! From changes to records: sequence numbers, chains, digest.
//!
//! Sans-io and closed-loop: `prepare_*` writes a payload into the caller's bytes and returns what
//! *would* happen; [`Sequencer::commit`] makes it so. A record that could not be sent is simply
//! not committed, and the stream goes on as if it had never been prepared.

use super::counters::Counters;
use crate::{
    codec::{Bound, CodecSet, Encoding},
    header::{DeltaHeader, Operation},
    kernel::VectorUnit,
};

mod control;
mod error;
mod graph;
mod vector;

pub use error::PrepareError;
use graph::StreamGraph;
pub(super) use vector::metadata_change;

/// What a [`Sequencer`] keeps of a slot: 16 bytes. Opaque; zeroed is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SlotState {
    /// Sequence of the slot's last record, 0: none.
    pub(super) last_sequence: u64,
    /// Hash of the id, as headers carry it.
    id_hash: u32,
    deleted: bool,
    /// The next change must set the whole row.
    wants_whole: bool,
}

impl SlotState {
    /// The state of a slot as a restarted writer rebuilds it: the sequence of its last record (0:
    /// none), the hash of its id (0: it has none), whether it is deleted.
    pub const fn restored(last_sequence: u64, vector_id_hash: u32, deleted: bool) -> Self {
        Self {
            last_sequence,
            id_hash: vector_id_hash,
            deleted,
            wants_whole: false,
        }
    }
}

/// A record that has been written but not committed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "commit it once the record is sent, or drop it if it is not"]
pub struct Prepared {
    /// The sealed header.
    pub header: DeltaHeader,
    /// The entity's slot; none of a control record.
    slot: Option<u32>,
    /// Nodes of the graph after the record.
    node_count: u32,
}

/// Where a stream begins or goes on: `(epoch, position, digest)` of writer or reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Epoch of the writer, from 1.
    pub epoch: u32,
    /// Sequence of the last record, 0 before the first.
    pub sequence: u64,
    /// Digest of the state after it.
    pub digest: u64,
}

impl Position {
    /// Before the first record, over an empty state, in epoch 1.
    pub const START: Self = Self {
        epoch: 1,
        sequence: 0,
        digest: 0,
    };
}

/// Numbers, chains and digests the records of one stream.
#[derive(Debug)]
pub struct Sequencer<'a> {
    dim: u32,
    /// Slots in use; at most `slots.len()`.
    slot_count: u32,
    slots: &'a mut [SlotState],
    position: Position,
    timestamp_us: u64,
    graph: Option<StreamGraph>,
    codecs: CodecSet,
    counters: Option<&'a Counters>,
    unit: VectorUnit,
}

impl<'a> Sequencer<'a> {
    /// A sequencer at `position` over a state of `slot_count` slots that none of its records has
    /// touched yet. `slots` limits how many slots the stream can use. O(slots), which it clears.
    ///
    /// # Panics
    /// If `dim` or the epoch is 0, or `slot_count` exceeds `slots`.
    pub fn new(dim: u32, slots: &'a mut [SlotState], slot_count: u32, position: Position) -> Self {
        slots.fill(SlotState::default());
        Self::resume(dim, slots, slot_count, position)
    }

    /// A sequencer that goes on where an earlier one over the same `slots` stopped. Its first
    /// record is a resync with a new epoch, unless it is certain that the earlier one is gone.
    ///
    /// # Panics
    /// As [`Sequencer::new`].
    pub fn resume(
        dim: u32,
        slots: &'a mut [SlotState],
        slot_count: u32,
        position: Position,
    ) -> Self {
        assert!(dim > 0, "a row has at least one component");
        assert!(position.epoch > 0, "epochs start at 1");
        assert!(
            slot_count as usize <= slots.len(),
            "the base has more slots than the memory"
        );
        // All slots have a number that fits, and so has their count.
        let capacity = slots.len().min(u32::MAX as usize);
        Self {
            dim,
            slot_count,
            slots: slots.get_mut(..capacity).unwrap_or_default(),
            position,
            timestamp_us: 0,
            graph: None,
            codecs: CodecSet::ALL,
            counters: None,
            unit: VectorUnit::BASELINE,
        }
    }

    /// Counts the records in `counters`, which this sequencer alone may feed.
    #[must_use]
    pub fn with_counters(mut self, counters: &'a Counters) -> Self {
        self.counters = Some(counters);
        self
    }

    /// Begins anew at `position` over a state of `slot_count` slots that no record has touched.
    /// O(slots).
    pub(super) fn restart(&mut self, slot_count: u32, position: Position) {
        self.slots.fill(SlotState::default());
        self.slot_count = slot_count;
        self.position = position;
    }

    /// Chooses from these codecs only.
    #[must_use]
    pub fn with_codecs(mut self, codecs: CodecSet) -> Self {
        self.codecs = codecs;
        self
    }

    /// Encodes on this unit of the processor: the same bytes, sooner.
    #[must_use]
    pub fn on(mut self, unit: VectorUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Makes the next change of `slot` set its whole row: for a reader that has refused a
    /// relative one with `NeedsAbsolute`.
    ///
    /// # Errors
    /// [`PrepareError::UnknownSlot`], [`PrepareError::Deleted`].
    pub fn request_absolute(&mut self, slot: u32) -> Result<(), PrepareError> {
        self.live(slot)?;
        if let Some(state) = self.slots.get_mut(slot as usize) {
            state.wants_whole = true;
        }
        Ok(())
    }

    /// How the next change of a slot is encoded.
    #[inline]
    pub(super) fn encoding(&self, state: SlotState, bound: Option<Bound>) -> Encoding {
        let codecs = if state.wants_whole {
            CodecSet::WHOLE
        } else {
            self.codecs
        };
        Encoding {
            codecs,
            bound,
            unit: self.unit,
        }
    }

    /// Components of every row.
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// Slots in use, deleted ones included: the slot that the next insert gets.
    pub fn slot_count(&self) -> u32 {
        self.slot_count
    }

    /// Epoch, sequence and digest after the last committed record.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The time that the following records carry, microseconds since the Unix epoch.
    pub fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.timestamp_us = timestamp_us;
    }

    /// Makes a prepared record part of the stream. It must have been prepared after the last
    /// commit.
    ///
    /// # Panics
    /// If it was prepared before another commit.
    #[inline]
    pub fn commit(&mut self, prepared: Prepared) {
        let Prepared {
            header,
            slot,
            node_count,
        } = prepared;
        assert!(
            header.sequence == self.next_sequence(),
            "records are committed in the order of their preparation, each once"
        );
        let has_row = matches!(header.operation, Operation::Insert | Operation::Update);
        self.advance(&header, u32::from(has_row));
        if let Some(graph) = &mut self.graph {
            graph.node_count = node_count;
        }
        let Some(state) = slot.and_then(|slot| self.slots.get_mut(slot as usize)) else {
            return;
        };
        state.last_sequence = header.sequence;
        state.wants_whole = false;
        match header.operation {
            Operation::Insert => {
                state.id_hash = header.vector_id_hash;
                state.deleted = false;
                self.slot_count += 1;
            }
            Operation::Delete => state.deleted = true,
            _ => {}
        }
    }

    /// The state of a slot that can be changed.
    #[inline]
    pub(super) fn live(&self, slot: u32) -> Result<SlotState, PrepareError> {
        let slot_count = self.slot_count;
        match self.slots.get(slot as usize) {
            Some(state) if slot < slot_count && !state.deleted => Ok(*state),
            Some(_) if slot < slot_count => Err(PrepareError::Deleted { slot }),
            _ => Err(PrepareError::UnknownSlot { slot, slot_count }),
        }
    }

    #[inline]
    pub(super) fn check_dim(&self, row: &[f32]) -> Result<(), PrepareError> {
        if row.len() != self.dim as usize {
            return Err(PrepareError::Dim {
                expected: self.dim,
                found: row.len(),
            });
        }
        Ok(())
    }

    /// The next header, for a record that changes the digest by `change`.
    #[inline]
    pub(super) fn header(&self, operation: Operation, change: u64) -> DeltaHeader {
        let Position { epoch, digest, .. } = self.position;
        DeltaHeader {
            timestamp_us: self.timestamp_us,
            state_digest: Some(digest.wrapping_add(change)),
            ..DeltaHeader::new(operation, self.next_sequence(), epoch)
        }
    }

    /// Sequence of the next record; 0, which no header can be sealed with, after the last one.
    #[inline]
    pub(super) fn next_sequence(&self) -> u64 {
        self.position.sequence.wrapping_add(1)
    }

    /// Notes the last sequence of a slot that exists: entries of a batch before its commit.
    pub(super) fn mark(&mut self, slot: u32, last_sequence: u64) {
        if let Some(state) = self.slots.get_mut(slot as usize) {
            state.last_sequence = last_sequence;
        }
    }

    /// Notes that whole rows that were asked for have been sent.
    pub(super) fn fulfil(&mut self, slots: impl Iterator<Item = u32>) {
        for slot in slots {
            if let Some(state) = self.slots.get_mut(slot as usize) {
                state.wants_whole = false;
            }
        }
    }

    /// Moves the position behind a record of `rows` rows.
    #[inline]
    pub(super) fn advance(&mut self, header: &DeltaHeader, rows: u32) {
        if let Some(counters) = self.counters {
            counters.note(header, u64::from(rows) * u64::from(self.dim));
        }
        self.position = Position {
            epoch: header.epoch,
            sequence: header.sequence,
            digest: header.state_digest.unwrap_or(self.position.digest),
        };
    }
}

impl Prepared {
    /// Seals the payload of `size` bytes at the front of `out`.
    #[inline]
    fn seal(
        header: DeltaHeader,
        out: &[u8],
        size: usize,
        slot: Option<u32>,
        node_count: u32,
    ) -> Result<Self, PrepareError> {
        let (needed, given) = (size, out.len());
        let payload = out
            .get(..size)
            .ok_or(PrepareError::OutputTooSmall { needed, given })?;
        let header = header.seal(payload)?;
        Ok(Self {
            header,
            slot,
            node_count,
        })
    }
}
