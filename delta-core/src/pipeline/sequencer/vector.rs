//! Records of one entity's row: insert and update.

use super::{PrepareError, Prepared, Sequencer, SlotState};
use crate::{
    codec::{Base, encoded_size_max, lz4::Lz4Scratch},
    digest::{id_term, pair_term, row_term},
    graph::CheckedChange,
    header::{DeltaHeader, Operation, vector_id_hash},
    kernel::digest::row_sum,
    payload::{
        metadata::MetadataEdit,
        vector::{PREFIX_SIZE_MAX, VectorChange, VectorWriteError},
    },
    pipeline::{graph::RowsAfter, shadow::Shadow},
};

impl Sequencer<'_> {
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
        if id.is_empty() {
            return Err(VectorWriteError::IdSize { size: 0 }.into());
        }
        let change = VectorChange {
            slot: self.slot_count,
            base: Base::Zero,
            new: row,
            id,
            graph: None,
            metadata,
        };
        self.prepare_vector(&change, out, lz4)
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
        let change = VectorChange {
            slot,
            base: Base::Row(old),
            new,
            id: &[],
            graph: None,
            metadata,
        };
        self.prepare_vector(&change, out, lz4)
    }

    /// Writes an insert (`change` has an id, and the slot that is next) or an update into `out`,
    /// which must hold its [`payload_size_max`](VectorChange::payload_size_max). A graph change in
    /// it was checked against the graph that the replicas have. O(dim + metadata + graph change).
    ///
    /// # Errors
    /// See [`PrepareError`].
    #[inline]
    pub fn prepare_vector(
        &self,
        change: &VectorChange<'_>,
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Prepared, PrepareError> {
        self.prepare_values(change, None, out, lz4)
    }

    /// As [`Self::prepare_vector`]; with a `shadow`, within its bound and against its row.
    #[inline]
    pub(in crate::pipeline) fn prepare_values(
        &self,
        change: &VectorChange<'_>,
        shadow: Option<&mut Shadow<'_>>,
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Prepared, PrepareError> {
        let slot = change.slot;
        let is_insert = !change.id.is_empty();
        let state = if is_insert {
            self.next_slot(slot)?
        } else {
            self.live(slot)?
        };
        self.check_dim(change.new)?;
        if let Base::Row(old) = change.base {
            self.check_dim(old)?;
        }
        let graph = change.graph.as_ref();
        let after = RowsAfter::of(self.slot_count + u32::from(is_insert));
        let node_count = self.check_graph(graph, after)?;
        let (base, bound) = match &shadow {
            Some(shadow) if is_insert => (change.base, Some(shadow.bound())),
            Some(shadow) => (Base::Row(shadow.live_row(slot)?), Some(shadow.bound())),
            None => (change.base, None),
        };
        let encoding = self.encoding(state, bound);
        let written = VectorChange { base, ..*change }.write_as(encoding, out, lz4)?;
        let row_change = match (shadow, change.base) {
            (Some(shadow), _) => shadow.prepare(slot, is_insert, &written.values)?,
            (None, Base::Zero) => row_sum(change.new),
            (None, Base::Row(old)) => match written.change_sum {
                Some(sum) => sum,
                None => written.values.exact_change_sum(old, change.new),
            },
        };
        let digest_change = row_term(slot, row_change)
            .wrapping_add(metadata_change(slot, change.metadata))
            .wrapping_add(graph.map_or(0, CheckedChange::digest_change));
        let (operation, id_hash, id_change) = if is_insert {
            let id = change.id;
            (Operation::Insert, vector_id_hash(id), id_term(slot, id))
        } else {
            (Operation::Update, state.id_hash, 0)
        };
        let header = DeltaHeader {
            compressed: written.compressed,
            lossy: written.values.tag().is_lossy(),
            relative: written.values.tag().is_relative(),
            graph: graph.is_some(),
            vector_id_hash: id_hash,
            prev_sequence: state.last_sequence,
            ..self.header(operation, digest_change.wrapping_add(id_change))
        };
        let size = written.size;
        Prepared::seal(header, out, size, Some(slot), node_count)
    }

    /// Most bytes of an insert's payload.
    pub fn insert_size_max(id: &[u8], row: &[f32], metadata: &[MetadataEdit<'_>]) -> usize {
        VectorChange {
            slot: 0,
            base: Base::Zero,
            new: row,
            id,
            graph: None,
            metadata,
        }
        .payload_size_max()
    }

    /// Most bytes of an update's payload.
    #[inline]
    pub fn update_size_max(new: &[f32], metadata: &[MetadataEdit<'_>]) -> usize {
        Self::insert_size_max(&[], new, metadata)
    }

    /// Most bytes of the payload of an update that changes a row of `dim` components alone.
    pub const fn row_size_max(dim: u32) -> usize {
        encoded_size_max(dim as usize).saturating_add(PREFIX_SIZE_MAX)
    }

    /// What is known of the slot that an insert takes: nothing.
    fn next_slot(&self, slot: u32) -> Result<SlotState, PrepareError> {
        let (slot_count, capacity) = (self.slot_count, self.slots.len());
        if slot != slot_count {
            return Err(PrepareError::UnknownSlot { slot, slot_count });
        }
        if slot as usize >= capacity {
            return Err(PrepareError::SlotsFull { capacity });
        }
        Ok(SlotState::default())
    }
}

/// What `edits` change in the digest.
#[inline]
pub(in crate::pipeline) fn metadata_change(slot: u32, edits: &[MetadataEdit<'_>]) -> u64 {
    let changed = edits.iter().filter(|edit| edit.old != edit.new);
    changed.fold(0, |sum: u64, edit| {
        let term = |value: Option<&[u8]>| value.map_or(0, |value| pair_term(slot, edit.key, value));
        sum.wrapping_add(term(edit.new))
            .wrapping_sub(term(edit.old))
    })
}
