//! A replica in shards, and views of it at the ends of batches.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use delta_core::graph::CheckedChange;
use delta_core::graph::search::{Neighbour, Rows, SearchError, SearchScratch};
use delta_core::payload::metadata::MetadataChanges;
use delta_core::pipeline::counters::Counters;
use delta_core::pipeline::sequencer::Position;
use delta_core::store::{Replica, ReplicaGraph, StoreError};

use super::attributes::Attributes;
use super::shard::Shard;
use crate::memory::OutOfMemory;
use crate::region::RegionError;

/// Why there are no workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkersError {
    /// There is no memory for rows.
    #[error(transparent)]
    Rows(#[from] OutOfMemory),
    /// There is no memory for a worker's ring.
    #[error(transparent)]
    Ring(#[from] RegionError),
    /// A worker's ring is refused.
    #[error("a worker's ring cannot be made: {0}")]
    Region(delta_core::ring::RegionError),
    /// There is at least one worker, and rows have a component.
    #[error("{workers} workers for rows of {dim} components: use at least 1 of each")]
    None {
        /// Workers asked for.
        workers: u32,
        /// Components of a row.
        dim: u32,
    },
}

/// Rows by worker, ids, metadata and a graph beside them. Written by one
/// [`Session`](super::Session), read by any thread.
#[derive(Debug)]
pub struct ShardedReplica<'g> {
    dim: u32,
    capacity: u32,
    /// Held for writing from the first change of a batch to its publication.
    boundary: RwLock<Position>,
    shards: Vec<RwLock<Shard>>,
    attributes: RwLock<Attributes>,
    graph: RwLock<Option<ReplicaGraph<'g>>>,
    /// Fed by the session's thread.
    counters: Counters,
}

impl<'g> ShardedReplica<'g> {
    /// An empty replica at `position` for up to `capacity` rows of `dim` components in as many
    /// shards as there are `workers`.
    ///
    /// # Errors
    /// See [`WorkersError`].
    pub fn new(
        dim: u32,
        capacity: u32,
        workers: u32,
        position: Position,
    ) -> Result<Self, WorkersError> {
        if workers == 0 || dim == 0 {
            return Err(WorkersError::None { workers, dim });
        }
        let shards: Result<Vec<_>, _> = (0..workers)
            .map(|shard| Shard::new(dim, capacity, shard, workers).map(RwLock::new))
            .collect();
        Ok(Self {
            dim,
            capacity,
            boundary: RwLock::new(position),
            shards: shards?,
            attributes: RwLock::default(),
            graph: RwLock::default(),
            counters: Counters::default(),
        })
    }

    /// Gives the replica a graph over its rows: an empty one, or that of its base. Records that
    /// change it are applied by the session's thread, between two forks.
    #[must_use]
    pub fn with_graph(mut self, graph: ReplicaGraph<'g>) -> Self {
        self.graph = RwLock::new(Some(graph));
        self
    }

    /// What has been applied, refused and skipped so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Adds a row of the base, before the first session, without an id. `false` if it is full or
    /// the row has another dim.
    pub fn push_base(&mut self, row: &[f32]) -> bool {
        let mut all = self.write_all();
        if row.len() != all.dim() as usize || all.next_row().is_err() {
            return false;
        }
        let slot = all.slot_count();
        all.push(&[], MetadataChanges::default());
        all.row_mut(slot).copy_from_slice(row);
        true
    }

    /// Sets where the replica is, before the first session: with a base, its digest.
    pub fn set_position(&mut self, position: Position) {
        *self
            .boundary
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner) = position;
    }

    /// Components of a row.
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// Shards, one a worker.
    pub fn workers(&self) -> u32 {
        u32::try_from(self.shards.len()).unwrap_or(u32::MAX)
    }

    /// The state at the end of the last batch. Keeps batches waiting as long as it lives; waits as
    /// long as one is under way.
    pub fn read(&self) -> ReadView<'_, 'g> {
        ReadView {
            position: self.boundary.read().unwrap_or_else(PoisonError::into_inner),
            shards: self.shards.iter().map(read).collect(),
            attributes: read(&self.attributes),
            graph: read(&self.graph),
        }
    }

    pub(super) fn begin(&self) -> RwLockWriteGuard<'_, Position> {
        self.boundary
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shard(&self, shard: usize) -> Option<&RwLock<Shard>> {
        self.shards.get(shard)
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = RwLockWriteGuard<'_, Shard>> {
        self.shards.iter().map(write)
    }

    pub(super) fn write_all(&self) -> WriteView<'_, 'g> {
        WriteView {
            capacity: self.capacity,
            shards: self.shards.iter().map(write).collect(),
            attributes: write(&self.attributes),
            graph: write(&self.graph),
        }
    }
}

/// A lock that a panicking thread held guards data that no half-made change is left in by safe
/// code; what it was about to do is found by the digest.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The state at the end of a batch, for as long as this lives.
#[derive(Debug)]
pub struct ReadView<'r, 'g> {
    position: RwLockReadGuard<'r, Position>,
    shards: Vec<RwLockReadGuard<'r, Shard>>,
    attributes: RwLockReadGuard<'r, Attributes>,
    graph: RwLockReadGuard<'r, Option<ReplicaGraph<'g>>>,
}

impl ReadView<'_, '_> {
    /// Where the replica is.
    pub fn position(&self) -> Position {
        *self.position
    }

    /// Slots used, deleted ones included.
    pub fn slot_count(&self) -> u32 {
        self.shards.first().map_or(0, |shard| shard.slot_count)
    }

    fn shard(&self, slot: u32) -> Option<&Shard> {
        let shard = slot.checked_rem(u32::try_from(self.shards.len()).ok()?)?;
        self.shards.get(shard as usize).map(|guard| &**guard)
    }

    /// The row of a slot.
    pub fn row(&self, slot: u32) -> Option<&[f32]> {
        self.shard(slot)?.row(slot)
    }

    /// A slot exists and is deleted.
    pub fn is_deleted(&self, slot: u32) -> bool {
        self.shard(slot).is_some_and(|shard| shard.is_deleted(slot))
    }

    /// Sequence of the last delta of a slot, 0 if none.
    pub fn last_sequence(&self, slot: u32) -> Option<u64> {
        self.shard(slot)?.last_sequence(slot)
    }

    /// The id of a slot, unless it is of a base without ids.
    pub fn id(&self, slot: u32) -> Option<&[u8]> {
        self.attributes.id(slot)
    }

    /// The value of `key` of a slot.
    pub fn metadata(&self, slot: u32, key: &[u8]) -> Option<&[u8]> {
        self.attributes.metadata(slot, key)
    }

    /// The graph, if the replica has one.
    pub fn graph(&self) -> Option<&ReplicaGraph<'_>> {
        self.graph.as_ref()
    }

    /// The rows nearest to `query` as of the end of the batch: [`ReplicaGraph::search`]. None
    /// without a graph.
    ///
    /// # Errors
    /// [`SearchError::Scratch`].
    pub fn search(
        &self,
        query: &[f32],
        ef: usize,
        scratch: &mut SearchScratch<'_>,
        out: &mut [Neighbour],
    ) -> Result<usize, SearchError> {
        match &*self.graph {
            Some(graph) => graph.search(self, query, ef, scratch, out),
            None => Ok(0),
        }
    }
}

/// Rows for a search.
impl Rows for ReadView<'_, '_> {
    fn row(&self, slot: u32) -> Option<&[f32]> {
        ReadView::row(self, slot)
    }
}

/// All of the replica, for the thread that applies what changes more than rows.
#[derive(Debug)]
pub(super) struct WriteView<'r, 'g> {
    capacity: u32,
    shards: Vec<RwLockWriteGuard<'r, Shard>>,
    attributes: RwLockWriteGuard<'r, Attributes>,
    graph: RwLockWriteGuard<'r, Option<ReplicaGraph<'g>>>,
}

impl WriteView<'_, '_> {
    fn shard(&self, slot: u32) -> Option<&Shard> {
        let shard = slot.checked_rem(u32::try_from(self.shards.len()).ok()?)?;
        self.shards.get(shard as usize).map(|guard| &**guard)
    }

    fn shard_mut(&mut self, slot: u32) -> Option<&mut Shard> {
        let shard = slot.checked_rem(u32::try_from(self.shards.len()).ok()?)?;
        self.shards
            .get_mut(shard as usize)
            .map(|guard| &mut **guard)
    }
}

impl Replica for WriteView<'_, '_> {
    fn dim(&self) -> u32 {
        self.shards.first().map_or(0, |shard| shard.dim())
    }

    fn slot_count(&self) -> u32 {
        self.shards.first().map_or(0, |shard| shard.slot_count)
    }

    fn last_sequence(&self, slot: u32) -> Option<u64> {
        self.shard(slot)?.last_sequence(slot)
    }

    fn is_deleted(&self, slot: u32) -> bool {
        self.shard(slot).is_some_and(|shard| shard.is_deleted(slot))
    }

    fn row(&self, slot: u32) -> Option<&[f32]> {
        self.shard(slot)?.row(slot)
    }

    fn next_row(&self) -> Result<&[f32], StoreError> {
        let (slot, capacity) = (self.slot_count(), self.capacity);
        let full = StoreError::SlotsFull { capacity };
        if slot >= capacity {
            return Err(full);
        }
        self.shard(slot)
            .and_then(|shard| shard.any_row(slot))
            .ok_or(full)
    }

    fn id(&self, slot: u32) -> Option<&[u8]> {
        self.attributes.id(slot)
    }

    fn metadata(&self, slot: u32, key: &[u8]) -> Option<&[u8]> {
        self.attributes.metadata(slot, key)
    }

    fn visit_metadata(&self, slot: u32, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.attributes.visit(slot, visit);
    }

    fn graph(&self) -> Option<&ReplicaGraph<'_>> {
        self.graph.as_ref()
    }

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

    fn push(&mut self, id: &[u8], metadata: MetadataChanges<'_>) {
        for shard in &mut self.shards {
            shard.slot_count += 1;
        }
        self.attributes.push(id);
        let last = self.slot_count().saturating_sub(1);
        self.change_metadata(last, metadata);
    }

    fn row_mut(&mut self, slot: u32) -> &mut [f32] {
        match self.shard_mut(slot) {
            Some(shard) => shard.row_mut(slot),
            None => &mut [],
        }
    }

    fn change_metadata(&mut self, slot: u32, changes: MetadataChanges<'_>) {
        self.attributes.change(slot, changes);
    }

    fn mark_deleted(&mut self, slot: u32) {
        if let Some(shard) = self.shard_mut(slot) {
            shard.mark_deleted(slot);
        }
    }

    fn change_graph(&mut self, checked: CheckedChange<'_>) {
        if let Some(graph) = &mut *self.graph {
            graph.make(checked);
        }
    }

    fn set_last_sequence(&mut self, slot: u32, sequence: u64) {
        if let Some(shard) = self.shard_mut(slot) {
            shard.set_last_sequence(slot, sequence);
        }
    }
}
