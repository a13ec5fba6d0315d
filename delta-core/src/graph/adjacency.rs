//! The adjacency of a replica: fixed capacity, over the caller's slices.
//!
//! Every list is sorted by slot, and every word that is not in use is zero, so equal graphs that
//! were given equal shapes are equal bytes. At 16 links a node (32 on layer 0) a node takes about
//! 139 bytes: 128 + 1 + 1 + 4 + 1/8, and 68 for each of its upper layers, of which a node has 1/15
//! on average.

use core::fmt;

use super::LAYERS_MAX;

/// Capacities of a graph. Equal on all replicas of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Nodes, `1..u32::MAX`; slots are below it.
    pub nodes_max: u32,
    /// Neighbours of a node on layer 0, at least 1.
    pub degree0_max: u8,
    /// Neighbours of a node on each layer above, at least 1.
    pub degree_max: u8,
    /// Lists above layer 0, over all nodes. `nodes_max / (degree_max - 1)` are needed on average
    /// where levels are drawn as the HNSW paper does; give some more.
    pub upper_blocks_max: u32,
}

impl Shape {
    /// The most neighbours that a list of `layer` holds.
    #[must_use]
    #[inline]
    pub const fn degree_max_of(&self, layer: u8) -> u8 {
        if layer == 0 {
            self.degree0_max
        } else {
            self.degree_max
        }
    }

    /// Elements that each of [`GraphBuffers`]' slices has, in their order; `None` if a capacity is
    /// out of its range or a size exceeds `usize`.
    #[must_use]
    pub fn lengths(&self) -> Option<[usize; 6]> {
        let nodes = usize::try_from(self.nodes_max).ok()?;
        let blocks = usize::try_from(self.upper_blocks_max).ok()?;
        if nodes == 0 || self.nodes_max == u32::MAX || self.degree0_max == 0 || self.degree_max == 0
        {
            return None;
        }
        Some([
            nodes.checked_mul(usize::from(self.degree0_max))?,
            nodes,
            nodes,
            nodes.div_ceil(64),
            nodes,
            blocks.checked_mul(self.block_words())?,
        ])
    }

    /// Bytes of all buffers together; `None` as in [`Shape::lengths`].
    #[must_use]
    pub fn memory_bytes(&self) -> Option<usize> {
        let sizes = [4, 1, 1, 8, 4, 4];
        self.lengths()?
            .iter()
            .zip(sizes)
            .try_fold(0_usize, |sum, (length, size)| {
                sum.checked_add(length.checked_mul(size)?)
            })
    }

    /// Words of an upper list: its degree and its slots.
    pub(super) fn block_words(&self) -> usize {
        usize::from(self.degree_max) + 1
    }
}

/// The memory of an [`Adjacency`]. [`Shape::lengths`] gives the elements of each slice.
#[derive(Debug, PartialEq, Eq)]
pub struct GraphBuffers<'m> {
    /// Lists of layer 0, `degree0_max` slots a node.
    pub neighbours0: &'m mut [u32],
    /// Slots in use of each list of layer 0.
    pub degrees0: &'m mut [u8],
    /// Level of each node.
    pub levels: &'m mut [u8],
    /// One bit a node.
    pub tombstones: &'m mut [u64],
    /// First upper list of each node of a level above 0, in lists.
    pub upper_base: &'m mut [u32],
    /// Upper lists, `1 + degree_max` words each, taken in the order of inserts.
    pub upper: &'m mut [u32],
}

impl GraphBuffers<'_> {
    fn lengths(&self) -> [usize; 6] {
        [
            self.neighbours0.len(),
            self.degrees0.len(),
            self.levels.len(),
            self.tombstones.len(),
            self.upper_base.len(),
            self.upper.len(),
        ]
    }

    pub(super) fn clear(&mut self) {
        self.neighbours0.fill(0);
        self.degrees0.fill(0);
        self.levels.fill(0);
        self.tombstones.fill(0);
        self.upper_base.fill(0);
        self.upper.fill(0);
    }
}

/// Why memory is not that of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphMemoryError {
    /// A capacity of the shape is out of its range.
    Shape {
        /// The shape given.
        shape: Shape,
    },
    /// A slice of [`GraphBuffers`] has another length than [`Shape::lengths`] says.
    Length {
        /// Place of the slice in [`GraphBuffers`], from 0.
        slice: usize,
        /// Elements needed.
        expected: usize,
        /// Elements found.
        found: usize,
    },
}

impl fmt::Display for GraphMemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Shape { shape } => write!(
                f,
                "no graph has the shape {shape:?}: give 1..u32::MAX nodes and at least one \
                 neighbour a list"
            ),
            Self::Length {
                slice,
                expected,
                found,
            } => write!(
                f,
                "slice {slice} of the graph's memory has {found} elements instead of {expected}: \
                 size it by Shape::lengths"
            ),
        }
    }
}

impl core::error::Error for GraphMemoryError {}

/// All of a graph that is not in its buffers. Zero is the empty graph's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Nodes; slots `0..node_count` exist.
    pub(super) node_count: u32,
    /// Tombstones among the nodes.
    pub(super) tombstone_count: u32,
    /// Upper lists in use, from the front.
    pub(super) upper_blocks: u32,
    /// Entry node; 0 while there is no node.
    pub(super) entry: u32,
    /// Level of the entry: the highest of any node.
    pub(super) level_max: u8,
    /// Directed edges on all layers.
    pub(super) edge_count: u64,
    /// The graph's terms of the state digest.
    pub(super) digest: u64,
}

/// A graph of layered lists: nodes are dense slots, a node of level `l` has a list on each layer
/// `0..=l`.
///
/// It is built and changed by [`Edit`](super::Edit)s alone, which are checked before they are made;
/// that buys the accessors, which cannot fail. Two graphs are equal if their shapes, states and all
/// bytes of their buffers are.
#[derive(Debug, PartialEq, Eq)]
pub struct Adjacency<'m> {
    shape: Shape,
    pub(super) state: State,
    pub(super) buffers: GraphBuffers<'m>,
}

impl<'m> Adjacency<'m> {
    /// An empty graph; `buffers` are zeroed. O(memory).
    ///
    /// # Errors
    /// [`GraphMemoryError`] if the shape is out of range or a slice has another length than
    /// [`Shape::lengths`] says.
    pub fn new(shape: Shape, mut buffers: GraphBuffers<'m>) -> Result<Self, GraphMemoryError> {
        let expected = shape.lengths().ok_or(GraphMemoryError::Shape { shape })?;
        let lengths = expected.iter().zip(buffers.lengths());
        for (slice, (&expected, found)) in lengths.enumerate() {
            if expected != found {
                return Err(GraphMemoryError::Length {
                    slice,
                    expected,
                    found,
                });
            }
        }
        buffers.clear();
        Ok(Self {
            shape,
            state: State::default(),
            buffers,
        })
    }

    /// The capacities.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Nodes, tombstones included: slots `0..node_count` exist.
    #[must_use]
    #[inline]
    pub const fn node_count(&self) -> u32 {
        self.state.node_count
    }

    /// Nodes that are tombstones.
    #[must_use]
    pub const fn tombstone_count(&self) -> u32 {
        self.state.tombstone_count
    }

    /// Directed edges on all layers.
    #[must_use]
    pub const fn edge_count(&self) -> u64 {
        self.state.edge_count
    }

    /// Upper lists in use, of `shape().upper_blocks_max`.
    #[must_use]
    pub const fn upper_blocks_used(&self) -> u32 {
        self.state.upper_blocks
    }

    /// Where a search starts: a node of the highest level. `None` while there is no node.
    #[must_use]
    #[inline]
    pub const fn entry(&self) -> Option<u32> {
        if self.state.node_count == 0 {
            None
        } else {
            Some(self.state.entry)
        }
    }

    /// Level of the entry, the highest of any node; 0 while there is no node.
    #[must_use]
    #[inline]
    pub const fn level_max(&self) -> u8 {
        self.state.level_max
    }

    /// The graph's terms of the state digest (WIRE.md, section 8), kept up to date by every change.
    #[must_use]
    #[inline]
    pub const fn digest(&self) -> u64 {
        self.state.digest
    }

    /// Level of `slot`; `None` if there is no such node.
    #[must_use]
    #[inline]
    pub fn level(&self, slot: u32) -> Option<u8> {
        if slot < self.state.node_count {
            self.buffers.levels.get(slot as usize).copied()
        } else {
            None
        }
    }

    /// `slot` exists and is a tombstone.
    #[must_use]
    #[inline]
    pub fn is_tombstone(&self, slot: u32) -> bool {
        let word = self.buffers.tombstones.get(slot as usize / 64);
        word.is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// The neighbours of `slot` on `layer`, ascending; `None` if there is no such node or it does
    /// not have that layer.
    #[must_use]
    #[inline]
    pub fn neighbours(&self, layer: u8, slot: u32) -> Option<&[u32]> {
        if layer > self.level(slot)? {
            return None;
        }
        let slot = slot as usize;
        if layer == 0 {
            let degree = usize::from(*self.buffers.degrees0.get(slot)?);
            let start = slot * usize::from(self.shape.degree0_max);
            return self.buffers.neighbours0.get(start..start + degree);
        }
        let start = self.block_start(layer, slot)?;
        let (&degree, slots) = self.buffers.upper.get(start..)?.split_first()?;
        slots.get(..degree as usize)
    }

    /// Calls `change` with the whole list of `slot` on `layer`, unused words included, and its
    /// degree; the returned degree is stored. Nothing happens if the list does not exist.
    #[inline]
    pub(super) fn change_list(
        &mut self,
        layer: u8,
        slot: u32,
        change: impl FnOnce(&mut [u32], usize) -> usize,
    ) {
        let slot = slot as usize;
        if layer == 0 {
            let width = usize::from(self.shape.degree0_max);
            let list = self.buffers.neighbours0.get_mut(slot * width..);
            let list = list.and_then(|list| list.get_mut(..width));
            if let (Some(list), Some(degree)) = (list, self.buffers.degrees0.get_mut(slot)) {
                let changed = change(list, usize::from(*degree));
                *degree = u8::try_from(changed).unwrap_or(self.shape.degree0_max);
            }
            return;
        }
        let Some(start) = self.block_start(layer, slot) else {
            return;
        };
        let block = self.buffers.upper.get_mut(start..);
        let block = block.and_then(|rest| rest.get_mut(..self.shape.block_words()));
        if let Some((degree, list)) = block.and_then(<[u32]>::split_first_mut) {
            let changed = change(list, *degree as usize);
            *degree = u32::try_from(changed).unwrap_or(u32::from(self.shape.degree_max));
        }
    }

    /// First word of the list of `slot` on `layer`, above 0.
    #[inline]
    fn block_start(&self, layer: u8, slot: usize) -> Option<usize> {
        let base = *self.buffers.upper_base.get(slot)? as usize;
        let block = base.checked_add(usize::from(layer) - 1)?;
        block.checked_mul(self.shape.block_words())
    }

    /// Whether a node of `level` finds a slot and its upper lists.
    pub(super) fn has_room(&self, level: u8) -> bool {
        let left = self.shape.upper_blocks_max - self.state.upper_blocks;
        level < LAYERS_MAX
            && self.state.node_count < self.shape.nodes_max
            && u32::from(level) <= left
    }
}
