//! Counters of a pipeline's end: written by one thread, read by any.
//!
//! Every counter has one writer, so plain loads and stores suffice: no target lacks them. Where a
//! target has no 64-bit ones, counters wrap at 2^32. A reader sees each counter as it was at some
//! time of its own; two of them need not fit together.

use super::{
    apply::{Outcome, Refusal},
    sequencer::Position,
};
use crate::{
    header::{DeltaHeader, HEADER_SIZE},
    payload::Payload,
    record::Record,
};
use core::sync::atomic::Ordering::Relaxed;

#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::AtomicU32 as Word;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64 as Word;

/// Names of the reasons for which records are refused, in the order of
/// [`CounterSnapshot::refused`].
pub const REASONS: [&str; 12] = [
    "epoch", "gap", "behind", "dim", "slot", "deleted", "conflict", "repeated", "metadata",
    "store", "diverged", "other",
];

fn reason(refusal: &Refusal) -> usize {
    match refusal {
        Refusal::StaleEpoch { .. } | Refusal::UnknownEpoch { .. } => 0,
        Refusal::Gap { .. } => 1,
        Refusal::Behind { .. } => 2,
        Refusal::Dim { .. } => 3,
        Refusal::SlotCount { .. } | Refusal::UnknownSlot { .. } => 4,
        Refusal::Deleted { .. } => 5,
        Refusal::Conflict { .. } => 6,
        Refusal::Repeated { .. } => 7,
        Refusal::Metadata(_) => 8,
        Refusal::Store(_) => 9,
        Refusal::Base { .. } | Refusal::Diverged { .. } => 10,
        _ => 11,
    }
}

/// One number: written by one thread.
#[derive(Debug, Default)]
struct Counter(Word);

impl Counter {
    #[inline]
    fn add(&self, amount: u64) {
        self.set(self.get().wrapping_add(amount));
    }

    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::unnecessary_cast,
        reason = "a counter of a target without 64-bit stores wraps at 2^32"
    )]
    fn set(&self, value: u64) {
        self.0.store(value as _, Relaxed);
    }

    #[inline]
    #[allow(
        clippy::useless_conversion,
        reason = "a word has 32 bits on some targets"
    )]
    fn get(&self) -> u64 {
        u64::from(self.0.load(Relaxed))
    }
}

/// The counters of one end of a stream: the writer's, which its
/// [`Sequencer`](super::sequencer::Sequencer) feeds, or a reader's, which its
/// [`Applier`](super::apply::Applier) feeds.
///
/// What neither can know the adapter tells: how far the writer is, how full the ring, how long
/// somebody waited for room.
///
/// ```
/// use delta_core::pipeline::apply::Applier;
/// use delta_core::pipeline::counters::Counters;
/// use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
/// use delta_core::record::Record;
/// use delta_core::store::{SliceMemory, SliceStore, Slot};
///
/// let (writer, reader) = (Counters::default(), Counters::default());
/// let mut states = [SlotState::default(); 1];
/// let mut sequencer = Sequencer::new(2, &mut states, 0, Position::START).with_counters(&writer);
/// sequencer.set_timestamp_us(40);
/// let mut out = [0; 64];
/// let prepared = sequencer.prepare_insert(b"a", &[1.0, 2.0], &[], &mut out, None)?;
/// let header = prepared.header;
/// sequencer.commit(prepared);
///
/// let (mut rows, mut slots, mut attributes) = ([0.0; 2], [Slot::default(); 1], [0; 32]);
/// let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut attributes };
/// let mut store = SliceStore::new(2, memory);
/// let mut applier = Applier::new(Position::START, &mut []).with_counters(&reader);
/// reader.set_head(1, 45);
/// assert_eq!((reader.snapshot().lag_records, reader.snapshot().lag_us), (1, 45));
/// let record = Record::with_header(header, &out[..header.payload_size as usize])?;
/// applier.apply_delta(&record, &mut store)?;
///
/// let (sent, applied) = (writer.snapshot(), reader.snapshot());
/// assert_eq!((sent.records, applied.records, applied.lag_records), (1, 1, 0));
/// assert_eq!((sent.raw_bytes, sent.encoded_bytes), (8, record.size() as u64));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Counters {
    records: Counter,
    duplicates: Counter,
    refused: [Counter; REASONS.len()],
    held: Counter,
    raw_bytes: Counter,
    encoded_bytes: Counter,
    backpressure_us: Counter,
    ring_records: Counter,
    /// Sequence and time of the last counted record.
    last: [Counter; 2],
    /// The writer's last sequence, and its time.
    head: [Counter; 2],
}

/// What [`Counters`] were at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterSnapshot {
    /// Records sent, of a writer; applied, of a reader: a range segment counts as one.
    pub records: u64,
    /// Records skipped as known.
    pub duplicates: u64,
    /// Records refused, by [`REASONS`].
    pub refused: [u64; REASONS.len()],
    /// Times that a gate held a record.
    pub held: u64,
    /// Bytes of the rows that these records changed, as they are: 4 a component.
    pub raw_bytes: u64,
    /// Bytes of these records.
    pub encoded_bytes: u64,
    /// Microseconds spent waiting for room.
    pub backpressure_us: u64,
    /// Records in the ring at the last look.
    pub ring_records: u64,
    /// Records between the last one and the writer's, as of [`Counters::set_head`].
    pub lag_records: u64,
    /// Time between the same, microseconds; 0 if none is missing.
    pub lag_us: u64,
}

impl Counters {
    /// Counts a record that was applied or sent and changed `components` components. O(1).
    #[inline]
    pub(super) fn note(&self, header: &DeltaHeader, components: u64) {
        let size = (HEADER_SIZE + header.payload_size as usize) as u64;
        self.note_many(1, components, size, (header.sequence, header.timestamp_us));
    }

    /// Counts `records` records that were applied or sent, with all their components and bytes; of
    /// the last one sequence and time. O(1).
    #[inline]
    pub fn note_many(
        &self,
        records: u64,
        components: u64,
        size: u64,
        (sequence, timestamp_us): (u64, u64),
    ) {
        self.records.add(records);
        self.raw_bytes.add(4 * components);
        self.encoded_bytes.add(size);
        let [last_sequence, last_timestamp_us] = &self.last;
        last_sequence.set(sequence);
        last_timestamp_us.set(timestamp_us);
    }

    /// Counts what became of a record. O(1).
    #[inline]
    pub(super) fn note_outcome(&self, record: &Record<'_>, outcome: Result<Outcome, Refusal>) {
        match outcome {
            Ok(Outcome::Applied) => self.note(record.header(), components(record)),
            Ok(Outcome::Duplicate) => self.duplicates.add(1),
            Err(refusal) => self.note_refused(&refusal),
        }
    }

    /// Counts a segment of `records` that was applied and leads to `to`. O(records).
    pub(super) fn note_range<'r>(
        &self,
        records: impl Iterator<Item = Record<'r>>,
        to: Position,
        timestamp_us: u64,
    ) {
        let (components, size) = records.fold((0, 0), |(sum, size), record| {
            (sum + components(&record), size + record.size() as u64)
        });
        self.note_many(1, components, size, (to.sequence, timestamp_us));
    }

    /// Counts a refused record.
    #[inline]
    pub(super) fn note_refused(&self, refusal: &Refusal) {
        if let Some(counter) = self.refused.get(reason(refusal)) {
            counter.add(1);
        }
    }

    /// Counts that a gate held a record.
    #[inline]
    pub(super) fn note_held(&self) {
        self.held.add(1);
    }

    /// Adds time spent waiting for room.
    #[inline]
    pub fn add_backpressure_us(&self, waited_us: u64) {
        self.backpressure_us.add(waited_us);
    }

    /// Notes how many records the ring holds.
    #[inline]
    pub fn set_ring_records(&self, records: u64) {
        self.ring_records.set(records);
    }

    /// Notes how far the writer is: its last sequence, and the time there. A writer that is idle
    /// has the clock's.
    #[inline]
    pub fn set_head(&self, sequence: u64, timestamp_us: u64) {
        let [head_sequence, head_timestamp_us] = &self.head;
        head_sequence.set(sequence);
        head_timestamp_us.set(timestamp_us);
    }

    /// All counters, each as it is now.
    pub fn snapshot(&self) -> CounterSnapshot {
        let [head_sequence, head_timestamp_us] = [0, 1].map(|i| get(&self.head, i));
        let [last_sequence, last_timestamp_us] = [0, 1].map(|i| get(&self.last, i));
        let lag_records = head_sequence.saturating_sub(last_sequence);
        let lag_us = head_timestamp_us.saturating_sub(last_timestamp_us);
        CounterSnapshot {
            records: self.records.get(),
            duplicates: self.duplicates.get(),
            refused: core::array::from_fn(|reason| get(&self.refused, reason)),
            held: self.held.get(),
            raw_bytes: self.raw_bytes.get(),
            encoded_bytes: self.encoded_bytes.get(),
            backpressure_us: self.backpressure_us.get(),
            ring_records: self.ring_records.get(),
            lag_records,
            lag_us: if lag_records == 0 { 0 } else { lag_us },
        }
    }
}

fn get(counters: &[Counter], index: usize) -> u64 {
    counters.get(index).map_or(0, Counter::get)
}

/// Components that a record changes, at most: all of its rows.
#[inline]
fn components(record: &Record<'_>) -> u64 {
    match record.payload() {
        Payload::Insert(vector) | Payload::Update(vector) => u64::from(vector.dim()),
        Payload::Batch(batch) => u64::from(batch.dim()) * u64::from(batch.len()),
        _ => 0,
    }
}
