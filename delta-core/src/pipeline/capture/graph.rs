//! Operations on an index, captured with the rows that they belong to.

use super::{Capture, CaptureError, change::updated};
use crate::{
    graph::capture::PendingChange,
    payload::{metadata::MetadataEdit, vector::VectorChange},
    pipeline::sequencer::Sequencer,
    ring::Mem,
};

impl<M: Mem> Capture<'_, M> {
    /// As [`insert`](Self::insert), with what the insert did to the index, in one record. The
    /// capture of the graph follows if the record is in the ring; else it stays as it was, and the
    /// index can be captured again.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn insert_with_graph(
        &mut self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
        graph: PendingChange<'_, '_, '_>,
    ) -> Result<u32, CaptureError> {
        let change = VectorChange {
            graph: Some(graph.checked()),
            ..self.inserted(id, row, metadata)?
        };
        self.send_vector(&change)?;
        graph.commit();
        Ok(change.slot)
    }

    /// As [`update_with_metadata`](Self::update_with_metadata), with what the update did to the
    /// index, in one record. The capture of the graph follows as by
    /// [`insert_with_graph`](Self::insert_with_graph).
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn update_with_graph(
        &mut self,
        slot: u32,
        old: &[f32],
        new: &[f32],
        metadata: &[MetadataEdit<'_>],
        graph: PendingChange<'_, '_, '_>,
    ) -> Result<(), CaptureError> {
        let change = VectorChange {
            graph: Some(graph.checked()),
            ..updated(slot, [old, new], metadata)
        };
        self.send_vector(&change)?;
        graph.commit();
        Ok(())
    }

    /// As [`delete`](Self::delete), with what the deletion did to the index, in one record: the
    /// slot's node becomes a tombstone. The capture of the graph follows as by
    /// [`insert_with_graph`](Self::insert_with_graph).
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn delete_with_graph(
        &mut self,
        slot: u32,
        graph: PendingChange<'_, '_, '_>,
    ) -> Result<(), CaptureError> {
        let checked = graph.checked();
        self.send(
            Sequencer::delete_size(Some(&checked)),
            |sequencer, out, _| sequencer.prepare_delete_with_graph(slot, Some(&checked), out),
        )?;
        graph.commit();
        Ok(())
    }

    /// Captures a change of the graph alone. The capture of the graph follows as by
    /// [`insert_with_graph`](Self::insert_with_graph).
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn reindex(&mut self, graph: PendingChange<'_, '_, '_>) -> Result<(), CaptureError> {
        let checked = graph.checked();
        let size = checked.edits().as_bytes().len();
        self.send(size, |sequencer, out, _| {
            sequencer.prepare_reindex(&checked, out)
        })?;
        graph.commit();
        Ok(())
    }
}
