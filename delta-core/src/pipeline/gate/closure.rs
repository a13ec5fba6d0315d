//! Closure: what piles up is compacted toward a stable state.

use super::Step;

/// The property *closure*: after so much change the log is due for compaction, which leaves the
/// last state of every entity and drops the way to it: chains of updates merge, what swings back
/// and forth comes to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosurePreference {
    /// Records since the last stable state.
    pub records_max: u64,
    /// Payload bytes since then.
    pub bytes_max: u64,
}

/// What was applied since the last stable state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    records: u64,
    bytes: u64,
}

impl Pending {
    #[inline]
    pub(super) fn add(&mut self, step: &Step) {
        self.records += 1;
        self.bytes += u64::from(step.payload_size);
    }
}

impl ClosurePreference {
    /// Compaction is never due.
    pub const NEVER: Self = Self {
        records_max: u64::MAX,
        bytes_max: u64::MAX,
    };

    #[inline]
    pub(super) fn is_due(&self, pending: &Pending) -> bool {
        pending.records >= self.records_max || pending.bytes >= self.bytes_max
    }
}
