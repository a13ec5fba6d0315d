//! One run of a stream through the pipeline, on two threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use delta_core::codec::Encoding;
use delta_core::payload::metadata;
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::counters::Counters;
use delta_core::pipeline::process::Process;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::pipeline::shadow::Shadow;
use delta_core::ring::{Consumer, Geometry, Mem, Region};
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

use super::ReplayError;
use super::meter::{Meter, UpdateSize};
use super::primary::{Primary, Within};
use super::report::{Memory, Traffic};
use super::writer::capture_all;
use crate::clock::StdClock;
use crate::cpu;
use crate::memory::filled;
use crate::region::HeapRegion;
use crate::stream::Stream;

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
    /// What the two ends counted.
    pub(super) traffic: Traffic,
    /// Where replica and primary differ.
    pub(super) difference: Option<String>,
}

/// What the two threads share beside the ring.
pub(super) struct Shared {
    pub(super) clock: StdClock,
    pub(super) mode: Mode,
    /// Sequence of the last applied record.
    pub(super) applied: AtomicU64,
    /// A side has given up.
    pub(super) stop: AtomicBool,
    /// What the capturing end counts.
    pub(super) writer: Counters,
    /// What the applying end counts; how far the writer is, the writer says.
    pub(super) reader: Counters,
}

/// Stops the other side if this one panics, so that it does not wait for ever.
pub(super) struct StopOnPanic<'s>(pub(super) &'s Shared);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop.store(true, Ordering::Relaxed);
        }
    }
}

impl Shared {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            clock: StdClock::new(),
            mode,
            applied: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            writer: Counters::default(),
            reader: Counters::default(),
        }
    }

    /// Spins, now and then giving the core away, until `ready`; an error if the other side stops.
    pub(super) fn wait_until(&self, mut ready: impl FnMut() -> bool) -> Result<(), ReplayError> {
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
pub(super) fn run(stream: &Stream, mode: Mode, encoding: Encoding) -> Result<Pass, ReplayError> {
    let (slots, dim) = (stream.slots() as usize, stream.dim() as usize);
    let mut primary = Primary::with_capacity(slots, dim)?;
    let mut slot_states = filled(slots, 1, SlotState::default())?;
    let mut rows = filled(slots, dim, 0.0_f32)?;
    let mut replica_slots = filled(slots, 1, Slot::default())?;
    let mut attributes = filled(attributes_size(stream), 1, 0_u8)?;
    let shadow_rows = encoding.bound.map_or(0, |_| slots.saturating_add(2));
    let mut shadow_memory = filled(shadow_rows, dim, 0.0_f32)?;
    let geometry = geometry(stream);
    let mut region = HeapRegion::new(geometry.region_size())?;

    let (primary_rows, primary_attributes) = primary.memory();
    let memory = Memory {
        primary_bytes: primary_rows + size_of_val(slot_states.as_slice()),
        replica_bytes: size_of_val(rows.as_slice()) + size_of_val(replica_slots.as_slice()),
        shadow_bytes: size_of_val(shadow_memory.as_slice()),
        ring_bytes: region.len(),
        attributes_bytes: attributes.len() + primary_attributes,
        ..Memory::default()
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
    let shared = Shared::new(mode);
    let sequencer = Sequencer::new(stream.dim(), &mut slot_states, 0, Position::START)
        .with_codecs(encoding.codecs)
        .with_counters(&shared.writer)
        .on(encoding.unit);
    let shadow = encoding
        .bound
        .map(|bound| Shadow::new(bound, stream.dim(), &mut shadow_memory));
    let (captured, applied) = thread::scope(|scope| {
        let captured = scope
            .spawn(|| capture_all(stream, producer, (sequencer, shadow), &mut primary, &shared));
        let applied = apply_all(stream, consumer, &mut store, &shared);
        (
            captured.join().unwrap_or(Err(ReplayError::Stopped)),
            applied,
        )
    });
    let (captured, applied) = both(captured, applied)?;

    let latencies_ns = applied.times_ns.iter().zip(&captured.times_ns);
    let digest = applied.position.digest;
    let within = encoding.bound.map(|bound| Within {
        shadow: &shadow_memory,
        bound,
    });
    let difference = difference(
        &primary,
        &store,
        within,
        captured.position,
        applied.position,
    );
    let measurement_bytes = applied.meter.updates.capacity() * size_of::<UpdateSize>()
        + (applied.times_ns.capacity() + captured.times_ns.capacity()) * size_of::<u64>();
    Ok(Pass {
        meter: applied.meter,
        elapsed: Duration::from_nanos(applied.end_ns.saturating_sub(captured.start_ns)),
        latencies_ns: latencies_ns
            .map(|(end, start)| end.saturating_sub(*start))
            .collect(),
        memory: Memory {
            measurement_bytes,
            ..memory
        },
        digest,
        traffic: Traffic::of(stream.name(), &shared.writer, &shared.reader),
        difference,
    })
}

/// What both sides found, or why one stopped.
pub(super) fn both<W, R>(
    captured: Result<W, ReplayError>,
    applied: Result<R, ReplayError>,
) -> Result<(W, R), ReplayError> {
    match (captured, applied) {
        // A side that stopped only because the other did is the less telling of the two.
        (Err(ReplayError::Stopped), Err(error)) | (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(captured), Ok(applied)) => Ok((captured, applied)),
    }
}

/// Where a replica, after the reader's last position, differs from the primary after the writer's.
pub(super) fn difference(
    primary: &Primary<'_>,
    replica: &impl Replica,
    within: Option<Within<'_>>,
    captured: Position,
    applied: Position,
) -> Option<String> {
    primary.first_difference(replica, within).or_else(|| {
        let agreed = captured == applied && applied.digest == state_digest(replica);
        (!agreed).then(|| "the state digest".to_owned())
    })
}

/// The default region, or a larger one where a row does not fit half of its payload area.
pub(super) fn geometry(stream: &Stream) -> Geometry {
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
pub(super) fn attributes_size(stream: &Stream) -> usize {
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
    let _guard = StopOnPanic(shared);
    let mut scratch = vec![0; Applier::scratch_size_max(stream.dim())];
    let updates = usize::try_from(stream.counts().updates).unwrap_or(usize::MAX);
    let applier = Applier::new(Position::START, &mut scratch)
        .with_counters(&shared.reader)
        .on(cpu::vector_unit());
    let meter = Meter::with_capacity(updates);
    let mut apply = Apply::with_process(consumer, applier, meter);
    let one_in_flight = shared.mode == Mode::OneInFlight;
    let mut times_ns = Vec::with_capacity(if one_in_flight { stream.len() } else { 0 });
    follow(
        &mut apply,
        store,
        shared,
        |meter| meter.ended,
        |sequence| {
            // The start is no event.
            if one_in_flight && sequence > 1 {
                times_ns.push(shared.clock.monotonic_ns());
            }
        },
    )?;
    let end_ns = shared.clock.monotonic_ns();
    let (_, applier, meter) = apply.into_parts();
    Ok(Applied {
        meter,
        times_ns,
        end_ns,
        position: applier.current_position(),
    })
}

/// Applies records until `ended`, and tells `applied` the sequence of each.
pub(super) fn follow<M: Mem, P: Process>(
    apply: &mut Apply<'_, M, P>,
    store: &mut SliceStore<'_>,
    shared: &Shared,
    ended: impl Fn(&P) -> bool,
    mut applied: impl FnMut(u64),
) -> Result<(), ReplayError> {
    // A batch is what is in the ring at a time: it ends when the ring is found empty.
    let mut span = None;
    while !ended(apply.process()) {
        let mut polled = Ok(None);
        shared.wait_until(|| {
            polled = apply.poll(store);
            let is_empty = matches!(polled, Ok(None));
            if is_empty {
                span = None;
            }
            !is_empty
        })?;
        span.get_or_insert_with(|| tracing::debug_span!("delta_batch").entered());
        if let Err(error) = polled {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(ReplayError::Apply(error));
        }
        let sequence = apply.applier().current_position().sequence;
        applied(sequence);
        shared.applied.store(sequence, Ordering::Release);
    }
    Ok(())
}
