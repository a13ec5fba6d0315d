//! Replay of made-up updates over a table of any size: what an update costs when its row is in no
//! cache, and what a row takes in memory.

use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::thread;

use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::process::Process;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::ring::{Geometry, Mem, Region};
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};
use serde::Serialize;

use super::ReplayError;
use super::pass::{Mode, Shared, StopOnPanic};
use crate::cpu;
use crate::memory::filled;
use crate::region::HeapRegion;
use crate::synthetic::{Changes, base_row, slot};

/// Components of all patterns together, at most: they must not fill the cache themselves.
const PATTERN_COMPONENTS_MAX: usize = 1 << 18;
const PATTERNS_MAX: usize = 1_024;

/// What to make up: `UPDATES,DIM,CHANGED%` or `UPDATES,DIM,CHANGED%,ROWS`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Synthetic {
    updates: u64,
    /// 1 to [`Synthetic::DIM_MAX`].
    dim: u32,
    /// In 0..=100.
    changed_percent: f64,
    /// At least 1.
    rows: u32,
}

/// Why a description of made-up updates is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// Not three or four numbers with commas between them.
    #[error("not UPDATES,DIM,CHANGED% or UPDATES,DIM,CHANGED%,ROWS, as in 1000000,384,5%")]
    Form,
    /// Components of a row.
    #[error("{found} components of a row: give 1 to {max}")]
    Dim {
        /// As given.
        found: u32,
        /// The most.
        max: u32,
    },
    /// Share of a row.
    #[error("{found}% of a row's components: give 0 to 100")]
    Changed {
        /// As given.
        found: f64,
    },
    /// Rows of the table.
    #[error("a table without rows has nothing to update: give at least 1")]
    NoRows,
}

impl Synthetic {
    /// Most components of a row: as many as fit half of the default ring.
    pub const DIM_MAX: u32 = 65_536;
    /// Rows unless said otherwise: 150 MB at 384 components, more than caches hold.
    pub const ROWS_DEFAULT: u32 = 100_000;

    /// `updates` updates of `changed_percent`% of the components of a random one of `rows` rows.
    ///
    /// # Errors
    /// See [`SyntheticError`].
    pub fn new(
        updates: u64,
        dim: u32,
        changed_percent: f64,
        rows: u32,
    ) -> Result<Self, SyntheticError> {
        let max = Self::DIM_MAX;
        if !(1..=max).contains(&dim) {
            return Err(SyntheticError::Dim { found: dim, max });
        }
        if !(0.0..=100.0).contains(&changed_percent) {
            let found = changed_percent;
            return Err(SyntheticError::Changed { found });
        }
        if rows == 0 {
            return Err(SyntheticError::NoRows);
        }
        Ok(Self {
            updates,
            dim,
            changed_percent,
            rows,
        })
    }

    fn changes(&self) -> Changes {
        let dim = self.dim as usize;
        let patterns = (PATTERN_COMPONENTS_MAX / dim).clamp(1, PATTERNS_MAX);
        Changes::new(dim, self.changed_percent, patterns)
    }
}

impl FromStr for Synthetic {
    type Err = SyntheticError;

    fn from_str(text: &str) -> Result<Self, SyntheticError> {
        fn number<T: FromStr>(word: &str) -> Result<T, SyntheticError> {
            word.trim().parse().map_err(|_| SyntheticError::Form)
        }
        let words: Vec<&str> = text.split(',').collect();
        let (updates, dim, changed, rows) = match words[..] {
            [updates, dim, changed] => (updates, dim, changed, Self::ROWS_DEFAULT),
            [updates, dim, changed, rows] => (updates, dim, changed, number(rows)?),
            _ => return Err(SyntheticError::Form),
        };
        let changed = changed.trim().trim_end_matches('%');
        Self::new(number(updates)?, number(dim)?, number(changed)?, rows)
    }
}

/// What a replay of made-up updates found out.
#[derive(Debug, Clone, Serialize)]
pub struct SyntheticReport {
    /// Updates made.
    pub updates: u64,
    /// Components of a row.
    pub dim: u32,
    /// Components that an update changes, in percent.
    pub changed_percent: f64,
    /// Rows of the table.
    pub rows: u32,
    /// Updates a second, from the first capture to the last apply; making up the new row is part
    /// of it.
    pub deltas_per_s: f64,
    /// Nanoseconds for an update, the same.
    pub update_ns: f64,
    /// Bytes of an update's record, its header included, on average.
    pub wire_bytes_per_update: f64,
    /// Memory of primary and sequencer for each row, in bytes.
    pub primary_bytes_per_row: f64,
    /// Memory of the replica for each row, in bytes.
    pub replica_bytes_per_row: f64,
    /// Memory of the ring, in bytes.
    pub ring_bytes: usize,
    /// Replica and primary agree in every bit, and the digest that travelled is the replica's.
    pub replica_identical: bool,
    /// State digest after the last record, 16 hex digits.
    pub digest: String,
}

/// Makes up updates and replicates them on two threads, as [`super::replay()`] does with a stream.
/// The stream is held nowhere; memory is primary, replica and ring. O(rows + updates).
///
/// # Errors
/// See [`ReplayError`].
///
/// ```
/// use delta_native::replay::{Synthetic, replay_synthetic};
///
/// let report = replay_synthetic(&"1000,64,5%,100".parse::<Synthetic>()?)?;
/// assert!(report.replica_identical);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replay_synthetic(synthetic: &Synthetic) -> Result<SyntheticReport, ReplayError> {
    let mut tables = Tables::new(synthetic)?;
    let mut region = HeapRegion::new(Geometry::DEFAULT.region_size())?;
    let ring_bytes = region.len();
    let (primary_bytes, replica_bytes) = tables.memory();
    let region = Region::create(region.as_mut_slice(), Geometry::DEFAULT);
    let (producer, consumer) = region.map_err(ReplayError::Region)?.split();

    let memory = SliceMemory {
        rows: &mut tables.replica,
        slots: &mut tables.slots,
        attributes: &mut [],
    };
    let mut store = SliceStore::with_base(synthetic.dim, synthetic.rows, memory);
    let base = Position {
        digest: state_digest(&store),
        ..Position::START
    };
    let sequencer = Sequencer::new(synthetic.dim, &mut tables.states, synthetic.rows, base)
        .on(cpu::vector_unit());
    let mut stage = vec![0; Sequencer::row_size_max(synthetic.dim)];
    let mut writer = Writer {
        synthetic,
        changes: synthetic.changes(),
        capture: Capture::new(producer, sequencer).with_stage(&mut stage),
        primary: &mut tables.primary,
    };
    let mut scratch = vec![0; Applier::scratch_size_max(synthetic.dim)];
    let applier = Applier::new(base, &mut scratch).on(cpu::vector_unit());
    let mut apply = Apply::with_process(consumer, applier, Bytes::default());
    let shared = Shared::new(Mode::Throughput { batch: 1 });
    let start_ns = shared.clock.monotonic_ns();
    let (written, applied) = thread::scope(|scope| {
        let written = scope.spawn(|| writer.all(&shared));
        let applied = apply_all(synthetic.updates, &mut apply, &mut store, &shared);
        let written = written.join().unwrap_or(Err(ReplayError::Stopped));
        (written, applied)
    });
    let elapsed_ns = shared.clock.monotonic_ns().saturating_sub(start_ns);
    super::pass::both(written, applied)?;

    let (captured, position) = (
        writer.capture.position(),
        apply.applier().current_position(),
    );
    let digest = state_digest(&store);
    let is_equal = rows_equal(writer.primary, &store, synthetic.dim as usize);
    let (updates, rows) = (as_f64(synthetic.updates.max(1)), f64::from(synthetic.rows));
    let update_ns = as_f64(elapsed_ns) / updates;
    Ok(SyntheticReport {
        updates: synthetic.updates,
        dim: synthetic.dim,
        changed_percent: synthetic.changed_percent,
        rows: synthetic.rows,
        deltas_per_s: 1e9 / update_ns.max(1e-9),
        update_ns,
        wire_bytes_per_update: as_f64(apply.process().0) / updates,
        primary_bytes_per_row: as_f64(primary_bytes as u64) / rows,
        replica_bytes_per_row: as_f64(replica_bytes as u64) / rows,
        ring_bytes,
        replica_identical: is_equal && captured == position && position.digest == digest,
        digest: format!("{digest:016x}"),
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Rows and slots of primary and replica, equal at first.
struct Tables {
    primary: Vec<f32>,
    states: Vec<SlotState>,
    replica: Vec<f32>,
    slots: Vec<Slot>,
}

impl Tables {
    fn new(synthetic: &Synthetic) -> Result<Self, ReplayError> {
        let (rows, dim) = (synthetic.rows as usize, synthetic.dim as usize);
        let mut primary = filled(rows, dim, 0.0)?;
        for (slot, row) in (0..).zip(primary.chunks_exact_mut(dim)) {
            base_row(slot, row);
        }
        let mut replica = filled(rows, dim, 0.0)?;
        replica.copy_from_slice(&primary);
        Ok(Self {
            primary,
            states: filled(rows, 1, SlotState::default())?,
            replica,
            slots: filled(rows, 1, Slot::default())?,
        })
    }

    /// Bytes of the primary, and of the replica.
    fn memory(&self) -> (usize, usize) {
        (
            size_of_val(&self.primary[..]) + size_of_val(&self.states[..]),
            size_of_val(&self.replica[..]) + size_of_val(&self.slots[..]),
        )
    }
}

/// The writing side: makes up an update, captures it, and stores the new row.
struct Writer<'w, 'c, M: Mem> {
    synthetic: &'w Synthetic,
    changes: Changes,
    capture: Capture<'c, M>,
    primary: &'w mut [f32],
}

impl<M: Mem> Writer<'_, '_, M> {
    fn all(&mut self, shared: &Shared) -> Result<(), ReplayError> {
        let _guard = StopOnPanic(shared);
        let result = (0..self.synthetic.updates).try_for_each(|step| self.one(step, shared));
        if result.is_err() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn one(&mut self, step: u64, shared: &Shared) -> Result<(), ReplayError> {
        let (dim, rows) = (self.changes.dim(), self.synthetic.rows as usize);
        let slot = slot(step, rows);
        let row = self.primary.get_mut(slot * dim..(slot + 1) * dim);
        let row = row.unwrap_or_default();
        let mut new = row.to_vec();
        self.changes.apply(step, &mut new);
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        let mut result = Ok(());
        shared.wait_until(|| {
            result = self.capture.update(slot, row, &new);
            !matches!(result, Err(error) if error.is_full())
        })?;
        result.map_err(|error| ReplayError::Capture {
            event: usize::try_from(step).unwrap_or(usize::MAX),
            error,
        })?;
        row.copy_from_slice(&new);
        Ok(())
    }
}

/// Sizes of all records that passed.
#[derive(Debug, Default)]
struct Bytes(u64);

impl Process for Bytes {
    fn process(&mut self, record: &Record<'_>) {
        self.0 += record.size() as u64;
    }
}

/// Applies `updates` records.
fn apply_all<M: Mem>(
    updates: u64,
    apply: &mut Apply<'_, M, Bytes>,
    store: &mut SliceStore<'_>,
    shared: &Shared,
) -> Result<(), ReplayError> {
    let _guard = StopOnPanic(shared);
    for _ in 0..updates {
        let mut polled = Ok(None);
        shared.wait_until(|| {
            polled = apply.poll(store);
            !matches!(polled, Ok(None))
        })?;
        if let Err(error) = polled {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(ReplayError::Apply(error));
        }
    }
    Ok(())
}

/// Whether every row of the replica has the primary's bits.
fn rows_equal(primary: &[f32], replica: &impl Replica, dim: usize) -> bool {
    (0..).zip(primary.chunks_exact(dim)).all(|(slot, row)| {
        let bits = |row: &[f32]| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        replica
            .row(slot)
            .is_some_and(|found| bits(found) == bits(row))
    })
}

#[cfg(test)]
#[path = "synthetic_tests.rs"]
mod tests;
