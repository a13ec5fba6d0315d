#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "tests cut numbers down on purpose"
)]

mod capture;
mod encode;
mod golden;
mod history;
pub(crate) mod hnsw;
mod refuse;
mod renumber;
mod search;

use super::{Adjacency, Edit, GraphBuffers, GraphMemoryError, ListChange, Shape, Slots};

pub(crate) const SMALL: Shape = Shape {
    nodes_max: 12,
    degree0_max: 4,
    degree_max: 2,
    upper_blocks_max: 8,
};

/// The memory of a graph.
pub(crate) struct Memory {
    shape: Shape,
    neighbours0: Vec<u32>,
    degrees0: Vec<u8>,
    levels: Vec<u8>,
    tombstones: Vec<u64>,
    upper_base: Vec<u32>,
    upper: Vec<u32>,
}

impl Memory {
    /// Not zeroed: that is for the graph to do.
    pub(crate) fn new(shape: Shape) -> Self {
        let lengths = shape.lengths().unwrap();
        Self {
            shape,
            neighbours0: vec![7; lengths[0]],
            degrees0: vec![7; lengths[1]],
            levels: vec![7; lengths[2]],
            tombstones: vec![7; lengths[3]],
            upper_base: vec![7; lengths[4]],
            upper: vec![7; lengths[5]],
        }
    }

    pub(crate) fn graph(&mut self) -> Adjacency<'_> {
        Adjacency::new(self.shape, self.buffers()).unwrap()
    }

    fn buffers(&mut self) -> GraphBuffers<'_> {
        GraphBuffers {
            neighbours0: &mut self.neighbours0,
            degrees0: &mut self.degrees0,
            levels: &mut self.levels,
            tombstones: &mut self.tombstones,
            upper_base: &mut self.upper_base,
            upper: &mut self.upper,
        }
    }
}

/// Every byte that a graph has, and its counts.
pub(crate) fn bytes(graph: &Adjacency<'_>) -> Vec<u8> {
    let buffers = &graph.buffers;
    let mut bytes = format!("{:?}", graph.state).into_bytes();
    for words in [&buffers.neighbours0, &buffers.upper_base, &buffers.upper] {
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    bytes.extend(
        buffers
            .tombstones
            .iter()
            .flat_map(|word| word.to_le_bytes()),
    );
    bytes.extend(buffers.degrees0.iter());
    bytes.extend(buffers.levels.iter());
    bytes
}

pub(crate) fn replace(layer: u8, slot: u32, neighbours: &[u32]) -> Edit<'_> {
    Edit::List {
        layer,
        slot,
        change: ListChange::Replace(Slots::from(neighbours)),
    }
}

pub(crate) fn patch<'a>(layer: u8, slot: u32, removed: &'a [u32], added: &'a [u32]) -> Edit<'a> {
    let (removed, added) = (Slots::from(removed), Slots::from(added));
    Edit::List {
        layer,
        slot,
        change: ListChange::Patch { removed, added },
    }
}

pub(crate) fn link(layer: u8, slot: u32, removed: u64, added: Option<u32>) -> Edit<'static> {
    Edit::List {
        layer,
        slot,
        change: ListChange::Link { removed, added },
    }
}

/// Nodes 0 (level 1), 1 (level 0), 2 (level 1), 3 (level 0).
pub(crate) fn four_nodes<'m>(memory: &'m mut Memory) -> Adjacency<'m> {
    let mut graph = memory.graph();
    graph
        .apply([Edit::Insert { slot: 0, level: 1 }, Edit::Entry { slot: 0 }])
        .unwrap();
    graph
        .apply([
            Edit::Insert { slot: 1, level: 0 },
            link(0, 0, 0, Some(1)),
            replace(0, 1, &[0]),
        ])
        .unwrap();
    graph
        .apply([
            Edit::Insert { slot: 2, level: 1 },
            link(0, 0, 0, Some(2)),
            replace(0, 2, &[0, 1]),
            link(1, 0, 0, Some(2)),
            replace(1, 2, &[0]),
        ])
        .unwrap();
    graph
        .apply([
            Edit::Insert { slot: 3, level: 0 },
            link(0, 0, 0b01, Some(3)),
            replace(0, 3, &[0, 1, 2]),
        ])
        .unwrap();
    graph
}

#[test]
fn a_graph_has_its_literal_words() {
    let mut memory = Memory::new(SMALL);
    let mut graph = four_nodes(&mut memory);
    graph.apply([Edit::Tombstone { slot: 1 }]).unwrap();
    assert_eq!(
        graph.buffers.neighbours0[..16],
        [2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0]
    );
    assert_eq!(graph.buffers.degrees0[..5], [2, 1, 2, 3, 0]);
    assert_eq!(graph.buffers.levels[..5], [1, 0, 1, 0, 0]);
    assert_eq!(graph.buffers.tombstones, [0b10]);
    assert_eq!(graph.buffers.upper_base[..4], [0, 0, 1, 0]);
    assert_eq!(graph.buffers.upper[..9], [1, 2, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(graph.entry(), Some(0));
    assert_eq!((graph.level_max(), graph.node_count()), (1, 4));
    assert_eq!((graph.edge_count(), graph.tombstone_count()), (10, 1));
    assert_eq!(graph.upper_blocks_used(), 2);
    assert_eq!(graph.neighbours(0, 3), Some(&[0, 1, 2][..]));
    assert_eq!(graph.neighbours(1, 2), Some(&[0][..]));
    assert_eq!(graph.neighbours(1, 1), None);
    assert_eq!(graph.neighbours(0, 4), None);
    assert!(graph.is_tombstone(1) && !graph.is_tombstone(2) && !graph.is_tombstone(99));

    graph.add_edge(0, 1, 3).unwrap();
    assert_eq!(graph.neighbours(0, 1), Some(&[0, 3][..]));
    graph.remove_edge(0, 1, 0).unwrap();
    assert_eq!(graph.neighbours(0, 1), Some(&[3][..]));

    graph.apply([Edit::Clear]).unwrap();
    let cleared = bytes(&graph);
    assert_eq!(cleared, bytes(&Memory::new(SMALL).graph()));
    assert_eq!((graph.digest(), graph.entry()), (0, None));
}

#[test]
fn a_node_of_16_links_takes_139_bytes() {
    let nodes_max = 60_000;
    let shape = Shape {
        nodes_max,
        degree0_max: 32,
        degree_max: 16,
        upper_blocks_max: nodes_max / 15,
    };
    let bytes = shape.memory_bytes().unwrap();
    assert_eq!(bytes * 10 / nodes_max as usize, 1_386);
}

#[test]
fn memory_of_another_shape_is_refused() {
    let mut memory = Memory::new(SMALL);
    let shape = Shape {
        nodes_max: 13,
        ..SMALL
    };
    assert_eq!(
        Adjacency::new(shape, memory.buffers()),
        Err(GraphMemoryError::Length {
            slice: 0,
            expected: 52,
            found: 48
        })
    );
    for shape in [
        Shape {
            nodes_max: 0,
            ..SMALL
        },
        Shape {
            nodes_max: u32::MAX,
            ..SMALL
        },
        Shape {
            degree_max: 0,
            ..SMALL
        },
    ] {
        assert_eq!(
            Adjacency::new(shape, memory.buffers()),
            Err(GraphMemoryError::Shape { shape })
        );
    }
}
