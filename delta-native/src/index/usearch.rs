//! The crate `usearch`, a C++ library.

use std::collections::HashMap;

use ::usearch::{Index, IndexOptions, MetricKind, ScalarKind};
use delta_core::kernel::distance::Metric;

use super::{Found, Gate, IndexError, IndexKind, IndexParameters, IndexView, VectorIndex};

/// An index of the crate `usearch`. It knows nothing of deleted nodes: it links to them, and
/// searches leave them out by a filter.
///
/// The library cannot change a node's row. Its `remove` gives the node to whatever is added next,
/// so keys would no longer be nodes, and is never called. Instead an update adds a node under a
/// fresh key, which from then on is the slot's; the node that was retires, and stays in the library
/// as a way for its searches. [`IndexView`] tells of slots: a link to any node of a slot is one to
/// that slot. Updates therefore cost the library memory, until the index is built anew.
pub struct Usearch {
    index: Index,
    gate: Gate,
    /// The node that searches start at: the first slot, and from then on each that is inserted with
    /// a level above that of the entry.
    entry: Option<(u32, u8)>,
    versions: Versions,
}

impl std::fmt::Debug for Usearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Usearch")
            .field("gate", &self.gate)
            .field("entry", &self.entry)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

impl Usearch {
    /// The level of the slot, that of its first node: replicas give a node its level once.
    fn level_of(&self, slot: u32) -> Option<u8> {
        u8::try_from(self.index.level_of_key(u64::from(slot))).ok()
    }

    fn add(index: &Index, key: u64, row: &[f32]) -> Option<()> {
        if index.size() == index.capacity() {
            let more = index.capacity().checked_mul(2)?;
            index.reserve_capacity_and_threads(more, 1).ok()?;
        }
        index.add(key, row).ok()
    }

    /// The newest node of `slot` that has `layer`.
    fn key_on(&self, layer: u8, slot: u32) -> Option<u64> {
        let mut keys = self.versions.keys(slot);
        keys.find(|&key| self.index.level_of_key(key) >= usize::from(layer))
    }
}

impl VectorIndex for Usearch {
    const KIND: IndexKind = IndexKind::Usearch;

    fn new(parameters: &IndexParameters) -> Result<Self, IndexError> {
        let gate = Gate::new(parameters)?;
        let ef = parameters.ef as usize;
        let index = Index::new(&IndexOptions {
            dimensions: parameters.dim as usize,
            metric: match parameters.metric {
                Metric::Dot => MetricKind::IP,
                Metric::Cosine => MetricKind::Cos,
                _ => MetricKind::L2sq,
            },
            quantization: ScalarKind::F32,
            connectivity: usize::from(parameters.links),
            expansion_add: ef,
            expansion_search: ef,
            multi: false,
        })
        .map_err(|_| IndexError::Refused)?;
        // One thread: levels then come from one generator, and an index from one history.
        index
            .reserve_capacity_and_threads(parameters.nodes_max as usize, 1)
            .map_err(|_| IndexError::Refused)?;
        Ok(Self {
            index,
            gate,
            entry: None,
            versions: Versions::new(parameters.nodes_max),
        })
    }

    fn insert(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError> {
        let index = &self.index;
        self.gate
            .insert(slot, row, || Self::add(index, u64::from(slot), row))?;
        let level = self.level_of(slot).ok_or(IndexError::Failed { slot })?;
        if self.entry.is_none_or(|(_, highest)| level > highest) {
            self.entry = Some((slot, level));
        }
        Ok(())
    }

    fn update(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError> {
        self.gate.check_row(row)?;
        let (index, versions) = (&self.index, &mut self.versions);
        self.gate.change(slot, || {
            Self::add(index, versions.next_key(), row)?;
            versions.push(slot);
            Some(())
        })
    }

    fn delete(&mut self, slot: u32) -> Result<(), IndexError> {
        self.gate.delete(slot, || Some(()))
    }

    fn set_search_ef(&mut self, ef: u32) {
        self.index.change_expansion_search(ef as usize);
    }

    fn search(
        &self,
        query: &[f32],
        count: usize,
        is_live: Option<&dyn Fn(u32) -> bool>,
        found: &mut Vec<Found>,
    ) -> Result<(), IndexError> {
        self.gate.check_row(query)?;
        found.clear();
        let matches = if is_live.is_none() && self.versions.is_empty() {
            self.index.search(query, count)
        } else {
            let is_newest = |key| self.versions.newest_of(key);
            let filter = |key| is_newest(key).is_some_and(|slot| is_live.is_none_or(|is| is(slot)));
            self.index.filtered_search(query, count, filter)
        };
        let matches = matches.map_err(|_| IndexError::Refused)?;
        let pairs = matches.keys.iter().zip(&matches.distances);
        found.extend(pairs.filter_map(|(&key, &distance)| {
            let slot = self.versions.slot_of(key)?;
            Some(Found { slot, distance })
        }));
        Ok(())
    }
}

impl IndexView for Usearch {
    fn level(&self, slot: u32) -> Option<u8> {
        if self.gate.has(slot) {
            self.level_of(slot)
        } else {
            None
        }
    }

    fn visit_neighbours(&self, layer: u8, slot: u32, visit: &mut dyn FnMut(u32)) {
        let Some(key) = self.key_on(layer, slot) else {
            return;
        };
        let keys = self.index.neighbors(key, usize::from(layer));
        let slots = keys.filter_map(|key| self.versions.slot_of(key));
        if self.versions.is_empty() {
            slots.for_each(visit);
            return;
        }
        // A later node may be on layers that its slot is not on, and a list may have several nodes
        // of one slot.
        let is_neighbour = |&to: &u32| to != slot && self.level_of(to) >= Some(layer);
        let mut slots: Vec<u32> = slots.filter(is_neighbour).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.into_iter().for_each(visit);
    }

    fn entry(&self) -> Option<u32> {
        self.entry.map(|(slot, _)| slot)
    }

    fn visit_touched_above(&self, layer: u8, slot: u32, visit: &mut dyn FnMut(u32)) {
        self.visit_neighbours(layer, slot, visit);
    }
}

/// Which nodes of the library were and are those of a slot. The first one's key is the slot; later
/// ones count up from `nodes_max`.
#[derive(Debug)]
struct Versions {
    nodes_max: u32,
    later: Vec<Later>,
    /// The newest node of each slot that has a later one.
    newest: HashMap<u32, u64>,
}

/// A node that an update added.
#[derive(Clone, Copy, Debug)]
struct Later {
    slot: u32,
    /// The slot's node before it.
    previous: u64,
}

impl Versions {
    fn new(nodes_max: u32) -> Self {
        Self {
            nodes_max,
            later: Vec::new(),
            newest: HashMap::new(),
        }
    }

    /// Every slot has its first node.
    fn is_empty(&self) -> bool {
        self.later.is_empty()
    }

    fn next_key(&self) -> u64 {
        u64::from(self.nodes_max) + self.later.len() as u64
    }

    /// Gives `slot` the node of the next key.
    fn push(&mut self, slot: u32) {
        let key = self.next_key();
        let previous = self.newest.insert(slot, key).unwrap_or(u64::from(slot));
        self.later.push(Later { slot, previous });
    }

    fn later(&self, key: u64) -> Option<&Later> {
        let place = key.checked_sub(u64::from(self.nodes_max))?;
        self.later.get(usize::try_from(place).ok()?)
    }

    fn slot_of(&self, key: u64) -> Option<u32> {
        match self.later(key) {
            Some(later) => Some(later.slot),
            None => u32::try_from(key).ok(),
        }
    }

    fn newest(&self, slot: u32) -> u64 {
        self.newest.get(&slot).copied().unwrap_or(u64::from(slot))
    }

    /// The slot whose newest node has this key.
    fn newest_of(&self, key: u64) -> Option<u32> {
        self.slot_of(key).filter(|&slot| self.newest(slot) == key)
    }

    /// The keys of a slot's nodes, the newest first.
    fn keys(&self, slot: u32) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(self.newest(slot)), |&key| {
            self.later(key).map(|later| later.previous)
        })
    }
}
