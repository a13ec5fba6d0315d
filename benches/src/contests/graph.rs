//! The edges of an insert into a graph of 20,000 nodes: checked, decoded, digest compared, made.
//!
//! The peer is the index that they were captured from, inserting the same rows itself: what a
//! replica does that builds its own graph.

use std::time::{Duration, Instant};

use delta_core::graph::Edit;
use delta_native::index::{HnswStable, VectorIndex as _};

use crate::contest::{Contest, Peer, Source, Unit};
use crate::graph::{NODES, Rows, apply, built, graph};
use crate::timing::Burst;

/// One contest, on `hnsw-stable`; the `graph` bench has more.
pub fn contests() -> Vec<Contest> {
    let built = built::<HnswStable>(&Rows::new());
    let insert_ns = built.build.as_secs_f64() * 1e9 / f64::from(NODES);
    let work = "graph, edges of an insert among 20,000 nodes";
    let mut contest = Contest::new(work, Unit::Nanoseconds, inserts(built.changes)).limit(2_000.0);
    contest.peers.push(Peer {
        name: format!("{} itself, once", HnswStable::KIND.name()),
        bar: Some(200.0),
        source: Source::Limit(insert_ns),
    });
    vec![contest]
}

/// Times the inserts of the second half, where memory is far; the first half is not timed.
pub fn inserts(changes: Vec<(Vec<u8>, u64)>) -> Burst {
    let mut replica = graph();
    Box::new(move |iterations| {
        let (first, second) = changes.split_at(changes.len() / 2);
        let (mut left, mut time) = (iterations, Duration::ZERO);
        while left > 0 {
            assert!(replica.apply([Edit::Clear]).is_ok(), "it can be cleared");
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
    })
}
