//! A say of somebody else's in whether rows change, between the last check and the first change.

use super::Refusal;
use crate::codec::RowChange;

/// Looks at what an update or batch is about to change. It is asked where the values are decoded
/// anyway.
pub(in crate::pipeline) trait Judge {
    /// A row that will change, and by how much its sum in the digest will
    /// ([`RowChange::change_sum`]): who looks at every component finds both in one pass.
    fn row(&mut self, old: &[f32], change: &RowChange<'_>) -> u64;
    /// Whether they all may.
    fn allows(&mut self) -> bool;
}

/// Everything may.
pub(in crate::pipeline) struct Unjudged;

impl Judge for Unjudged {
    #[inline]
    fn row(&mut self, old: &[f32], change: &RowChange<'_>) -> u64 {
        change.change_sum(old)
    }

    #[inline]
    fn allows(&mut self) -> bool {
        true
    }
}

#[inline]
pub(super) fn allowed(judge: &mut impl Judge) -> Result<(), Refusal> {
    if judge.allows() {
        Ok(())
    } else {
        Err(Refusal::Gated)
    }
}
