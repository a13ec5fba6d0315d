//! The rows, the indexes over them, and what became of their inserts.

use std::time::{Duration, Instant};

use delta_core::graph::{
    Adjacency, Edit, ListChange, Slots,
    capture::GraphCapture,
    encode::{Change, encode_edits},
    search::SliceRows,
};
use delta_core::kernel::distance::{Metric, distance, order_key};
use delta_native::index::{GraphMemory, IndexParameters, VectorIndex};
use delta_native::stream::Stream;

/// Nodes of the graph.
pub const NODES: u32 = 20_000;
/// Rows to search for.
pub const QUERIES: u32 = 1_000;
/// Components of a row.
pub const DIM: u32 = 128;
/// Candidates that an index keeps while it inserts.
pub const EF: u32 = 100;
/// Rows that a search returns.
pub const COUNT: usize = 10;
/// The share of the nearest rows that every side must find.
pub const RECALL: f64 = 0.98;

/// What the indexes are built with.
pub const PARAMETERS: IndexParameters = IndexParameters {
    dim: DIM,
    nodes_max: NODES,
    links: 16,
    ef: EF,
    metric: Metric::SquaredL2,
};

/// An empty graph whose memory is never freed.
#[must_use]
pub fn graph() -> Adjacency<'static> {
    let memory = GraphMemory::new(PARAMETERS.shape());
    let memory = memory.unwrap_or_else(|error| unreachable!("{error}"));
    Box::leak(Box::new(memory)).empty_graph()
}

/// Rows to index and rows to search for, around the same centres.
pub struct Rows {
    /// One behind another.
    pub indexed: Vec<f32>,
    queries: Vec<f32>,
    /// Of each query, the keys of the distances that the nearest rows have, ascending.
    exact: Vec<Vec<u32>>,
}

impl Rows {
    /// Clustered rows.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes seconds")]
    pub fn new() -> Self {
        let stream = Stream::clustered(NODES + QUERIES, DIM);
        let stream = stream.unwrap_or_else(|error| unreachable!("{error}"));
        let mut indexed: Vec<f32> = stream.iter().flat_map(|event| event.row).copied().collect();
        let queries = indexed.split_off(NODES as usize * DIM as usize);
        let rows = Self {
            indexed,
            queries,
            exact: Vec::new(),
        };
        let exact = rows.queries().map(|query| {
            let keys = rows.indexed().map(|row| key(query, row));
            let mut keys: Vec<u32> = keys.collect();
            keys.sort_unstable();
            keys.truncate(COUNT);
            keys
        });
        let exact = exact.collect();
        Self { exact, ..rows }
    }

    /// The rows to index, by slot.
    pub fn indexed(&self) -> impl Iterator<Item = &[f32]> {
        self.indexed.chunks_exact(DIM as usize)
    }

    /// The rows to search for.
    pub fn queries(&self) -> impl Iterator<Item = &[f32]> + Clone {
        self.queries.chunks_exact(DIM as usize)
    }

    /// The rows to index, as a search takes them.
    #[must_use]
    pub fn slices(&self) -> SliceRows<'_> {
        SliceRows {
            dim: DIM as usize,
            values: &self.indexed,
        }
    }

    /// The share of the nearest rows that `search` finds.
    fn recall(&self, mut search: impl FnMut(&[f32], &mut Vec<u32>)) -> f64 {
        let (mut hits, mut found) = (0_u32, Vec::new());
        for (query, exact) in self.queries().zip(&self.exact) {
            found.clear();
            search(query, &mut found);
            let furthest = exact.last().copied().unwrap_or(0);
            let rows = found
                .iter()
                .filter_map(|&slot| self.indexed().nth(slot as usize));
            hits += rows
                .map(|row| u32::from(key(query, row) <= furthest))
                .sum::<u32>();
        }
        f64::from(hits) / f64::from(QUERIES * 10)
    }

    /// The fewest candidates with which `search` reaches [`RECALL`].
    pub fn candidates(
        &self,
        name: &str,
        mut search: impl FnMut(u32, &[f32], &mut Vec<u32>),
    ) -> u32 {
        let all = [
            10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 100, 128, 160, 200, 256, 400,
        ];
        let found = all.into_iter().find_map(|ef| {
            let recall = self.recall(|query, found| search(ef, query, found));
            (recall >= RECALL).then_some((ef, recall))
        });
        let (ef, recall) = found.unwrap_or((400, 0.0));
        println!("{name}: recall@{COUNT} {recall:.4} with {ef} candidates");
        ef
    }
}

/// The order of a row by its distance.
#[must_use]
pub fn key(query: &[f32], row: &[f32]) -> u32 {
    order_key(distance(PARAMETERS.metric, query, row))
}

/// An index, and the changes that its inserts were.
pub struct Built<I> {
    /// The index.
    pub index: I,
    /// What each insert changed, encoded, and the digest after it.
    pub changes: Vec<(Vec<u8>, u64)>,
    /// How long the inserts took, without their capture.
    pub build: Duration,
}

/// Inserts all rows into an index and captures the changes.
///
/// # Panics
///
/// If the index refuses a row or the capture misses a change.
pub fn built<I: VectorIndex>(rows: &Rows) -> Built<I> {
    let index = I::new(&PARAMETERS);
    let mut index = index.unwrap_or_else(|error| unreachable!("{error}"));
    let mut capture = GraphCapture::new(graph());
    let mut out = [0; 4096];
    let (mut changes, mut build) = (Vec::new(), Duration::ZERO);
    for (slot, row) in (0..).zip(rows.indexed()) {
        let start = Instant::now();
        let inserted = index.insert(slot, row);
        build += start.elapsed();
        assert!(inserted.is_ok(), "{inserted:?}");
        let pending = capture.insert(&index, slot, &mut out);
        let pending = pending.unwrap_or_else(|error| unreachable!("{error}"));
        changes.push((pending.bytes().to_vec(), pending.digest()));
        pending.commit();
    }
    assert_eq!(capture.first_difference(&index), Ok(None));
    Built {
        index,
        changes,
        build,
    }
}

/// A graph with all changes.
///
/// # Panics
///
/// If one is refused.
#[must_use]
pub fn replica<I>(built: &Built<I>) -> Adjacency<'static> {
    let mut replica = graph();
    assert!(
        built
            .changes
            .iter()
            .all(|change| apply(&mut replica, change))
    );
    replica
}

/// Checks, decodes, predicts, compares the digest, and makes the change; false if it is refused.
pub fn apply(graph: &mut Adjacency<'_>, (bytes, digest): &(Vec<u8>, u64)) -> bool {
    let Ok(change) = Change::parse(bytes) else {
        return false;
    };
    graph.prefetch(change);
    let prepared = graph
        .prepare(change)
        .and_then(|prepared| prepared.expect_digest(*digest));
    prepared.map(|prepared| prepared.commit()).is_ok()
}

/// Bytes of a change's edits in the general form, its removals told by slot.
#[must_use]
pub fn general_size(graph: &Adjacency<'_>, bytes: &[u8]) -> usize {
    let change = Change::parse(bytes).unwrap_or_else(|error| unreachable!("{error}"));
    let lists: Vec<(Edit<'_>, Vec<u32>, Vec<u32>)> = change
        .edits()
        .map(|edit| match edit {
            Edit::List {
                layer,
                slot,
                change: ListChange::Link { removed, added },
            } => {
                let current = graph.neighbours(layer, slot).unwrap_or(&[]);
                let gone = (0..)
                    .zip(current)
                    .filter(|(place, _)| removed >> place & 1 == 1);
                let gone = gone.map(|(_, &slot)| slot).collect();
                (edit, gone, added.into_iter().collect())
            }
            _ => (edit, Vec::new(), Vec::new()),
        })
        .collect();
    let edits = lists.iter().map(|(edit, removed, added)| match *edit {
        Edit::List {
            layer,
            slot,
            change: ListChange::Link { .. },
        } => {
            let (removed, added) = (Slots::from(&removed[..]), Slots::from(&added[..]));
            let change = ListChange::Patch { removed, added };
            Edit::List {
                layer,
                slot,
                change,
            }
        }
        edit => edit,
    });
    encode_edits(edits, &mut [0; 4096]).unwrap_or(usize::MAX)
}
