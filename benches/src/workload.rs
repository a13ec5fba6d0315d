//! Rows and the changes made to them.
//!
//! Two mistakes flatter a replication bench: one change pattern for all iterations, which the
//! branch predictor learns, and values that repeat, which diff to nothing. A [`Workload`] therefore
//! holds many patterns and draws a fresh value for every changed component of every step.

use delta_native::synthetic::{Changes, base_row, slot};

/// Patterns in a workload unless there is a reason for another number: too many to be learnt.
pub const PATTERNS: usize = 1_024;

/// Rows, and the components of a row that each step changes.
#[derive(Debug, Clone)]
pub struct Workload {
    rows: Vec<Vec<f32>>,
    changes: Changes,
}

impl Workload {
    /// `rows` rows of `dim` components in -1..1, and `patterns` different sets of
    /// `changed_percent`% of a row's components (rounded, of equal size).
    ///
    /// # Panics
    ///
    /// If any of the counts is 0 or `changed_percent` is not in 0..=100.
    #[must_use]
    pub fn new(dim: usize, changed_percent: f64, patterns: usize, rows: usize) -> Self {
        assert!(rows > 0, "an empty workload measures nothing");
        let changes = Changes::new(dim, changed_percent, patterns);
        let rows = (0..rows as u64).map(|slot| {
            let mut row = vec![0.0; dim];
            base_row(slot, &mut row);
            row
        });
        let rows = rows.collect();
        Self { rows, changes }
    }

    /// Components of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.changes.dim()
    }

    /// The rows, by slot, as they are before the first step.
    #[must_use]
    pub fn rows(&self) -> &[Vec<f32>] {
        &self.rows
    }

    /// The ascending indices that step `step` changes; the patterns repeat after their number.
    #[must_use]
    pub fn pattern(&self, step: u64) -> &[u32] {
        self.changes.pattern(step)
    }

    /// The slot of the row that step `step` changes: all slots alike, in no order.
    #[must_use]
    pub fn slot(&self, step: u64) -> usize {
        slot(step, self.rows.len())
    }

    /// Overwrites the components of step `step` in `row` with values that no other step writes.
    pub fn change(&self, step: u64, row: &mut [f32]) {
        self.changes.apply(step, row);
    }
}

/// The item at place `step`, modulo their number.
///
/// # Panics
///
/// If there is none.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    reason = "a remainder is below its divisor, the length"
)]
pub fn pick<T>(items: &[T], step: u64) -> &T {
    let place = step % items.len() as u64;
    &items[usize::try_from(place).unwrap_or(0)]
}
