//! Section 8: a graph, and what a set of edits makes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::mix;
use super::graph_change::{Change, Edit};

/// Parameters of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub nodes_max: u32,
    pub degree0_max: usize,
    pub degree_max: usize,
    /// Lists above layer 0.
    pub upper_lists_max: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    pub limits: Limits,
    /// Of the nodes 0, 1, ...
    pub levels: Vec<u8>,
    /// By layer and slot.
    pub lists: BTreeMap<(u8, u32), BTreeSet<u32>>,
    pub tombstones: BTreeSet<u32>,
    pub entry: Option<u32>,
}

impl Graph {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            levels: Vec::new(),
            lists: BTreeMap::new(),
            tombstones: BTreeSet::new(),
            entry: None,
        }
    }

    pub fn digest(&self) -> u64 {
        let list_key = |layer: u64, slot: u32| mix(((layer + 1) << 40) + u64::from(slot));
        let node = |key: u64, slot: u32| {
            let level = u64::from(self.levels[slot as usize]);
            mix(list_key(key, slot) ^ level)
        };
        let edges = self.lists.iter().flat_map(|(&(layer, from), list)| {
            list.iter()
                .map(move |&to| mix(list_key(u64::from(layer), from) ^ u64::from(to)))
        });
        let nodes = (0..self.levels.len() as u32).map(|slot| node(32, slot));
        let tombstones = self.tombstones.iter().map(|&slot| mix(list_key(33, slot)));
        let entry = self.entry.map(|slot| node(34, slot));
        edges
            .chain(nodes)
            .chain(tombstones)
            .chain(entry)
            .fold(0, u64::wrapping_add)
    }

    /// The graph after a set of edits; `None` if the set is refused.
    pub fn after(&self, edits: &[Edit]) -> Option<Self> {
        if edits.contains(&Edit::Clear) {
            return (edits.len() == 1).then(|| Self::new(self.limits));
        }
        if !edits
            .windows(2)
            .all(|pair| place(&pair[0]) < place(&pair[1]))
        {
            return None;
        }
        let mut after = self.clone();
        for edit in edits {
            match edit {
                Edit::Clear => {}
                Edit::Tombstone(slot) => {
                    let exists = (*slot as usize) < self.levels.len();
                    if !(exists || inserts(edits, *slot)) || !after.tombstones.insert(*slot) {
                        return None;
                    }
                }
                Edit::Insert { slot, level } => after.insert(*slot, *level)?,
                Edit::List {
                    layer,
                    slot,
                    change,
                } => after.change_list(*layer, *slot, change)?,
                Edit::Entry(slot) => after.entry = Some(*slot),
            }
        }
        let highest = after.levels.iter().max();
        let entry_level = match after.entry {
            Some(entry) => Some(after.levels.get(entry as usize)?),
            None => None,
        };
        (highest == entry_level).then_some(after)
    }

    fn insert(&mut self, slot: u32, level: u8) -> Option<()> {
        let upper: u32 = self.levels.iter().map(|&level| u32::from(level)).sum();
        let fits = slot < self.limits.nodes_max
            && level < 32
            && upper + u32::from(level) <= self.limits.upper_lists_max;
        if slot as usize != self.levels.len() || !fits {
            return None;
        }
        self.levels.push(level);
        for layer in 0..=level {
            self.lists.insert((layer, slot), BTreeSet::new());
        }
        Some(())
    }

    fn change_list(&mut self, layer: u8, slot: u32, change: &Change) -> Option<()> {
        let before = self.lists.get(&(layer, slot))?.clone();
        let mut list = before.clone();
        let mut come = Vec::new();
        match change {
            Change::Replace(slots) => {
                list.clear();
                come.extend_from_slice(slots);
            }
            Change::Patch { removed, added } => {
                if !ascends(removed) || !removed.iter().all(|to| list.remove(to)) {
                    return None;
                }
                come.extend_from_slice(added);
            }
            Change::Link { places, added } => {
                for &place in places {
                    list.remove(before.iter().nth(place as usize)?);
                }
                come.extend(added);
            }
        }
        let is_replace = matches!(change, Change::Replace(_));
        let fits = ascends(&come)
            && come.iter().all(|&to| {
                to != slot
                    && self.lists.contains_key(&(layer, to))
                    && (is_replace || !before.contains(&to))
            });
        if !fits {
            return None;
        }
        list.extend(come);
        let most = match layer {
            0 => self.limits.degree0_max,
            _ => self.limits.degree_max,
        };
        let fits = list.len() <= most;
        self.lists.insert((layer, slot), list);
        fits.then_some(())
    }
}

fn inserts(edits: &[Edit], node: u32) -> bool {
    let is_it = |edit: &Edit| matches!(*edit, Edit::Insert { slot, .. } if slot == node);
    edits.iter().any(is_it)
}

fn ascends(slots: &[u32]) -> bool {
    slots.windows(2).all(|pair| pair[0] < pair[1])
}

/// Edits of a set stand in strictly ascending order of this.
fn place(edit: &Edit) -> (u8, u8, u32) {
    match *edit {
        Edit::Clear => (0, 0, 0),
        Edit::Tombstone(slot) => (1, 0, slot),
        Edit::Insert { .. } => (2, 0, 0),
        Edit::List { layer, slot, .. } => (3, layer, slot),
        Edit::Entry(_) => (4, 0, 0),
    }
}
