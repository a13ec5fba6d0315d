//! Graphs of 20,000 clustered rows: what an insert's edges, one edge and a search cost, beside the
//! plain index that they were captured from.
//!
//! What encoded inserts take, and how much faster a replica is than building the index again, is
//! printed first.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delta_benches::quick_criterion;
use delta_core::graph::{
    Adjacency, Edit, GraphBuffers, ListChange, Shape, Slots,
    capture::{GraphCapture, IndexView},
    encode::{Change, encode_edits},
    search::{Candidate, Neighbour, SearchScratch, SliceRows},
};
use delta_core::kernel::distance::{Metric, Query, distance};
use hnsw::{Hnsw, Random, clustered};

#[path = "../../delta-core/src/graph/tests/hnsw.rs"]
#[allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "written for tests, which use all of it and may panic"
)]
mod hnsw;

const NODES: u32 = 20_000;
const DIM: usize = 128;
const CLUSTERS: usize = 200;
const LINKS: u8 = 16;
const EF: usize = 100;
const QUERIES: usize = 1_000;

const SHAPE: Shape = Shape {
    nodes_max: NODES,
    degree0_max: 2 * LINKS,
    degree_max: LINKS,
    upper_blocks_max: NODES / 8,
};

struct View<'a>(&'a Hnsw);

impl IndexView for View<'_> {
    fn level(&self, slot: u32) -> Option<u8> {
        let layers = self.0.lists.get(slot as usize)?;
        u8::try_from(layers.len() - 1).ok()
    }

    fn visit_neighbours(&self, layer: u8, slot: u32, visit: &mut dyn FnMut(u32)) {
        let list = self.0.lists.get(slot as usize);
        let list = list.and_then(|layers| layers.get(usize::from(layer)));
        list.into_iter().flatten().for_each(|&to| visit(to));
    }

    fn entry(&self) -> Option<u32> {
        self.0.entry
    }
}

/// An empty graph whose memory is never freed.
fn graph() -> Adjacency<'static> {
    fn leaked<T: Default + Clone>(length: usize) -> &'static mut [T] {
        vec![T::default(); length].leak()
    }
    let [neighbours0, degrees0, levels, tombstones, upper_base, upper] =
        SHAPE.lengths().unwrap_or_default();
    let buffers = GraphBuffers {
        neighbours0: leaked(neighbours0),
        degrees0: leaked(degrees0),
        levels: leaked(levels),
        tombstones: leaked(tombstones),
        upper_base: leaked(upper_base),
        upper: leaked(upper),
    };
    Adjacency::new(SHAPE, buffers).unwrap_or_else(|error| unreachable!("{error}"))
}

/// The index, the changes that its inserts were, and rows to search for.
struct Stream {
    index: Hnsw,
    changes: Vec<(Vec<u8>, u64)>,
    queries: Vec<Vec<f32>>,
    build: Duration,
}

fn stream() -> Stream {
    let mut random = Random(1);
    let mut rows = clustered(NODES as usize + QUERIES, DIM, CLUSTERS, &mut random);
    let queries = rows.split_off(NODES as usize);
    let squared_l2 = |a: &[f32], b: &[f32]| distance(Metric::SquaredL2, a, b);
    let mut index = Hnsw::new(DIM, usize::from(LINKS), EF, squared_l2);
    let mut capture = GraphCapture::new(graph());
    let mut out = [0; 4096];
    let (mut changes, mut build) = (Vec::new(), Duration::ZERO);
    for row in &rows {
        let level = index.level(random.next());
        let start = Instant::now();
        let slot = index.insert(row, level);
        build += start.elapsed();
        let pending = capture.insert(&View(&index), slot, &mut out);
        let pending = pending.unwrap_or_else(|error| unreachable!("{error}"));
        changes.push((pending.bytes().to_vec(), pending.digest()));
        pending.commit();
    }
    assert_eq!(capture.first_difference(&View(&index)), Ok(None));
    Stream {
        index,
        changes,
        queries,
        build,
    }
}

/// Checks, decodes, predicts, compares the digest, and makes the change.
fn apply(graph: &mut Adjacency<'_>, (bytes, digest): &(Vec<u8>, u64)) -> bool {
    let Ok(change) = Change::parse(bytes) else {
        return false;
    };
    let prepared = graph
        .prepare(change)
        .and_then(|prepared| prepared.expect_digest(*digest));
    prepared.map(|prepared| prepared.commit()).is_ok()
}

/// Bytes of a change's edits in the general form, its removals told by slot.
fn general_size(graph: &Adjacency<'_>, bytes: &[u8]) -> usize {
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

fn report(stream: &Stream) {
    let mut replica = graph();
    let mut general = 0;
    for change in &stream.changes {
        general += general_size(&replica, &change.0);
        assert!(apply(&mut replica, change));
    }
    let edges = replica.edge_count();
    assert!(replica.apply([Edit::Clear]).is_ok());
    let start = Instant::now();
    for change in &stream.changes {
        assert!(apply(&mut replica, change));
    }
    let all = start.elapsed();
    let short: usize = stream.changes.iter().map(|change| change.0.len()).sum();
    let mean = |sum: usize| f64::from(u32::try_from(sum).unwrap_or(u32::MAX)) / f64::from(NODES);
    println!(
        "{NODES} nodes, {edges} edges: insert form {:.1} bytes mean, edits form {:.1}; all \
         applied in {:.1} ms, {:.0} times as fast as the index was built",
        mean(short),
        mean(general),
        all.as_secs_f64() * 1e3,
        stream.build.as_secs_f64() / all.as_secs_f64(),
    );
}

/// The inserts of the second half, where memory is far; the first half is not timed.
fn inserts(criterion: &mut Criterion, stream: &Stream) {
    let (first, second) = stream.changes.split_at(stream.changes.len() / 2);
    let mut replica = graph();
    criterion
        .benchmark_group("graph")
        .bench_function("apply_insert", |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut left, mut time) = (iterations, Duration::ZERO);
                while left > 0 {
                    assert!(replica.apply([Edit::Clear]).is_ok());
                    assert!(first.iter().all(|change| apply(&mut replica, change)));
                    let count = left.min(second.len() as u64);
                    let start = Instant::now();
                    for change in second.iter().take(usize::try_from(count).unwrap_or(0)) {
                        assert!(apply(&mut replica, change));
                    }
                    time += start.elapsed();
                    left -= count;
                }
                time
            });
        });
}

/// Edges that a full replica lacks, added, and removed again.
fn edges(criterion: &mut Criterion, stream: &Stream) {
    let mut replica = graph();
    assert!(
        stream
            .changes
            .iter()
            .all(|change| apply(&mut replica, change))
    );
    let mut random = Random(2);
    let mut node = || u32::try_from(random.next() % u64::from(NODES)).unwrap_or(0);
    let mut missing: Vec<(u32, u32)> = Vec::new();
    while missing.len() < 4_096 {
        let (from, to) = (node(), node());
        let list = replica.neighbours(0, from).unwrap_or(&[]);
        let is_new = missing.iter().all(|edge| edge.0 != from);
        if list.len() < 32 && from != to && !list.contains(&to) && is_new {
            missing.push((from, to));
        }
    }
    let mut group = criterion.benchmark_group("graph");
    for timed_add in [true, false] {
        let name = if timed_add { "edge_add" } else { "edge_remove" };
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut left, mut time) = (iterations, Duration::ZERO);
                while left > 0 {
                    let count = left.min(missing.len() as u64);
                    let edges = missing.iter().take(usize::try_from(count).unwrap_or(0));
                    let start = Instant::now();
                    for &(from, to) in edges.clone() {
                        assert!(black_box(replica.add_edge(0, from, to)).is_ok());
                    }
                    let added = start.elapsed();
                    let start = Instant::now();
                    for &(from, to) in edges {
                        assert!(black_box(replica.remove_edge(0, from, to)).is_ok());
                    }
                    time += if timed_add { added } else { start.elapsed() };
                    left -= count;
                }
                time
            });
        });
    }
}

fn searches(criterion: &mut Criterion, stream: &Stream) {
    let mut replica = graph();
    assert!(
        stream
            .changes
            .iter()
            .all(|change| apply(&mut replica, change))
    );
    let mut pool = vec![Candidate::default(); 2 * EF];
    let mut visited = vec![0; NODES as usize];
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut out = [Neighbour::default(); 10];
    let rows = SliceRows {
        dim: DIM,
        values: &stream.index.rows,
    };
    let mut group = criterion.benchmark_group("graph");
    group.throughput(Throughput::Elements(1));
    let mut queries = stream.queries.iter().cycle();
    group.bench_function("search_10_of_ef_100", |bencher| {
        bencher.iter(|| {
            let row = queries.next().map_or(&[][..], |row| row);
            let query = Query::new(Metric::SquaredL2, row);
            replica.search(&rows, &query, EF, &mut scratch, &mut out)
        });
    });
    let mut queries = stream.queries.iter().cycle();
    group.bench_function("search_10_of_ef_100_plain_index", |bencher| {
        bencher.iter(|| {
            let row = queries.next().map_or(&[][..], |row| row);
            stream.index.search(row, 10, EF)
        });
    });
}

fn all(criterion: &mut Criterion) {
    let stream = stream();
    report(&stream);
    inserts(criterion, &stream);
    edges(criterion, &stream);
    searches(criterion, &stream);
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = all
}
criterion_main!(benches);
