//! The writing side of a pass: the primary, and the hooks on its writes.

use std::sync::atomic::Ordering;

use delta_core::codec::lz4::Lz4Scratch;
use delta_core::codec::varint;
use delta_core::payload::batch::{self, RowUpdate};
use delta_core::payload::metadata;
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::pipeline::sequencer::{Position, Sequencer};
use delta_core::pipeline::shadow::Shadow;
use delta_core::ring::{Mem, Producer};

use super::ReplayError;
use super::pass::{Mode, Shared, StopOnPanic};
use super::primary::Primary;
use crate::stream::{Event, Operation, Stream};

/// Bytes of changed metadata that an update in a batch may have.
const BATCHED_METADATA_SIZE_MAX: usize = 256;

/// Events between two looks at the reader, which cost its core a cache miss.
const OBSERVE_EVERY: usize = 64;

/// What the writing side notes.
pub(super) struct Captured {
    /// Before the first event.
    pub(super) start_ns: u64,
    /// Before each event; of [`Mode::OneInFlight`] alone.
    pub(super) times_ns: Vec<u64>,
    pub(super) position: Position,
}

/// Captures all events of `stream`, making each in the primary too.
pub(super) fn capture_all<'s, 'c, M: Mem>(
    stream: &'s Stream,
    producer: Producer<M>,
    (sequencer, shadow): (Sequencer<'c>, Option<Shadow<'c>>),
    primary: &mut Primary<'s>,
    shared: &Shared,
) -> Result<Captured, ReplayError> {
    let _guard = StopOnPanic(shared);
    let mut lz4 = Box::<Lz4Scratch>::default();
    let batch = batch_limit(
        stream,
        shared.mode,
        producer.geometry().max_payload() as usize,
    );
    let mut stage = vec![0; Sequencer::row_size_max(stream.dim())];
    let mut capture = Capture::new(producer, sequencer)
        .with_lz4(&mut lz4)
        .with_stage(&mut stage);
    if let Some(shadow) = shadow {
        capture = capture.with_shadow(shadow);
    }
    let mut writer = Writer {
        stream,
        capture,
        primary,
        shared,
        edits: Vec::new(),
        batch,
    };
    let result = writer.all();
    if result.is_err() {
        shared.stop.store(true, Ordering::Relaxed);
    }
    result
}

/// Updates that fit a batch of the stream's rows; 1: no batches.
fn batch_limit(stream: &Stream, mode: Mode, payload_max: usize) -> u32 {
    let Mode::Throughput { batch } = mode else {
        return 1;
    };
    let fit = payload_max.saturating_sub(batch::PREFIX_SIZE) / entry_size_max(stream);
    batch.min(u32::try_from(fit).unwrap_or(u32::MAX)).max(1)
}

/// Most bytes of an update in a batch of the stream's rows.
fn entry_size_max(stream: &Stream) -> usize {
    let prefixes = batch::ENTRY_PREFIX_SIZE_MAX + varint::SIZE_MAX;
    prefixes + 4 * stream.dim() as usize + BATCHED_METADATA_SIZE_MAX
}

/// Whether an update with these changes of metadata may be one of a batch.
fn can_share(edits: &[metadata::MetadataEdit<'_>]) -> bool {
    metadata::section_size_max(edits) <= BATCHED_METADATA_SIZE_MAX
}

/// The writing side: the primary and the hooks on its writes.
struct Writer<'w, 's, 'c, M: Mem> {
    stream: &'s Stream,
    capture: Capture<'c, M>,
    primary: &'w mut Primary<'s>,
    shared: &'w Shared,
    edits: Vec<metadata::MetadataEdit<'s>>,
    batch: u32,
}

impl<'s, M: Mem> Writer<'_, 's, '_, M> {
    fn all(&mut self) -> Result<Captured, ReplayError> {
        let mut times_ns = Vec::new();
        if self.shared.mode == Mode::OneInFlight {
            times_ns.reserve_exact(self.stream.len());
        }
        self.retry(0, |capture, _| capture.start(&[]))?;
        self.applied()?;
        let start_ns = self.shared.clock.monotonic_ns();
        let mut position = 0;
        let mut records = 0;
        while let Some(event) = self.stream.event(position) {
            self.primary.metadata_edits(&event, &mut self.edits);
            if self.shared.mode == Mode::OneInFlight {
                times_ns.push(self.shared.clock.monotonic_ns());
            }
            records += 1;
            if self.batch > 1 && event.operation == Operation::Update && can_share(&self.edits) {
                position += self.one_batch(position)?;
                continue;
            }
            self.one(position, &event)?;
            position += 1;
            if self.shared.mode == Mode::OneInFlight {
                self.applied()?;
            }
        }
        self.retry(position, |capture, _| capture.end(records))?;
        self.observe(position.saturating_sub(1));
        Ok(Captured {
            start_ns,
            times_ns,
            position: self.capture.position(),
        })
    }

    /// Captures one event on its own, then makes the change in the primary.
    fn one(&mut self, position: usize, event: &Event<'s>) -> Result<(), ReplayError> {
        self.capture.set_timestamp_us(event.timestamp_us);
        let slot = event.slot;
        let edits = std::mem::take(&mut self.edits);
        let result = self.retry(position, |capture, primary| match event.operation {
            Operation::Insert => capture.insert(event.id, event.row, &edits).map(|_| ()),
            Operation::Update => {
                capture.update_with_metadata(slot, primary.row(slot), event.row, &edits)
            }
            Operation::Delete => capture.delete(slot),
        });
        self.edits = edits;
        result?;
        self.primary.apply(event);
        Ok(())
    }

    /// Captures as many updates of one time from `position` on as a batch takes, and says how many.
    fn one_batch(&mut self, position: usize) -> Result<usize, ReplayError> {
        let entries_size_max = self.batch as usize * entry_size_max(self.stream);
        let size_max = batch::PREFIX_SIZE + entries_size_max;
        let timestamp_us = self
            .stream
            .event(position)
            .map_or(0, |event| event.timestamp_us);
        self.capture.set_timestamp_us(timestamp_us);
        self.retry(position, |capture, _| capture.batch(size_max).map(drop))?;
        let failed = |error| ReplayError::Capture {
            event: position,
            error,
        };
        let mut batch = self.capture.batch(size_max).map_err(failed)?;
        let mut taken = 0;
        while batch.len() < self.batch {
            let Some(event) = self.stream.event(position + taken) else {
                break;
            };
            if event.operation != Operation::Update || event.timestamp_us != timestamp_us {
                break;
            }
            self.primary.metadata_edits(&event, &mut self.edits);
            if !can_share(&self.edits) {
                break;
            }
            let update = RowUpdate {
                slot: event.slot,
                old: self.primary.row(event.slot),
                new: event.row,
                metadata: &self.edits,
            };
            match batch.update_with_metadata(&update) {
                Ok(()) => self.primary.apply(&event),
                Err(error) if error.is_retryable() && !batch.is_empty() => break,
                Err(error) => {
                    return Err(ReplayError::Batch {
                        event: position + taken,
                        error,
                    });
                }
            }
            taken += 1;
        }
        batch.commit().map_err(failed)?;
        Ok(taken)
    }

    /// Calls `attempt` until the ring has room.
    fn retry(
        &mut self,
        event: usize,
        mut attempt: impl FnMut(&mut Capture<'_, M>, &Primary<'s>) -> Result<(), CaptureError>,
    ) -> Result<(), ReplayError> {
        let mut result = Ok(());
        let mut full_since_ns = None;
        self.shared.wait_until(|| {
            result = attempt(&mut self.capture, self.primary);
            let is_full = matches!(result, Err(error) if error.is_full());
            if is_full && full_since_ns.is_none() {
                full_since_ns = Some(self.shared.clock.monotonic_ns());
            }
            !is_full
        })?;
        if let Some(since_ns) = full_since_ns {
            let waited_ns = self.shared.clock.monotonic_ns().saturating_sub(since_ns);
            self.shared.writer.add_backpressure_us(waited_ns / 1_000);
        }
        if event.is_multiple_of(OBSERVE_EVERY) {
            self.observe(event);
        }
        result.map_err(|error| ReplayError::Capture { event, error })
    }

    /// Says how far this side is, for the reader's counters.
    fn observe(&self, event: usize) {
        let captured = self.capture.position().sequence;
        let timestamp_us = self.stream.event(event).map(|event| event.timestamp_us);
        let reader = &self.shared.reader;
        reader.set_head(captured, timestamp_us.unwrap_or(0));
        let applied = self.shared.applied.load(Ordering::Relaxed);
        reader.set_ring_records(captured.saturating_sub(applied));
    }

    /// Waits until everything captured is applied.
    fn applied(&self) -> Result<(), ReplayError> {
        let captured = self.capture.position().sequence;
        self.shared
            .wait_until(|| self.shared.applied.load(Ordering::Acquire) >= captured)
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
