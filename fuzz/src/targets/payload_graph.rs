//! Graph changes are decoded, taken or refused, and made as the oracle does it; what was taken can
//! be encoded again and says the same.
//!
//! Input: a byte (bit 0: the golden graph is there already), then changes, each behind a byte that
//! says its size.

use delta_core::graph::digest::graph_digest;
use delta_core::graph::encode::{Change, encode_edits};
use delta_core::graph::{Adjacency, GraphBuffers, Shape};

use crate::oracle::bytes::Bytes;
use crate::oracle::graph::{Graph, Limits};
use crate::oracle::graph_change::decode;
use crate::wire;

/// That of the golden changes.
pub(super) const LIMITS: Limits = Limits {
    nodes_max: 12,
    degree0_max: 4,
    degree_max: 2,
    upper_lists_max: 8,
};
/// How many of the golden changes make the graph that the refused ones are refused by.
pub const GOLDEN_CHANGES: usize = 4;

pub fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let Some(mode) = input.u8() else {
        return;
    };
    with_graph(|mut graph| {
        let graph = &mut graph;
        let mut model = Graph::new(LIMITS);
        if mode & 1 != 0 {
            for (_, change) in wire::frames("graph").iter().take(GOLDEN_CHANGES) {
                apply(graph, &mut model, change);
            }
            assert_eq!(model.levels.len(), GOLDEN_CHANGES);
        }
        while let Some(size) = input.u8() {
            let size = usize::from(size).min(input.0.len());
            let change = input.take(size).unwrap_or_default();
            apply(graph, &mut model, change);
        }
    });
}

/// Runs on an empty graph of those limits.
pub(super) fn with_graph(run: impl FnOnce(Adjacency<'_>)) {
    let shape = Shape {
        nodes_max: LIMITS.nodes_max,
        degree0_max: LIMITS.degree0_max as u8,
        degree_max: LIMITS.degree_max as u8,
        upper_blocks_max: LIMITS.upper_lists_max,
    };
    let lengths = shape.lengths().expect("a possible shape");
    let buffers = GraphBuffers {
        neighbours0: &mut vec![7; lengths[0]],
        degrees0: &mut vec![7; lengths[1]],
        levels: &mut vec![7; lengths[2]],
        tombstones: &mut vec![7; lengths[3]],
        upper_base: &mut vec![7; lengths[4]],
        upper: &mut vec![7; lengths[5]],
    };
    run(Adjacency::new(shape, buffers).expect("slices of its lengths"));
}

/// Gives a change to both.
fn apply(graph: &mut Adjacency<'_>, model: &mut Graph, bytes: &[u8]) {
    let decoded = decode(bytes);
    let expected = decoded.as_ref().and_then(|edits| model.after(edits));
    let found = match Change::parse(bytes) {
        Ok(change) => match graph.apply(change) {
            Ok(digest) => Some((change, digest)),
            Err(_) => None,
        },
        Err(_) => None,
    };
    assert_eq!(
        found.is_some(),
        expected.is_some(),
        "{bytes:x?}: {decoded:?}"
    );
    if let (Some((change, digest)), Some(after)) = (found, expected) {
        *model = after;
        assert_eq!(digest, model.digest());
        let mut out = [0; 4096];
        let size = encode_edits(change, &mut out).expect("edits that a graph has taken");
        assert_eq!(decode(&out[..size]), decoded, "encoded again");
    }
    check(graph, model);
}

/// Both are equal in everything that shows.
pub(super) fn check(graph: &Adjacency<'_>, model: &Graph) {
    assert_eq!(graph.digest(), model.digest());
    assert_eq!(graph_digest(graph), model.digest());
    assert_eq!(graph.entry(), model.entry);
    assert_eq!(graph.node_count() as usize, model.levels.len());
    assert_eq!(graph.tombstone_count() as usize, model.tombstones.len());
    let edges: usize = model.lists.values().map(|list| list.len()).sum();
    assert_eq!(graph.edge_count(), edges as u64);
    for slot in 0..=graph.node_count() {
        let level = model.levels.get(slot as usize).copied();
        assert_eq!(graph.level(slot), level);
        assert_eq!(graph.is_tombstone(slot), model.tombstones.contains(&slot));
        for layer in 0..=level.unwrap_or(0) + 1 {
            let list = model.lists.get(&(layer, slot));
            let expected = list.map(|list| list.iter().copied().collect::<Vec<_>>());
            assert_eq!(graph.neighbours(layer, slot), expected.as_deref());
        }
    }
}
