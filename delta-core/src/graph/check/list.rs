//! What an edit may do to one list.

use crate::graph::{EditError, Slots, digest::ListKey};

/// A list before its change.
pub(super) struct List<'g> {
    pub(super) layer: u8,
    pub(super) slot: u32,
    pub(super) current: &'g [u32],
    pub(super) key: ListKey,
}

impl List<'_> {
    /// The sum of the edges to `slots`, all of which are there.
    #[inline]
    pub(super) fn removed(&self, slots: Slots<'_>) -> Result<u64, EditError> {
        let mut sum = 0_u64;
        let mut least = 0;
        for to in slots {
            self.ascends(to, &mut least)?;
            if !self.current.contains(&to) {
                return Err(EditError::MissingEdge {
                    layer: self.layer,
                    from: self.slot,
                    to,
                });
            }
            sum = sum.wrapping_add(self.key.edge_term(to));
        }
        Ok(sum)
    }

    /// The sum of the edges at the places of `mask`, all of which are there.
    #[inline]
    pub(super) fn removed_places(&self, mut mask: u64) -> Result<u64, EditError> {
        let mut sum = 0_u64;
        while mask != 0 {
            let place = mask.trailing_zeros();
            let to = self.current.get(place as usize);
            let &to = to.ok_or(EditError::MissingPlace {
                layer: self.layer,
                slot: self.slot,
                place,
            })?;
            sum = sum.wrapping_add(self.key.edge_term(to));
            mask &= mask - 1;
        }
        Ok(sum)
    }

    #[inline]
    pub(super) fn is_new(&self, to: u32) -> Result<(), EditError> {
        // What is linked is mostly the newest node, which stands behind all others.
        let is_behind = self.current.last().is_none_or(|&last| last < to);
        if !is_behind && self.current.contains(&to) {
            return Err(EditError::DuplicateEdge {
                layer: self.layer,
                from: self.slot,
                to,
            });
        }
        Ok(())
    }

    /// Whether `to` is at least `least`, which then is the slot after it.
    #[inline]
    pub(super) fn ascends(&self, to: u32, least: &mut u32) -> Result<(), EditError> {
        if to < *least {
            return Err(EditError::Unsorted {
                layer: self.layer,
                slot: self.slot,
                neighbour: to,
            });
        }
        // No node has the last slot, so saturation hides no repetition of one.
        *least = to.saturating_add(1);
        Ok(())
    }
}
