//! Ways to nodes that no list leads to.

use super::{rank_from, slot_of};
use crate::graph::{
    Adjacency, Edit, EditError, ListChange, Slots, capture::lists::List, search::Rows,
};
use crate::kernel::distance::Metric;

impl Adjacency<'_> {
    /// Links every node that cannot be reached from the entry on one of its layers, there from the
    /// nearest node that a walk from the entry finds. This graph has no tombstones: their bits
    /// serve as marks meanwhile.
    ///
    /// # Errors
    /// None of a graph that is sound.
    pub(super) fn reach_all<R: Rows + ?Sized>(
        &mut self,
        rows: &R,
        metric: Metric,
    ) -> Result<(), EditError> {
        let marks = core::mem::take(&mut self.buffers.tombstones);
        let result = (0..=self.level_max()).try_for_each(|layer| {
            marks.fill(0);
            let mut reach = Reach {
                graph: &mut *self,
                rows,
                metric,
                layer,
                marks: &mut *marks,
            };
            reach.all()
        });
        marks.fill(0);
        self.buffers.tombstones = marks;
        result
    }
}

struct Reach<'r, 'm, R: ?Sized> {
    graph: &'r mut Adjacency<'m>,
    rows: &'r R,
    metric: Metric,
    layer: u8,
    /// A bit a node: it can be reached.
    marks: &'r mut [u64],
}

impl<R: Rows + ?Sized> Reach<'_, '_, R> {
    fn all(&mut self) -> Result<(), EditError> {
        let Some(entry) = self.graph.entry() else {
            return Ok(());
        };
        mark(self.marks, entry);
        while self.spread() {}
        for slot in 0..self.graph.node_count() {
            if self.graph.level(slot) >= Some(self.layer) && !is_marked(self.marks, slot) {
                self.link(entry, slot)?;
                self.mark_behind(slot);
            }
        }
        Ok(())
    }

    /// Marks what the marked nodes lead to; whether that marked any.
    fn spread(&mut self) -> bool {
        let mut is_new = false;
        for slot in 0..self.graph.node_count() {
            if is_marked(self.marks, slot) {
                let list = self.graph.neighbours(self.layer, slot).unwrap_or(&[]);
                for &to in list {
                    is_new |= mark(self.marks, to);
                }
            }
        }
        is_new
    }

    /// Marks `slot` and what it leads to, as far as a stack of fixed size goes: a node left out
    /// gets a link that it could do without.
    fn mark_behind(&mut self, slot: u32) {
        mark(self.marks, slot);
        let mut open = List::new();
        open.push(slot);
        while let Some(slot) = open.pop() {
            for &to in self.graph.neighbours(self.layer, slot).unwrap_or(&[]) {
                if mark(self.marks, to) {
                    open.push(to);
                }
            }
        }
    }

    /// Makes a way to `slot` and loses none: a full list leads to `slot` instead of to its furthest
    /// neighbour, and `slot` to that one.
    fn link(&mut self, entry: u32, slot: u32) -> Result<(), EditError> {
        let layer = self.layer;
        let from = self.walk(entry, slot);
        let list = self.graph.neighbours(layer, from).unwrap_or(&[]);
        let degree_max = usize::from(self.graph.shape().degree_max_of(layer));
        if from == slot || list.contains(&slot) {
            return Ok(());
        }
        if list.len() < degree_max {
            return self.graph.add_edge(layer, from, slot).map(|_| ());
        }
        let Some(moved) = self.furthest(from, slot) else {
            return Ok(());
        };
        let (moved, linked) = ([moved], [slot]);
        let own = self.graph.neighbours(layer, slot).unwrap_or(&[]);
        let (removed, added) = match own {
            own if own.contains(&moved[0]) => (None, Slots::EMPTY),
            own if own.len() < degree_max => (None, Slots::from(&moved)),
            _ => (self.furthest(slot, slot), Slots::from(&moved)),
        };
        let removed = removed.as_slice();
        let mut edits = [
            (from, Slots::from(&moved), Slots::from(&linked)),
            (slot, Slots::from(removed), added),
        ];
        edits.sort_unstable_by_key(|edit| edit.0);
        let edits = edits.map(|(slot, removed, added)| Edit::List {
            layer,
            slot,
            change: ListChange::Patch { removed, added },
        });
        self.graph.apply(edits).map(|_| ())
    }

    /// The node at which a walk from the entry to ever nearer nodes ends; it can be reached.
    fn walk(&self, entry: u32, slot: u32) -> u32 {
        let rank = rank_from(self.rows, self.metric, slot);
        let nearest = |layer, mut best: u64| loop {
            let list = self.graph.neighbours(layer, slot_of(best)).unwrap_or(&[]);
            match list.iter().map(|&to| rank(to)).min() {
                Some(nearest) if nearest < best => best = nearest,
                _ => break best,
            }
        };
        let above = (self.layer + 1..=self.graph.level_max()).rev();
        let mut from = above.fold(rank(entry), |best, layer| nearest(layer, best));
        if !is_marked(self.marks, slot_of(from)) {
            // Only the layers above lead there.
            from = rank(entry);
        }
        slot_of(nearest(self.layer, from))
    }

    /// The neighbour of `from` that is furthest from it, other than `but`.
    fn furthest(&self, from: u32, but: u32) -> Option<u32> {
        let rank = rank_from(self.rows, self.metric, from);
        let list = self.graph.neighbours(self.layer, from).unwrap_or(&[]);
        let others = list.iter().filter(|&&to| to != but);
        others.map(|&to| rank(to)).max().map(slot_of)
    }
}

fn is_marked(marks: &[u64], slot: u32) -> bool {
    let word = marks.get(slot as usize / 64);
    word.is_some_and(|word| word >> (slot % 64) & 1 == 1)
}

/// Whether `slot` was not marked before.
fn mark(marks: &mut [u64], slot: u32) -> bool {
    let bit = 1 << (slot % 64);
    let word = marks.get_mut(slot as usize / 64);
    word.is_some_and(|word| core::mem::replace(word, *word | bit) & bit == 0)
}
