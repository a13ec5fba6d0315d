//! The writing side: the primary with its index, and the hooks on its writes.

use std::sync::atomic::Ordering;

use delta_core::graph::Adjacency;
use delta_core::payload::metadata::MetadataEdit;
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::pipeline::sequencer::Position;
use delta_core::ring::Mem;

use super::super::ReplayError;
use super::super::pass::{Shared, StopOnPanic};
use super::super::primary::Primary;
use crate::index::{CapturedIndex, IndexError, VectorIndex};
use crate::stream::{Event, Operation, Stream};

/// The writing side once every event is captured.
pub(super) struct Written<'m, 's, I, M: Mem> {
    pub(super) primary: Primary<'s>,
    pub(super) captured: CapturedIndex<'m, I, M>,
    pub(super) position: Position,
}

/// Captures all events of `stream`, making each in the primary and in `index` too.
pub(super) fn write_all<'m, 's, I: VectorIndex, M: Mem>(
    stream: &'s Stream,
    index: I,
    shadow: Adjacency<'m>,
    capture: Capture<'m, M>,
    shared: &Shared,
) -> Result<Written<'m, 's, I, M>, ReplayError> {
    let _guard = StopOnPanic(shared);
    let (slots, dim) = (stream.slots() as usize, stream.dim() as usize);
    let result = Primary::with_capacity(slots, dim)
        .map_err(ReplayError::Rows)
        .and_then(|primary| {
            let mut writer = Writer {
                primary,
                captured: CapturedIndex::new(index, shadow, capture),
                shared,
            };
            writer.all(stream)?;
            let position = writer.captured.capture().position();
            Ok(Written {
                primary: writer.primary,
                captured: writer.captured,
                position,
            })
        });
    if result.is_err() {
        shared.stop.store(true, Ordering::Relaxed);
    }
    result
}

struct Writer<'w, 'm, 's, I, M: Mem> {
    primary: Primary<'s>,
    captured: CapturedIndex<'m, I, M>,
    shared: &'w Shared,
}

impl<'s, I: VectorIndex, M: Mem> Writer<'_, '_, 's, I, M> {
    fn all(&mut self, stream: &'s Stream) -> Result<(), ReplayError> {
        let mut edits = Vec::new();
        self.control(0, |capture| capture.start(&[]))?;
        for (position, event) in stream.iter().enumerate() {
            self.primary.metadata_edits(&event, &mut edits);
            self.captured.capture().set_timestamp_us(event.timestamp_us);
            self.one(position, &event, &edits)?;
            self.primary.apply(&event);
        }
        let records = stream.len() as u64;
        self.control(stream.len(), |capture| capture.end(records))
    }

    /// Captures one event. Where the ring is full, the same call later goes on.
    fn one(
        &mut self,
        position: usize,
        event: &Event<'s>,
        edits: &[MetadataEdit<'s>],
    ) -> Result<(), ReplayError> {
        let Self {
            primary,
            captured,
            shared,
        } = self;
        let (slot, row) = (event.slot, event.row);
        let mut result = Ok(());
        shared.wait_until(|| {
            result = match event.operation {
                Operation::Insert => captured
                    .insert(event.id, row, edits, |index: &mut I, slot| {
                        index.insert(slot, row)
                    })
                    .map(drop),
                Operation::Update => captured.update(
                    slot,
                    [primary.row(slot), row],
                    edits,
                    |index: &mut I, slot| index.update(slot, row),
                ),
                Operation::Delete => captured.delete(slot, I::delete),
            };
            !matches!(&result, Err(error) if error.is_full())
        })?;
        result.map_err(|error: crate::index::CapturedIndexError<IndexError>| {
            ReplayError::CapturedIndex {
                event: position,
                error,
            }
        })
    }

    fn control(
        &mut self,
        position: usize,
        mut attempt: impl FnMut(&mut Capture<'_, M>) -> Result<(), CaptureError>,
    ) -> Result<(), ReplayError> {
        let mut result = Ok(());
        self.shared.wait_until(|| {
            result = attempt(self.captured.capture());
            !matches!(result, Err(error) if error.is_full())
        })?;
        result.map_err(|error| ReplayError::Capture {
            event: position,
            error,
        })
    }
}
