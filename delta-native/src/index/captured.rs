//! An index whose every operation becomes one record.

mod call;
mod error;

use delta_core::graph::Adjacency;
use delta_core::graph::capture::{GraphCapture, GraphCaptureError, IndexView, PendingChange};
use delta_core::payload::metadata::MetadataEdit;
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::pipeline::sequencer::Sequencer;
use delta_core::ring::Mem;

use call::Call;
pub use call::IndexOperation;
pub use error::{CapturedIndexError, Parted, Refusal};

/// Bytes for a graph change to begin with; most take under 100.
const CHANGE_SIZE: usize = 4096;
/// Beyond what the lists that any operation touches can take.
const CHANGE_SIZE_MAX: usize = 1 << 26;

/// An index, the shadow of its graph, and the ring that its changes go into.
///
/// Each operation takes a closure that makes it in the index; the graph is read before anything
/// else can touch the index, and row and links travel in one record. What can be checked is checked
/// before the closure runs: a refused call changes nothing. If the ring is full, the operation
/// stays made and unsent: the same call again sends it, without a second run of its closure.
///
/// What only the index knows shows when it has made the operation: links that are no graph, or that
/// fit no record. The stream cannot tell such an operation, nor any after it; see [`Parted`].
#[derive(Debug)]
pub struct CapturedIndex<'m, I, M: Mem> {
    index: I,
    graph: GraphCapture<'m>,
    capture: Capture<'m, M>,
    /// Rows are written here to see whether they can be, then graph changes, then into the ring.
    scratch: Vec<u8>,
    state: State,
}

/// How the stream stands to the index.
#[derive(Clone, Copy, Debug)]
enum State {
    /// It tells all that the index has made.
    Even,
    /// The index has made this call, and the stream lacks it.
    Unsent(Call),
    Parted(Parted),
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
            scratch: vec![0; CHANGE_SIZE],
            state: State::Even,
        }
    }

    /// The index.
    pub const fn index(&self) -> &I {
        &self.index
    }

    /// The index alone, as it is.
    pub fn into_index(self) -> I {
        self.index
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
        let call = Call::new(IndexOperation::Insert, slot, id, &[row], metadata);
        let check = |this: &mut Self| -> Result<(), Refusal> {
            let (capture, out) = this.check_room(id, row, metadata);
            let slot = capture.check_insert_with_graph(id, row, metadata, out)?;
            this.graph.check_insert(slot).map_err(Refusal::Graph)
        };
        self.make(call, check, link)?;
        self.send(call, |capture, change| {
            capture.insert_with_graph(id, row, metadata, change)
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
        let call = Call::new(IndexOperation::Update, slot, &[], &[old, new], metadata);
        let check = |this: &mut Self| -> Result<(), Refusal> {
            let (capture, out) = this.check_room(&[], new, metadata);
            capture.check_update_with_graph(slot, [old, new], metadata, out)?;
            this.graph.check_live(slot).map_err(Refusal::Graph)
        };
        self.make(call, check, link)?;
        self.send(call, |capture, change| {
            capture.update_with_graph(slot, old, new, metadata, change)
        })
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
        let call = Call::new(IndexOperation::Delete, slot, &[], &[], &[]);
        self.make(call, |this| this.check_live(slot), unlink)?;
        self.send(call, |capture, change| {
            capture.delete_with_graph(slot, change)
        })
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
        let call = Call::new(IndexOperation::Relink, slot, &[], &[], &[]);
        self.make(call, |this| this.check_live(slot), link)?;
        self.send(call, Capture::reindex)
    }

    fn check_live(&self, slot: u32) -> Result<(), Refusal> {
        self.capture.check_live_with_graph(slot)?;
        self.graph.check_live(slot).map_err(Refusal::Graph)
    }

    /// Room for the payload of a row, if it fits the ring.
    fn check_room(
        &mut self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
    ) -> (&mut Capture<'m, M>, &mut [u8]) {
        let size = Sequencer::insert_size_max(id, row, metadata);
        let size = size.min(self.capture.payload_size_max());
        if self.scratch.len() < size {
            self.scratch.resize(size, 0);
        }
        (&mut self.capture, &mut self.scratch)
    }

    /// Makes the operation in the index if it passes `check`, unless an earlier call has made it.
    fn make<E>(
        &mut self,
        call: Call,
        check: impl FnOnce(&mut Self) -> Result<(), Refusal>,
        make: impl FnOnce(&mut I, u32) -> Result<(), E>,
    ) -> Result<(), CapturedIndexError<E>> {
        match self.state {
            State::Unsent(unsent) if unsent == call => return Ok(()),
            State::Unsent(unsent) => return Err(unsent.into()),
            State::Parted(parted) => return Err(CapturedIndexError::Parted(parted)),
            State::Even => {}
        }
        check(self).map_err(CapturedIndexError::Refused)?;
        // What stands if the closure panics, and the caller goes on.
        self.state = State::Parted(call.parted(None));
        let made = make(&mut self.index, call.slot);
        self.state = match made {
            Ok(()) => State::Unsent(call),
            Err(_) => State::Even,
        };
        made.map_err(CapturedIndexError::Index)
    }

    /// Sends what the index has made of `call`, as `record` captures it.
    fn send<R, E>(
        &mut self,
        call: Call,
        mut record: impl FnMut(
            &mut Capture<'m, M>,
            PendingChange<'_, 'm, '_>,
        ) -> Result<R, CaptureError>,
    ) -> Result<R, CapturedIndexError<E>> {
        loop {
            let change = call.capture(&mut self.graph, &self.index, &mut self.scratch);
            let sent = match change {
                Ok(change) => record(&mut self.capture, change).map_err(Refusal::Record),
                Err(error) => Err(Refusal::Graph(error)),
            };
            match sent {
                Ok(sent) => {
                    self.state = State::Even;
                    return Ok(sent);
                }
                Err(Refusal::Record(error)) if error.is_full() => {
                    return Err(CapturedIndexError::Full(error));
                }
                Err(Refusal::Graph(GraphCaptureError::BufferFull { size }))
                    if size < CHANGE_SIZE_MAX =>
                {
                    self.scratch.resize(2 * size.max(CHANGE_SIZE), 0);
                }
                Err(refusal) => {
                    let parted = call.parted(Some(refusal));
                    self.state = State::Parted(parted);
                    return Err(CapturedIndexError::Parted(parted));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "captured/refused_tests.rs"]
mod refused_tests;
#[cfg(test)]
#[path = "captured_tests.rs"]
mod tests;
