//! Taking what records say of rows.

use super::{CompactError, Compactor, workspace};
use crate::{
    codec::{RowChange, Values},
    graph::search::Rows,
    header::DeltaHeader,
    payload::{
        Payload,
        batch::{BatchChanges, BatchPayload},
        control::Control,
        vector::VectorPayload,
    },
    record::Record,
};

impl<B: Rows> Compactor<'_, B> {
    /// Takes what `record` says of rows. Nothing has changed on an error.
    #[inline]
    pub(super) fn take_rows(&mut self, record: &Record<'_>) -> Result<(), CompactError> {
        let header = record.header();
        match record.payload() {
            Payload::Insert(vector) => self.vector(header, vector, true),
            Payload::Update(vector) => self.vector(header, vector, false),
            Payload::Delete { slot, .. } => {
                let entry = self.work.touch(*slot, header.prev_sequence)?;
                entry.delete_sequence = header.sequence;
                entry.note_hash(header.vector_id_hash);
                Ok(())
            }
            Payload::Batch(batch) => self.batch(header, batch),
            Payload::Tensor(_) => Err(CompactError::NotRows {
                sequence: header.sequence,
            }),
            Payload::Control(Control::Erased { slot, sum }) => {
                let entry = self.work.touch(*slot, 0)?;
                entry.delete_sequence = header.sequence;
                (entry.inserted, entry.erased, entry.erased_sum) = (true, true, *sum);
                Ok(())
            }
            Payload::Reindex(_) | Payload::Control(_) => Ok(()),
        }
    }

    #[inline]
    fn vector(
        &mut self,
        header: &DeltaHeader,
        vector: &VectorPayload<'_>,
        is_insert: bool,
    ) -> Result<(), CompactError> {
        let (slot, id) = (vector.slot(), vector.id());
        self.work.check_dim(vector.dim())?;
        let number = self.work.number(slot);
        self.work.check_new(u32::from(number.is_none()))?;
        let has_text = !id.is_empty() || vector.metadata().stored_size() > 0;
        let scratch = core::mem::take(self.work.scratch());
        let row_size = vector.values().scratch_size().min(scratch.len());
        let (row_scratch, text_scratch) = scratch.split_at_mut(row_size);
        let decoded = self.decode(header, (slot, number), vector.values(), row_scratch);
        let taken = decoded.and_then(|change| {
            let metadata = vector.metadata().decode(text_scratch)?;
            if has_text {
                self.work.check_text(number, metadata, id, 0)?;
            }
            let number = match number {
                Some(number) => number,
                None => self.work.touch_number(slot, header.prev_sequence)?,
            };
            if let Some(entry) = self.work.entry_mut(number) {
                entry.vector_sequence = header.sequence;
                entry.note_hash(header.vector_id_hash);
                entry.inserted |= is_insert;
            }
            if has_text {
                self.work.merge_text(number, metadata, id);
            }
            self.work.set_row(number, &change, self.base.row(slot));
            Ok(())
        });
        *self.work.scratch() = scratch;
        taken
    }

    fn batch(
        &mut self,
        header: &DeltaHeader,
        batch: &BatchPayload<'_>,
    ) -> Result<(), CompactError> {
        self.work.check_dim(batch.dim())?;
        let is_new = |slot| u32::from(self.work.number(slot).is_none());
        let new = batch.entries().map(|entry| is_new(entry.slot)).sum();
        self.work.check_new(new)?;
        let scratch = core::mem::take(self.work.scratch());
        let text_size = batch.scratch_size().min(scratch.len());
        let (text, row_scratch) = scratch.split_at_mut(text_size);
        let taken = match batch.decode(text) {
            Ok(changes) => self.entries(header, changes, row_scratch),
            Err(error) => Err(error.into()),
        };
        *self.work.scratch() = scratch;
        taken
    }

    fn entries(
        &mut self,
        header: &DeltaHeader,
        changes: BatchChanges<'_>,
        scratch: &mut [u8],
    ) -> Result<(), CompactError> {
        let mut promised = 0;
        changes.clone().try_for_each(|(entry, metadata)| {
            let number = self.work.number(entry.slot);
            if !metadata.is_empty() {
                promised = self.work.check_text(number, metadata, &[], promised)?;
            }
            let of = (entry.slot, number);
            self.decode(header, of, &entry.values, scratch).map(drop)
        })?;
        for (entry, metadata) in changes {
            let slot = entry.slot;
            let number = self.work.touch_number(slot, entry.prev_sequence)?;
            if let Some(touched) = self.work.entry_mut(number) {
                touched.vector_sequence = header.sequence;
            }
            if !metadata.is_empty() {
                self.work.merge_text(number, metadata, &[]);
            }
            // As a moment ago: no slot stands twice in a batch.
            let change = self.decode(header, (slot, Some(number)), &entry.values, scratch)?;
            self.work.set_row(number, &change, self.base.row(slot));
        }
        Ok(())
    }

    /// What values do to a row that they can be merged into: any if they are absolute, as those of
    /// inserts are; else one that is known.
    #[inline]
    fn decode<'s, 'r: 's>(
        &self,
        header: &DeltaHeader,
        (slot, number): (u32, Option<u32>),
        values: &Values<'r>,
        scratch: &'s mut [u8],
    ) -> Result<RowChange<'s>, CompactError> {
        if workspace::is_absolute(values) {
            return Ok(values.decode_on(self.unit, &[], scratch)?);
        }
        let known = number.and_then(|number| self.work.known_row(number));
        let Some(old) = known.or_else(|| self.base.row(slot)) else {
            let sequence = header.sequence;
            return Err(CompactError::Relative { sequence, slot });
        };
        Ok(values.decode_on(self.unit, old, scratch)?)
    }
}
