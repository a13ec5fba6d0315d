//! A replica over the caller's memory.

use super::{Replica, ReplicaGraph, Rewind, StoreError, attributes::Attributes, entity_sum};
use crate::{
    graph::{
        CheckedChange, SavedGraph,
        search::{Rows, SliceRows},
    },
    payload::metadata::MetadataChanges,
};
use core::ops::Range;

/// What a [`SliceStore`] keeps of a slot beside its row: 16 bytes. Opaque; zeroed is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Slot {
    /// Sequence of the slot's last delta, 0: none.
    pub(super) last_sequence: u64,
    /// Offset of the slot's blob plus 1, 0: none.
    pub(super) attributes: u32,
    /// Whether the slot is a tombstone.
    pub(super) deleted: bool,
    /// Whether its row, id and metadata are given up: of a tombstone alone.
    pub(super) erased: bool,
}

/// The memory that a [`SliceStore`] works in.
#[derive(Debug)]
pub struct SliceMemory<'a> {
    /// Rows: `slots.len() * dim` components.
    pub rows: &'a mut [f32],
    /// One for each row.
    pub slots: &'a mut [Slot],
    /// Ids and metadata: of each slot 9 bytes, its id, and of each pair 5 bytes, key and value;
    /// and once more the largest of them.
    pub attributes: &'a mut [u8],
}

/// A replica over memory that the caller owns: rows, slots, ids and metadata.
///
/// Every operation is O(its change), but that of metadata, which is O(the slot's metadata) and,
/// when the attribute bytes must be moved together, O(all attributes).
///
/// ```
/// use delta_core::store::{Replica, SliceMemory, SliceStore, Slot};
///
/// let (mut rows, mut slots, mut attributes) = ([0.0; 8], [Slot::default(); 2], [0; 64]);
/// let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut attributes };
/// let mut store = SliceStore::new(4, memory);
/// store.push(b"a", Default::default());
/// store.row_mut(0).copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(store.id(0), Some(&b"a"[..]));
/// assert_eq!(store.slot_count(), 1);
/// ```
#[derive(Debug)]
pub struct SliceStore<'a> {
    dim: u32,
    /// Slots in use; at most `slots.len()`.
    slot_count: u32,
    /// Exactly `slots.len() * dim`; rows from `slot_count` on are +0.0.
    rows: &'a mut [f32],
    slots: &'a mut [Slot],
    attributes: Attributes<'a>,
    /// Terms of the erased slots, mod 2^64.
    erased_sum: u64,
    graph: Option<ReplicaGraph<'a>>,
}

impl<'a> SliceStore<'a> {
    /// An empty store for rows of `dim` components. It has as many slots as both `rows` and
    /// `slots` allow. O(memory of rows and slots, which it clears).
    ///
    /// # Panics
    /// If `dim` is 0.
    pub fn new(dim: u32, memory: SliceMemory<'a>) -> Self {
        Self::with_base(dim, 0, memory)
    }

    /// A store whose first `slot_count` slots are the rows already in `memory`, without ids and
    /// metadata, as a base for a stream of changes. O(slots and rows behind the base, which it
    /// clears).
    ///
    /// # Panics
    /// If `dim` is 0 or `slot_count` exceeds the memory.
    pub fn with_base(dim: u32, slot_count: u32, memory: SliceMemory<'a>) -> Self {
        assert!(dim > 0, "a row has at least one component");
        let SliceMemory {
            rows,
            slots,
            attributes,
        } = memory;
        let capacity = slots
            .len()
            .min(rows.len() / dim as usize)
            .min(u32::MAX as usize);
        assert!(
            slot_count as usize <= capacity,
            "the base has more slots than the memory"
        );
        let slots = slots.get_mut(..capacity).unwrap_or_default();
        slots.fill(Slot::default());
        let dim_usize = dim as usize;
        let rows = rows.get_mut(..capacity * dim_usize).unwrap_or_default();
        let behind_base = rows.get_mut(slot_count as usize * dim_usize..);
        behind_base.unwrap_or_default().fill(0.0);
        Self {
            dim,
            slot_count,
            rows,
            slots,
            attributes: Attributes::new(attributes),
            erased_sum: 0,
            graph: None,
        }
    }

    /// Gives the store a graph over its rows.
    ///
    /// # Panics
    /// If it has more nodes than the store has slots.
    #[must_use]
    pub fn with_graph(mut self, graph: ReplicaGraph<'a>) -> Self {
        assert!(
            graph.adjacency().node_count() <= self.slot_count,
            "every node has a row"
        );
        self.graph = Some(graph);
        self
    }

    /// Empties the store, which has no graph afterwards. O(rows and slots in use).
    pub fn clear(&mut self) {
        let used = self.slot_count as usize;
        let rows = self.rows.get_mut(..used * self.dim as usize);
        rows.unwrap_or_default().fill(0.0);
        let slots = self.slots.get_mut(..used);
        slots.unwrap_or_default().fill(Slot::default());
        self.attributes.clear();
        self.erased_sum = 0;
        self.graph = None;
        self.slot_count = 0;
    }

    /// Slots that the memory holds.
    pub fn capacity(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Bytes that ids and metadata take.
    pub fn attributes_size(&self) -> usize {
        self.attributes.live_size()
    }

    /// All used rows, one after the other.
    pub fn rows(&self) -> &[f32] {
        self.rows
            .get(..self.slot_count as usize * self.dim as usize)
            .unwrap_or_default()
    }

    /// Gives up the row, id and metadata of a deleted slot: it shows +0.0 and none from now on, and
    /// the state digest stays what it is. `false`, and nothing happens, if the slot lives or is
    /// erased, or the store has a graph, whose searches walk through rows of tombstones. O(dim +
    /// metadata).
    ///
    /// Which slots are erased, and when, is the replica's own business: no record depends on it.
    /// But a deletion cannot be taken back any more: [`Cleanup`](super::Cleanup) leaves those alone
    /// that may have to be.
    pub fn erase(&mut self, slot: u32) -> bool {
        let gone = self
            .slot(slot)
            .filter(|state| state.deleted && !state.erased && self.graph.is_none());
        let Some(state) = gone else {
            return false;
        };
        self.erased_sum = self.erased_sum.wrapping_add(entity_sum(self, slot));
        self.row_mut(slot).fill(0.0);
        self.attributes.forget(state);
        if let Some(state) = self.slot_mut(slot) {
            (state.attributes, state.erased) = (0, true);
        }
        true
    }

    pub(super) fn graph_and_rows(&mut self) -> (Option<&mut ReplicaGraph<'a>>, SliceRows<'_>) {
        let dim = self.dim as usize;
        let used = self.slot_count as usize * dim;
        let values = self.rows.get(..used).unwrap_or_default();
        (self.graph.as_mut(), SliceRows { dim, values })
    }

    fn slot(&self, slot: u32) -> Option<Slot> {
        (slot < self.slot_count)
            .then(|| self.slots.get(slot as usize).copied())
            .flatten()
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        let used = slot < self.slot_count;
        self.slots.get_mut(slot as usize).filter(|_| used)
    }

    /// Where the row of a slot lies; the slot exists or is the next one.
    fn row_range(&self, slot: u32) -> Range<usize> {
        let dim = self.dim as usize;
        let start = slot as usize * dim;
        start..start + dim
    }
}

/// Rows for a search in the store's graph.
impl Rows for SliceStore<'_> {
    #[inline]
    fn row(&self, slot: u32) -> Option<&[f32]> {
        Replica::row(self, slot)
    }
}

impl Rewind for SliceStore<'_> {
    fn pop(&mut self) {
        let Some(last) = self.slot_count.checked_sub(1) else {
            return;
        };
        self.row_mut(last).fill(0.0);
        if let Some(slot) = self.slot_mut(last) {
            let unused = core::mem::take(slot);
            self.attributes.forget(unused);
        }
        self.slot_count = last;
    }

    fn unmark_deleted(&mut self, slot: u32) {
        if let Some(slot) = self.slot_mut(slot) {
            slot.deleted = false;
        }
    }

    fn push_erased(&mut self, sum: u64) {
        let slot = self.slot_count;
        self.push(&[], MetadataChanges::default());
        if let Some(state) = self.slot_mut(slot) {
            (state.deleted, state.erased) = (true, true);
        }
        self.erased_sum = self.erased_sum.wrapping_add(sum);
    }

    fn pop_erased(&mut self, sum: u64) {
        self.erased_sum = self.erased_sum.wrapping_sub(sum);
        self.pop();
    }

    fn restore_graph(&mut self, saved: SavedGraph<'_>) {
        if let Some(graph) = &mut self.graph {
            graph.restore(saved);
        }
    }
}

impl Replica for SliceStore<'_> {
    #[inline]
    fn dim(&self) -> u32 {
        self.dim
    }

    #[inline]
    fn slot_count(&self) -> u32 {
        self.slot_count
    }

    #[inline]
    fn last_sequence(&self, slot: u32) -> Option<u64> {
        self.slot(slot).map(|slot| slot.last_sequence)
    }

    #[inline]
    fn is_deleted(&self, slot: u32) -> bool {
        self.slot(slot).is_some_and(|slot| slot.deleted)
    }

    #[inline]
    fn row(&self, slot: u32) -> Option<&[f32]> {
        if slot >= self.slot_count {
            return None;
        }
        self.rows.get(self.row_range(slot))
    }

    #[inline]
    fn next_row(&self) -> Result<&[f32], StoreError> {
        let full = StoreError::SlotsFull {
            capacity: self.capacity(),
        };
        self.rows.get(self.row_range(self.slot_count)).ok_or(full)
    }

    fn id(&self, slot: u32) -> Option<&[u8]> {
        self.attributes.id(self.slot(slot)?)
    }

    fn metadata(&self, slot: u32, key: &[u8]) -> Option<&[u8]> {
        let mut pairs = self.attributes.pairs(self.slot(slot)?);
        pairs
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
    }

    fn visit_metadata(&self, slot: u32, visit: &mut dyn FnMut(&[u8], &[u8])) {
        if let Some(slot) = self.slot(slot) {
            self.attributes
                .pairs(slot)
                .for_each(|(key, value)| visit(key, value));
        }
    }

    fn is_erased(&self, slot: u32) -> bool {
        self.slot(slot).is_some_and(|slot| slot.erased)
    }

    fn erased_sum(&self) -> u64 {
        self.erased_sum
    }

    #[inline]
    fn graph(&self) -> Option<&ReplicaGraph<'_>> {
        self.graph.as_ref()
    }

    fn reserve_attributes(
        &self,
        slot: u32,
        id: &[u8],
        changes: MetadataChanges<'_>,
    ) -> Result<(), StoreError> {
        if id.is_empty() && changes.is_empty() {
            return Ok(());
        }
        let slot = self.slot(slot).unwrap_or_default();
        self.attributes.reserve(slot, id, changes, 0).map(drop)
    }

    fn reserve_more_attributes(
        &self,
        slot: u32,
        changes: MetadataChanges<'_>,
        promised: usize,
    ) -> Result<usize, StoreError> {
        let slot = self.slot(slot).filter(|_| !changes.is_empty());
        slot.map_or(Ok(promised), |slot| {
            self.attributes.reserve(slot, &[], changes, promised)
        })
    }

    fn push(&mut self, id: &[u8], metadata: MetadataChanges<'_>) {
        let index = self.slot_count as usize;
        assert!(
            index < self.slots.len(),
            "slots are pushed only after next_row agreed"
        );
        self.slot_count += 1;
        if !(id.is_empty() && metadata.is_empty()) {
            self.attributes.store(self.slots, index, id, metadata);
        }
    }

    #[inline]
    fn row_mut(&mut self, slot: u32) -> &mut [f32] {
        if slot >= self.slot_count {
            return &mut [];
        }
        let range = self.row_range(slot);
        self.rows.get_mut(range).unwrap_or_default()
    }

    fn change_metadata(&mut self, slot: u32, changes: MetadataChanges<'_>) {
        if !changes.is_empty() && slot < self.slot_count {
            self.attributes
                .store(self.slots, slot as usize, &[], changes);
        }
    }

    fn mark_deleted(&mut self, slot: u32) {
        if let Some(slot) = self.slot_mut(slot) {
            slot.deleted = true;
        }
    }

    #[inline]
    fn change_graph(&mut self, checked: CheckedChange<'_>) {
        if let Some(graph) = &mut self.graph {
            graph.make(checked);
        }
    }

    #[inline]
    fn set_last_sequence(&mut self, slot: u32, sequence: u64) {
        if let Some(slot) = self.slot_mut(slot) {
            slot.last_sequence = sequence;
        }
    }
}
