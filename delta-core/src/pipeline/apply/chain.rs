//! Whether a record follows what a replica has of a slot.

use super::{Judge, Refusal};
use crate::{kernel::VectorUnit, payload::batch::BatchEntry, store::Replica};

/// The row of a slot that exists, lives, and was last changed by `prev_sequence`.
#[inline]
pub(super) fn check_chain<R: Replica + ?Sized>(
    replica: &R,
    slot: u32,
    prev_sequence: u64,
) -> Result<&[f32], Refusal> {
    let unknown = Refusal::UnknownSlot {
        slot,
        slot_count: replica.slot_count(),
    };
    let last_sequence = replica.last_sequence(slot).ok_or(unknown)?;
    if replica.is_deleted(slot) {
        return Err(Refusal::Deleted { slot });
    }
    if last_sequence != prev_sequence {
        return Err(Refusal::Conflict {
            slot,
            last_sequence,
            prev_sequence,
        });
    }
    replica.row(slot).ok_or(unknown)
}

/// What the entry of a batch changes in the sum of its row, if the batch may change it.
#[inline]
pub(super) fn check_entry<R: Replica + ?Sized>(
    replica: &R,
    batch_sequence: u64,
    entry: &BatchEntry<'_>,
    (unit, scratch): (VectorUnit, &mut [u8]),
    judge: &mut impl Judge,
) -> Result<u64, Refusal> {
    let slot = entry.slot;
    if replica.last_sequence(slot) == Some(batch_sequence) {
        return Err(Refusal::Repeated { slot });
    }
    let old = check_chain(replica, slot, entry.prev_sequence)
        .map_err(|error| error.of_values(&entry.values))?;
    let change = entry.values.decode_on(unit, old, scratch)?;
    Ok(judge.row(old, &change))
}
