//! The slots of one worker.

use delta_core::payload::metadata::MetadataChanges;
use delta_core::store::{Replica, StoreError};

use crate::memory::{OutOfMemory, filled};

/// The slots `s` with `s % shard_count == shard`, at `s / shard_count`.
#[derive(Debug)]
pub(super) struct Shard {
    dim: u32,
    shard: u32,
    shard_count: u32,
    /// Slots of the whole replica.
    pub(super) slot_count: u32,
    rows: Vec<f32>,
    slots: Vec<SlotState>,
    /// What the batch under way has changed, newest last.
    undo_slots: Vec<(u32, u64)>,
    /// Their old rows.
    undo_rows: Vec<f32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SlotState {
    last_sequence: u64,
    deleted: bool,
}

impl Shard {
    pub(super) fn new(
        dim: u32,
        capacity: u32,
        shard: u32,
        shard_count: u32,
    ) -> Result<Self, OutOfMemory> {
        let own = capacity.saturating_sub(shard).div_ceil(shard_count) as usize;
        Ok(Self {
            dim,
            shard,
            shard_count,
            slot_count: 0,
            rows: filled(own, dim as usize, 0.0)?,
            slots: filled(own, 1, SlotState::default())?,
            undo_slots: Vec::new(),
            undo_rows: Vec::new(),
        })
    }

    /// Whether a slot is the shard's, as a function that does not borrow it.
    pub(super) fn ownership(&self) -> impl Fn(u32) -> bool + use<> {
        let (shard, shard_count) = (self.shard, self.shard_count);
        move |slot| slot % shard_count == shard
    }

    fn index(&self, slot: u32) -> Option<usize> {
        (slot < self.slot_count && self.ownership()(slot))
            .then_some((slot / self.shard_count) as usize)
    }

    /// The row of any slot that there is memory for.
    pub(super) fn any_row(&self, slot: u32) -> Option<&[f32]> {
        let dim = self.dim as usize;
        self.rows
            .get((slot / self.shard_count) as usize * dim..)?
            .get(..dim)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut SlotState> {
        let index = self.index(slot)?;
        self.slots.get_mut(index)
    }

    /// Keeps how to take back the next change of `slot`.
    pub(super) fn keep(undo: &mut Undo, slot: u32, last_sequence: u64, row: &[f32]) {
        undo.slots.push((slot, last_sequence));
        undo.rows.extend_from_slice(row);
    }

    /// The undo memory, to be given back by [`Self::set_undo`].
    pub(super) fn take_undo(&mut self) -> Undo {
        Undo {
            slots: std::mem::take(&mut self.undo_slots),
            rows: std::mem::take(&mut self.undo_rows),
        }
    }

    pub(super) fn set_undo(&mut self, undo: Undo) {
        (self.undo_slots, self.undo_rows) = (undo.slots, undo.rows);
    }

    /// What was changed since the last call stays changed.
    pub(super) fn commit(&mut self) {
        self.undo_slots.clear();
        self.undo_rows.clear();
    }

    /// Takes back what was changed since the last commit.
    pub(super) fn roll_back(&mut self) {
        let Undo { mut slots, rows } = self.take_undo();
        let old_rows = rows.chunks_exact(self.dim as usize).rev();
        for ((slot, last_sequence), old) in slots.drain(..).rev().zip(old_rows) {
            self.set_last_sequence(slot, last_sequence);
            self.row_mut(slot).copy_from_slice(old);
        }
    }
}

/// Inverse changes of a shard, newest last.
#[derive(Debug)]
pub(super) struct Undo {
    slots: Vec<(u32, u64)>,
    rows: Vec<f32>,
}

/// The rows of the shard alone: it has neither ids nor metadata.
impl Replica for Shard {
    fn dim(&self) -> u32 {
        self.dim
    }

    fn slot_count(&self) -> u32 {
        self.slot_count
    }

    fn last_sequence(&self, slot: u32) -> Option<u64> {
        Some(self.slots.get(self.index(slot)?)?.last_sequence)
    }

    fn is_deleted(&self, slot: u32) -> bool {
        let state = self.index(slot).and_then(|index| self.slots.get(index));
        state.is_some_and(|state| state.deleted)
    }

    fn row(&self, slot: u32) -> Option<&[f32]> {
        self.index(slot).and_then(|_| self.any_row(slot))
    }

    fn next_row(&self) -> Result<&[f32], StoreError> {
        let full = StoreError::SlotsFull {
            capacity: self.slot_count,
        };
        self.any_row(self.slot_count).ok_or(full)
    }

    fn id(&self, _: u32) -> Option<&[u8]> {
        None
    }

    fn metadata(&self, _: u32, _: &[u8]) -> Option<&[u8]> {
        None
    }

    fn visit_metadata(&self, _: u32, _: &mut dyn FnMut(&[u8], &[u8])) {}

    fn reserve_attributes(
        &self,
        _: u32,
        _: &[u8],
        _: MetadataChanges<'_>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn reserve_more_attributes(
        &self,
        _: u32,
        _: MetadataChanges<'_>,
        _: usize,
    ) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn push(&mut self, _: &[u8], _: MetadataChanges<'_>) {
        self.slot_count += 1;
    }

    fn row_mut(&mut self, slot: u32) -> &mut [f32] {
        let dim = self.dim as usize;
        let Some(index) = self.index(slot) else {
            return &mut [];
        };
        self.rows
            .get_mut(index * dim..(index + 1) * dim)
            .unwrap_or_default()
    }

    fn change_metadata(&mut self, _: u32, _: MetadataChanges<'_>) {}

    fn mark_deleted(&mut self, slot: u32) {
        if let Some(state) = self.slot_mut(slot) {
            state.deleted = true;
        }
    }

    fn set_last_sequence(&mut self, slot: u32, sequence: u64) {
        if let Some(state) = self.slot_mut(slot) {
            state.last_sequence = sequence;
        }
    }
}
