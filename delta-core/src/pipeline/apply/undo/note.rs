//! How to take a record back: noted before it is applied.

use super::{Kind, POSITION_SIZE, SLOT_SIZE, TRAILER_SIZE, Undo};
use crate::{
    graph::encode::Change,
    payload::{
        Payload,
        batch::BatchEntry,
        control::Control,
        metadata::{MetadataChanges, MetadataEdit, write_section},
        vector::VectorPayload,
    },
    pipeline::apply::Applier,
    record::Record,
    store::Replica,
};

impl Undo<'_> {
    fn slot<R: Replica + ?Sized>(&mut self, kind: Kind, replica: &R, slot: u32) {
        let Some(last_sequence) = replica.last_sequence(slot) else {
            return;
        };
        let row = match kind {
            Kind::Row => replica.row(slot).unwrap_or_default(),
            _ => &[],
        };
        self.push(
            kind,
            &[
                &slot.to_le_bytes(),
                &last_sequence.to_le_bytes(),
                bytemuck::cast_slice(row),
            ],
        );
    }

    fn metadata<R: Replica + ?Sized>(
        &mut self,
        replica: &R,
        slot: u32,
        changes: MetadataChanges<'_>,
    ) {
        if changes.is_empty() || replica.last_sequence(slot).is_none() {
            return;
        }
        let start = self.used;
        let mut end = start + 4;
        let mut fits = true;
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(&slot.to_le_bytes());
        }
        for (key, new) in changes {
            // The inverse of the change; one that changes nothing is not written.
            let inverse = MetadataEdit {
                key,
                old: new,
                new: replica.metadata(slot, key),
            };
            let out = self.bytes.get_mut(end..).unwrap_or_default();
            match write_section(&[inverse], out, None) {
                Ok((size, _)) => end += size,
                Err(_) => fits = false,
            }
        }
        self.close(Kind::Metadata, fits.then_some(end - start));
    }
    fn graph<R: Replica + ?Sized>(&mut self, replica: &R, change: Change<'_>) {
        if let Some(graph) = replica.graph() {
            let out = self.bytes.get_mut(self.used..).unwrap_or_default();
            let size = graph.adjacency().save(change.edits(), out);
            self.close(Kind::Graph, size);
        }
    }

    /// The slot that is next will be used by one that is erased, whose terms come to `sum`.
    fn erased(&mut self, sum: u64) {
        self.push(Kind::Erased, &[&sum.to_le_bytes()]);
    }
}

impl Applier<'_> {
    /// Bytes of undo memory that `records` need at most, applied one after the other. O(records).
    pub(in crate::pipeline::apply) fn undo_size_max<R: Replica + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &R,
    ) -> usize {
        let row = SLOT_SIZE + 4 * replica.dim() as usize + TRAILER_SIZE;
        let begin = POSITION_SIZE + TRAILER_SIZE;
        let graph = record.graph_change().zip(replica.graph());
        let graph = graph.map_or(0, |(change, graph)| {
            let shape = graph.adjacency().shape();
            TRAILER_SIZE.saturating_add(shape.saved_size_max(change.edits()))
        });
        let rows = begin
            + match record.payload() {
                Payload::Insert(vector) => TRAILER_SIZE + self.metadata_size_max(vector, replica),
                Payload::Update(vector) => row + self.metadata_size_max(vector, replica),
                Payload::Delete { .. } => SLOT_SIZE + TRAILER_SIZE,
                Payload::Batch(batch) => {
                    let entry = |(entry, metadata): (BatchEntry<'_>, MetadataChanges<'_>)| {
                        row + changes_size_max(entry.slot, metadata, replica)
                    };
                    let changes = batch.decode(self.scratch).into_iter().flatten();
                    changes.map(entry).fold(0, usize::saturating_add)
                }
                Payload::Control(Control::Erased { .. }) => TRAILER_SIZE + size_of::<u64>(),
                // The second is not for rows and refused.
                Payload::Reindex(_) | Payload::Tensor(_) | Payload::Control(_) => 0,
            };
        rows.saturating_add(graph)
    }

    fn metadata_size_max<R: Replica + ?Sized>(
        &mut self,
        vector: &VectorPayload<'_>,
        replica: &R,
    ) -> usize {
        let Ok(changes) = vector.metadata().decode(self.scratch) else {
            return 0;
        };
        changes_size_max(vector.slot(), changes, replica)
    }

    /// Notes how to take `record` back, which is about to be applied. `false` if it does not fit.
    pub(in crate::pipeline::apply) fn note<R: Replica + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &R,
        undo: &mut Undo<'_>,
    ) -> bool {
        let start = undo.used;
        undo.overflow = false;
        undo.position(self.position);
        match record.payload() {
            Payload::Insert(_) => undo.push(Kind::Insert, &[]),
            Payload::Update(vector) => {
                if let Ok(changes) = vector.metadata().decode(self.scratch) {
                    undo.metadata(replica, vector.slot(), changes);
                }
                undo.slot(Kind::Row, replica, vector.slot());
            }
            Payload::Delete { slot, .. } => undo.slot(Kind::Delete, replica, *slot),
            Payload::Batch(batch) => {
                for (entry, metadata) in batch.decode(self.scratch).into_iter().flatten() {
                    undo.metadata(replica, entry.slot, metadata);
                    undo.slot(Kind::Row, replica, entry.slot);
                }
            }
            Payload::Control(Control::Erased { sum, .. }) => undo.erased(*sum),
            Payload::Reindex(_) | Payload::Tensor(_) | Payload::Control(_) => {}
        }
        if let Some(change) = record.graph_change() {
            undo.graph(replica, change);
        }
        if undo.overflow {
            undo.used = start;
        }
        !undo.overflow
    }
}

/// Bytes of the inverse of `changes`. Every old value is the store's, or the new one of an earlier
/// record: both are counted.
fn changes_size_max<R: Replica + ?Sized>(
    slot: u32,
    changes: MetadataChanges<'_>,
    replica: &R,
) -> usize {
    if changes.is_empty() {
        return 0;
    }
    let pairs = changes.into_iter().map(|(key, new)| {
        let old = replica.metadata(slot, key);
        6 + key.len() + old.map_or(0, <[u8]>::len) + new.map_or(0, <[u8]>::len)
    });
    4 + TRAILER_SIZE + pairs.sum::<usize>()
}
