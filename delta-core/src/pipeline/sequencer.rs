//! From changes to records: sequence numbers, chains, digest.
//!
//! Sans-io and closed-loop: `prepare_*` writes a payload into the caller's bytes and returns what
//! *would* happen; [`Sequencer::commit`] makes it so. A record that could not be sent is simply
//! not committed, and the stream goes on as if it had never been prepared.

use crate::{
    codec::{Base, lz4::Lz4Scratch},
    digest::{id_term, pair_term, row_term, tombstone_term},
    header::{DeltaHeader, Operation, vector_id_hash},
    kernel::digest::row_sum,
    payload::{
        metadata::MetadataEdit,
        vector::{VectorChange, VectorWriteError},
    },
};

mod control;
mod error;

pub use error::PrepareError;

/// What a [`Sequencer`] keeps of a slot: 16 bytes. Opaque; zeroed is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SlotState {
    /// Sequence of the slot's last record, 0: none.
    pub(super) last_sequence: u64,
    /// Hash of the id, as headers carry it.
    id_hash: u32,
    deleted: bool,
}

/// A record that has been written but not committed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "commit it once the record is sent, or drop it if it is not"]
pub struct Prepared {
    /// The sealed header.
    pub header: DeltaHeader,
    /// The entity's slot; none of a control record.
    slot: Option<u32>,
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

    /// Writes an insert into `out`, which must hold
    /// [`insert_size_max`](Self::insert_size_max) bytes. O(dim + metadata).
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_insert(
        &self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Prepared, PrepareError> {
        let slot = self.slot_count;
        if slot as usize >= self.slots.len() {
            return Err(PrepareError::SlotsFull {
                capacity: self.slots.len(),
            });
        }
        if id.is_empty() {
            return Err(VectorWriteError::IdSize { size: 0 }.into());
        }
        self.check_dim(row)?;
        let change = VectorChange {
            slot,
            base: Base::Zero,
            new: row,
            id,
            metadata,
        };
        let written = change.write(out, lz4)?;
        let digest_change = row_term(slot, row_sum(row))
            .wrapping_add(id_term(slot, id))
            .wrapping_add(metadata_change(slot, metadata));
        let header = DeltaHeader {
            compressed: written.compressed,
            vector_id_hash: vector_id_hash(id),
            ..self.header(Operation::Insert, digest_change)
        };
        let size = written.size;
        seal(header, out, size, Some(slot))
    }

    /// Writes an update of `slot` from `old` to `new` into `out`, which must hold
    /// [`update_size_max`](Self::update_size_max) bytes. O(dim + metadata).
    ///
    /// `old` must be the row of the slot's last record, in every bit: replicas refuse the record
    /// as diverged otherwise.
    ///
    /// # Errors
    /// See [`PrepareError`].
    #[inline]
    pub fn prepare_update(
        &self,
        slot: u32,
        old: &[f32],
        new: &[f32],
        metadata: &[MetadataEdit<'_>],
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Prepared, PrepareError> {
        let state = self.live(slot)?;
        self.check_dim(old)?;
        self.check_dim(new)?;
        let change = VectorChange {
            slot,
            base: Base::Row(old),
            new,
            id: &[],
            metadata,
        };
        let written = change.write(out, lz4)?;
        let digest_change = row_term(slot, written.values.change_sum(old))
            .wrapping_add(metadata_change(slot, metadata));
        let header = DeltaHeader {
            compressed: written.compressed,
            vector_id_hash: state.id_hash,
            prev_sequence: state.last_sequence,
            ..self.header(Operation::Update, digest_change)
        };
        let size = written.size;
        seal(header, out, size, Some(slot))
    }

    /// Writes a delete of `slot` into `out`: 4 bytes.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_delete(&self, slot: u32, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        let state = self.live(slot)?;
        let given = out.len();
        let payload = out
            .first_chunk_mut()
            .ok_or(PrepareError::OutputTooSmall { needed: 4, given })?;
        *payload = slot.to_le_bytes();
        let header = DeltaHeader {
            vector_id_hash: state.id_hash,
            prev_sequence: state.last_sequence,
            ..self.header(Operation::Delete, tombstone_term(slot))
        };
        seal(header, out, 4, Some(slot))
    }

    /// Makes a prepared record part of the stream. It must have been prepared after the last
    /// commit.
    ///
    /// # Panics
    /// If it was prepared before another commit.
    #[inline]
    pub fn commit(&mut self, prepared: Prepared) {
        let Prepared { header, slot } = prepared;
        assert!(
            header.sequence == self.next_sequence(),
            "records are committed in the order of their preparation, each once"
        );
        self.advance(&header);
        let Some(state) = slot.and_then(|slot| self.slots.get_mut(slot as usize)) else {
            return;
        };
        state.last_sequence = header.sequence;
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

    /// Most bytes of an insert's payload.
    pub fn insert_size_max(id: &[u8], row: &[f32], metadata: &[MetadataEdit<'_>]) -> usize {
        VectorChange {
            slot: 0,
            base: Base::Zero,
            new: row,
            id,
            metadata,
        }
        .payload_size_max()
    }

    /// Most bytes of an update's payload.
    #[inline]
    pub fn update_size_max(new: &[f32], metadata: &[MetadataEdit<'_>]) -> usize {
        Self::insert_size_max(&[], new, metadata)
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

    /// Moves the position behind a record.
    pub(super) fn advance(&mut self, header: &DeltaHeader) {
        self.position = Position {
            epoch: header.epoch,
            sequence: header.sequence,
            digest: header.state_digest.unwrap_or(self.position.digest),
        };
    }
}

/// Seals the payload of `size` bytes at the front of `out`.
#[inline]
fn seal(
    header: DeltaHeader,
    out: &[u8],
    size: usize,
    slot: Option<u32>,
) -> Result<Prepared, PrepareError> {
    let (needed, given) = (size, out.len());
    let payload = out
        .get(..size)
        .ok_or(PrepareError::OutputTooSmall { needed, given })?;
    let header = header.seal(payload)?;
    Ok(Prepared { header, slot })
}

/// What `edits` change in the digest.
#[inline]
fn metadata_change(slot: u32, edits: &[MetadataEdit<'_>]) -> u64 {
    let changed = edits.iter().filter(|edit| edit.old != edit.new);
    changed.fold(0, |sum: u64, edit| {
        let term = |value: Option<&[u8]>| value.map_or(0, |value| pair_term(slot, edit.key, value));
        sum.wrapping_add(term(edit.new))
            .wrapping_sub(term(edit.old))
    })
}
