//! Records through the ring between two threads, beside all peers: throughput and latency.

use criterion::{Criterion, criterion_group, criterion_main};
use delta_benches::contests::{latency, rings};
use delta_benches::{groups, quick_criterion, threads};

fn ring(criterion: &mut Criterion) {
    println!("{}", threads::placement());
    if threads::two_cores().is_some() {
        groups::bench(criterion, rings::contests());
        groups::bench(criterion, latency::contests());
    }
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = ring
}
criterion_main!(benches);
