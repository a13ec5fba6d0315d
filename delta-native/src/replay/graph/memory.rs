//! The memory of a replica with a graph.

use delta_core::graph::Adjacency;
use delta_core::kernel::distance::Metric;
use delta_core::store::{ReplicaGraph, SliceMemory, SliceStore, Slot};

use super::super::{ReplayError, pass::attributes_size};
use crate::index::{GraphMemory, IndexParameters};
use crate::memory::filled;
use crate::stream::Stream;

/// Owns what a [`SliceStore`] with a graph borrows.
pub(super) struct ReplicaMemory {
    dim: u32,
    metric: Metric,
    rows: Vec<f32>,
    slots: Vec<Slot>,
    attributes: Vec<u8>,
    graph: GraphMemory,
}

impl ReplicaMemory {
    /// Memory for all that `stream` inserts.
    pub(super) fn new(stream: &Stream, parameters: &IndexParameters) -> Result<Self, ReplayError> {
        let slots = stream.slots() as usize;
        Ok(Self {
            dim: stream.dim(),
            metric: parameters.metric,
            rows: filled(slots, stream.dim() as usize, 0.0)?,
            slots: filled(slots, 1, Slot::default())?,
            attributes: filled(attributes_size(stream), 1, 0)?,
            graph: GraphMemory::new(parameters.shape())?,
        })
    }

    /// An empty graph on its own.
    pub(super) fn empty_graph(&mut self) -> Adjacency<'_> {
        self.graph.empty_graph()
    }

    /// An empty replica.
    pub(super) fn store(&mut self) -> SliceStore<'_> {
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut self.attributes,
        };
        let graph = ReplicaGraph::new(self.graph.empty_graph(), self.metric);
        SliceStore::new(self.dim, memory).with_graph(graph)
    }
}
