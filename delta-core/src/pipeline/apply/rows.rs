//! The row changes of a record for one of several workers, each of which owns some of the slots.

use super::{Refusal, check_chain, check_dim};
use crate::{codec::Values, digest::row_term, payload::Payload, record::Record, store::Replica};

/// The row changes of `record` in the slots that a worker owns, by which the digest changes, and
/// nothing else of it: neither its sequence nor its digest is checked, as both are the whole
/// batch's. O(change).
///
/// Before a row changes `keep(slot, last_sequence, row)` is called, so that it can be taken back.
/// Returns the change of the digest.
///
/// # Errors
/// The [`Refusal`] of a slot that is not as the record says: rows of this record's earlier entries
/// have changed then. [`Refusal::TensorRecord`] and [`Refusal::NoRowChange`] of a record that is
/// neither an update nor a batch of them, for whatever worker.
pub fn apply_rows<R: Replica + ?Sized>(
    record: &Record<'_>,
    replica: &mut R,
    owns: impl Fn(u32) -> bool,
    scratch: &mut [u8],
    mut keep: impl FnMut(u32, u64, &[f32]),
) -> Result<u64, Refusal> {
    let header = record.header();
    match record.payload() {
        Payload::Update(vector) => check_dim(replica, vector.dim())?,
        Payload::Batch(batch) => check_dim(replica, batch.dim())?,
        Payload::Tensor(_) => return Err(Refusal::TensorRecord),
        _ => return Err(Refusal::NoRowChange),
    }
    let mut change = |slot, prev_sequence, values: &Values<'_>| {
        let old = check_chain(replica, slot, prev_sequence).map_err(|e| e.of_values(values))?;
        let change = values.decode(old, scratch)?;
        keep(slot, prev_sequence, old);
        let term = row_term(slot, change.change_sum(old));
        change.apply(replica.row_mut(slot));
        replica.set_last_sequence(slot, header.sequence);
        Ok(term)
    };
    match record.payload() {
        Payload::Update(vector) if owns(vector.slot()) => {
            change(vector.slot(), header.prev_sequence, vector.values())
        }
        Payload::Batch(batch) => {
            let mut sum = 0_u64;
            for entry in batch.entries().filter(|entry| owns(entry.slot)) {
                sum = sum.wrapping_add(change(entry.slot, entry.prev_sequence, &entry.values)?);
            }
            Ok(sum)
        }
        // The slot is another worker's.
        _ => Ok(0),
    }
}
