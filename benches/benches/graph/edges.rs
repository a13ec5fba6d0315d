//! Edges applied to a replica: those of whole inserts, and one at a time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use delta_core::graph::Edit;
use delta_native::index::VectorIndex;

use delta_benches::graph::{Built, NODES, apply, general_size, graph, replica};

pub(crate) fn report<I: VectorIndex>(built: &Built<I>) {
    let mut replica = graph();
    let mut general = 0;
    for change in &built.changes {
        general += general_size(&replica, &change.0);
        assert!(apply(&mut replica, change));
    }
    let (edges, shape) = (replica.edge_count(), replica.shape());
    // The median of a few times.
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            assert!(replica.apply([Edit::Clear]).is_ok());
            let start = Instant::now();
            assert!(
                built
                    .changes
                    .iter()
                    .all(|change| apply(&mut replica, change))
            );
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let all = times.get(2).copied().unwrap_or_default();
    let short: usize = built.changes.iter().map(|change| change.0.len()).sum();
    let mean = |sum: usize| f64::from(u32::try_from(sum).unwrap_or(u32::MAX)) / f64::from(NODES);
    println!(
        "{}: {NODES} nodes of {:.1} bytes, {edges} edges: insert form {:.1} bytes mean, edits form \
         {:.1}; all edges applied in {:.1} ms, {:.0} times as fast as the index was built in \
         {:.0} ms",
        I::KIND.name(),
        mean(shape.memory_bytes().unwrap_or(0)),
        mean(short),
        mean(general),
        all.as_secs_f64() * 1e3,
        built.build.as_secs_f64() / all.as_secs_f64(),
        built.build.as_secs_f64() * 1e3,
    );
}

/// The inserts of the second half, where memory is far; the first half is not timed.
pub(crate) fn inserts<I: VectorIndex>(criterion: &mut Criterion, built: &Built<I>) {
    let mut burst = delta_benches::contests::graph::inserts(built.changes.clone());
    criterion
        .benchmark_group("graph")
        .bench_function(format!("apply_insert_{}", I::KIND.name()), |bencher| {
            bencher.iter_custom(&mut burst)
        });
}

/// Edges that a full replica lacks, added, and removed again.
pub(crate) fn edges<I: VectorIndex>(criterion: &mut Criterion, built: &Built<I>) {
    let mut replica = replica(built);
    // Nodes far from each other, a few thousand different ones.
    let mut place = 0_u32;
    let mut node = || {
        place = place.wrapping_add(0x9e37_79b9);
        place % NODES
    };
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
        group.bench_function(format!("{name}_{}", I::KIND.name()), |bencher| {
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
