//! What a gate looks at in a delta.

use crate::{
    codec::{RowChange, Values},
    kernel::{diff, digest::lane_change},
    payload::Payload,
    record::Record,
    store::Replica,
};

/// The size of a delta, by which a gate decides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Bytes of the payload.
    pub payload_size: u32,
    /// Components that it sets, of all rows together; those that are not listed one by one count
    /// as changed.
    pub changed: u32,
    /// The largest squared length, over its rows, of new row - old row; NaN if a component is.
    pub square_norm_max: f32,
    /// Rows that it changes, inserts or deletes: 0 of a control record, which always passes.
    pub rows: u32,
}

impl Step {
    /// Measures a record against the replica that it is about to be applied to. Packed values are
    /// decoded in `scratch`, an [`Applier`](crate::pipeline::apply::Applier)'s. O(change).
    ///
    /// What does not fit the replica (a slot that does not exist) is measured as no change: the
    /// replica refuses it. What cannot be decoded is an infinite step.
    pub fn of<R: Replica + ?Sized>(record: &Record<'_>, replica: &R, scratch: &mut [u8]) -> Self {
        let mut step = Self::beside_rows(record);
        let mut add = |slot, values: &Values<'_>| {
            let old = replica.row(slot).unwrap_or_default();
            match values.decode(old, scratch) {
                Ok(change) => {
                    step.add(old, &change);
                }
                Err(_) => step.square_norm_max = f32::INFINITY,
            }
        };
        match record.payload() {
            Payload::Update(vector) => add(vector.slot(), vector.values()),
            Payload::Batch(batch) => {
                for entry in batch.entries() {
                    add(entry.slot, &entry.values);
                }
            }
            _ => {}
        }
        step
    }

    /// What of a record does not depend on how its rows change.
    #[inline]
    pub(super) fn beside_rows(record: &Record<'_>) -> Self {
        let (rows, changed) = match record.payload() {
            // An insert sets a row where none was: it is no step of an entity.
            Payload::Insert(vector) => (1, vector.dim()),
            Payload::Batch(batch) => (batch.len(), 0),
            Payload::Control(_) => (0, 0),
            _ => (1, 0),
        };
        Self {
            payload_size: record.header().payload_size,
            changed,
            square_norm_max: 0.0,
            rows,
        }
    }

    /// Measures the change of one row before it becomes a record. O(dim).
    pub fn between(old: &[f32], new: &[f32]) -> Self {
        let changed = diff::count_changed(old, new).unwrap_or(usize::MAX);
        let changed = u32::try_from(changed).unwrap_or(u32::MAX);
        Self {
            payload_size: changed.saturating_mul(5),
            changed,
            square_norm_max: square_norm(old, bytemuck::cast_slice(new)),
            rows: 1,
        }
    }

    /// Adds the change of one row, and says by how much that changes the row's sum in the digest.
    #[inline]
    pub(super) fn add(&mut self, old: &[f32], change: &RowChange<'_>) -> u64 {
        let (changed, square_norm, row_sum) = match change {
            RowChange::Same => (0, 0.0, 0),
            RowChange::All(bytes) => {
                let bits = bytes.as_chunks::<4>().0;
                (bits.len(), square_norm(old, bits), change.change_sum(old))
            }
            RowChange::Sparse(_) | RowChange::Listed(_) => {
                let (mut changed, mut square_norm, mut row_sum) = (0, 0.0, 0_u64);
                change.for_each(|index, bits| {
                    changed += 1;
                    let before = old.get(index as usize).copied().unwrap_or(0.0);
                    let step = f32::from_bits(bits) - before;
                    square_norm += step * step;
                    row_sum = row_sum.wrapping_add(lane_change(index, before.to_bits(), bits));
                });
                (changed, square_norm, row_sum)
            }
        };
        let changed = u32::try_from(changed).unwrap_or(u32::MAX);
        self.changed = self.changed.saturating_add(changed);
        // Unlike `max`, which passes NaN over.
        if square_norm.is_nan() || square_norm > self.square_norm_max {
            self.square_norm_max = square_norm;
        }
        row_sum
    }
}

/// Lanes in which sums are kept, so that the loop can use vector units.
const LANES: usize = 16;

/// The squared length of new - old; `new` in little-endian bytes.
#[inline]
fn square_norm(old: &[f32], new: &[[u8; 4]]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let ((blocks, rest), (new_blocks, new_rest)) =
        (old.as_chunks::<LANES>(), new.as_chunks::<LANES>());
    let mut add = |old: &[f32], new: &[[u8; 4]]| {
        for ((sum, old), new) in sums.iter_mut().zip(old).zip(new) {
            let step = f32::from_le_bytes(*new) - old;
            *sum += step * step;
        }
    };
    for (old, new) in blocks.iter().zip(new_blocks) {
        add(old, new);
    }
    add(rest, new_rest);
    sums.iter().sum()
}
