//! What is left of a graph without its tombstones can all be reached.

use proptest::prelude::*;

use super::{Memory, SMALL, bytes, replace};
use crate::graph::{
    Adjacency, Edit, Shape, digest::graph_digest, renumber::GONE, search::SliceRows,
};
use crate::kernel::distance::Metric;

const NODES: u32 = 40;
const SHAPE: Shape = Shape {
    nodes_max: NODES,
    degree0_max: 4,
    degree_max: 2,
    upper_blocks_max: 3 * NODES,
};

/// Slots that lists lead to from the entry, on `layer`.
fn reached(graph: &Adjacency<'_>, layer: u8) -> Vec<u32> {
    let mut reached: Vec<u32> = graph.entry().into_iter().collect();
    let mut next = 0;
    while let Some(&slot) = reached.get(next) {
        next += 1;
        for &to in graph.neighbours(layer, slot).unwrap() {
            if !reached.contains(&to) {
                reached.push(to);
            }
        }
    }
    reached.sort_unstable();
    reached
}

fn of_layer(graph: &Adjacency<'_>, layer: u8) -> Vec<u32> {
    let nodes = 0..graph.node_count();
    nodes
        .filter(|&slot| graph.level(slot) >= Some(layer))
        .collect()
}

/// The new slot of each old one.
fn map_of(graph: &Adjacency<'_>) -> Vec<u32> {
    let mut next = 0;
    let mut new_slot = |slot| {
        next += u32::from(!graph.is_tombstone(slot));
        if graph.is_tombstone(slot) {
            GONE
        } else {
            next - 1
        }
    };
    (0..graph.node_count()).map(&mut new_slot).collect()
}

/// A tombstone leads to three nodes; the list before it has lost one neighbour, and regains one.
#[test]
fn nodes_behind_one_tombstone_are_all_linked_again() {
    let mut memory = Memory::new(SMALL);
    let mut graph = memory.graph();
    for slot in 0..5 {
        let insert = Edit::Insert { slot, level: 0 };
        let entry = Edit::Entry { slot };
        graph
            .apply([insert].into_iter().chain((slot == 0).then_some(entry)))
            .unwrap();
    }
    graph
        .apply([
            Edit::Tombstone { slot: 1 },
            replace(0, 0, &[1]),
            replace(0, 1, &[2, 3, 4]),
            replace(0, 2, &[0]),
            replace(0, 3, &[0]),
            replace(0, 4, &[0]),
        ])
        .unwrap();
    let mut memory = Memory::new(SMALL);
    let mut compact = memory.graph();
    let rows = SliceRows {
        dim: 1,
        values: &[0.0, 5.0, 2.0, 1.0],
    };
    compact
        .renumber(&graph, &rows, Metric::SquaredL2, &map_of(&graph))
        .unwrap();
    // The nearest by the list's repair; the others from where a walk to them ends.
    assert_eq!(compact.neighbours(0, 0), Some(&[3][..]));
    assert_eq!(compact.neighbours(0, 3), Some(&[0, 1, 2][..]));
}

proptest! {
    /// Whatever led where: afterwards every node is in reach on every layer that it has.
    #[test]
    fn prop_what_is_left_can_be_reached(
        levels in prop::collection::vec(0..4_u8, 1..NODES as usize),
        links in prop::collection::vec((0..4_u8, 0..NODES, 0..NODES), 0..400),
        gone in prop::collection::vec(0..NODES, 0..NODES as usize),
        values in prop::collection::vec(0..9_u8, NODES as usize),
    ) {
        let mut memory = Memory::new(SHAPE);
        let mut graph = memory.graph();
        for (slot, &level) in (0..).zip(&levels) {
            let entry = (slot == 0 || level > graph.level_max()).then_some(Edit::Entry { slot });
            graph.apply([Edit::Insert { slot, level }].into_iter().chain(entry)).unwrap();
        }
        for (layer, from, to) in links {
            // Some are no edges, or find no room.
            let _ = graph.add_edge(layer, from, to);
        }
        for slot in gone {
            let _ = graph.apply([Edit::Tombstone { slot }]);
        }
        let map = map_of(&graph);
        let values: Vec<f32> = values.into_iter().map(f32::from).collect();
        let rows = SliceRows { dim: 1, values: &values };
        let mut memories = [Memory::new(SHAPE), Memory::new(SHAPE)];
        let [first, second] = memories.each_mut().map(|memory| {
            let mut compact = memory.graph();
            compact.renumber(&graph, &rows, Metric::SquaredL2, &map).unwrap();
            compact
        });
        prop_assert_eq!(bytes(&first), bytes(&second));
        prop_assert_eq!(first.digest(), graph_digest(&first));
        prop_assert_eq!(first.tombstone_count(), 0);
        prop_assert!((0..NODES).all(|slot| !first.is_tombstone(slot)));
        for layer in 0..=first.level_max() {
            prop_assert_eq!(reached(&first, layer), of_layer(&first, layer));
        }
    }
}
