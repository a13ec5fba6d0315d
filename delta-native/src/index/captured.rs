//! An index whose every operation becomes one record.

use delta_core::graph::Adjacency;
use delta_core::graph::capture::{GraphCapture, GraphCaptureError, IndexView};
use delta_core::payload::metadata::MetadataEdit;
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::ring::Mem;

/// Bytes for a graph change to begin with; most take under 100.
const CHANGE_SIZE: usize = 4096;
/// Beyond what the lists that any operation touches can take.
const CHANGE_SIZE_MAX: usize = 1 << 26;

/// What an operation does to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexOperation {
    /// Links a new node.
    Insert,
    /// Links a node anew.
    Update,
    /// Makes a node a tombstone.
    Delete,
    /// Links a node anew, its row as it is.
    Relink,
}

/// Why an operation did not become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapturedIndexError<E> {
    /// The index refused, and nothing has changed.
    #[error(transparent)]
    Index(E),
    /// The index has made the operation, and what it did could not be read. The same call again
    /// goes on from there.
    #[error(transparent)]
    Graph(GraphCaptureError),
    /// The index has made the operation, and its record is not in the ring. The same call again
    /// goes on from there.
    #[error(transparent)]
    Record(CaptureError),
    /// An operation that the index has made is still without a record.
    #[error(
        "the {operation:?} of node {slot} is in the index and not in the stream: make that call \
         again first"
    )]
    Unsent {
        /// The operation.
        operation: IndexOperation,
        /// Its node.
        slot: u32,
    },
}

impl<E> CapturedIndexError<E> {
    /// Whether the same call can succeed once the ring's consumer has caught up.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Record(error) if error.is_full())
    }
}

/// An index, the shadow of its graph, and the ring that its changes go into.
///
/// Each operation takes a closure that makes it in the index; the graph is read before anything
/// else can touch the index, and row and links travel in one record. If the ring is full, or the
/// record is refused, the operation stays made and unsent: the same call again sends it, without a
/// second run of its closure.
#[derive(Debug)]
pub struct CapturedIndex<'m, I, M: Mem> {
    index: I,
    graph: GraphCapture<'m>,
    capture: Capture<'m, M>,
    /// Graph changes are written here, then into the ring.
    change: Vec<u8>,
    /// What the index has made and the stream lacks.
    unsent: Option<(IndexOperation, u32)>,
}

/// What a record is made with.
struct Parts<'p, 'm, I, M: Mem> {
    index: &'p I,
    graph: &'p mut GraphCapture<'m>,
    capture: &'p mut Capture<'m, M>,
    change: &'p mut [u8],
}

enum Unsent {
    Graph(GraphCaptureError),
    Record(CaptureError),
}

impl From<GraphCaptureError> for Unsent {
    fn from(error: GraphCaptureError) -> Self {
        Self::Graph(error)
    }
}

impl From<CaptureError> for Unsent {
    fn from(error: CaptureError) -> Self {
        Self::Record(error)
    }
}

impl<'m, I: IndexView, M: Mem> CapturedIndex<'m, I, M> {
    /// `shadow` is the graph that replicas have, and that of `index`: both are empty, or both were
    /// loaded. `capture` numbers records of a stream with that graph
    /// ([`Sequencer::with_graph`](delta_core::pipeline::sequencer::Sequencer::with_graph)).
    pub fn new(index: I, shadow: Adjacency<'m>, capture: Capture<'m, M>) -> Self {
        Self {
            index,
            graph: GraphCapture::new(shadow),
            capture,
            change: vec![0; CHANGE_SIZE],
            unsent: None,
        }
    }

    /// The index.
    pub const fn index(&self) -> &I {
        &self.index
    }

    /// The graph that replicas have once they have applied every record.
    pub const fn graph(&self) -> &GraphCapture<'m> {
        &self.graph
    }

    /// For what records say beside the index: the start, the end, times.
    pub const fn capture(&mut self) -> &mut Capture<'m, M> {
        &mut self.capture
    }

    /// Inserts the next node by `link`, which is given the index and the node's slot, and returns
    /// the slot. Metadata is that of the entity, keys ascending.
    ///
    /// # Errors
    /// See [`CapturedIndexError`].
    pub fn insert<E>(
        &mut self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
        link: impl FnOnce(&mut I, u32) -> Result<(), E>,
    ) -> Result<u32, CapturedIndexError<E>> {
        let slot = self.graph.shadow().node_count();
        self.run(IndexOperation::Insert, slot, link)?;
        self.send(|parts| {
            let change = parts.graph.insert(parts.index, slot, parts.change)?;
            Ok(parts.capture.insert_with_graph(id, row, metadata, change)?)
        })
    }

    /// Changes the row of `slot` from `old`, in every bit the row of its last record, to `new`;
    /// `link` links the node anew.
    ///
    /// # Errors
    /// See [`CapturedIndexError`].
    pub fn update<E>(
        &mut self,
        slot: u32,
        [old, new]: [&[f32]; 2],
        metadata: &[MetadataEdit<'_>],
        link: impl FnOnce(&mut I, u32) -> Result<(), E>,
    ) -> Result<(), CapturedIndexError<E>> {
        self.run(IndexOperation::Update, slot, link)?;
        self.send(
            |Parts {
                 index,
                 graph,
                 capture,
                 change,
             }| {
                let change = graph.update(index, slot, change)?;
                Ok(capture.update_with_graph(slot, old, new, metadata, change)?)
            },
        )
    }

    /// Deletes the entity of `slot`, whose node becomes a tombstone: searches pass through it and
    /// never return it. `unlink` may repair the lists of its neighbours; the index keeps the node.
    ///
    /// # Errors
    /// See [`CapturedIndexError`].
    pub fn delete<E>(
        &mut self,
        slot: u32,
        unlink: impl FnOnce(&mut I, u32) -> Result<(), E>,
    ) -> Result<(), CapturedIndexError<E>> {
        self.run(IndexOperation::Delete, slot, unlink)?;
        self.send(
            |Parts {
                 index,
                 graph,
                 capture,
                 change,
             }| {
                let change = graph.delete(index, slot, change)?;
                Ok(capture.delete_with_graph(slot, change)?)
            },
        )
    }

    /// Links the node of `slot` anew, its row as it is: what a repair after a deletion does with
    /// the neighbours that a tombstone left. The record carries links alone.
    ///
    /// # Errors
    /// See [`CapturedIndexError`].
    pub fn relink<E>(
        &mut self,
        slot: u32,
        link: impl FnOnce(&mut I, u32) -> Result<(), E>,
    ) -> Result<(), CapturedIndexError<E>> {
        self.run(IndexOperation::Relink, slot, link)?;
        self.send(
            |Parts {
                 index,
                 graph,
                 capture,
                 change,
             }| {
                let change = graph.update(index, slot, change)?;
                Ok(capture.reindex(change)?)
            },
        )
    }

    /// Makes the operation in the index, unless an earlier call has.
    fn run<E>(
        &mut self,
        operation: IndexOperation,
        slot: u32,
        make: impl FnOnce(&mut I, u32) -> Result<(), E>,
    ) -> Result<(), CapturedIndexError<E>> {
        match self.unsent {
            Some(unsent) if unsent == (operation, slot) => Ok(()),
            Some((operation, slot)) => Err(CapturedIndexError::Unsent { operation, slot }),
            None => {
                make(&mut self.index, slot).map_err(CapturedIndexError::Index)?;
                self.unsent = Some((operation, slot));
                Ok(())
            }
        }
    }

    /// Sends the unsent operation, with as large a buffer for its change as it takes.
    fn send<R, E>(
        &mut self,
        mut attempt: impl FnMut(Parts<'_, 'm, I, M>) -> Result<R, Unsent>,
    ) -> Result<R, CapturedIndexError<E>> {
        loop {
            let result = attempt(Parts {
                index: &self.index,
                graph: &mut self.graph,
                capture: &mut self.capture,
                change: &mut self.change,
            });
            match result {
                Ok(sent) => {
                    self.unsent = None;
                    return Ok(sent);
                }
                Err(Unsent::Graph(GraphCaptureError::BufferFull { size }))
                    if size < CHANGE_SIZE_MAX =>
                {
                    self.change.resize(2 * size.max(CHANGE_SIZE), 0);
                }
                Err(Unsent::Graph(error)) => return Err(CapturedIndexError::Graph(error)),
                Err(Unsent::Record(error)) => return Err(CapturedIndexError::Record(error)),
            }
        }
    }
}

#[cfg(test)]
#[path = "captured_tests.rs"]
mod tests;
