//! What a gate looks at in a delta.

use crate::{codec::Values, kernel::diff, payload::Payload, record::Record, store::Replica};

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
    /// Measures a record against the replica that it is about to be applied to. O(change).
    ///
    /// What does not fit the replica (a slot that does not exist) is measured as no change: the
    /// replica refuses it.
    #[inline]
    pub fn of<R: Replica + ?Sized>(record: &Record<'_>, replica: &R) -> Self {
        let mut step = Self {
            payload_size: record.header().payload_size,
            ..Self::default()
        };
        match record.payload() {
            // An insert sets a row where none was: it is no step of an entity.
            Payload::Insert(vector) => {
                step.rows = 1;
                step.changed = vector.dim();
            }
            Payload::Update(vector) => {
                step.rows = 1;
                step.add(vector.values(), replica.row(vector.slot()));
            }
            Payload::Delete { .. } | Payload::Reindex(_) | Payload::Tensor(_) => step.rows = 1,
            Payload::Batch(batch) => {
                step.rows = batch.len();
                for entry in batch.entries() {
                    step.add(&entry.values, replica.row(entry.slot));
                }
            }
            Payload::Control(_) => {}
        }
        step
    }

    /// Measures the change of one row before it becomes a record. O(dim).
    pub fn between(old: &[f32], new: &[f32]) -> Self {
        let changed = diff::count_changed(old, new).unwrap_or(usize::MAX);
        let changed = u32::try_from(changed).unwrap_or(u32::MAX);
        Self {
            payload_size: changed.saturating_mul(5),
            changed,
            square_norm_max: square_norm(old, new.iter().copied()),
            rows: 1,
        }
    }

    #[inline]
    fn add(&mut self, values: &Values<'_>, old: Option<&[f32]>) {
        let old = old.unwrap_or_default();
        let (changed, square_norm) = match values {
            Values::Same => (0, 0.0),
            Values::Raw(raw) => {
                let bits = raw.as_bytes().as_chunks::<4>().0.iter();
                let new = bits.map(|bits| f32::from_le_bytes(*bits));
                (raw.as_bytes().len() / 4, square_norm(old, new))
            }
            Values::Sparse(sparse) => {
                let (mut changed, mut sum) = (0, 0.0);
                for (index, bits) in sparse.iter() {
                    changed += 1;
                    let before = old.get(index as usize).copied().unwrap_or(0.0);
                    let step = f32::from_bits(bits) - before;
                    sum += step * step;
                }
                (changed, sum)
            }
            _ => packed(values, old),
        };
        let changed = u32::try_from(changed).unwrap_or(u32::MAX);
        self.changed = self.changed.saturating_add(changed);
        // Unlike `max`, which passes NaN over.
        if square_norm.is_nan() || square_norm > self.square_norm_max {
            self.square_norm_max = square_norm;
        }
    }
}

/// Most components of which packed values are decoded here, on the stack.
const PACKED_MAX: usize = 4_096;

/// Components that packed values change, and the squared length of the step: infinite if they are
/// broken, or more than [`PACKED_MAX`].
fn packed(values: &Values<'_>, old: &[f32]) -> (usize, f32) {
    let changed = values.scratch_size() / 4;
    let mut scratch = [0; 4 * PACKED_MAX];
    let Ok(change) = values.decode(old, &mut scratch) else {
        return (changed, f32::INFINITY);
    };
    let mut sum = 0.0;
    change.for_each(|index, bits| {
        let before = old.get(index as usize).copied().unwrap_or(0.0);
        let step = f32::from_bits(bits) - before;
        sum += step * step;
    });
    (changed, sum)
}

/// Lanes in which sums are kept, so that the loop can use vector units.
const LANES: usize = 16;

/// The squared length of new - old.
#[inline]
fn square_norm(old: &[f32], new: impl Iterator<Item = f32>) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (lane, (old, new)) in (0..LANES).cycle().zip(old.iter().zip(new)) {
        let step = new - old;
        if let Some(sum) = sums.get_mut(lane) {
            *sum += step * step;
        }
    }
    sums.iter().sum()
}
