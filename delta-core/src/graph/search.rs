//! Nearest neighbours in a graph: the HNSW search, the same in every place.
//!
//! Distances are pinned ([`kernel::distance`](crate::kernel::distance)) and equal ones are ordered
//! by slot, so what is found depends on the graph's bytes, the rows' bits and `ef` alone.

use core::fmt;

use super::Adjacency;
use crate::kernel::distance::{Query, order_key};

/// Where a search reads rows.
pub trait Rows {
    /// The row of `slot`. A node without one, or with one of another dim, counts as the furthest.
    fn row(&self, slot: u32) -> Option<&[f32]>;
}

/// Rows of one dim, one behind another.
#[derive(Clone, Copy, Debug)]
pub struct SliceRows<'a> {
    /// Components of a row.
    pub dim: usize,
    /// The components of slot 0, slot 1, ...
    pub values: &'a [f32],
}

impl Rows for SliceRows<'_> {
    #[inline]
    fn row(&self, slot: u32) -> Option<&[f32]> {
        let start = (slot as usize).checked_mul(self.dim)?;
        self.values.get(start..)?.get(..self.dim)
    }
}

/// A node that a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neighbour {
    /// The node.
    pub slot: u32,
    /// Its distance from the query.
    pub distance: f32,
}

/// A node that a search has met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candidate {
    /// Key of the distance, then the slot.
    rank: u64,
    is_live: bool,
    is_expanded: bool,
}

impl Candidate {
    fn neighbour(self) -> Neighbour {
        const SIGN: u32 = 1 << 31;
        let [s0, s1, s2, s3, k0, k1, k2, k3] = self.rank.to_le_bytes();
        let key = u32::from_le_bytes([k0, k1, k2, k3]);
        // The inverse of `order_key`.
        let bits = if key & SIGN == 0 { !key } else { key ^ SIGN };
        Neighbour {
            slot: u32::from_le_bytes([s0, s1, s2, s3]),
            distance: f32::from_bits(bits),
        }
    }
}

/// The memory of searches, one at a time.
#[derive(Debug)]
pub struct SearchScratch<'s> {
    /// Candidates in ascending order of their rank.
    pool: &'s mut [Candidate],
    /// The epoch of the search that last met each node.
    visited: &'s mut [u16],
    /// Of the latest search; 0: none yet.
    epoch: u16,
}

impl<'s> SearchScratch<'s> {
    /// `visited` needs a word for every node, `pool` at least `ef` candidates. Tombstones that a
    /// search meets take candidates of their own: give twice `ef` where a graph has many. O(nodes).
    pub fn new(pool: &'s mut [Candidate], visited: &'s mut [u16]) -> Self {
        visited.fill(0);
        Self {
            pool,
            visited,
            epoch: 0,
        }
    }

    /// A number that no word of `visited` has.
    fn next_epoch(&mut self) -> u16 {
        if self.epoch == u16::MAX {
            self.visited.fill(0);
            self.epoch = 0;
        }
        self.epoch += 1;
        self.epoch
    }
}

/// Why a search was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchError {
    /// The scratch is too small for the graph or the search.
    Scratch {
        /// Candidates needed.
        candidates: usize,
        /// Words of visited nodes needed.
        nodes: usize,
    },
}

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Scratch { candidates, nodes } => write!(
                f,
                "the search needs a scratch of {candidates} candidates and {nodes} nodes: give it \
                 more memory"
            ),
        }
    }
}

impl core::error::Error for SearchError {}

impl Adjacency<'_> {
    /// Writes the nearest nodes that the graph leads to, nearest first, and returns how many: at
    /// most `out.len()`. `ef` (at least `out.len()`) nodes that are no tombstones are kept while
    /// searching: more find better ones and take longer. Tombstones are passed through and never
    /// returned; equal distances are in the order of slots.
    ///
    /// Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
    /// hierarchical navigable small world graphs", 2016, algorithms 2 and 5, with one sorted array
    /// for candidates and results.
    ///
    /// # Errors
    /// [`SearchError::Scratch`].
    pub fn search(
        &self,
        rows: &(impl Rows + ?Sized),
        query: &Query<'_>,
        ef: usize,
        scratch: &mut SearchScratch<'_>,
        out: &mut [Neighbour],
    ) -> Result<usize, SearchError> {
        let ef = ef.max(out.len()).max(1);
        let nodes = self.node_count() as usize;
        if scratch.pool.len() < ef || scratch.visited.len() < nodes {
            let candidates = ef;
            return Err(SearchError::Scratch { candidates, nodes });
        }
        let Some(entry) = self.entry() else {
            return Ok(0);
        };
        let rank = |slot: u32| {
            let distance = rows
                .row(slot)
                .map_or(f32::NAN, |row| query.distance_to(row));
            u64::from(order_key(distance)) << 32 | u64::from(slot)
        };
        let (slot, best) = self.descend(entry, &rank);
        let epoch = scratch.next_epoch();
        let mut pool = Pool {
            candidates: scratch.pool,
            len: 0,
            live: 0,
            ef,
        };
        visit(scratch.visited, slot, epoch);
        pool.offer(best, !self.is_tombstone(slot));
        let mut next = 0;
        while let Some(slot) = pool.expand(&mut next) {
            for &neighbour in self.neighbours(0, slot).unwrap_or(&[]) {
                if visit(scratch.visited, neighbour, epoch) {
                    let place = pool.offer(rank(neighbour), !self.is_tombstone(neighbour));
                    next = next.min(place);
                }
            }
        }
        let found = pool.candidates.iter().take(pool.len);
        let live = found.filter(|candidate| candidate.is_live);
        let written = out.iter_mut().zip(live).map(|(out, candidate)| {
            *out = candidate.neighbour();
        });
        Ok(written.count())
    }

    /// Goes from the entry to the nearest node on each layer above 0, and returns the last one with
    /// its rank.
    fn descend(&self, entry: u32, rank: &impl Fn(u32) -> u64) -> (u32, u64) {
        let (mut slot, mut best) = (entry, rank(entry));
        for layer in (1..=self.level_max()).rev() {
            loop {
                let from = slot;
                for &neighbour in self.neighbours(layer, from).unwrap_or(&[]) {
                    let rank = rank(neighbour);
                    if rank < best {
                        (slot, best) = (neighbour, rank);
                    }
                }
                if slot == from {
                    break;
                }
            }
        }
        (slot, best)
    }
}

/// Whether the search meets `slot` for the first time.
#[inline]
fn visit(visited: &mut [u16], slot: u32, epoch: u16) -> bool {
    let word = visited.get_mut(slot as usize);
    word.is_some_and(|word| core::mem::replace(word, epoch) != epoch)
}

/// The candidates worth keeping: nothing behind the `ef`-th that is live.
struct Pool<'p> {
    candidates: &'p mut [Candidate],
    len: usize,
    /// Live ones among them.
    live: usize,
    ef: usize,
}

impl Pool<'_> {
    /// Takes a candidate at its place, which it returns; `usize::MAX` if it is too far.
    #[inline]
    fn offer(&mut self, rank: u64, is_live: bool) -> usize {
        let is_full = self.live == self.ef || self.len == self.candidates.len();
        if is_full && self.last().is_some_and(|last| last.rank < rank) {
            return usize::MAX;
        }
        if self.len == self.candidates.len() {
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
        while self.live > self.ef
            || self.live == self.ef && self.last().is_some_and(|last| !last.is_live)
        {
            self.pop();
        }
        place
    }

    /// Marks the nearest candidate from `next` on that is not expanded, and returns its slot.
    #[inline]
    fn expand(&mut self, next: &mut usize) -> Option<u32> {
        loop {
            let candidate = self.candidates.get_mut(..self.len)?.get_mut(*next)?;
            *next += 1;
            if !candidate.is_expanded {
                candidate.is_expanded = true;
                return Some(candidate.neighbour().slot);
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
}
