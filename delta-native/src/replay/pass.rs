//! One run of a stream through the pipeline, on two threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use delta_core::codec::lz4::Lz4Scratch;
use delta_core::payload::{batch, metadata};
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::{Consumer, Geometry, Mem, Producer, Region};
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};

use super::ReplayError;
use super::meter::Meter;
use super::primary::Primary;
use super::report::Memory;
use crate::clock::StdClock;
use crate::region::HeapRegion;
use crate::stream::{Event, Operation, Stream};

/// What a pass is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// As many deltas a second as possible, at most `batch` updates a record.
    Throughput { batch: u32 },
    /// The time that each delta takes when nothing else is under way.
    OneInFlight,
}

/// What a pass found.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) meter: Meter,
    /// From the first capture to the last apply.
    pub(super) elapsed: Duration,
    /// In the order of the events; of [`Mode::OneInFlight`] alone.
    pub(super) latencies_ns: Vec<u64>,
    pub(super) memory: Memory,
    /// The state digest that the last record carried.
    pub(super) digest: u64,
    /// Where replica and primary differ.
    pub(super) difference: Option<String>,
}

/// What the two threads share beside the ring.
struct Shared {
    clock: StdClock,
    mode: Mode,
    /// Sequence of the last applied record.
    applied: AtomicU64,
    /// A side has given up.
    stop: AtomicBool,
}

impl Shared {
    /// Spins, now and then giving the core away, until `ready`; an error if the other side stops.
    fn wait_until(&self, mut ready: impl FnMut() -> bool) -> Result<(), ReplayError> {
        let mut spins = 0_u32;
        while !ready() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ReplayError::Stopped);
            }
            spins = spins.wrapping_add(1);
            if spins.is_multiple_of(1024) {
                thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }
}

/// Runs `stream` through the pipeline once and compares replica and primary.
pub(super) fn run(stream: &Stream, mode: Mode) -> Result<Pass, ReplayError> {
    let (slots, dim) = (stream.slots() as usize, stream.dim() as usize);
    let mut primary = Primary::with_capacity(slots, dim);
    let mut slot_states = vec![SlotState::default(); slots];
    let mut rows = vec![0.0_f32; slots * dim];
    let mut replica_slots = vec![Slot::default(); slots];
    let mut attributes = vec![0_u8; attributes_size(stream)];
    let geometry = geometry(stream);
    let mut region = HeapRegion::new(geometry.region_size())?;

    let (primary_rows, primary_attributes) = primary.memory();
    let memory = Memory {
        primary_bytes: primary_rows + size_of_val(slot_states.as_slice()),
        replica_bytes: size_of_val(rows.as_slice()) + size_of_val(replica_slots.as_slice()),
        ring_bytes: region.len(),
        attributes_bytes: attributes.len() + primary_attributes,
        stream_bytes: 0,
    };
    let mut store = SliceStore::new(
        stream.dim(),
        SliceMemory {
            rows: &mut rows,
            slots: &mut replica_slots,
            attributes: &mut attributes,
        },
    );
    let (producer, consumer) = Region::create(region.as_mut_slice(), geometry)
        .map_err(ReplayError::Region)?
        .split();
    let shared = Shared {
        clock: StdClock::new(),
        mode,
        applied: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let sequencer = Sequencer::new(stream.dim(), &mut slot_states, 0, Position::START);
    let (captured, applied) = thread::scope(|scope| {
        let captured =
            scope.spawn(|| capture_all(stream, producer, sequencer, &mut primary, &shared));
        let applied = apply_all(stream, consumer, &mut store, &shared);
        (
            captured.join().unwrap_or(Err(ReplayError::Stopped)),
            applied,
        )
    });
    // A side that stopped only because the other did is the less telling of the two.
    let (captured, applied) = match (captured, applied) {
        (Err(ReplayError::Stopped), Err(error)) | (Err(error), _) | (_, Err(error)) => {
            return Err(error);
        }
        (Ok(captured), Ok(applied)) => (captured, applied),
    };

    let latencies_ns = applied.times_ns.iter().zip(&captured.times_ns);
    let digest = applied.position.digest;
    let difference = primary.first_difference(&store).or_else(|| {
        let digests_differ =
            digest != state_digest(&store) || applied.position != captured.position;
        digests_differ.then(|| "the state digest".to_owned())
    });
    Ok(Pass {
        meter: applied.meter,
        elapsed: Duration::from_nanos(applied.end_ns.saturating_sub(captured.start_ns)),
        latencies_ns: latencies_ns
            .map(|(end, start)| end.saturating_sub(*start))
            .collect(),
        memory,
        digest,
        difference,
    })
}

/// The default region, or a larger one where a row does not fit half of its payload area.
fn geometry(stream: &Stream) -> Geometry {
    let row = Sequencer::update_size_max(&[], &[]) + 4 * stream.dim() as usize;
    let needed = (2 * (row + 2 * metadata::SECTION_SIZE_MAX + 512)).next_multiple_of(16);
    let payload_bytes = Geometry::DEFAULT.payload_bytes() as usize;
    if needed <= payload_bytes {
        return Geometry::DEFAULT;
    }
    u32::try_from(needed)
        .ok()
        .and_then(|needed| Geometry::new(Geometry::DEFAULT.slots(), needed).ok())
        .unwrap_or(Geometry::DEFAULT)
}

/// Bytes that hold the largest ids and metadata of all slots at any time of the stream, and room
/// to move them.
fn attributes_size(stream: &Stream) -> usize {
    let mut largest = vec![0_usize; stream.slots() as usize];
    for event in stream.iter() {
        let pairs = event
            .metadata
            .map(|(key, value)| 5 + key.len() + value.len());
        let size = 9 + event.id.len() + pairs.sum::<usize>();
        if let Some(slot) = largest.get_mut(event.slot as usize) {
            *slot = size.max(*slot);
        }
    }
    let live = largest.iter().sum::<usize>();
    live + live / 2 + largest.iter().max().copied().unwrap_or(0)
}

struct Captured {
    start_ns: u64,
    times_ns: Vec<u64>,
    position: Position,
}

fn capture_all<'s, M: Mem>(
    stream: &'s Stream,
    producer: Producer<M>,
    sequencer: Sequencer<'_>,
    primary: &mut Primary<'s>,
    shared: &Shared,
) -> Result<Captured, ReplayError> {
    let mut lz4 = Box::<Lz4Scratch>::default();
    let batch = batch_limit(
        stream,
        shared.mode,
        producer.geometry().max_payload() as usize,
    );
    let capture = Capture::new(producer, sequencer).with_lz4(&mut lz4);
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
    let entry = batch::ENTRY_PREFIX_SIZE_MAX + 4 * stream.dim() as usize;
    let fit = payload_max.saturating_sub(batch::PREFIX_SIZE) / entry;
    batch.min(u32::try_from(fit).unwrap_or(u32::MAX)).max(1)
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
            if self.batch > 1 && event.operation == Operation::Update && self.edits.is_empty() {
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

    /// Captures as many updates from `position` on as one batch takes, and says how many.
    fn one_batch(&mut self, position: usize) -> Result<usize, ReplayError> {
        let entry = batch::ENTRY_PREFIX_SIZE_MAX + 4 * self.stream.dim() as usize;
        let size_max = batch::PREFIX_SIZE + self.batch as usize * entry;
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
            if event.operation != Operation::Update {
                break;
            }
            self.primary.metadata_edits(&event, &mut self.edits);
            if !self.edits.is_empty() {
                break;
            }
            match batch.update(event.slot, self.primary.row(event.slot), event.row) {
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
        self.shared.wait_until(|| {
            result = attempt(&mut self.capture, self.primary);
            !matches!(result, Err(error) if error.is_full())
        })?;
        result.map_err(|error| ReplayError::Capture { event, error })
    }

    /// Waits until everything captured is applied.
    fn applied(&self) -> Result<(), ReplayError> {
        let captured = self.capture.position().sequence;
        self.shared
            .wait_until(|| self.shared.applied.load(Ordering::Acquire) >= captured)
    }
}

struct Applied {
    meter: Meter,
    times_ns: Vec<u64>,
    end_ns: u64,
    position: Position,
}

fn apply_all<M: Mem>(
    stream: &Stream,
    consumer: Consumer<M>,
    store: &mut SliceStore<'_>,
    shared: &Shared,
) -> Result<Applied, ReplayError> {
    let mut scratch = vec![0; metadata::SECTION_SIZE_MAX];
    let updates = usize::try_from(stream.counts().updates).unwrap_or(usize::MAX);
    let applier = Applier::new(Position::START, &mut scratch);
    let meter = Meter::with_capacity(updates);
    let mut apply = Apply::with_process(consumer, applier, meter);
    let one_in_flight = shared.mode == Mode::OneInFlight;
    let mut times_ns = Vec::with_capacity(if one_in_flight { stream.len() } else { 0 });
    while !apply.process().ended {
        let mut polled = Ok(None);
        shared.wait_until(|| {
            polled = apply.poll(store);
            !matches!(polled, Ok(None))
        })?;
        if let Err(error) = polled {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(ReplayError::Apply(error));
        }
        if one_in_flight {
            let sequence = apply.applier().current_position().sequence;
            // The start is no event.
            if sequence > 1 {
                times_ns.push(shared.clock.monotonic_ns());
            }
        }
        shared.applied.store(
            apply.applier().current_position().sequence,
            Ordering::Release,
        );
    }
    let end_ns = shared.clock.monotonic_ns();
    let (_, applier, meter) = apply.into_parts();
    Ok(Applied {
        meter,
        times_ns,
        end_ns,
        position: applier.current_position(),
    })
}
