//! The nodes that a search has met and still counts on, in one sorted array.

use super::Candidate;

/// The candidates worth keeping: the `ef` nearest that are live and, of the tombstones before the
/// last of those, the `ef` nearest that were not expanded yet. So tombstones take no live node's
/// place, and the memory is bounded.
pub(super) struct Pool<'p> {
    /// `2 * ef`.
    pub(super) candidates: &'p mut [Candidate],
    pub(super) len: usize,
    /// Live ones among them, at most `ef`; the others are tombstones, as many at most.
    pub(super) live: usize,
    pub(super) ef: usize,
}

impl Pool<'_> {
    /// Takes a candidate at its place, which it returns; `usize::MAX` if it is too far.
    #[inline]
    pub(super) fn offer(&mut self, rank: u64, is_live: bool) -> usize {
        let is_full = self.live == self.ef;
        if is_full && self.last().is_some_and(|last| last.rank < rank) {
            return usize::MAX;
        }
        if !is_live && self.len - self.live == self.ef && !self.drop_tombstone_behind(rank) {
            return usize::MAX;
        }
        if is_live && is_full {
            self.pop();
        }
        let used = self.candidates.get_mut(..=self.len).unwrap_or_default();
        let (_, before) = used.split_last().unwrap_or((&Candidate::default(), &[]));
        let place = before.partition_point(|candidate| candidate.rank < rank);
        used.copy_within(place..self.len, place + 1);
        if let Some(candidate) = used.get_mut(place) {
            *candidate = Candidate {
                rank,
                is_live,
                is_expanded: false,
            };
        }
        self.len += 1;
        self.live += usize::from(is_live);
        while self.live == self.ef && self.last().is_some_and(|last| !last.is_live) {
            self.pop();
        }
        place
    }

    /// Drops the furthest tombstone if it is further than `rank`; whether it was.
    #[cold]
    fn drop_tombstone_behind(&mut self, rank: u64) -> bool {
        let used = self.candidates.get(..self.len).unwrap_or_default();
        let furthest = used.iter().rposition(|candidate| !candidate.is_live);
        let place = furthest.filter(|&place| used.get(place).is_some_and(|at| rank < at.rank));
        place.inspect(|&place| self.remove(place)).is_some()
    }

    /// The slot of the nearest candidate from `next` on that is not expanded, which it now is: a
    /// tombstone leaves the pool.
    #[inline]
    pub(super) fn expand(&mut self, next: &mut usize) -> Option<u32> {
        loop {
            let candidate = self.candidates.get_mut(..self.len)?.get_mut(*next)?;
            let slot = candidate.neighbour().slot;
            if !candidate.is_live {
                self.remove(*next);
                return Some(slot);
            }
            *next += 1;
            if !candidate.is_expanded {
                candidate.is_expanded = true;
                return Some(slot);
            }
        }
    }

    #[inline]
    fn last(&self) -> Option<&Candidate> {
        self.candidates.get(self.len.checked_sub(1)?)
    }

    fn pop(&mut self) {
        self.live -= usize::from(self.last().is_some_and(|last| last.is_live));
        self.len -= 1;
    }

    /// Takes out the tombstone at `place`.
    #[cold]
    fn remove(&mut self, place: usize) {
        let used = self.candidates.get_mut(..self.len).unwrap_or_default();
        used.copy_within(place + 1.., place);
        self.len -= 1;
    }
}
