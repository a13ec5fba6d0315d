//! Records that change the graph, alone or with a deletion.

use super::{PrepareError, Prepared, Sequencer};
use crate::{
    digest::tombstone_term,
    graph::{CheckedChange, GraphParameters},
    header::{DeltaHeader, Operation},
    pipeline::graph::RowsAfter,
};

/// The graph that a stream declares.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamGraph {
    pub(super) parameters: GraphParameters,
    /// Nodes after the last committed record.
    pub(super) node_count: u32,
}

/// Bytes of a slot.
const SLOT_SIZE: usize = 4;

impl Sequencer<'_> {
    /// The stream has a graph, of `node_count` nodes so far. The digest of this sequencer's
    /// position includes it.
    ///
    /// # Panics
    /// If there are more nodes than slots.
    #[must_use]
    pub fn with_graph(mut self, parameters: GraphParameters, node_count: u32) -> Self {
        assert!(node_count <= self.slot_count, "every node has a row");
        self.graph = Some(StreamGraph {
            parameters,
            node_count,
        });
        self
    }

    /// What the stream declares of its graph.
    pub fn graph_parameters(&self) -> Option<GraphParameters> {
        self.graph.map(|graph| graph.parameters)
    }

    /// Writes a delete of `slot` into `out`: 4 bytes.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_delete(&self, slot: u32, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        self.prepare_delete_with_graph(slot, None, out)
    }

    /// As [`prepare_delete`](Self::prepare_delete), with what changes in the graph: the slot's node
    /// becomes a tombstone. [`delete_size`](Self::delete_size) bytes.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_delete_with_graph(
        &self,
        slot: u32,
        graph: Option<&CheckedChange<'_>>,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        let state = self.live(slot)?;
        let after = RowsAfter::without(self.slot_count, slot);
        let node_count = self.check_graph(graph, after)?;
        let (needed, given) = (Self::delete_size(graph), out.len());
        let payload = out
            .get_mut(..needed)
            .and_then(<[u8]>::split_first_chunk_mut);
        let (place, rest) = payload.ok_or(PrepareError::OutputTooSmall { needed, given })?;
        *place = slot.to_le_bytes();
        rest.copy_from_slice(change_bytes(graph));
        let header = DeltaHeader {
            graph: graph.is_some(),
            vector_id_hash: state.id_hash,
            prev_sequence: state.last_sequence,
            ..self.header(
                Operation::Delete,
                tombstone_term(slot).wrapping_add(digest_change(graph)),
            )
        };
        Prepared::seal(header, out, needed, Some(slot), node_count)
    }

    /// Writes a change of the graph alone into `out`, as many bytes as the change has.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_reindex(
        &self,
        graph: &CheckedChange<'_>,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        let graph = Some(graph);
        let node_count = self.check_graph(graph, RowsAfter::of(self.slot_count))?;
        let bytes = change_bytes(graph);
        let (needed, given) = (bytes.len(), out.len());
        out.get_mut(..needed)
            .ok_or(PrepareError::OutputTooSmall { needed, given })?
            .copy_from_slice(bytes);
        let header = self.header(Operation::ReindexLayers, digest_change(graph));
        Prepared::seal(header, out, needed, None, node_count)
    }

    /// Bytes of a delete's payload.
    pub fn delete_size(graph: Option<&CheckedChange<'_>>) -> usize {
        SLOT_SIZE + change_bytes(graph).len()
    }

    /// The nodes after a graph change, if the stream's graph and rows allow it.
    #[inline]
    pub(super) fn check_graph(
        &self,
        change: Option<&CheckedChange<'_>>,
        after: RowsAfter,
    ) -> Result<u32, PrepareError> {
        let Some(graph) = self.graph else {
            return match change {
                None => Ok(0),
                Some(_) => Err(PrepareError::NoGraph),
            };
        };
        let is_deleted = |slot| matches!(self.live(slot), Err(PrepareError::Deleted { .. }));
        after
            .check(graph.node_count, change, is_deleted)
            .map_err(PrepareError::GraphRows)?;
        Ok(change.map_or(graph.node_count, CheckedChange::node_count))
    }

    /// Nodes after a record that changes none.
    pub(super) fn node_count(&self) -> u32 {
        self.graph.map_or(0, |graph| graph.node_count)
    }
}

fn digest_change(graph: Option<&CheckedChange<'_>>) -> u64 {
    graph.map_or(0, CheckedChange::digest_change)
}

fn change_bytes<'a>(graph: Option<&CheckedChange<'a>>) -> &'a [u8] {
    graph.map_or(&[], |graph| graph.edits().as_bytes())
}
