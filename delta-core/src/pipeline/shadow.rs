//! What the readers of a lossy stream have: the rows that its next changes are measured against.

use crate::{
    codec::{Bound, Values},
    pipeline::sequencer::PrepareError,
};

/// The rows of a lossy stream as its readers have them, in memory of the caller: a second copy of
/// the rows, and two rows more.
///
/// A row moves on only when its record is committed; a record that was not sent leaves it.
#[derive(Debug)]
pub struct Shadow<'a> {
    bound: Bound,
    /// Components of a row, at least 1.
    dim: usize,
    /// A row a slot.
    rows: &'a mut [f32],
    /// The row after the record that was prepared last.
    after: &'a mut [f32],
    /// Room for a decoded row.
    scratch: &'a mut [f32],
}

impl<'a> Shadow<'a> {
    /// Components of memory that a shadow of `slots` rows of `dim` components needs.
    pub const fn size(slots: usize, dim: usize) -> usize {
        slots.saturating_add(2).saturating_mul(dim)
    }

    /// A shadow over `memory` of [`Self::size`] components, whose first rows are those of the
    /// stream's base, if it has one.
    ///
    /// # Panics
    /// If `dim` is 0 or the memory is smaller than two rows.
    pub fn new(bound: Bound, dim: u32, memory: &'a mut [f32]) -> Self {
        let dim = dim as usize;
        assert!(dim > 0, "a row has at least one component");
        assert!(
            memory.len() >= 2 * dim,
            "a shadow has two rows more than slots"
        );
        let (rows, spare) = memory.split_at_mut(memory.len() - 2 * dim);
        let (after, scratch) = spare.split_at_mut(dim);
        Self {
            bound,
            dim,
            rows,
            after,
            scratch,
        }
    }

    /// How far components may be off.
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// The row of a slot as readers have it; `None` beyond the memory.
    pub fn row(&self, slot: u32) -> Option<&[f32]> {
        let start = (slot as usize).checked_mul(self.dim)?;
        self.rows.get(start..start.checked_add(self.dim)?)
    }

    /// The row of a slot that the memory must have.
    pub(super) fn live_row(&self, slot: u32) -> Result<&[f32], PrepareError> {
        let capacity = self.rows.len() / self.dim;
        self.row(slot).ok_or(PrepareError::SlotsFull { capacity })
    }

    fn row_mut(&mut self, slot: u32) -> Option<(&mut [f32], &mut [f32], &mut [f32])> {
        let start = (slot as usize).checked_mul(self.dim)?;
        let row = self.rows.get_mut(start..start.checked_add(self.dim)?)?;
        Some((row, self.after, self.scratch))
    }

    /// Works out the row of `slot` after `values`, of an insert if `is_insert`, and by how much
    /// its sum changes.
    pub(super) fn prepare(
        &mut self,
        slot: u32,
        is_insert: bool,
        values: &Values<'_>,
    ) -> Result<u64, PrepareError> {
        let capacity = self.rows.len() / self.dim;
        let (row, after, scratch) = self
            .row_mut(slot)
            .ok_or(PrepareError::SlotsFull { capacity })?;
        if is_insert {
            after.fill(0.0);
        } else {
            after.copy_from_slice(row);
        }
        let change = values
            .decode(after, bytemuck::cast_slice_mut(scratch))
            .map_err(PrepareError::Values)?;
        let sum = change.change_sum(after);
        change.apply(after);
        Ok(sum)
    }

    /// Makes the row that was prepared last that of `slot`.
    pub(super) fn commit(&mut self, slot: u32) {
        if let Some((row, after, _)) = self.row_mut(slot) {
            row.copy_from_slice(after);
        }
    }

    /// Makes a change of the row of `slot` that was found sound before.
    pub(super) fn apply(&mut self, slot: u32, values: &Values<'_>) {
        if let Some((row, _, scratch)) = self.row_mut(slot)
            && let Ok(change) = values.decode(row, bytemuck::cast_slice_mut(scratch))
        {
            change.apply(row);
        }
    }
}
