//! A stream as a file of frames: what a writer that captures each event on its own sends.

use std::io::{self, Write};

use delta_core::payload::control::CONTROL_SIZE;
use delta_core::pipeline::sequencer::{Position, PrepareError, Prepared, Sequencer, SlotState};

use super::ReplayError;
use super::graph::{self, GraphOptions};
use super::primary::Primary;
use crate::memory::{OutOfMemory, filled};
use crate::stream::{Event, Operation, Stream};

/// Why a stream was not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is no memory for the primary.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A change cannot become a record.
    #[error("event {event}: {error}")]
    Prepare {
        /// Number of the event, from 0.
        event: usize,
        /// Why.
        error: PrepareError,
    },
    /// The stream was not replicated with a graph.
    #[error(transparent)]
    Replay(#[from] Box<ReplayError>),
    /// The output was not written.
    #[error("cannot write the frames")]
    Write(#[source] io::Error),
}

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Records, start and end included.
    pub records: u64,
    /// Bytes of all frames.
    pub bytes: u64,
    /// State digest after the last record.
    pub digest: u64,
}

/// Writes `stream` to `out` as one whole stream of frames (WIRE.md, section 2) over an empty base:
/// a start, a record an event, an end. Metadata is not compressed. O(stream).
///
/// # Errors
/// See [`ExportError`]; `out` then holds a part.
///
/// ```
/// let stream = &delta_native::sample::streams()?[1];
/// let mut frames = Vec::new();
/// let exported = delta_native::replay::export(stream, &mut frames)?;
/// assert_eq!(exported.records, stream.len() as u64 + 2);
/// assert_eq!(exported.bytes, frames.len() as u64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export(stream: &Stream, out: &mut impl Write) -> Result<Exported, ExportError> {
    let slots = stream.slots() as usize;
    let mut primary = Primary::with_capacity(slots, stream.dim() as usize)?;
    let mut states = filled(slots, 1, SlotState::default())?;
    let mut frames = FrameWriter {
        sequencer: Sequencer::new(stream.dim(), &mut states, 0, Position::START),
        payload: Vec::new(),
        out,
        exported: Exported {
            records: 0,
            bytes: 0,
            digest: 0,
        },
    };
    frames.write(0, CONTROL_SIZE, |sequencer, payload| {
        sequencer.prepare_start(&[], payload)
    })?;
    let mut edits = Vec::new();
    for (number, event) in stream.iter().enumerate() {
        primary.metadata_edits(&event, &mut edits);
        frames.sequencer.set_timestamp_us(event.timestamp_us);
        let size_max = Sequencer::insert_size_max(event.id, event.row, &edits);
        frames.write(number, size_max, |sequencer, payload| {
            let Event { id, row, slot, .. } = event;
            match event.operation {
                Operation::Insert => sequencer.prepare_insert(id, row, &edits, payload, None),
                Operation::Update => {
                    sequencer.prepare_update(slot, primary.row(slot), row, &edits, payload, None)
                }
                Operation::Delete => sequencer.prepare_delete(slot, payload),
            }
        })?;
        primary.apply(&event);
    }
    let events = stream.len();
    frames.write(events, CONTROL_SIZE, |sequencer, payload| {
        sequencer.prepare_end(events as u64, payload)
    })?;
    Ok(frames.exported)
}

/// As [`export`], with the graph of an index that is built of the stream: records carry their
/// links, as `delta replay --graph` sends them. All frames are in memory before one is written.
///
/// # Errors
/// See [`ExportError`].
///
/// ```
/// # #[cfg(feature = "hnsw-stable")] {
/// use delta_native::replay::{GraphOptions, export_with_graph};
/// let stream = &delta_native::sample::streams()?[1];
/// let mut frames = Vec::new();
/// let exported = export_with_graph(stream, &GraphOptions::default(), &mut frames)?;
/// assert_eq!(exported.bytes, frames.len() as u64);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_with_graph(
    stream: &Stream,
    options: &GraphOptions,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let (frames, end) = graph::frames(stream, options).map_err(Box::new)?;
    out.write_all(&frames).map_err(ExportError::Write)?;
    Ok(Exported {
        records: end.sequence,
        bytes: frames.len() as u64,
        digest: end.digest,
    })
}

struct FrameWriter<'a, W> {
    sequencer: Sequencer<'a>,
    payload: Vec<u8>,
    out: &'a mut W,
    exported: Exported,
}

impl<W: Write> FrameWriter<'_, W> {
    /// Writes one record, whose payload takes at most `size_max` bytes.
    fn write(
        &mut self,
        event: usize,
        size_max: usize,
        prepare: impl FnOnce(&Sequencer<'_>, &mut [u8]) -> Result<Prepared, PrepareError>,
    ) -> Result<(), ExportError> {
        self.payload.resize(size_max, 0);
        let prepared = prepare(&self.sequencer, &mut self.payload)
            .map_err(|error| ExportError::Prepare { event, error })?;
        let header = prepared.header.to_bytes();
        // At most `size_max`: it was written there.
        let size = prepared.header.payload_size as usize;
        let payload = self.payload.get(..size).unwrap_or_default();
        for bytes in [&header[..], payload] {
            self.out.write_all(bytes).map_err(ExportError::Write)?;
            self.exported.bytes += bytes.len() as u64;
        }
        self.sequencer.commit(prepared);
        self.exported.records += 1;
        self.exported.digest = self.sequencer.position().digest;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use delta_core::pipeline::apply::Applier;
    use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};
    use delta_core::stream::StreamReader;

    use super::*;
    use crate::replay::{Options, replay};

    #[test]
    fn the_frames_lead_a_replica_to_the_digest_of_a_replay() {
        for stream in crate::sample::streams().unwrap() {
            let mut frames = Vec::new();
            let exported = export(&stream, &mut frames).unwrap();
            let slots = stream.slots() as usize;
            let mut rows = vec![0.0; slots * stream.dim() as usize];
            let (mut slots, mut attributes) = (vec![Slot::default(); slots], vec![0; 1 << 22]);
            let memory = SliceMemory {
                rows: &mut rows,
                slots: &mut slots,
                attributes: &mut attributes,
            };
            let mut store = SliceStore::new(stream.dim(), memory);
            let mut scratch = vec![0; Applier::scratch_size_max(stream.dim())];
            let mut applier = Applier::new(Position::START, &mut scratch);
            for record in StreamReader::new(&frames) {
                applier.apply_delta(&record.unwrap(), &mut store).unwrap();
            }
            assert_eq!(applier.applied(), exported.records);
            assert_eq!(state_digest(&store), exported.digest);
            let report = replay(&stream, &Options::default()).unwrap();
            assert_eq!(report.digest, format!("{:016x}", exported.digest));
        }
    }
}
