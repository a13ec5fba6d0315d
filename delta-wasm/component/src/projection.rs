//! Headers as the WIT has them.

use delta_core::checkpoint::CheckpointMarker;
use delta_core::header::{DeltaHeader, Operation};
use delta_core::payload::Payload;
use delta_core::record::Record;
use delta_core::store::{Replica, SliceStore};

use crate::DeltaError;
use crate::bindings::ruvector::delta::types;

/// `None` of a record that controls the stream.
pub(crate) fn operation_of(operation: Operation) -> Option<types::DeltaOperation> {
    match operation {
        Operation::Insert => Some(types::DeltaOperation::Insert),
        Operation::Update => Some(types::DeltaOperation::Update),
        Operation::Delete => Some(types::DeltaOperation::Delete),
        Operation::BatchUpdate => Some(types::DeltaOperation::BatchUpdate),
        Operation::ReindexLayers => Some(types::DeltaOperation::ReindexLayers),
        _ => None,
    }
}

/// What the WIT says of a record, its payload without the header; `None` if that is not one that
/// the WIT has.
pub(crate) fn project(
    header: &DeltaHeader,
    payload: &[u8],
    store: &SliceStore<'_>,
) -> Option<types::DeltaHeader> {
    let record = Record::with_header(*header, payload).ok()?;
    Some(types::DeltaHeader {
        sequence: header.sequence,
        operation: operation_of(header.operation)?,
        vector_id: id_of(&record, store),
        timestamp: header.timestamp_us,
        payload_size: header.payload_size,
        checksum: header.checksum,
    })
}

/// The id of the entity that a record changes: an insert has it, the store that of its slot.
fn id_of(record: &Record<'_>, store: &SliceStore<'_>) -> Option<String> {
    let id = match record.payload() {
        Payload::Insert(vector) => vector.id(),
        Payload::Update(vector) => store.id(vector.slot())?,
        Payload::Delete { slot, .. } => store.id(*slot)?,
        _ => return None,
    };
    String::from_utf8(id.to_vec()).ok()
}

/// Refuses a header that is not that of its frame. The id is compared where it is given and the
/// frame or the store knows it.
pub(crate) fn check(
    given: &types::DeltaHeader,
    record: &Record<'_>,
    store: &SliceStore<'_>,
) -> Result<(), DeltaError> {
    let header = record.header();
    let id = id_of(record, store);
    let same = [
        ("sequence", given.sequence == header.sequence),
        (
            "operation",
            Some(given.operation) == operation_of(header.operation),
        ),
        ("timestamp", given.timestamp == header.timestamp_us),
        ("payload-size", given.payload_size == header.payload_size),
        ("checksum", given.checksum == header.checksum),
        (
            "vector-id",
            given.vector_id.is_none() || id.is_none() || given.vector_id == id,
        ),
    ];
    match same.iter().find(|(_, is_same)| !is_same) {
        Some((field, _)) => Err(DeltaError::Projection((*field).to_owned())),
        None => Ok(()),
    }
}

pub(crate) fn marker(marker: CheckpointMarker) -> types::CheckpointMarker {
    types::CheckpointMarker {
        epoch: marker.position.epoch,
        sequence: marker.position.sequence,
        timestamp: marker.timestamp_us,
        state_hash: marker.position.digest,
        slot_count: marker.slot_count,
    }
}
