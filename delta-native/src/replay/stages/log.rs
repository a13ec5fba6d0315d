//! A stream as the log of its records.

use std::ops::Range;

use delta_core::payload::metadata;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;

use super::StageError;
use crate::memory::filled;
use crate::replay::primary::Primary;
use crate::stream::{Operation, Stream};

/// The frames of a whole stream in memory.
pub(super) struct Log {
    pub(super) bytes: Vec<u8>,
    /// Where each frame lies.
    pub(super) frames: Vec<Range<usize>>,
    /// The primary's, after the last record.
    pub(super) position: Position,
}

/// Scratch for rows of `dim` components.
pub(super) fn scratch_size(dim: u32) -> usize {
    4 * dim as usize + metadata::SECTION_SIZE_MAX
}

impl Log {
    /// Captures all events of `stream`, a record each.
    pub(super) fn capture(stream: &Stream) -> Result<Self, StageError> {
        let (slots, dim) = (stream.slots() as usize, stream.dim() as usize);
        let mut primary = Primary::with_capacity(slots, dim)?;
        let mut states = filled(slots, 1, SlotState::default())?;
        let mut sequencer = Sequencer::new(stream.dim(), &mut states, 0, Position::START);
        let mut out = vec![0; 4 * dim + 2 * metadata::SECTION_SIZE_MAX];
        let (mut bytes, mut frames, mut edits) = (Vec::new(), Vec::new(), Vec::new());
        for event in stream.iter() {
            primary.metadata_edits(&event, &mut edits);
            sequencer.set_timestamp_us(event.timestamp_us);
            let (slot, row) = (event.slot, event.row);
            let prepared = match event.operation {
                Operation::Insert => {
                    sequencer.prepare_insert(event.id, row, &edits, &mut out, None)
                }
                Operation::Update => {
                    let old = primary.row(slot);
                    sequencer.prepare_update(slot, old, row, &edits, &mut out, None)
                }
                Operation::Delete => sequencer.prepare_delete(slot, &mut out),
            };
            let prepared = prepared.map_err(|error| StageError::refused("capture")(&error))?;
            let start = bytes.len();
            let size = prepared.header.payload_size as usize;
            bytes.extend_from_slice(&prepared.header.to_bytes());
            bytes.extend_from_slice(out.get(..size).unwrap_or_default());
            frames.push(start..bytes.len());
            sequencer.commit(prepared);
            primary.apply(&event);
        }
        let position = sequencer.position();
        Ok(Self {
            bytes,
            frames,
            position,
        })
    }

    pub(super) fn frame(&self, number: usize) -> Option<&[u8]> {
        self.bytes.get(self.frames.get(number)?.clone())
    }

    /// The records in their order; all of them are sound.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.frames.len()).filter_map(|number| Record::parse(self.frame(number)?).ok())
    }
}
