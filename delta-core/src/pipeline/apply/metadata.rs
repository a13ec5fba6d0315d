//! The part of a record that changes metadata.

use crate::{digest::pair_term, payload::metadata::MetadataChanges, store::Replica};

/// What `changes` change in the digest of a slot that exists. O(its metadata and `changes`): both
/// ascend by their keys and are read once, side by side.
pub(super) fn metadata_change<R: Replica + ?Sized>(
    replica: &R,
    slot: u32,
    changes: MetadataChanges<'_>,
) -> u64 {
    let mut sum = changes.digest_sum(slot);
    if changes.is_empty() {
        return sum;
    }
    let mut pending = changes.into_iter().map(|(key, _)| key).peekable();
    replica.visit_metadata(slot, &mut |key, old| {
        while pending.next_if(|changed| *changed < key).is_some() {}
        if pending.next_if(|changed| *changed == key).is_some() {
            sum = sum.wrapping_sub(pair_term(slot, key, old));
        }
    });
    sum
}
