//! The graph of a range: it follows the records, and notes whose lists they name.

use crate::graph::{Adjacency, CheckedChange, Edit, EditError, ListChange, Slots, encode::Change};
use core::ops::Range;

/// A graph that moves from the beginning of a range to its end.
#[derive(Debug)]
pub(super) struct RangeGraph<'m> {
    adjacency: Adjacency<'m>,
    /// Of each node a bit a layer: the range names its list there.
    named: &'m mut [u32],
    /// Everything went during the range, once at least.
    cleared: bool,
    /// Nodes that there were before, or 0 if all of them went.
    nodes_before: u32,
    /// The entry and its level, in the same way.
    entry_before: Option<(u32, u8)>,
}

impl<'m> RangeGraph<'m> {
    /// # Panics
    /// If `named` has less words than the shape has nodes.
    pub(super) fn new(adjacency: Adjacency<'m>, named: &'m mut [u32]) -> Self {
        assert!(
            named.len() >= adjacency.shape().nodes_max as usize,
            "a word for each node"
        );
        let mut graph = Self {
            adjacency,
            named,
            cleared: false,
            nodes_before: 0,
            entry_before: None,
        };
        graph.begin();
        graph
    }

    /// Begins a range where the graph is.
    pub(super) fn begin(&mut self) {
        self.named.fill(0);
        self.cleared = false;
        self.nodes_before = self.adjacency.node_count();
        let level = self.adjacency.level_max();
        self.entry_before = self.adjacency.entry().map(|entry| (entry, level));
    }

    #[inline]
    pub(super) fn check<'a>(&self, change: Change<'a>) -> Result<CheckedChange<'a>, EditError> {
        self.adjacency.check(change)
    }

    /// Makes a change that was checked.
    pub(super) fn make(&mut self, checked: CheckedChange<'_>) {
        for edit in checked.edits().edits() {
            match edit {
                Edit::Clear => {
                    self.named.fill(0);
                    self.cleared = true;
                    (self.nodes_before, self.entry_before) = (0, None);
                }
                Edit::List { layer, slot, .. } => {
                    if let Some(layers) = self.named.get_mut(slot as usize) {
                        *layers |= 1 << layer;
                    }
                }
                Edit::Tombstone { .. } | Edit::Insert { .. } | Edit::Entry { .. } => {}
            }
        }
        self.adjacency.make(checked);
    }

    pub(super) const fn cleared(&self) -> bool {
        self.cleared
    }

    /// The nodes that the range inserts.
    pub(super) const fn new_nodes(&self) -> Range<u32> {
        self.nodes_before..self.adjacency.node_count()
    }

    /// What the entry is before the range's first node comes.
    pub(super) const fn entry_before(&self) -> Option<(u32, u8)> {
        self.entry_before
    }

    pub(super) fn is_tombstone(&self, slot: u32) -> bool {
        self.adjacency.is_tombstone(slot)
    }

    pub(super) fn has_node(&self, slot: u32) -> bool {
        slot < self.adjacency.node_count()
    }

    /// The level of a node of the range's end.
    pub(super) fn level(&self, slot: u32) -> u8 {
        self.adjacency.level(slot).unwrap_or(0)
    }

    /// The lists that the range names, as they are at its end, by layer and slot; of nodes that are
    /// new those that are not empty. Then the entry, if it is not `entry`.
    pub(super) fn last_edits(&self, entry: Option<u32>) -> impl Iterator<Item = Edit<'_>> + Clone {
        let layers = 0..=self.adjacency.level_max();
        let lists = layers.flat_map(move |layer| {
            let slots = 0..self.adjacency.node_count();
            slots.filter_map(move |slot| self.list(layer, slot))
        });
        let last = self.adjacency.entry().filter(|last| Some(*last) != entry);
        lists.chain(last.map(|slot| Edit::Entry { slot }))
    }

    fn list(&self, layer: u8, slot: u32) -> Option<Edit<'_>> {
        let layers = self.named.get(slot as usize)?;
        let list = self.adjacency.neighbours(layer, slot)?;
        let is_named = layers >> layer & 1 == 1;
        let is_told = is_named && (slot < self.nodes_before || !list.is_empty());
        is_told.then_some(Edit::List {
            layer,
            slot,
            change: ListChange::Replace(Slots::from(list)),
        })
    }

    /// Most bytes of the changes that a segment has: of the nodes with `record` bytes around each,
    /// and of the lists.
    pub(super) fn size_max(&self, record: usize) -> usize {
        // Operation and slot of a clear, an insert, a tombstone and an entry.
        let node = record + 16;
        let nodes = self.new_nodes().len() + 2;
        let lists = self.last_edits(None).map(|edit| match edit {
            Edit::List {
                change: ListChange::Replace(slots),
                ..
            } => 12 + 5 * slots.len(),
            _ => 6,
        });
        nodes * node + lists.sum::<usize>() + 6 * (1 + usize::from(self.adjacency.level_max()))
    }
}
