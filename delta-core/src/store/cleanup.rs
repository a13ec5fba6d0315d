//! Cleaning up behind deletions, a bounded piece at a time.

use super::{Replica, SliceStore};

/// What one step of a [`Cleanup`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Slots that were erased.
    pub erased: u32,
    /// All slots have been looked at: the next step begins with the first again.
    pub done: bool,
}

/// Erases deleted slots while there is nothing else to do.
///
/// A deletion only sets a mark; row, id and metadata are given up here, in steps of which each
/// looks at a given number of slots. The state digest does not change, so a replica cleans up when
/// it likes, without its primary.
///
/// ```
/// use delta_core::store::{Cleaned, Cleanup, Replica, SliceMemory, SliceStore, Slot, state_digest};
///
/// let (mut rows, mut slots) = ([1.0; 6], [Slot::default(); 3]);
/// let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut [] };
/// let mut store = SliceStore::with_base(2, 3, memory);
/// store.mark_deleted(1);
/// let digest = state_digest(&store);
///
/// let mut cleanup = Cleanup::default();
/// assert_eq!(cleanup.step(&mut store, u64::MAX, 2), Cleaned { erased: 1, done: false });
/// assert_eq!(cleanup.step(&mut store, u64::MAX, 2), Cleaned { erased: 0, done: true });
/// assert_eq!(store.row(1), Some(&[0.0, 0.0][..]));
/// assert_eq!(state_digest(&store), digest);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// The slot that the next step begins with.
    next: u32,
}

impl Cleanup {
    /// Looks at the next `slots_max` slots and erases those that were deleted by records up to
    /// `sequence`: what comes later may still be taken back. O(slots_max, and the row and metadata
    /// of each that is erased).
    pub fn step(&mut self, store: &mut SliceStore<'_>, sequence: u64, slots_max: u32) -> Cleaned {
        let end = self.next.saturating_add(slots_max).min(store.slot_count());
        let mut erased = 0;
        for slot in self.next..end {
            let is_old = store
                .last_sequence(slot)
                .is_some_and(|last| last <= sequence);
            erased += u32::from(is_old && store.erase(slot));
        }
        let done = end == store.slot_count();
        self.next = if done { 0 } else { end };
        Cleaned { erased, done }
    }
}
