//! A change of a tensor: checked, its digest known, then made in place.

use super::{
    Tensor, TensorRefusal,
    layout::{Fate, Lines},
    sum::{Sum, row_key, shape_term},
};
use crate::payload::tensor::{RowChanges, Shape, Slab, TensorChange, TensorPayload};

impl Tensor<'_> {
    /// The tensor's terms of the state digest, computed from nothing. O(elements).
    #[must_use]
    pub fn digest(&self, slot: u32) -> u64 {
        self.elements_sum(slot)
            .wrapping_add(shape_term(slot, self.dtype, &self.shape))
    }

    fn elements_sum(&self, slot: u32) -> u64 {
        let mut sum = Sum::new(slot, self.dtype, &self.shape);
        sum.add(self.as_bytes());
        sum.total
    }

    /// By how much `payload`'s change moves the state digest, mod 2^64, if this tensor can take it.
    /// O(change); O(elements) where elements move.
    pub(crate) fn check(&self, payload: &TensorPayload<'_>) -> Result<u64, TensorRefusal> {
        let (expected, found) = (self.dtype, payload.dtype);
        if expected != found {
            return Err(TensorRefusal::DType { expected, found });
        }
        let slot = payload.slot;
        match payload.change {
            TensorChange::Dense { shape, elements } => {
                self.check_room(&shape)?;
                let mut sum = Sum::new(slot, self.dtype, &shape);
                sum.add(elements);
                let change = sum.total.wrapping_sub(self.elements_sum(slot));
                Ok(change.wrapping_add(self.shape_change(slot, &shape)))
            }
            TensorChange::Rows(rows) => self.check_rows(slot, &rows),
            TensorChange::Put { slab, elements } => {
                self.check_slab(slot, slab, Fate::Put, Some(elements))
            }
            TensorChange::Clear { slab } => self.check_slab(slot, slab, Fate::Clear, None),
            TensorChange::Evict { slab } => self.check_slab(slot, slab, Fate::Evict, None),
        }
    }

    fn shape_change(&self, slot: u32, shape: &Shape) -> u64 {
        let before = shape_term(slot, self.dtype, &self.shape);
        shape_term(slot, self.dtype, shape).wrapping_sub(before)
    }

    fn check_rows(&self, slot: u32, changes: &RowChanges<'_>) -> Result<u64, TensorRefusal> {
        let (expected, found) = (self.shape.row_elements(), changes.row_elements());
        if expected != found {
            return Err(TensorRefusal::RowElements { expected, found });
        }
        let (size, rows) = (self.row_size(), self.shape.rows());
        changes.iter().try_fold(0, |sum: u64, (row, elements)| {
            let refused = TensorRefusal::Row { row, rows };
            if row >= rows {
                return Err(refused);
            }
            let start = row as usize * size;
            let old = self.as_bytes().get(start..start + size).ok_or(refused)?;
            let change = elements
                .change_sum(old)
                .map_err(|error| TensorRefusal::Elements { row, error })?;
            Ok(sum.wrapping_add(row_key(slot, row).wrapping_mul(change)))
        })
    }

    /// Sums of the elements that change or move: after less before.
    fn check_slab(
        &self,
        slot: u32,
        slab: Slab,
        fate: Fate,
        elements: Option<&[u8]>,
    ) -> Result<u64, TensorRefusal> {
        let lines = Lines::new(&self.shape, slab, fate)?;
        let width = self.dtype.width();
        if let Some(elements) = elements {
            let expected = lines.slab_elements() as u64 * width as u64;
            let found = elements.len() as u64;
            if expected != found {
                return Err(TensorRefusal::Size { expected, found });
            }
        }
        self.check_room(&lines.shape)?;
        let mut before = Sum::new(slot, self.dtype, &self.shape);
        let mut after = Sum::new(slot, self.dtype, &lines.shape);
        let new = elements.unwrap_or_default();
        let slab_size = (lines.end - lines.start) * width;
        for line in 0..lines.lines {
            let old = |from: usize, to: usize| {
                let (from, to) = (from.min(lines.before), to.min(lines.before));
                let start = line * lines.before;
                let run = (start + from) * width..(start + to) * width;
                self.as_bytes().get(run).unwrap_or_default()
            };
            let from = if lines.keeps_front() { lines.start } else { 0 };
            let is_shorter = fate == Fate::Evict;
            let to = if is_shorter || !lines.keeps_front() {
                lines.before
            } else {
                lines.end
            };
            before.seek(line * lines.before + from);
            before.add(old(from, to));
            after.seek(line * lines.after + from);
            after.add(old(from, lines.start));
            match fate {
                Fate::Put => {
                    let run = line * slab_size..(line + 1) * slab_size;
                    after.add(new.get(run).unwrap_or_default());
                }
                Fate::Clear => after.skip(lines.end - lines.start),
                Fate::Evict => {}
            }
            after.add(old(lines.end, to));
        }
        let change = after.total.wrapping_sub(before.total);
        Ok(change.wrapping_add(self.shape_change(slot, &lines.shape)))
    }

    /// Makes a change that [`Tensor::check`] has accepted. O(change); O(elements) where elements
    /// move.
    pub(crate) fn make(&mut self, change: &TensorChange<'_>) {
        match *change {
            TensorChange::Dense { shape, elements } => {
                let before = self.as_bytes().len();
                let memory = self.memory_mut();
                if let Some(place) = memory.get_mut(..elements.len()) {
                    place.copy_from_slice(elements);
                }
                clear(memory, elements.len(), before);
                self.shape = shape;
            }
            TensorChange::Rows(rows) => {
                let size = self.row_size();
                for (row, elements) in rows.iter() {
                    let start = row as usize * size;
                    if let Some(row) = self.memory_mut().get_mut(start..start + size) {
                        elements.apply(row);
                    }
                }
            }
            TensorChange::Put { slab, elements } => self.make_slab(slab, Fate::Put, elements),
            TensorChange::Clear { slab } => self.make_slab(slab, Fate::Clear, &[]),
            TensorChange::Evict { slab } => self.make_slab(slab, Fate::Evict, &[]),
        }
    }

    fn make_slab(&mut self, slab: Slab, fate: Fate, new: &[u8]) {
        let Ok(lines) = Lines::new(&self.shape, slab, fate) else {
            debug_assert!(false, "the change was checked");
            return;
        };
        let width = self.dtype.width();
        let size_before = self.as_bytes().len();
        let [before, after, start, end] =
            [lines.before, lines.after, lines.start, lines.end].map(|elements| elements * width);
        let memory = self.memory_mut();
        match fate {
            Fate::Put => {
                // From the last line on: a line moves only into the places of those behind it.
                for line in (0..lines.lines).rev() {
                    let (from, to) = (line * before, line * after);
                    if from != to {
                        memory.copy_within(from..from + before.min(start), to);
                    }
                    let place = memory.get_mut(to + start..to + end);
                    let run = new.get(line * (end - start)..(line + 1) * (end - start));
                    if let (Some(place), Some(run)) = (place, run) {
                        place.copy_from_slice(run);
                    }
                }
            }
            Fate::Clear => {
                for line in 0..lines.lines {
                    clear(memory, line * before + start, line * before + end);
                }
            }
            Fate::Evict => {
                for line in 0..lines.lines {
                    let (from, to) = (line * before, line * after);
                    memory.copy_within(from..from + start, to);
                    memory.copy_within(from + end..from + before, to + start);
                }
                clear(memory, lines.lines * after, size_before);
            }
        }
        self.shape = lines.shape;
    }

    /// The elements of the rows from `start` on, as many as `size` bytes are.
    ///
    /// # Errors
    /// [`TensorRefusal::Size`] unless they are whole rows, [`TensorRefusal::Row`] if the tensor
    /// does not have them.
    pub(crate) fn rows(&self, start: u32, size: usize) -> Result<&[u8], TensorRefusal> {
        let row_size = self.row_size();
        if row_size == 0 || !size.is_multiple_of(row_size) {
            return Err(TensorRefusal::Size {
                expected: size.next_multiple_of(row_size.max(1)) as u64,
                found: size as u64,
            });
        }
        let rows = self.shape.rows();
        let last = (size / row_size).saturating_sub(1);
        let row = start.saturating_add(u32::try_from(last).unwrap_or(u32::MAX));
        let first = start as usize * row_size;
        let run = self.as_bytes().get(first..);
        let run = run.and_then(|run| run.get(..size));
        run.filter(|_| start < rows)
            .ok_or(TensorRefusal::Row { row, rows })
    }

    /// Sets the elements of rows that [`Tensor::rows`] has accepted.
    pub(crate) fn set_rows(&mut self, start: u32, elements: &[u8]) {
        let first = start as usize * self.row_size();
        let run = self.memory_mut().get_mut(first..);
        if let Some(run) = run.and_then(|run| run.get_mut(..elements.len())) {
            run.copy_from_slice(elements);
        }
    }

    /// Bytes of a row.
    pub(crate) fn row_size(&self) -> usize {
        self.shape.row_elements() as usize * self.dtype.width()
    }
}

/// Zeroes bytes `from..to`, if there are any.
fn clear(memory: &mut [u8], from: usize, to: usize) {
    if let Some(run) = memory.get_mut(from..to) {
        run.fill(0);
    }
}
