//! A graph without its tombstones: nodes renumbered, lists repaired.
//!
//! What a list loses with a tombstone, it regains from behind it: the nearest nodes that the
//! tombstone's own list leads to, through further tombstones if need be. A tombstone may have led
//! to more nodes than those, so what is then out of reach is linked again. Distances are pinned and
//! equal ones are ordered by slot, so all replicas of a graph make the same one.

mod reach;

use super::{Adjacency, Edit, EditError, ListChange, Slots, capture::lists::List, search::Rows};
use crate::kernel::distance::{Metric, Query, order_key};

/// In a map of slots: the slot is gone.
pub const GONE: u32 = u32::MAX;

impl Adjacency<'_> {
    /// Fills this empty graph with the nodes of `source` that are no tombstones; on each of its
    /// layers every node can be reached from the entry. `map` gives each slot of `source` its new
    /// one, ascending and dense, or [`GONE`] to a tombstone; `rows` are by the new slots.
    /// O(nodes + edges), for each list that loses neighbours O(edges of the tombstones that it led
    /// to), and for each node that is out of reach O(its way from the entry).
    ///
    /// # Errors
    /// [`EditError`]: this graph is too small for it. It is then empty.
    pub fn renumber(
        &mut self,
        source: &Adjacency<'_>,
        rows: &(impl Rows + ?Sized),
        metric: Metric,
        map: &[u32],
    ) -> Result<(), EditError> {
        self.apply([Edit::Clear])?;
        let filled = self.fill(source, rows, metric, map);
        if filled.is_err() {
            self.apply([Edit::Clear])?;
        }
        filled
    }

    fn fill(
        &mut self,
        source: &Adjacency<'_>,
        rows: &(impl Rows + ?Sized),
        metric: Metric,
        map: &[u32],
    ) -> Result<(), EditError> {
        let nodes = || {
            (0..source.node_count())
                .zip(map)
                .filter(|(_, new)| **new != GONE)
                .map(|(old, &slot)| (old, slot, source.level(old).unwrap_or(0)))
        };
        for (_, slot, level) in nodes() {
            let insert = Edit::Insert { slot, level };
            if slot == 0 || level > self.level_max() {
                self.apply([insert, Edit::Entry { slot }])?;
            } else {
                self.apply([insert])?;
            }
        }
        let repair = Repair {
            source,
            rows,
            metric,
            map,
        };
        for (old, slot, level) in nodes() {
            for layer in 0..=level {
                let list = repair.list(layer, old, slot);
                let change = ListChange::Replace(Slots::from(list.as_slice()));
                self.apply([Edit::List {
                    layer,
                    slot,
                    change,
                }])?;
            }
        }
        let entry = source.entry().and_then(|old| map.get(old as usize));
        match entry {
            Some(&slot) if slot != GONE => {
                self.apply([Edit::Entry { slot }])?;
            }
            _ => {}
        }
        self.reach_all(rows, metric)
    }
}

struct Repair<'r, 'm, R: ?Sized> {
    source: &'r Adjacency<'m>,
    rows: &'r R,
    metric: Metric,
    map: &'r [u32],
}

impl<R: Rows + ?Sized> Repair<'_, '_, R> {
    /// The list of the new node `slot` that was `old`.
    fn list(&self, layer: u8, old: u32, slot: u32) -> List {
        let before = self.source.neighbours(layer, old).unwrap_or(&[]);
        let (mut list, mut gone) = (List::new(), List::new());
        for &to in before {
            match self.new_slot(to) {
                Some(to) => list.push(to),
                None => gone.push(to),
            }
        }
        let lost = before.len() - list.as_slice().len();
        if lost == 0 {
            return list;
        }
        let mut nearest = List::new();
        let rank = rank_from(self.rows, self.metric, slot);
        let mut next = 0;
        while let Some(&passed) = gone.as_slice().get(next) {
            next += 1;
            for &to in self.source.neighbours(layer, passed).unwrap_or(&[]) {
                let Some(new) = self.new_slot(to) else {
                    // As many tombstones as a list holds are passed for one list.
                    if !gone.as_slice().contains(&to) {
                        gone.push(to);
                    }
                    continue;
                };
                if new != slot && !list.as_slice().contains(&new) {
                    offer(&mut nearest, rank(new), lost);
                }
            }
        }
        for &rank in nearest.as_slice() {
            list.push(slot_of(rank));
        }
        list.as_mut_slice().sort_unstable();
        list
    }

    fn new_slot(&self, old: u32) -> Option<u32> {
        let slot = self.map.get(old as usize).copied();
        slot.filter(|&slot| slot != GONE)
    }
}

/// The order of nodes as seen from one: by their distance from `slot`, then by slot.
fn rank_from<R: Rows + ?Sized>(rows: &R, metric: Metric, slot: u32) -> impl Fn(u32) -> u64 {
    let query = Query::new(metric, rows.row(slot).unwrap_or(&[]));
    move |to| {
        let distance = rows.row(to).map_or(f32::NAN, |row| query.distance_to(row));
        u64::from(order_key(distance)) << 32 | u64::from(to)
    }
}

/// The node of a rank.
fn slot_of(rank: u64) -> u32 {
    let [s0, s1, s2, s3, ..] = rank.to_le_bytes();
    u32::from_le_bytes([s0, s1, s2, s3])
}

/// Keeps the `count` least ranks, ascending, each once.
fn offer(nearest: &mut List<u64>, rank: u64, count: usize) {
    let Err(place) = nearest.as_slice().binary_search(&rank) else {
        return;
    };
    if place >= count {
        return;
    }
    if nearest.as_slice().len() < count {
        nearest.push(rank);
    }
    let behind = nearest.as_mut_slice().get_mut(place..).unwrap_or_default();
    behind.rotate_right(1);
    if let Some(word) = behind.first_mut() {
        *word = rank;
    }
}
