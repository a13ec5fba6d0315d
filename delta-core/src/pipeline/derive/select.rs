//! Which entities and operations a derived stream has.

use crate::header::{Operation, vector_id_hash};

/// What a selector sees of an entity; none of it ever changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity<'a> {
    /// Its slot in the source.
    pub slot: u32,
    /// Its id; empty for one of a base without ids.
    pub id: &'a [u8],
    /// Hash of the id, as headers carry it; 0 without an id.
    pub id_hash: u32,
}

impl<'a> Entity<'a> {
    /// The entity of `slot`.
    pub fn new(slot: u32, id: &'a [u8]) -> Self {
        let id_hash = if id.is_empty() { 0 } else { vector_id_hash(id) };
        Self { slot, id, id_hash }
    }
}

/// Decides which entities a derived stream has. It must always say the same of the same entity.
pub trait Select {
    /// Whether the stream has the entity.
    fn selects(&self, entity: &Entity<'_>) -> bool;
}

/// Any predicate.
impl<F: Fn(&Entity<'_>) -> bool> Select for F {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        self(entity)
    }
}

/// All entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Everything;

impl Select for Everything {
    fn selects(&self, _: &Entity<'_>) -> bool {
        true
    }
}

/// The entities whose ids begin with these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace<'a>(pub &'a [u8]);

impl Select for Namespace<'_> {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        entity.id.starts_with(self.0)
    }
}

/// One of `count` parts, by slot: parts of equal size whatever the ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotShard {
    /// Number of the part, below `count`.
    pub shard: u32,
    /// Parts; 0 or 1: all in one.
    pub count: u32,
}

impl Select for SlotShard {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        entity.slot.checked_rem(self.count).unwrap_or(0) == self.shard
    }
}

/// One of `count` parts, by hash of the id: an id that comes back is in the same part again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdShard {
    /// Number of the part, below `count`.
    pub shard: u32,
    /// Parts; 0 or 1: all in one.
    pub count: u32,
}

impl Select for IdShard {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        entity.id_hash.checked_rem(self.count).unwrap_or(0) == self.shard
    }
}

/// The entities that both select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct And<A, B>(pub A, pub B);

impl<A: Select, B: Select> Select for And<A, B> {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        self.0.selects(entity) && self.1.selects(entity)
    }
}

/// A set of operations: insert, update (alone or in batches) and delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    bits: u8,
}

impl Operations {
    /// Every operation.
    pub const ALL: Self = Self { bits: u8::MAX };
    /// None.
    pub const NONE: Self = Self { bits: 0 };

    /// This set and `operation`.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self {
            bits: self.bits | 1 << operation as u8,
        }
    }

    /// This set without `operation`.
    #[must_use]
    pub const fn without(self, operation: Operation) -> Self {
        Self {
            bits: self.bits & !(1 << operation as u8),
        }
    }

    /// Whether `operation` is in the set.
    pub const fn has(self, operation: Operation) -> bool {
        self.bits & 1 << operation as u8 != 0
    }
}
