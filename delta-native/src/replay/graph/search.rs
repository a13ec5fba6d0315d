//! Searches of a finished replay: the same on both sides, and how good.

use std::time::Instant;

use delta_core::graph::Adjacency;
use delta_core::graph::search::{Candidate, Neighbour, SearchScratch, SliceRows};
use delta_core::kernel::distance::{Metric, Query, order_key};

use super::super::ReplayError;
use crate::cpu::vector_unit;
use crate::index::{Found, IndexError, VectorIndex};
use crate::stream::Stream;

/// Searches made, unless the stream has fewer events with rows.
const QUERIES: usize = 1_000;
/// Neighbours asked for.
pub(super) const COUNT: usize = 10;

/// A graph over rows, searched by Delta's search.
pub(super) struct Side<'s> {
    pub(super) graph: &'s Adjacency<'s>,
    pub(super) rows: SliceRows<'s>,
}

/// What the searches of one side found.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) found: Vec<Vec<Neighbour>>,
    /// Mean nanoseconds a search.
    pub(super) search_ns: f64,
}

impl Answers {
    /// The same nodes at the same distances, in every bit.
    pub(super) fn equal(&self, other: &Self) -> bool {
        let bits = |answers: &Self| -> Vec<Vec<(u32, u32)>> {
            let searches = answers.found.iter();
            searches
                .map(|found| {
                    found
                        .iter()
                        .map(|near| (near.slot, near.distance.to_bits()))
                        .collect()
                })
                .collect()
        };
        bits(self) == bits(other)
    }
}

/// Rows near those of the stream: every one is a twentieth of the way from a row of some event to
/// that of the next query.
pub(super) fn queries(stream: &Stream) -> Vec<Vec<f32>> {
    let rows: Vec<&[f32]> = stream
        .iter()
        .map(|event| event.row)
        .filter(|row| !row.is_empty())
        .collect();
    let count = rows.len().min(QUERIES);
    let row = |query: usize| {
        rows.get(query % count * rows.len() / count)
            .copied()
            .unwrap_or(&[])
    };
    let between = |(a, b): (&f32, &f32)| 0.95 * a + 0.05 * b;
    (0..count)
        .map(|query| row(query).iter().zip(row(query + 1)).map(between).collect())
        .collect()
}

/// Delta's search for every query.
pub(super) fn by_graph(
    side: &Side<'_>,
    metric: Metric,
    queries: &[Vec<f32>],
    ef: usize,
) -> Result<Answers, ReplayError> {
    let unit = vector_unit();
    let mut pool = vec![Candidate::default(); 2 * ef.max(COUNT)];
    let mut visited = vec![0; side.graph.node_count() as usize];
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    answers(queries, |query, found| {
        found.resize(COUNT, Neighbour::default());
        let query = Query::new(metric, query).on(unit);
        let count = side
            .graph
            .search(&side.rows, &query, ef, &mut scratch, found);
        found.truncate(count.map_err(ReplayError::Search)?);
        Ok(())
    })
}

/// The index's own search for every query.
pub(super) fn by_index<I: VectorIndex>(
    index: &I,
    graph: &Adjacency<'_>,
    queries: &[Vec<f32>],
) -> Result<Answers, ReplayError> {
    let is_live = |slot| !graph.is_tombstone(slot);
    let some_deleted = graph.tombstone_count() > 0;
    let is_live = some_deleted.then_some(&is_live as &dyn Fn(u32) -> bool);
    let mut hits: Vec<Found> = Vec::new();
    answers(queries, |query, found| {
        index.search(query, COUNT, is_live, &mut hits)?;
        found.extend(hits.iter().map(|hit| Neighbour {
            slot: hit.slot,
            distance: hit.distance,
        }));
        Ok::<(), IndexError>(())
    })
    .map_err(ReplayError::SearchIndex)
}

fn answers<E>(
    queries: &[Vec<f32>],
    mut search: impl FnMut(&[f32], &mut Vec<Neighbour>) -> Result<(), E>,
) -> Result<Answers, E> {
    let mut all = Vec::with_capacity(queries.len());
    let start = Instant::now();
    for query in queries {
        let mut found = Vec::with_capacity(COUNT);
        search(query, &mut found)?;
        all.push(found);
    }
    let elapsed_ns = start.elapsed().as_secs_f64() * 1e9;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    Ok(Answers {
        search_ns: elapsed_ns / queries.len().max(1) as f64,
        found: all,
    })
}

/// The distance that the [`COUNT`] nearest rows that are no tombstones keep, of every query.
pub(super) fn exact(side: &Side<'_>, metric: Metric, queries: &[Vec<f32>]) -> Vec<Vec<u32>> {
    let unit = vector_unit();
    queries
        .iter()
        .map(|query| {
            let query = Query::new(metric, query).on(unit);
            let live = (0..side.graph.node_count()).filter(|&slot| !side.graph.is_tombstone(slot));
            let mut keys: Vec<u32> = live.map(|slot| key(side, &query, slot)).collect();
            let count = keys.len().min(COUNT);
            if count < keys.len() {
                keys.select_nth_unstable(count);
            }
            keys.truncate(count);
            keys.sort_unstable();
            keys
        })
        .collect()
}

/// The share of the nearest that was found: of what was found, how many are as near as the furthest
/// of the exact answer.
pub(super) fn recall(
    side: &Side<'_>,
    metric: Metric,
    queries: &[Vec<f32>],
    exact: &[Vec<u32>],
    answers: &Answers,
) -> f64 {
    let unit = vector_unit();
    let (mut hits, mut wanted) = (0_usize, 0_usize);
    for ((query, exact), found) in queries.iter().zip(exact).zip(&answers.found) {
        let query = Query::new(metric, query).on(unit);
        let furthest = exact.last().copied().unwrap_or(0);
        let near = found
            .iter()
            .filter(|near| key(side, &query, near.slot) <= furthest);
        hits += near.count().min(exact.len());
        wanted += exact.len();
    }
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let recall = hits as f64 / wanted.max(1) as f64;
    recall
}

fn key(side: &Side<'_>, query: &Query<'_>, slot: u32) -> u32 {
    use delta_core::graph::search::Rows as _;
    side.rows
        .row(slot)
        .map_or(u32::MAX, |row| order_key(query.distance_to(row)))
}
