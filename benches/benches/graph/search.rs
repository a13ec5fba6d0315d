//! Searches at equal recall: of the indexes, and of replicas of their graphs.

#[cfg(feature = "graph-peers")]
use std::time::Instant;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use delta_core::graph::Adjacency;
use delta_core::graph::search::{Candidate, Neighbour, SearchScratch, SliceRows};
use delta_core::kernel::{VectorUnit, distance::Query};
use delta_native::cpu::vector_unit;
use delta_native::index::{Found, VectorIndex};

#[cfg(feature = "graph-peers")]
use delta_benches::graph::EF;
use delta_benches::graph::{Built, COUNT, NODES, PARAMETERS, Rows, replica};

/// Delta's search on a graph, as it is called by the benches: scratch and output are kept.
struct GraphSearch<'r> {
    graph: Adjacency<'static>,
    rows: SliceRows<'r>,
    scratch: SearchScratch<'static>,
    unit: VectorUnit,
}

impl<'r> GraphSearch<'r> {
    fn new(graph: Adjacency<'static>, rows: &'r Rows) -> Self {
        let pool = vec![Candidate::default(); 512].leak();
        Self {
            graph,
            rows: rows.slices(),
            unit: vector_unit(),
            scratch: SearchScratch::new(pool, vec![0; NODES as usize].leak()),
        }
    }

    fn search(&mut self, ef: u32, query: &[f32]) -> ([Neighbour; COUNT], usize) {
        let mut out = [Neighbour::default(); COUNT];
        let query = Query::new(PARAMETERS.metric, query).on(self.unit);
        let count = self
            .graph
            .search(&self.rows, &query, ef as usize, &mut self.scratch, &mut out);
        (out, count.unwrap_or(0))
    }
}

/// The index's own search, and Delta's on the replica, each with as many candidates as it needs.
pub(crate) fn searches<I: VectorIndex>(
    criterion: &mut Criterion,
    rows: &Rows,
    mut built: Built<I>,
) {
    let name = I::KIND.name();
    let mut hits: Vec<Found> = Vec::with_capacity(COUNT);
    let own = rows.candidates(&format!("{name}, own search"), |ef, query, found| {
        built.index.set_search_ef(ef);
        let searched = built.index.search(query, COUNT, None, &mut hits);
        assert!(searched.is_ok(), "{searched:?}");
        found.extend(hits.iter().map(|hit| hit.slot));
    });
    let mut replica = GraphSearch::new(replica(&built), rows);
    let ours = rows.candidates(&format!("{name}, replica"), |ef, query, found| {
        let (out, count) = replica.search(ef, query);
        found.extend(out.iter().take(count).map(|near| near.slot));
    });
    let mut group = criterion.benchmark_group("graph_search");
    group.throughput(Throughput::Elements(1));
    built.index.set_search_ef(own);
    time_queries(&mut group, &format!("{name}_own"), rows, |query| {
        built.index.search(query, COUNT, None, &mut hits).is_ok()
    });
    time_queries(&mut group, &format!("{name}_replica"), rows, |query| {
        replica.search(ours, query)
    });
}

fn time_queries<R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    rows: &Rows,
    mut search: impl FnMut(&[f32]) -> R,
) {
    let mut queries = rows.queries().cycle();
    group.bench_function(name, |bencher| {
        bencher.iter(|| search(queries.next().unwrap_or(&[])));
    });
}

/// The crate `hnsw_rs`, which tells nothing of its lists: for its search alone.
#[cfg(feature = "graph-peers")]
pub(crate) fn hnsw_rs_searches(criterion: &mut Criterion, rows: &Rows) {
    use hnsw_rs::prelude::{DistL2, Hnsw};
    let nodes = NODES as usize;
    let mut index = Hnsw::<f32, DistL2>::new(16, nodes, 16, EF as usize, DistL2 {});
    let start = Instant::now();
    for (slot, row) in rows.indexed().enumerate() {
        index.insert((row, slot));
    }
    println!(
        "hnsw_rs: built in {:.0} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    index.set_searching_mode(true);
    let ef = rows.candidates("hnsw_rs", |ef, query, found| {
        let hits = index.search(query, COUNT, ef as usize);
        found.extend(hits.iter().filter_map(|hit| u32::try_from(hit.d_id).ok()));
    });
    let mut group = criterion.benchmark_group("graph_search");
    group.throughput(Throughput::Elements(1));
    time_queries(&mut group, "hnsw_rs", rows, |query| {
        index.search(query, COUNT, ef as usize).len()
    });
}
