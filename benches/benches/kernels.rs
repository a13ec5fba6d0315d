//! Diff, apply and digest, beside a loop that only loads and compares, memcpy and
//! `ruvector-delta-core`.

use criterion::{Criterion, criterion_group, criterion_main};
use delta_benches::contests::{dense, diff, digest, scatter, table};
use delta_benches::{groups, quick_criterion};

fn kernels(criterion: &mut Criterion) {
    groups::bench(criterion, diff::contests());
    groups::bench(criterion, dense::contests());
    groups::bench(criterion, scatter::contests());
    groups::bench(criterion, digest::contests());
    groups::bench(criterion, table::contests());
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = kernels
}
criterion_main!(benches);
