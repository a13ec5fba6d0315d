//! Capture -> ring -> apply on two threads: 1,024 change patterns, fresh values, checksum and
//! digest on. Making the new row is part of the writer's time, on both sides.
//!
//! The peer is what one builds from `ruvector-delta-core` and `rtrb`: compute, encode, queue,
//! decode, apply; without sequence, checksum or digest.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::{RawMem, StaticRing};
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};
use ruvector_delta_core::{Delta, DeltaEncoding, SparseEncoding, VectorDelta};

use super::latency::percentile;
use crate::contest::{Contest, Unit};
use crate::queues::{Receiver, SLOTS, Sender, line, record};
use crate::threads::time_pair;
use crate::timing::{Burst, times};
use crate::workload::{PATTERNS, Workload};

/// Throughput from a table in a cache and from one that is not, and the time of one update.
pub fn contests() -> Vec<Contest> {
    vec![
        throughput(384, 5.0, 4_096).limit(2.0),
        throughput(384, 5.0, 100_000),
        throughput(384, 100.0, 4_096),
        throughput(1_536, 5.0, 4_096),
        one_in_flight(),
    ]
}

fn throughput(dim: usize, percent: f64, rows: usize) -> Contest {
    let mut pair = Pair::new(Workload::new(dim, percent, PATTERNS, rows));
    let peer = peer(Workload::new(dim, percent, PATTERNS, rows));
    let work = format!("capture -> ring -> apply, {dim}-d, {percent}% of {rows} rows");
    let ours: Burst = Box::new(move |count| pair.run(count));
    let contest = Contest::new(work, Unit::MillionsPerSecond, ours).warm();
    contest.peer("ruvector-delta-core and rtrb", None, Box::new(peer))
}

/// The median from before capture until the writer knows that the update is applied, beside a bare
/// line there and back and the microsecond that may be added.
fn one_in_flight() -> Contest {
    let mut pair = Pair::new(Workload::new(384, 5.0, PATTERNS, 4_096));
    let ours: Burst = Box::new(move |count| times(pair.round_trip(count), count));
    let (mut there, mut there_reader) = line::new();
    let (mut back, mut back_reader) = line::new();
    let mut sequence = 0;
    let line: Burst = Box::new(move |count| {
        let first = sequence + 1;
        sequence += count;
        let mut taken = Vec::new();
        let samples = &mut taken;
        let wait = |reader: &mut line::LineReceiver| {
            while !reader.receive(|_| ()) {
                spin_loop();
            }
        };
        let (there, there_reader) = (&mut there, &mut there_reader);
        let (back, back_reader) = (&mut back, &mut back_reader);
        time_pair(
            move || {
                for sequence in first..first + count {
                    let start = Instant::now();
                    there.send(record(sequence));
                    wait(back_reader);
                    samples.push(start.elapsed());
                }
            },
            move || {
                for sequence in first..first + count {
                    wait(there_reader);
                    back.send(record(sequence));
                }
            },
        );
        let allowed = percentile(&mut taken, 50) + Duration::from_micros(1);
        times(allowed, count)
    });
    let work = "capture -> ring -> apply and back, one in flight, p50, 384-d, 5%";
    Contest::new(work, Unit::Nanoseconds, ours).peer("bare_line and 1,000 ns", 1.0, line)
}

/// Primary and replica that outlive a burst. Their memory is never freed.
struct Pair {
    writer: Writer,
    reader: Reader,
    step: u64,
}

impl Pair {
    fn new(workload: Workload) -> Self {
        let rows = workload.rows().len();
        let dim = u32::try_from(workload.dim()).unwrap_or(u32::MAX);
        let base_count = u32::try_from(rows).unwrap_or(u32::MAX);
        let primary = workload.rows().concat();
        let memory = SliceMemory {
            rows: primary.clone().leak(),
            slots: vec![Slot::default(); rows].leak(),
            attributes: &mut [],
        };
        let store = SliceStore::with_base(dim, base_count, memory);
        let base = Position {
            digest: state_digest(&store),
            ..Position::START
        };
        let ring = Box::leak(Box::new(StaticRing::<4096, 720_896>::new()));
        let (producer, consumer) = ring.split();
        let states = vec![SlotState::default(); rows].leak();
        let sequencer = Sequencer::new(dim, states, base_count, base);
        let applier = Applier::new(base, vec![0; 4 * dim as usize].leak());
        Self {
            writer: Writer {
                new: vec![0.0; workload.dim()],
                workload,
                primary,
                capture: Capture::new(producer, sequencer)
                    .with_stage(vec![0; Sequencer::row_size_max(dim)].leak()),
            },
            reader: Reader {
                apply: Apply::new(consumer, applier),
                store,
            },
            step: 0,
        }
    }

    /// Captures and applies `count` updates.
    fn run(&mut self, count: u64) -> Duration {
        let steps = self.next_steps(count);
        let Self { writer, reader, .. } = self;
        let write = || {
            for step in steps {
                writer.update(step, |capture, slot, old, new| {
                    while let Err(error) = capture.update(slot, old, new) {
                        assert!(error.is_full(), "{error}");
                        spin_loop();
                    }
                });
            }
        };
        let elapsed = time_pair(write, || (0..count).for_each(|_| reader.apply_next()));
        self.check();
        elapsed
    }

    /// The median time of an update, one in flight, until the writer knows that it is applied.
    fn round_trip(&mut self, count: u64) -> Duration {
        let steps = self.next_steps(count);
        let Self { writer, reader, .. } = self;
        let applied = AtomicU64::new(0);
        let mut taken = Vec::new();
        let samples = &mut taken;
        let write = || {
            for (number, step) in (1..).zip(steps) {
                writer.update(step, |capture, slot, old, new| {
                    let start = Instant::now();
                    let captured = capture.update(slot, old, new);
                    assert!(captured.is_ok(), "the ring is empty");
                    while applied.load(Ordering::Acquire) < number {
                        spin_loop();
                    }
                    samples.push(start.elapsed());
                });
            }
        };
        let replicate = || {
            for number in 1..=count {
                reader.apply_next();
                applied.store(number, Ordering::Release);
            }
        };
        time_pair(write, replicate);
        self.check();
        percentile(&mut taken, 50)
    }

    fn next_steps(&mut self, count: u64) -> Range<u64> {
        let first = self.step;
        self.step += count;
        first..self.step
    }

    /// Replica and primary are the same.
    fn check(&self) {
        let position = self.writer.capture.position();
        let applier = self.reader.apply.applier();
        assert_eq!(applier.current_position(), position);
        assert_eq!(state_digest(&self.reader.store), position.digest);
    }
}

struct Writer {
    workload: Workload,
    primary: Vec<f32>,
    /// The row that a step makes.
    new: Vec<f32>,
    capture: Capture<'static, RawMem<'static>>,
}

impl Writer {
    /// Makes the change of `step`, shows it to `hook`, then stores it.
    fn update(
        &mut self,
        step: u64,
        hook: impl FnOnce(&mut Capture<'static, RawMem<'static>>, u32, &[f32], &[f32]),
    ) {
        let slot = self.workload.slot(step);
        let start = slot * self.workload.dim();
        let Some(row) = self.primary.get_mut(start..start + self.workload.dim()) else {
            unreachable!("a slot of the table")
        };
        self.new.copy_from_slice(row);
        self.workload.change(step, &mut self.new);
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        hook(&mut self.capture, slot, row, &self.new);
        row.copy_from_slice(&self.new);
    }
}

struct Reader {
    apply: Apply<'static, RawMem<'static>>,
    store: SliceStore<'static>,
}

impl Reader {
    /// Waits for a record and applies it.
    fn apply_next(&mut self) {
        loop {
            match self.apply.poll(&mut self.store) {
                Ok(Some(_)) => return,
                Ok(None) => spin_loop(),
                Err(error) => unreachable!("{error}"),
            }
        }
    }
}

/// The same job by `ruvector-delta-core`, whose rows are vectors, through `rtrb`.
fn peer(workload: Workload) -> impl FnMut(u64) -> Duration {
    let mut primary = workload.rows().to_vec();
    let mut replica = primary.clone();
    let (mut sender, mut receiver) = rtrb::RingBuffer::<(usize, Vec<u8>)>::new(SLOTS);
    let encoding = SparseEncoding::new();
    let mut next = 0;
    move |count| {
        let first = next;
        next += count;
        let (primary, replica) = (&mut primary, &mut replica);
        let (sender, receiver) = (&mut sender, &mut receiver);
        let (workload, encoding) = (&workload, &encoding);
        time_pair(
            move || {
                for step in first..first + count {
                    let slot = workload.slot(step);
                    let Some(row) = primary.get_mut(slot) else {
                        unreachable!("a slot of the table")
                    };
                    let mut new = row.clone();
                    workload.change(step, &mut new);
                    let delta = VectorDelta::compute(row, &new);
                    let mut message = (slot, encoding.encode(&delta).unwrap_or_default());
                    while let Err(rtrb::PushError::Full(refused)) = sender.push(message) {
                        message = refused;
                        spin_loop();
                    }
                    *row = new;
                }
            },
            move || {
                for _ in 0..count {
                    let (slot, bytes) = loop {
                        match receiver.pop() {
                            Ok(message) => break message,
                            Err(_) => spin_loop(),
                        }
                    };
                    let delta = encoding.decode(&bytes);
                    let row = replica.get_mut(slot);
                    let applied = delta.ok().zip(row).map(|(delta, row)| delta.apply(row));
                    assert!(applied.is_some_and(|result| result.is_ok()), "it decodes");
                }
            },
        )
    }
}
