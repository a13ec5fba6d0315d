//! Counters of a pipeline's end: written by one thread, read by any.
//!
//! Every counter has one writer, so plain loads and stores suffice: no target lacks them. Where a
//! target has no 64-bit ones, counters wrap at 2^32. A reader sees each counter as it was at some
//! time of its own; two of them need not fit together.

use crate::{
    payload::Payload,
    pipeline::apply::{Outcome, Refusal},
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

/// The counters of one end of a stream.
///
/// ```
/// use delta_core::counters::Counters;
/// use delta_core::header::{DeltaHeader, Operation};
/// use delta_core::pipeline::apply::Outcome;
/// use delta_core::record::Record;
///
/// let counters = Counters::default();
/// let header = DeltaHeader { timestamp_us: 40, ..DeltaHeader::new(Operation::Delete, 7, 1) };
/// let payload = [0; 4];
/// let record = Record::with_header(header.seal(&payload)?, &payload)?;
/// counters.note(&record, Outcome::Applied);
/// counters.set_lag(9, &record, 100);
/// let now = counters.snapshot();
/// assert_eq!((now.applied, now.encoded_bytes), (1, 68));
/// assert_eq!((now.lag_records, now.lag_us), (2, 60));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Counters {
    applied: Counter,
    duplicates: Counter,
    refused: [Counter; REASONS.len()],
    held: Counter,
    raw_bytes: Counter,
    encoded_bytes: Counter,
    backpressure_us: Counter,
    ring_records: Counter,
    lag_records: Counter,
    lag_us: Counter,
}

/// What [`Counters`] were at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterSnapshot {
    /// Records applied (or sent).
    pub applied: u64,
    /// Records skipped as known.
    pub duplicates: u64,
    /// Records refused, by [`REASONS`].
    pub refused: [u64; REASONS.len()],
    /// Times that a gate held a record.
    pub held: u64,
    /// Bytes of the rows that applied records changed, as they are: 4 a component.
    pub raw_bytes: u64,
    /// Bytes of the applied records.
    pub encoded_bytes: u64,
    /// Microseconds spent waiting for room.
    pub backpressure_us: u64,
    /// Records in the ring at the last look.
    pub ring_records: u64,
    /// Records between the writer's last and the last applied one, at the last look.
    pub lag_records: u64,
    /// Age of the last applied record when it was applied, microseconds.
    pub lag_us: u64,
}

impl Counters {
    /// Counts a record that was not refused. O(1).
    #[inline]
    pub fn note(&self, record: &Record<'_>, outcome: Outcome) {
        if outcome != Outcome::Applied {
            self.duplicates.add(1);
            return;
        }
        let components = match record.payload() {
            Payload::Insert(vector) | Payload::Update(vector) => u64::from(vector.dim()),
            Payload::Batch(batch) => u64::from(batch.dim()) * u64::from(batch.len()),
            _ => 0,
        };
        self.applied.add(1);
        self.raw_bytes.add(4 * components);
        self.encoded_bytes.add(record.size() as u64);
    }

    /// Counts a refused record.
    #[inline]
    pub fn note_refused(&self, refusal: &Refusal) {
        if let Some(counter) = self.refused.get(reason(refusal)) {
            counter.add(1);
        }
    }

    /// Counts that a gate held a record.
    #[inline]
    pub fn note_held(&self) {
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

    /// Notes how far `record`, just applied at `now_us`, is behind the writer's `newest` sequence
    /// and the clock.
    #[inline]
    pub fn set_lag(&self, newest: u64, record: &Record<'_>, now_us: u64) {
        let header = record.header();
        self.lag_records.set(newest.saturating_sub(header.sequence));
        self.lag_us.set(now_us.saturating_sub(header.timestamp_us));
    }

    /// All counters, each as it is now.
    pub fn snapshot(&self) -> CounterSnapshot {
        CounterSnapshot {
            applied: self.applied.get(),
            duplicates: self.duplicates.get(),
            refused: core::array::from_fn(|i| self.refused.get(i).map_or(0, Counter::get)),
            held: self.held.get(),
            raw_bytes: self.raw_bytes.get(),
            encoded_bytes: self.encoded_bytes.get(),
            backpressure_us: self.backpressure_us.get(),
            ring_records: self.ring_records.get(),
            lag_records: self.lag_records.get(),
            lag_us: self.lag_us.get(),
        }
    }
}
