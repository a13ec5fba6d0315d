//! The producing end: an index and the stream of its changes.

use delta_core::header::{DeltaHeader, HEADER_SIZE};
use delta_core::payload::metadata::{
    MetadataChanges, MetadataEdit, section_size_max, write_section,
};
use delta_core::pipeline::sequencer::{Position, SlotState};
use delta_core::pipeline::session::{CaptureConfig, CaptureMemory, CaptureSession};
use delta_core::retain::{Place, SeekError};
use delta_core::store::{Replica as _, SliceMemory, SliceStore};

use crate::bindings::ruvector::delta::types;
use crate::projection::{marker, operation_of, project};
use crate::{DeltaError, error, memory, row_of};

/// An index, and the session that makes its changes a stream. A change is in the index exactly if
/// it is in the stream.
pub(crate) struct Primary {
    db_id: String,
    store: SliceStore<'static>,
    session: CaptureSession<'static>,
    /// Sequence of the last record that was polled.
    polled: u64,
}

type Metadata = Vec<(String, Option<Vec<u8>>)>;

impl Primary {
    pub(crate) fn new(db_id: String, config: &types::CaptureConfig) -> Result<Self, DeltaError> {
        error::check_store(config.dimensions, config.capacity, config.epoch)?;
        if config.retained_deltas == 0 {
            let text = "retained-deltas is 0: keep at least as many as a reader is behind";
            return Err(DeltaError::Config(text.to_owned()));
        }
        let slots = config.capacity as usize;
        let memory_of_store = SliceMemory {
            rows: memory(slots.saturating_mul(config.dimensions as usize))?,
            slots: memory(slots)?,
            attributes: memory(config.attribute_bytes as usize)?,
        };
        let memory_of_session = CaptureMemory {
            slots: memory::<SlotState>(slots)?,
            bytes: memory(config.retained_bytes as usize)?,
            places: memory::<Place>(config.retained_deltas as usize)?,
        };
        let start = CaptureConfig {
            dim: config.dimensions,
            slot_count: 0,
            position: Position {
                epoch: config.epoch,
                ..Position::START
            },
        };
        Ok(Self {
            db_id,
            store: SliceStore::new(config.dimensions, memory_of_store),
            session: CaptureSession::init_capture(start, memory_of_session),
            polled: 0,
        })
    }

    pub(crate) fn start(&mut self) -> Result<(), DeltaError> {
        let started = self.session.start_capture(self.db_id.as_bytes());
        started.map_err(error::of_session)
    }

    pub(crate) fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.session.set_timestamp_us(timestamp_us);
    }

    pub(crate) fn insert(
        &mut self,
        id: &[u8],
        row: &[u8],
        metadata: Metadata,
    ) -> Result<u32, DeltaError> {
        let row = row_of(row, self.store.dim())?;
        let slot = self.store.slot_count();
        let metadata = sorted(metadata)?;
        let edits = edits_of(&self.store, slot, &metadata);
        let section = section_of(&edits)?;
        let changes = MetadataChanges::parse(&section).map_err(error::of_metadata)?;
        self.store.next_row().map_err(error::of_store)?;
        let reserved = self.store.reserve_attributes(slot, id, changes);
        reserved.map_err(error::of_store)?;
        let captured = self.session.insert(id, &row, &edits);
        captured.map_err(error::of_session)?;
        self.store.push(id, changes);
        self.store.row_mut(slot).copy_from_slice(&row);
        Ok(slot)
    }

    pub(crate) fn update(
        &mut self,
        slot: u32,
        row: &[u8],
        metadata: Metadata,
    ) -> Result<(), DeltaError> {
        let new = row_of(row, self.store.dim())?;
        let metadata = sorted(metadata)?;
        let section = section_of(&edits_of(&self.store, slot, &metadata))?;
        let changes = MetadataChanges::parse(&section).map_err(error::of_metadata)?;
        let old = self.store.row(slot).ok_or(DeltaError::UnknownSlot(slot))?;
        let reserved = self.store.reserve_attributes(slot, &[], changes);
        reserved.map_err(error::of_store)?;
        let edits = edits_of(&self.store, slot, &metadata);
        let captured = self.session.update(slot, old, &new, &edits);
        captured.map_err(error::of_session)?;
        self.store.row_mut(slot).copy_from_slice(&new);
        self.store.change_metadata(slot, changes);
        Ok(())
    }

    pub(crate) fn delete(&mut self, slot: u32) -> Result<(), DeltaError> {
        self.session.delete(slot).map_err(error::of_session)?;
        self.store.mark_deleted(slot);
        Ok(())
    }

    /// The headers of the next deltas. What controls the stream is none: it goes with the payload
    /// of the delta behind it.
    pub(crate) fn poll(&mut self, max: u32) -> Result<Vec<types::DeltaHeader>, DeltaError> {
        let mut headers = Vec::new();
        while headers.len() < max as usize {
            let polled = self.session.poll_deltas(1).map_err(error::of_seek)?.next();
            let Some(header) = polled else { break };
            self.polled = header.sequence;
            if operation_of(header.operation).is_some() {
                let payload = self.session.get_payload(header.sequence);
                let payload = payload.map_err(error::of_seek)?;
                headers.extend(project(&header, payload, &self.store));
            }
        }
        Ok(headers)
    }

    /// The frame of `sequence` behind those of the control records right before it.
    pub(crate) fn payload(&self, sequence: u64) -> Result<Vec<u8>, DeltaError> {
        let frame = self.session.get_frame(sequence).map_err(error::of_seek)?;
        if is_control(frame) {
            let text = format!("record {sequence} is the stream's: it comes with the next delta");
            return Err(DeltaError::InvalidArgument(text));
        }
        let mut first = sequence;
        while let Ok(before) = self.session.get_frame(first.saturating_sub(1)) {
            if !is_control(before) {
                break;
            }
            first -= 1;
        }
        let frames = (first..=sequence).map(|sequence| self.session.get_frame(sequence));
        let frames: Result<Vec<&[u8]>, SeekError> = frames.collect();
        Ok(frames.map_err(error::of_seek)?.concat())
    }

    pub(crate) fn checkpoint(&self) -> types::CheckpointMarker {
        marker(self.session.checkpoint())
    }
}

fn is_control(frame: &[u8]) -> bool {
    let header = frame.first_chunk::<HEADER_SIZE>();
    let header = header.and_then(|header| DeltaHeader::parse(header).ok());
    header.is_some_and(|header| operation_of(header.operation).is_none())
}

/// In the order of their keys, each once.
fn sorted(mut metadata: Metadata) -> Result<Metadata, DeltaError> {
    metadata.sort_by(|a, b| a.0.cmp(&b.0));
    match metadata.is_sorted_by(|a, b| a.0 < b.0) {
        true => Ok(metadata),
        false => {
            let text = "a key stands twice in the metadata: pass it once";
            Err(DeltaError::InvalidArgument(text.to_owned()))
        }
    }
}

fn edits_of<'a>(
    store: &'a SliceStore<'_>,
    slot: u32,
    metadata: &'a Metadata,
) -> Vec<MetadataEdit<'a>> {
    let edit = |(key, new): &'a (String, Option<Vec<u8>>)| MetadataEdit {
        key: key.as_bytes(),
        old: store.metadata(slot, key.as_bytes()),
        new: new.as_deref(),
    };
    metadata.iter().map(edit).collect()
}

fn section_of(edits: &[MetadataEdit<'_>]) -> Result<Vec<u8>, DeltaError> {
    let mut section = vec![0; section_size_max(edits)];
    let written = write_section(edits, &mut section, None);
    let (size, _) = written.map_err(error::of_metadata)?;
    section.truncate(size);
    Ok(section)
}
