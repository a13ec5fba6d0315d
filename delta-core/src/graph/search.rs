//! Nearest neighbours in a graph: the HNSW search, the same in every place.
//!
//! Distances are pinned ([`kernel::distance`](crate::kernel::distance)) and equal ones are ordered
//! by slot, so what is found depends on the graph's bytes, the rows' bits and `ef` alone.

mod pool;

use core::fmt;

use super::Adjacency;
use crate::kernel::distance::{Query, order_key};
use crate::simd::{Job, Vector, prefetch};
use pool::Pool;

/// The longest list: its length is a u8.
const DEGREE_MAX: usize = u8::MAX as usize;

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
    /// `visited` needs a word for every node, `pool` twice as many candidates as the greatest `ef`:
    /// tombstones that a search meets wait in places of their own. A larger scratch changes
    /// no answer. O(nodes).
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
        let candidates = ef.saturating_mul(2);
        if scratch.pool.len() < candidates || scratch.visited.len() < nodes {
            return Err(SearchError::Scratch { candidates, nodes });
        }
        let Some(entry) = self.entry() else {
            return Ok(0);
        };
        Ok(query.unit().run(Search {
            graph: self,
            rows,
            query,
            entry,
            ef,
            scratch,
            out,
        }))
    }
}

/// A search whose scratch is large enough.
struct Search<'s, 'm, R: ?Sized> {
    graph: &'s Adjacency<'s>,
    rows: &'s R,
    query: &'s Query<'s>,
    entry: u32,
    ef: usize,
    scratch: &'s mut SearchScratch<'m>,
    out: &'s mut [Neighbour],
}

impl<R: Rows + ?Sized> Job for Search<'_, '_, R> {
    /// Neighbours written.
    type Output = usize;

    #[inline(always)]
    fn on<V: Vector>(self, unit: V) -> usize {
        let Self { graph, scratch, .. } = self;
        let ranks = Ranks {
            rows: self.rows,
            query: self.query,
            unit,
        };
        let (slot, best) = descend(graph, self.entry, &ranks);
        let epoch = scratch.next_epoch();
        let mut pool = Pool {
            candidates: scratch.pool.get_mut(..2 * self.ef).unwrap_or_default(),
            len: 0,
            live: 0,
            ef: self.ef,
        };
        visit(scratch.visited, slot, epoch);
        pool.offer(best, !graph.is_tombstone(slot));
        let mut next = 0;
        let mut met = [0; DEGREE_MAX];
        while let Some(slot) = pool.expand(&mut next) {
            let list = graph.neighbours(0, slot).unwrap_or(&[]);
            let met = first_met(list, scratch.visited, epoch, &mut met);
            ranks.of_all(met, |neighbour, rank| {
                let place = pool.offer(rank, !graph.is_tombstone(neighbour));
                next = next.min(place);
            });
        }
        let found = pool.candidates.iter().take(pool.len);
        let live = found.filter(|candidate| candidate.is_live);
        let written = self.out.iter_mut().zip(live).map(|(out, candidate)| {
            *out = candidate.neighbour();
        });
        written.count()
    }
}

/// Goes from the entry to the nearest node on each layer above 0, and returns the last one with its
/// rank.
#[inline(always)]
fn descend<R: Rows + ?Sized, V: Vector>(
    graph: &Adjacency<'_>,
    entry: u32,
    ranks: &Ranks<'_, R, V>,
) -> (u32, u64) {
    let (mut slot, mut best) = (entry, ranks.of(entry));
    for layer in (1..=graph.level_max()).rev() {
        loop {
            let from = slot;
            let list = graph.neighbours(layer, from).unwrap_or(&[]);
            ranks.of_all(list, |neighbour, rank| {
                if rank < best {
                    (slot, best) = (neighbour, rank);
                }
            });
            if slot == from {
                break;
            }
        }
    }
    (slot, best)
}

/// The order of nodes: by distance from the query, then by slot.
struct Ranks<'s, R: ?Sized, V> {
    rows: &'s R,
    query: &'s Query<'s>,
    unit: V,
}

impl<R: Rows + ?Sized, V: Vector> Ranks<'_, R, V> {
    #[inline(always)]
    fn of(&self, slot: u32) -> u64 {
        // No closure: it would not be compiled for the unit.
        let distance = match self.rows.row(slot) {
            Some(row) => self.query.distance_on(self.unit, row),
            None => f32::NAN,
        };
        u64::from(order_key(distance)) << 32 | u64::from(slot)
    }

    /// Calls `found(slot, rank)` for all of `slots`, whose rows are on their way before their turn
    /// comes.
    #[inline(always)]
    fn of_all(&self, slots: &[u32], mut found: impl FnMut(u32, u64)) {
        const AHEAD: usize = 4;
        let fetch = |&slot: &u32| {
            if let Some(row) = self.rows.row(slot) {
                prefetch(row);
            }
        };
        slots.iter().take(AHEAD).for_each(fetch);
        let mut later = slots.iter().skip(AHEAD);
        for &slot in slots {
            later.next().into_iter().for_each(fetch);
            found(slot, self.of(slot));
        }
    }
}

/// The slots of `list` that the search meets for the first time, in `met`.
#[inline(always)]
fn first_met<'m>(
    list: &[u32],
    visited: &mut [u16],
    epoch: u16,
    met: &'m mut [u32; DEGREE_MAX],
) -> &'m [u32] {
    let mut count = 0;
    for &slot in list {
        if let Some(place) = met.get_mut(count) {
            *place = slot;
        }
        count += usize::from(visit(visited, slot, epoch));
    }
    met.get(..count).unwrap_or_default()
}

/// Whether the search meets `slot` for the first time.
#[inline]
fn visit(visited: &mut [u16], slot: u32, epoch: u16) -> bool {
    let word = visited.get_mut(slot as usize);
    word.is_some_and(|word| core::mem::replace(word, epoch) != epoch)
}
