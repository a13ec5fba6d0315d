//! Deletions with repair, and what is left after them in a new epoch.
#![expect(
    clippy::cast_possible_truncation,
    reason = "the numbers of these tests are small"
)]

use delta_core::graph::GraphParameters;
use delta_core::graph::search::{Candidate, Neighbour, SearchScratch};
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::StaticRing;
use delta_core::store::{
    Replica, ReplicaGraph, SliceMemory, SliceStore, Slot, renumber, state_digest,
};

use super::tests::{DIM, parameters, rows};
use super::{CapturedIndex, GraphMemory, VectorIndex};

const NODES: usize = 400;

/// What a replica borrows.
struct Memory {
    rows: Vec<f32>,
    slots: Vec<Slot>,
    attributes: Vec<u8>,
    graph: GraphMemory,
}

impl Memory {
    fn new() -> Self {
        Self {
            rows: vec![0.0; NODES * DIM],
            slots: vec![Slot::default(); NODES],
            attributes: vec![0; 1 << 14],
            graph: GraphMemory::new(parameters(NODES as u32).shape()).unwrap(),
        }
    }

    fn store(&mut self) -> SliceStore<'_> {
        let graph = ReplicaGraph::new(self.graph.empty_graph(), parameters(1).metric);
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut self.attributes,
        };
        SliceStore::new(DIM as u32, memory).with_graph(graph)
    }
}

/// The id of the row that a search finds nearest to `row`.
fn nearest(store: &SliceStore<'_>, row: &[f32]) -> Vec<u8> {
    let (mut pool, mut visited) = ([Candidate::default(); 256], [0; NODES]);
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut found = [Neighbour::default(); 1];
    let graph = store.graph().unwrap();
    let count = graph.search(store, row, 60, &mut scratch, &mut found);
    assert_eq!(count, Ok(1));
    store.id(found[0].slot).unwrap().to_vec()
}

/// Edges of layer 0 that lead to tombstones.
fn dead_ends(store: &SliceStore<'_>) -> usize {
    let graph = store.graph().unwrap().adjacency();
    let live = (0..graph.node_count()).filter(|&slot| !graph.is_tombstone(slot));
    let lists = live.map(|slot| graph.neighbours(0, slot).unwrap());
    lists
        .flatten()
        .filter(|&&to| graph.is_tombstone(to))
        .count()
}

/// Deletes a third of the nodes, and if `repairs` relinks the neighbours of each: the graph is the
/// index's at every record. Then both sides renumber what is left, of which every row can be found.
/// Returns edges to tombstones before and after the last repair.
fn deleted_and_renumbered<I: VectorIndex>(repairs: bool) -> [usize; 2] {
    let parameters = parameters(NODES as u32);
    let declared = GraphParameters::new(parameters.shape(), parameters.metric);
    let mut ring = StaticRing::<64, 65_536>::new();
    let (producer, consumer) = ring.split();
    let mut states = [SlotState::default(); NODES];
    let sequencer = Sequencer::new(DIM as u32, &mut states, 0, Position::START);
    let capture = Capture::new(producer, sequencer.with_graph(declared, 0));
    let mut shadow = GraphMemory::new(parameters.shape()).unwrap();
    let index = I::new(&parameters).unwrap();
    let mut primary = CapturedIndex::new(index, shadow.empty_graph(), capture);
    let (mut first, mut second) = (Memory::new(), Memory::new());
    let mut replica = first.store();
    let mut scratch = [0; 4 * DIM];
    let mut apply = Apply::new(consumer, Applier::new(Position::START, &mut scratch));
    let mut follow = |replica: &mut SliceStore<'_>| while apply.poll(replica).unwrap().is_some() {};

    let rows = rows(NODES, 3);
    for (slot, row) in rows.iter().enumerate() {
        let id = slot.to_string();
        let link = |index: &mut I, slot| index.insert(slot, row);
        primary.insert(id.as_bytes(), row, &[], link).unwrap();
        follow(&mut replica);
    }
    let mut without_repair = 0;
    for slot in (0..NODES as u32).step_by(3) {
        primary.delete(slot, I::delete).unwrap();
        follow(&mut replica);
        without_repair = dead_ends(&replica);
        let neighbours = primary.graph().shadow().neighbours(0, slot).unwrap();
        let live = neighbours.iter().filter(|&neighbour| neighbour % 3 != 0);
        let live: Vec<u32> = live.copied().filter(|_| repairs).collect();
        for neighbour in live {
            let link = |index: &mut I, slot| index.update(slot, &rows[slot as usize]);
            primary.relink(neighbour, link).unwrap();
            follow(&mut replica);
        }
    }
    assert_eq!(primary.graph().first_difference(primary.index()), Ok(None));
    let graph = replica.graph().unwrap();
    assert_eq!(graph.adjacency(), primary.graph().shadow());
    assert_eq!(state_digest(&replica), primary.capture().position().digest);
    let with_repair = dead_ends(&replica);

    let mut compact = second.store();
    let mut map = [0; NODES];
    let digest = renumber(&replica, &mut compact, &mut map, &mut [0; 64]).unwrap();
    assert_eq!(state_digest(&compact), digest);
    assert_eq!(compact.slot_count() as usize, NODES - NODES.div_ceil(3));
    let found = |store: &SliceStore<'_>| {
        let live = (0..NODES).filter(|slot| slot % 3 != 0);
        let own = live.filter(|slot| nearest(store, &rows[*slot]) == slot.to_string().as_bytes());
        own.count()
    };
    let (before, after) = (found(&replica), found(&compact));
    assert!(after >= before, "{after} of {before} rows find themselves");
    [without_repair, with_repair]
}

#[cfg(feature = "hnsw-stable")]
#[test]
fn hnsw_stable_repairs_and_is_renumbered() {
    let [without, with] = deleted_and_renumbered::<super::HnswStable>(true);
    assert!(with < without, "{with} of {without} edges to tombstones");
}

#[cfg(feature = "usearch")]
#[test]
fn usearch_is_renumbered() {
    deleted_and_renumbered::<super::Usearch>(false);
}

#[cfg(feature = "usearch")]
#[test]
fn usearch_repairs_and_is_renumbered() {
    let [without, with] = deleted_and_renumbered::<super::Usearch>(true);
    assert!(with < without, "{with} of {without} edges to tombstones");
}
