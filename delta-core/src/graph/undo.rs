//! What a change takes from a graph, as bytes, so that it can be put back.
//!
//! Saved are the counts, the level and mark of every node that goes, the tombstones that come, and
//! every list that changes, whole. All integers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 40 | the counts, digest and entry before; whether everything goes |
//! | 1 a node, if everything goes | level, and in the highest bit whether it is a tombstone |
//! | 6 and 4 a neighbour, to the end | layer, degree, slot and neighbours of a list |
//!
//! Layer 255 stands for no list, but for the slot of a tombstone that comes.

use super::{Adjacency, Edit, LAYERS_MAX, Shape, adjacency::State};

/// Words of the counts.
const COUNTS: usize = 10;
const COUNTS_SIZE: usize = 4 * COUNTS;
/// Layer, degree and slot of a list.
const LIST_SIZE: usize = 6;
/// Layer of an entry that is a tombstone's.
const TOMBSTONE: u8 = u8::MAX;
/// In the byte of a node.
const DELETED: u8 = 1 << 7;

/// What one change took from a graph: as the adjacency wrote it.
#[derive(Clone, Copy, Debug)]
pub struct SavedGraph<'a> {
    bytes: &'a [u8],
}

impl<'a> SavedGraph<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl Shape {
    /// Most bytes that [`Adjacency::save`] writes for `edits` to a graph of this shape, whatever
    /// else has changed it before. O(edits).
    pub(crate) fn saved_size_max<'a>(&self, edits: impl Iterator<Item = Edit<'a>>) -> usize {
        let list = |layer| LIST_SIZE + 4 * usize::from(self.degree_max_of(layer));
        let sizes = edits.map(|edit| match edit {
            Edit::Clear => {
                let (nodes, uppers) = (self.nodes_max as usize, self.upper_blocks_max as usize);
                let below = nodes.saturating_mul(1 + list(0));
                below.saturating_add(uppers.saturating_mul(list(1)))
            }
            Edit::Tombstone { .. } => LIST_SIZE,
            Edit::List { layer, .. } => list(layer),
            Edit::Insert { .. } | Edit::Entry { .. } => 0,
        });
        sizes.fold(COUNTS_SIZE, usize::saturating_add)
    }
}

impl Adjacency<'_> {
    /// Writes what `edits`, which are about to be made, take away to the front of `out`; the bytes
    /// used, `None` if there is no room. O(lists that change).
    pub(crate) fn save<'a>(
        &self,
        edits: impl Iterator<Item = Edit<'a>> + Clone,
        out: &mut [u8],
    ) -> Option<usize> {
        let is_clear = |edit: Edit<'_>| edit == Edit::Clear;
        let cleared = edits.clone().next().is_some_and(is_clear);
        let mut out = Out { out, at: 0 };
        out.put(counts(&self.state, cleared).as_flattened())?;
        if cleared {
            for slot in 0..self.node_count() {
                let mark = if self.is_tombstone(slot) { DELETED } else { 0 };
                out.put(&[self.level(slot)? | mark])?;
            }
            for slot in 0..self.node_count() {
                for layer in 0..=self.level(slot)? {
                    self.save_list(layer, slot, &mut out)?;
                }
            }
            return Some(out.at);
        }
        for edit in edits {
            match edit {
                Edit::Tombstone { slot } => {
                    let [s0, s1, s2, s3] = slot.to_le_bytes();
                    out.put(&[TOMBSTONE, 0, s0, s1, s2, s3])?;
                }
                Edit::List { layer, slot, .. } => self.save_list(layer, slot, &mut out)?,
                Edit::Clear | Edit::Insert { .. } | Edit::Entry { .. } => {}
            }
        }
        Some(out.at)
    }

    /// A list that there is: that of a node which the change inserts is not.
    fn save_list(&self, layer: u8, slot: u32, out: &mut Out<'_>) -> Option<()> {
        let Some(neighbours) = self.neighbours(layer, slot) else {
            return Some(());
        };
        let degree = u8::try_from(neighbours.len()).ok()?;
        let [s0, s1, s2, s3] = slot.to_le_bytes();
        out.put(&[layer, degree, s0, s1, s2, s3])?;
        // Little-endian targets only (the crate compiles on no other): memory order is wire order.
        out.put(bytemuck::cast_slice(neighbours))
    }

    /// Puts back what was saved before the last change: the graph is, in every byte, what it was.
    /// O(lists saved).
    pub fn restore(&mut self, saved: SavedGraph<'_>) {
        let parts = saved.bytes.split_at_checked(COUNTS_SIZE);
        let Some((Some(counts), mut rest)) =
            parts.map(|(counts, rest)| (counts.as_chunks().0.first_chunk(), rest))
        else {
            return;
        };
        let (before, cleared) = state(counts);
        if cleared {
            let nodes = rest.get(..before.node_count as usize).unwrap_or_default();
            rest = rest.get(nodes.len()..).unwrap_or_default();
            self.restore_nodes(nodes);
        } else if before.node_count < self.state.node_count {
            self.remove_last_node();
        }
        self.state = before;
        while let Some(([layer, degree, slot @ ..], behind)) = rest.split_first_chunk::<LIST_SIZE>()
        {
            let slot = u32::from_le_bytes(*slot);
            if *layer == TOMBSTONE {
                self.mark(slot, false);
            }
            let (words, behind) = behind.split_at(behind.len().min(4 * usize::from(*degree)));
            if *layer < LAYERS_MAX {
                self.restore_list(*layer, slot, words.as_chunks().0);
            }
            rest = behind;
        }
    }

    /// Nodes of a graph that is empty.
    fn restore_nodes(&mut self, nodes: &[u8]) {
        let mut upper_base = 0;
        for (node, slot) in nodes.iter().zip(0..) {
            let level = node & !DELETED;
            self.place_node(slot, level, upper_base);
            self.mark(slot, node & DELETED != 0);
            upper_base += u32::from(level);
        }
    }

    fn remove_last_node(&mut self) {
        let Some(slot) = self.state.node_count.checked_sub(1) else {
            return;
        };
        for layer in 0..=self.level(slot).unwrap_or(0) {
            self.restore_list(layer, slot, &[]);
        }
        self.place_node(slot, 0, 0);
        self.mark(slot, false);
    }

    fn restore_list(&mut self, layer: u8, slot: u32, neighbours: &[[u8; 4]]) {
        self.change_list(layer, slot, |list, degree| {
            let used = list.get_mut(..degree).unwrap_or_default();
            used.fill(0);
            for (word, neighbour) in list.iter_mut().zip(neighbours) {
                *word = u32::from_le_bytes(*neighbour);
            }
            neighbours.len().min(list.len())
        });
    }
}

/// Where saved bytes go.
struct Out<'o> {
    out: &'o mut [u8],
    at: usize,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.out.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }
}

fn counts(state: &State, cleared: bool) -> [[u8; 4]; COUNTS] {
    let [e0, e1]: [u32; 2] = halves(state.edge_count);
    let [d0, d1]: [u32; 2] = halves(state.digest);
    let words: [u32; COUNTS] = [
        state.node_count,
        state.tombstone_count,
        state.upper_blocks,
        state.entry,
        state.level_max.into(),
        cleared.into(),
        e0,
        e1,
        d0,
        d1,
    ];
    words.map(u32::to_le_bytes)
}

fn state(words: &[[u8; 4]; COUNTS]) -> (State, bool) {
    let [
        node_count,
        tombstone_count,
        upper_blocks,
        entry,
        level_max,
        cleared,
        e0,
        e1,
        d0,
        d1,
    ] = words.map(u32::from_le_bytes);
    let state = State {
        node_count,
        tombstone_count,
        upper_blocks,
        entry,
        level_max: u8::try_from(level_max).unwrap_or(0),
        edge_count: whole([e0, e1]),
        digest: whole([d0, d1]),
    };
    (state, cleared != 0)
}

fn halves(value: u64) -> [u32; 2] {
    let parts: [[u8; 4]; 2] = bytemuck::cast(value.to_le_bytes());
    parts.map(u32::from_le_bytes)
}

fn whole(halves: [u32; 2]) -> u64 {
    u64::from_le_bytes(bytemuck::cast(halves.map(u32::to_le_bytes)))
}
