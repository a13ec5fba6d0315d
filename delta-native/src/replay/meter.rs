//! Sizes of the deltas on their way, taken by a process stage.

use delta_core::header::HEADER_SIZE;
use delta_core::payload::{Payload, batch, control::Control, vector::VectorPayload};
use delta_core::pipeline::process::Process;
use delta_core::record::Record;

/// Counts and sizes of what passed. Sizes are of updates.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) inserts: u64,
    pub(super) deletes: u64,
    /// Records of whatever kind.
    pub(super) records: u64,
    /// An entry an update.
    pub(super) updates: Vec<UpdateSize>,
    /// Whole records with header, without their metadata.
    pub(super) wire_bytes: u64,
    /// Metadata sections as stored.
    pub(super) metadata_bytes: u64,
    /// The end record has passed.
    pub(super) ended: bool,
}

/// Sizes of one update, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpdateSize {
    /// Encoded values with their tag.
    pub(super) value_bytes: u32,
    /// The record with its header but without metadata; in a batch with its share of the rest.
    pub(super) wire_bytes: f32,
}

impl Meter {
    pub(super) fn with_capacity(updates: usize) -> Self {
        Self {
            updates: Vec::with_capacity(updates),
            ..Self::default()
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a record's size fits u32, and its share of a batch is a fraction"
    )]
    fn add(&mut self, value_bytes: usize, wire_bytes: f64) {
        let (value_bytes, wire_bytes) = (value_bytes as u32, wire_bytes as f32);
        self.updates.push(UpdateSize {
            value_bytes,
            wire_bytes,
        });
    }

    fn update(&mut self, record: &Record<'_>, vector: &VectorPayload<'_>) {
        let metadata_bytes = vector.metadata().stored_size();
        let wire_bytes = record.size() - metadata_bytes;
        self.wire_bytes += wire_bytes as u64;
        self.metadata_bytes += metadata_bytes as u64;
        #[expect(clippy::cast_precision_loss, reason = "a record's size fits 32 bits")]
        self.add(vector.values().size(), wire_bytes as f64);
    }
}

impl Process for Meter {
    fn process(&mut self, record: &Record<'_>) {
        self.records += 1;
        match record.payload() {
            Payload::Insert(_) => self.inserts += 1,
            Payload::Update(vector) => self.update(record, vector),
            Payload::Delete { .. } => self.deletes += 1,
            Payload::Batch(batch) => {
                let shared = HEADER_SIZE + batch::PREFIX_SIZE;
                #[expect(clippy::cast_precision_loss, reason = "a record's size fits 32 bits")]
                for entry in batch.entries() {
                    self.wire_bytes += entry.size as u64;
                    let share = shared as f64 / f64::from(batch.len());
                    self.add(entry.values.size(), share + entry.size as f64);
                }
                self.wire_bytes += shared as u64;
                self.metadata_bytes += batch.metadata_size() as u64;
            }
            Payload::Control(control) => self.ended |= matches!(control, Control::End { .. }),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
