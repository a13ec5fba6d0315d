//! A row's change to bytes and back, beside `ruvector-delta-core`.

use criterion::{Criterion, criterion_group, criterion_main};
use delta_benches::contests::codec;
use delta_benches::{groups, quick_criterion};

fn changes(criterion: &mut Criterion) {
    groups::bench(criterion, codec::contests());
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = changes
}
criterion_main!(benches);
