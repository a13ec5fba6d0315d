//! The crate `usearch`, a C++ library.

use ::usearch::{Index, IndexOptions, MetricKind, ScalarKind};
use delta_core::kernel::distance::Metric;

use super::{Found, Gate, IndexError, IndexKind, IndexParameters, IndexView, VectorIndex};

/// An index of the crate `usearch`. It knows nothing of deleted nodes: it links to them, and
/// searches leave them out by a filter.
///
/// Its `remove` gives the node to whatever is added next, so keys would no longer be nodes. Here it
/// is called in one place: an update, which at once adds the key again and so takes the node back.
pub struct Usearch {
    index: Index,
    gate: Gate,
    /// The node that searches start at; the library has no accessor for it. It is the first node,
    /// and from then on each that is inserted with a level above that of the entry.
    entry: Option<(u32, u8)>,
}

impl std::fmt::Debug for Usearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Usearch")
            .field("gate", &self.gate)
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

impl Usearch {
    fn level_of(&self, slot: u32) -> Option<u8> {
        u8::try_from(self.index.level_of_key(u64::from(slot))).ok()
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
        })
    }

    fn insert(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError> {
        let index = &self.index;
        self.gate
            .insert(slot, row, || index.add(u64::from(slot), row).ok())?;
        let level = self.level_of(slot).ok_or(IndexError::Failed { slot })?;
        if self.entry.is_none_or(|(_, highest)| level > highest) {
            self.entry = Some((slot, level));
        }
        Ok(())
    }

    fn update(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError> {
        self.gate.check_row(row)?;
        let (index, key) = (&self.index, u64::from(slot));
        self.gate.change(slot, || {
            // No other node is free, so `add` takes this one and links it anew on its layers.
            let removed = index.remove(key).ok()?;
            (removed == 1).then_some(())?;
            index.add(key, row).ok()
        })
    }

    fn delete(&mut self, slot: u32) -> Result<(), IndexError> {
        self.gate.change(slot, || Some(()))
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
        let matches = match is_live {
            None => self.index.search(query, count),
            Some(is_live) => {
                let filter = |key| u32::try_from(key).is_ok_and(is_live);
                self.index.filtered_search(query, count, filter)
            }
        };
        let matches = matches.map_err(|_| IndexError::Refused)?;
        let pairs = matches.keys.iter().zip(&matches.distances);
        found.extend(pairs.filter_map(|(&key, &distance)| {
            let slot = u32::try_from(key).ok()?;
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
        let keys = self.index.neighbors(u64::from(slot), usize::from(layer));
        // Keys are the slots that `insert` gave.
        keys.filter_map(|key| u32::try_from(key).ok())
            .for_each(visit);
    }

    fn entry(&self) -> Option<u32> {
        self.entry.map(|(slot, _)| slot)
    }
}
