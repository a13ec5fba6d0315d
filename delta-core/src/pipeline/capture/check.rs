//! Whether a change would be captured, asked before it is made anywhere.

use super::{Capture, CaptureError, change::updated};
use crate::{
    payload::{metadata::MetadataEdit, vector::VectorChange},
    pipeline::sequencer::PrepareError,
    ring::{Mem, Notify, ReserveError},
};

impl<M: Mem, N: Notify<M>> Capture<'_, M, N> {
    /// Most bytes of any record's payload in this ring.
    pub fn payload_size_max(&self) -> usize {
        self.producer.geometry().max_payload() as usize
    }

    /// Whether [`insert_with_graph`](Self::insert_with_graph) of these would be captured by a ring
    /// with room, but for what its graph change brings, and the slot that it would take: prepares
    /// it into `out` and forgets it.
    /// [`Sequencer::insert_size_max`](crate::pipeline::sequencer::Sequencer::insert_size_max) bytes
    /// do. O(dim + metadata).
    ///
    /// # Errors
    /// Those of the insert, but [`ReserveError::Full`].
    pub fn check_insert_with_graph(
        &mut self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
        out: &mut [u8],
    ) -> Result<u32, CaptureError> {
        let change = self.inserted(id, row, metadata)?;
        self.check_vector(&change, out)?;
        Ok(change.slot)
    }

    /// As [`check_insert_with_graph`](Self::check_insert_with_graph), of
    /// [`update_with_graph`](Self::update_with_graph).
    ///
    /// # Errors
    /// Those of the update, but [`ReserveError::Full`].
    pub fn check_update_with_graph(
        &mut self,
        slot: u32,
        [old, new]: [&[f32]; 2],
        metadata: &[MetadataEdit<'_>],
        out: &mut [u8],
    ) -> Result<(), CaptureError> {
        self.check_vector(&updated(slot, [old, new], metadata), out)
    }

    /// Whether `slot` lives, in a stream with a graph: [`delete_with_graph`] and [`reindex`] then
    /// find fault with nothing but their graph changes. O(1).
    ///
    /// [`delete_with_graph`]: Self::delete_with_graph
    /// [`reindex`]: Self::reindex
    ///
    /// # Errors
    /// [`CaptureError::Prepare`].
    pub fn check_live_with_graph(&self, slot: u32) -> Result<(), CaptureError> {
        self.check_graph()
            .and_then(|()| self.sequencer.live(slot))
            .map_err(CaptureError::Prepare)?;
        Ok(())
    }

    fn check_vector(
        &mut self,
        change: &VectorChange<'_>,
        out: &mut [u8],
    ) -> Result<(), CaptureError> {
        self.check_graph().map_err(CaptureError::Prepare)?;
        let (len, max) = (
            change.payload_size_max(),
            self.producer.geometry().max_payload(),
        );
        if len > max as usize {
            return Err(CaptureError::Ring(ReserveError::TooLarge { len, max }));
        }
        // Metadata that is compressed is smaller, and sound if it was.
        let prepared = self
            .sequencer
            .prepare_values(change, self.shadow.as_mut(), out, None);
        prepared.map(drop).map_err(CaptureError::Prepare)
    }

    fn check_graph(&self) -> Result<(), PrepareError> {
        let parameters = self.sequencer.graph_parameters();
        parameters.map(drop).ok_or(PrepareError::NoGraph)
    }
}
