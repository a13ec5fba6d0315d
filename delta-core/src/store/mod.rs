//! Replicas: what deltas are applied to.
//!
//! [`Replica`] is what the apply stage needs of a vector store; [`SliceStore`] is one over the
//! caller's memory.

mod attributes;
mod cleanup;
mod graph;
mod nearest;
mod renumber;
mod slice;

pub use cleanup::{Cleaned, Cleanup};
pub use graph::ReplicaGraph;
pub use nearest::nearest;
pub use renumber::{RenumberError, renumber};
pub use slice::{SliceMemory, SliceStore, Slot};

use crate::{
    digest::{id_term, pair_term, row_term, tombstone_term},
    graph::{CheckedChange, SavedGraph, digest::graph_digest},
    kernel::digest::row_sum,
    payload::metadata::MetadataChanges,
};
use core::fmt;

/// A change that the store has no room for. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// Every slot is used.
    SlotsFull {
        /// Slots that the store holds.
        capacity: u32,
    },
    /// Ids and metadata need more bytes than are left.
    AttributesFull {
        /// Bytes needed.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SlotsFull { capacity } => {
                write!(
                    f,
                    "all {capacity} slots are used: give the store more memory"
                )
            }
            Self::AttributesFull { needed, left } => write!(
                f,
                "ids and metadata need {needed} bytes, {left} are left: give the store more memory"
            ),
        }
    }
}

impl core::error::Error for StoreError {}

/// A vector store that deltas are applied to: rows of one dim, addressed by dense slots.
///
/// Methods that take `&self` and return `Result` or `Option` are asked before a delta is
/// applied; those that take `&mut self` are called only after the store agreed and must then
/// succeed.
pub trait Replica {
    /// Components of a row, at least 1. Never changes.
    fn dim(&self) -> u32;
    /// Slots used, deleted ones included: slots `0..slot_count` exist.
    fn slot_count(&self) -> u32;
    /// Sequence of the last delta of `slot`, 0 if none; `None` if the slot does not exist.
    fn last_sequence(&self, slot: u32) -> Option<u64>;
    /// `slot` exists and is deleted.
    fn is_deleted(&self, slot: u32) -> bool;
    /// The `dim` components of `slot`, also of a deleted one.
    fn row(&self, slot: u32) -> Option<&[f32]>;
    /// The row that the next insert takes: `dim` times +0.0.
    ///
    /// # Errors
    /// [`StoreError::SlotsFull`].
    fn next_row(&self) -> Result<&[f32], StoreError>;
    /// The id of `slot`; a slot of a base may have none.
    fn id(&self, slot: u32) -> Option<&[u8]>;
    /// The value of `key` of `slot`.
    fn metadata(&self, slot: u32, key: &[u8]) -> Option<&[u8]>;
    /// Calls `visit(key, value)` for all metadata of `slot`, keys ascending.
    fn visit_metadata(&self, slot: u32, visit: &mut dyn FnMut(&[u8], &[u8]));
    /// `slot` is deleted, and its row, id and metadata are given up: it shows none.
    fn is_erased(&self, _slot: u32) -> bool {
        false
    }
    /// What the terms of the rows, ids and metadata that were given up came to, mod 2^64: a part of
    /// the state digest.
    fn erased_sum(&self) -> u64 {
        0
    }
    /// The graph over the rows; without one, records that change a graph are refused. Its nodes are
    /// slots that exist.
    fn graph(&self) -> Option<&ReplicaGraph<'_>> {
        None
    }
    /// Whether there is room for the metadata of an update, or, with `slot == slot_count` and an
    /// id, for those of an insert.
    ///
    /// # Errors
    /// [`StoreError::AttributesFull`].
    fn reserve_attributes(
        &self,
        slot: u32,
        id: &[u8],
        changes: MetadataChanges<'_>,
    ) -> Result<(), StoreError>;
    /// As [`reserve_attributes`](Self::reserve_attributes), of an update that is made together with
    /// others, of other slots: `promised` is what this returned for the one before, 0 for the
    /// first.
    ///
    /// # Errors
    /// [`StoreError::AttributesFull`].
    fn reserve_more_attributes(
        &self,
        slot: u32,
        changes: MetadataChanges<'_>,
        promised: usize,
    ) -> Result<usize, StoreError>;

    /// Uses the next slot, its row still +0.0, with `id` (empty: none) and `metadata`. The store
    /// agreed by `next_row` and `reserve_attributes`.
    fn push(&mut self, id: &[u8], metadata: MetadataChanges<'_>);
    /// The components of an existing slot.
    fn row_mut(&mut self, slot: u32) -> &mut [f32];
    /// Changes the metadata of an existing slot. The store agreed by `reserve_attributes`.
    fn change_metadata(&mut self, slot: u32, changes: MetadataChanges<'_>);
    /// Marks an existing slot as deleted; row, id and metadata stay.
    fn mark_deleted(&mut self, slot: u32);
    /// Makes a change that was checked against [`graph`](Self::graph).
    fn change_graph(&mut self, _checked: CheckedChange<'_>) {}
    /// Notes the sequence of the last delta of an existing slot.
    fn set_last_sequence(&mut self, slot: u32, sequence: u64);
}

/// A replica whose last changes can be taken back, in their reverse order.
pub trait Rewind: Replica {
    /// Takes the last slot away, with its row, id and metadata: as before its `push`.
    fn pop(&mut self);
    /// Makes a deleted slot, which is not erased, live again.
    fn unmark_deleted(&mut self, slot: u32);
    /// Uses the next slot for an entity that is deleted and erased, whose terms came to `sum`. The
    /// store agreed by `next_row`.
    fn push_erased(&mut self, sum: u64);
    /// Takes the last slot away: as before its `push_erased`.
    fn pop_erased(&mut self, sum: u64);
    /// Puts back what the last change of the graph took.
    fn restore_graph(&mut self, saved: SavedGraph<'_>);
}

/// The state digest of a whole replica, its graph included (WIRE.md, sections 5 and 8), computed
/// from nothing. O(state).
pub fn state_digest<R: Replica + ?Sized>(replica: &R) -> u64 {
    let graph = replica
        .graph()
        .map_or(0, |graph| graph_digest(graph.adjacency()));
    let start = graph.wrapping_add(replica.erased_sum());
    (0..replica.slot_count()).fold(start, |mut sum: u64, slot| {
        if replica.is_deleted(slot) {
            sum = sum.wrapping_add(tombstone_term(slot));
        }
        if !replica.is_erased(slot) {
            sum = sum.wrapping_add(entity_sum(replica, slot));
        }
        sum
    })
}

/// The terms of a slot's row, id and metadata.
fn entity_sum<R: Replica + ?Sized>(replica: &R, slot: u32) -> u64 {
    let mut sum = row_term(slot, replica.row(slot).map_or(0, row_sum));
    if let Some(id) = replica.id(slot) {
        sum = sum.wrapping_add(id_term(slot, id));
    }
    replica.visit_metadata(slot, &mut |key, value| {
        sum = sum.wrapping_add(pair_term(slot, key, value));
    });
    sum
}

#[cfg(test)]
mod tests;
