//! The memory of a graph, owned.

use delta_core::graph::{Adjacency, GraphBuffers, GraphMemoryError, Shape};

use crate::memory::{OutOfMemory, filled};

/// Owns what an [`Adjacency`] borrows.
#[derive(Debug)]
pub struct GraphMemory {
    shape: Shape,
    neighbours0: Vec<u32>,
    degrees0: Vec<u8>,
    levels: Vec<u8>,
    tombstones: Vec<u64>,
    upper_base: Vec<u32>,
    upper: Vec<u32>,
}

/// Why there is no memory for a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphAllocationError {
    /// No graph has the shape.
    #[error("{}", GraphMemoryError::Shape { shape: *shape })]
    Shape {
        /// The shape given.
        shape: Shape,
    },
    /// The allocator has no such amount.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl GraphMemory {
    /// Memory for a graph of `shape`. O(memory).
    ///
    /// # Errors
    /// [`GraphAllocationError`].
    pub fn new(shape: Shape) -> Result<Self, GraphAllocationError> {
        let lengths = shape
            .lengths()
            .ok_or(GraphAllocationError::Shape { shape })?;
        let [neighbours0, degrees0, levels, tombstones, upper_base, upper] = lengths;
        Ok(Self {
            shape,
            neighbours0: filled(neighbours0, 1, 0)?,
            degrees0: filled(degrees0, 1, 0)?,
            levels: filled(levels, 1, 0)?,
            tombstones: filled(tombstones, 1, 0)?,
            upper_base: filled(upper_base, 1, 0)?,
            upper: filled(upper, 1, 0)?,
        })
    }

    /// An empty graph over this memory, which it clears. O(memory).
    ///
    /// # Panics
    /// Never: the slices have the lengths that the shape says.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "`new` made every slice as long as the shape says"
    )]
    pub fn empty_graph(&mut self) -> Adjacency<'_> {
        let buffers = GraphBuffers {
            neighbours0: &mut self.neighbours0,
            degrees0: &mut self.degrees0,
            levels: &mut self.levels,
            tombstones: &mut self.tombstones,
            upper_base: &mut self.upper_base,
            upper: &mut self.upper,
        };
        Adjacency::new(self.shape, buffers).expect("the slices are as long as the shape says")
    }

    /// Bytes of all buffers.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.shape.memory_bytes().unwrap_or(0)
    }
}
