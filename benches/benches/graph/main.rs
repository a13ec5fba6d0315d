//! Graphs of 20,000 clustered rows, captured from real indexes: what an insert's edges, one edge
//! and a search cost, beside building the index again and beside its own search.
//!
//! Searches are compared at equal recall: each side keeps as few candidates as find 0.98 of the 10
//! nearest. These, what encoded inserts take, and how much faster a replica is than building the
//! index again, are printed first. With the feature `graph-peers`, `usearch` (with the kernels that
//! it is shipped with) and `hnsw_rs` are there too, which take minutes to compile.

mod edges;
mod search;

use criterion::{Criterion, criterion_group, criterion_main};
use delta_benches::graph::{Rows, built};
use delta_benches::quick_criterion;
use delta_native::index::{HnswStable, VectorIndex};

fn one_index<I: VectorIndex>(criterion: &mut Criterion, rows: &Rows) {
    let built = built::<I>(rows);
    edges::report(&built);
    edges::inserts(criterion, &built);
    edges::edges(criterion, &built);
    search::searches(criterion, rows, built);
}

fn all(criterion: &mut Criterion) {
    let rows = Rows::new();
    one_index::<HnswStable>(criterion, &rows);
    #[cfg(feature = "graph-peers")]
    {
        one_index::<delta_native::index::Usearch>(criterion, &rows);
        search::hnsw_rs_searches(criterion, &rows);
    }
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = all
}
criterion_main!(benches);
