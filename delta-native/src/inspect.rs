//! What a `.delta` file holds, record by record.

use std::collections::BTreeMap;

use delta_core::codec::Values;
use delta_core::payload::metadata::{MetadataError, SECTION_SIZE_MAX};
use delta_core::payload::{Payload, control::Control};
use delta_core::record::{Record, RecordError};
use delta_core::stream::{StreamError, StreamReader};
use serde::Serialize;

/// One record, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordSummary {
    /// Offset of its first byte.
    pub offset: usize,
    /// Header and payload, in bytes.
    pub bytes: usize,
    /// Place in the stream.
    pub sequence: u64,
    /// Epoch of the writer.
    pub epoch: u32,
    /// What it does; of a control record its kind.
    pub operation: &'static str,
    /// The slot that it concerns; none for batches and control records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Sequence of the last record of the same slot, 0: none.
    pub prev_sequence: u64,
    /// Rows that it changes.
    pub rows: u32,
    /// The codec of its values; of a batch, that of all entries or `mixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<&'static str>,
    /// Encoded values with their tags, in bytes.
    pub value_bytes: usize,
    /// Metadata as it travels, in bytes.
    pub metadata_bytes: usize,
    /// Whether the metadata is compressed.
    pub compressed: bool,
    /// Microseconds since the Unix epoch.
    pub timestamp_us: u64,
    /// Checksum of header and payload, which fits, 16 hex digits.
    pub checksum: String,
    /// Digest of the state after the record, 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What a codec was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodecSummary {
    /// The codec's name.
    pub codec: &'static str,
    /// Rows encoded with it.
    pub rows: u64,
    /// Their encoded values with tags, in bytes.
    pub value_bytes: u64,
    /// The same rows as they are: four bytes a component.
    pub raw_bytes: u64,
}

/// A whole stream that passed every check that needs no state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamSummary {
    /// Records, start and end included.
    pub records: u64,
    /// Bytes of all records.
    pub bytes: usize,
    /// Components of a row.
    pub dim: u32,
    /// Slots of the base.
    pub base_slots: u32,
    /// Rows inserted.
    pub inserts: u64,
    /// Rows updated, those in batches included.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// What each codec was used for, in the order of the codecs; those that were.
    pub codecs: Vec<CodecSummary>,
    /// Digest of the base, 16 hex digits.
    pub base_digest: String,
    /// Digest of the state after the end, 16 hex digits.
    pub digest: String,
}

/// Checks a whole stream, shows every record to `visit`, and sums up. O(n).
///
/// # Errors
/// See [`StreamError`]; the records before the refused one have been shown.
pub fn inspect(
    bytes: &[u8],
    mut visit: impl FnMut(&RecordSummary),
) -> Result<StreamSummary, StreamError> {
    let mut scratch = vec![0; SECTION_SIZE_MAX];
    let mut summary = StreamSummary {
        bytes: bytes.len(),
        ..StreamSummary::default()
    };
    let mut codecs = BTreeMap::new();
    let mut reader = StreamReader::new(bytes);
    loop {
        let offset = reader.offset();
        let Some(record) = reader.next().transpose()? else {
            summary.codecs = codecs.into_values().collect();
            return Ok(summary);
        };
        check_metadata(record.payload(), &mut scratch).map_err(|error| StreamError::Record {
            record: summary.records,
            offset,
            error: RecordError::Payload(error.into()),
        })?;
        match record.payload() {
            Payload::Insert(vector) | Payload::Update(vector) => {
                count(&mut codecs, vector.values(), vector.dim());
            }
            Payload::Batch(batch) => {
                for entry in batch.entries() {
                    count(&mut codecs, &entry.values, batch.dim());
                }
            }
            _ => {}
        }
        let described = describe(&record, offset);
        summary.records += 1;
        match *record.payload() {
            Payload::Insert(_) => summary.inserts += 1,
            Payload::Update(_) | Payload::Batch(_) => summary.updates += u64::from(described.rows),
            Payload::Delete { .. } => summary.deletes += 1,
            Payload::Control(Control::Start {
                dim, slot_count, ..
            }) => {
                summary.dim = dim;
                summary.base_slots = slot_count;
                summary.base_digest = described.digest.clone().unwrap_or_default();
            }
            _ => {}
        }
        if let Some(digest) = &described.digest {
            summary.digest.clone_from(digest);
        }
        visit(&described);
    }
}

/// Decodes metadata that are compressed.
fn check_metadata(payload: &Payload<'_>, scratch: &mut [u8]) -> Result<(), MetadataError> {
    match payload {
        Payload::Insert(vector) | Payload::Update(vector) => {
            vector.metadata().decode(scratch).map(drop)
        }
        Payload::Batch(batch) => batch.decode(scratch).map(drop),
        _ => Ok(()),
    }
}

/// Adds a row to those of its codec.
fn count(codecs: &mut BTreeMap<u8, CodecSummary>, values: &Values<'_>, dim: u32) {
    let tag = values.tag();
    let summary = codecs.entry(tag as u8).or_insert(CodecSummary {
        codec: tag.name(),
        rows: 0,
        value_bytes: 0,
        raw_bytes: 0,
    });
    summary.rows += 1;
    summary.value_bytes += values.size() as u64;
    summary.raw_bytes += 4 * u64::from(dim);
}

fn describe(record: &Record<'_>, offset: usize) -> RecordSummary {
    let header = record.header();
    let mut summary = RecordSummary {
        offset,
        bytes: record.size(),
        sequence: header.sequence,
        epoch: header.epoch,
        operation: header.operation.name(),
        slot: None,
        prev_sequence: header.prev_sequence,
        rows: 0,
        codec: None,
        value_bytes: 0,
        metadata_bytes: 0,
        compressed: header.compressed,
        timestamp_us: header.timestamp_us,
        checksum: format!("{:016x}", header.checksum),
        digest: header.state_digest.map(|digest| format!("{digest:016x}")),
    };
    match record.payload() {
        Payload::Insert(vector) | Payload::Update(vector) => {
            summary.slot = Some(vector.slot());
            summary.rows = 1;
            summary.codec = Some(vector.values().tag().name());
            summary.value_bytes = vector.values().size();
            summary.metadata_bytes = vector.metadata().stored_size();
        }
        Payload::Delete { slot, .. } => {
            summary.slot = Some(*slot);
            summary.rows = 1;
        }
        Payload::Batch(batch) => {
            summary.rows = batch.len();
            summary.metadata_bytes = batch.metadata_size();
            for entry in batch.entries() {
                let codec = entry.values.tag().name();
                summary.codec = Some(
                    summary
                        .codec
                        .map_or(codec, |all| if all == codec { all } else { "mixed" }),
                );
                summary.value_bytes += entry.values.size();
            }
        }
        Payload::Control(control) => summary.operation = control.name(),
        _ => {}
    }
    summary
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
