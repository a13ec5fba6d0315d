//! Capture -> ring -> apply on two threads, beside the same job made of peers.

use criterion::{Criterion, criterion_group, criterion_main};
use delta_benches::contests::pipeline;
use delta_benches::{groups, quick_criterion, threads};

fn updates(criterion: &mut Criterion) {
    println!("{}", threads::placement());
    if threads::two_cores().is_some() {
        groups::bench(criterion, pipeline::contests());
    }
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = updates
}
criterion_main!(benches);
