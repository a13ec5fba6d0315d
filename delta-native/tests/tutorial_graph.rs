//! A tutorial: an HNSW index whose replica has the same graph and gives the same answers.
//!
//! The primary has an index and its rows. Each write becomes one record: the row, and what the
//! write did to the graph. The replica applies records and is searched by Delta's own search.

#![cfg(feature = "hnsw-stable")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the numbers of this test are small"
)]

use std::error::Error;

use delta_core::graph::GraphParameters;
use delta_core::graph::search::{Candidate, Neighbour, SearchScratch};
use delta_core::kernel::distance::Metric;
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::StaticRing;
use delta_core::store::{Replica, ReplicaGraph, SliceMemory, SliceStore, Slot, state_digest};
use delta_native::index::{CapturedIndex, GraphMemory, HnswStable, IndexParameters, VectorIndex};

const NODES: usize = 500;
const DIM: usize = 8;

/// Some rows: points of a curve that winds through all components.
fn row(number: usize) -> [f32; DIM] {
    std::array::from_fn(|i| (number as f32 * 0.37 * (i + 1) as f32).sin())
}

#[test]
fn a_replica_has_the_graph_of_the_primary_and_answers_the_same() -> Result<(), Box<dyn Error>> {
    // Both sides agree on how the index links: 8 neighbours a node, 16 on layer 0.
    let parameters = IndexParameters {
        dim: DIM as u32,
        nodes_max: NODES as u32,
        links: 8,
        ef: 50,
        metric: Metric::SquaredL2,
    };
    let graph = GraphParameters::new(parameters.shape(), parameters.metric);
    let mut ring = StaticRing::<64, 65_536>::new();
    let (producer, consumer) = ring.split();

    // The primary: an index that is built elsewhere, here the crate `hnsw-stable`; the graph that
    // replicas have (its shadow); and the capture, which numbers records and puts them in the ring.
    let mut slot_states = vec![SlotState::default(); NODES];
    let sequencer = Sequencer::new(DIM as u32, &mut slot_states, 0, Position::START);
    let capture = Capture::new(producer, sequencer.with_graph(graph, 0));
    let mut shadow = GraphMemory::new(parameters.shape())?;
    let index = HnswStable::new(&parameters)?;
    let mut primary = CapturedIndex::new(index, shadow.empty_graph(), capture);

    // The replica: rows, ids and metadata in memory of its own, and a graph over the rows.
    let (mut rows, mut slots) = (vec![0.0; NODES * DIM], vec![Slot::default(); NODES]);
    let (mut attributes, mut replica_graph) =
        (vec![0; 1 << 16], GraphMemory::new(parameters.shape())?);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut replica = SliceStore::new(DIM as u32, memory).with_graph(ReplicaGraph::new(
        replica_graph.empty_graph(),
        parameters.metric,
    ));
    let mut apply = Apply::new(consumer, Applier::new(Position::START, &mut []));

    // Inserts, updates, deletes. The closure makes the operation in the index; what it did to the
    // lists of other nodes is found, and travels with the row in one record.
    for number in 0..NODES {
        let id = format!("doc-{number}");
        let row = row(number);
        primary.insert(id.as_bytes(), &row, &[], |index, slot| {
            index.insert(slot, &row)
        })?;
        while apply.poll(&mut replica)?.is_some() {}
    }
    for slot in (0..NODES).step_by(7) {
        let (old, new) = (row(slot), row(slot + NODES));
        primary.update(slot as u32, [&old, &new], &[], |index, slot| {
            index.update(slot, &new)
        })?;
        primary.delete(slot as u32 + 1, HnswStable::delete)?;
        while apply.poll(&mut replica)?.is_some() {}
    }

    // The graphs are equal in every byte, and every list is the one that the index has.
    let copy = replica.graph().ok_or("the replica was given a graph")?;
    assert_eq!(copy.adjacency(), primary.graph().shadow());
    assert_eq!(primary.graph().first_difference(primary.index())?, None);
    // So are the states, which both sides sum up in a digest that every record carries.
    assert_eq!(
        state_digest(&replica),
        apply.applier().current_position().digest
    );

    // A search in the replica finds the row itself first, and nothing that was deleted.
    let mut candidates = vec![Candidate::default(); 4 * 50];
    let mut visited = vec![0; NODES];
    let mut scratch = SearchScratch::new(&mut candidates, &mut visited);
    let mut found = [Neighbour::default(); 10];
    for number in (0..NODES).filter(|number| number % 7 > 1) {
        let count = copy.search(&replica, &row(number), 50, &mut scratch, &mut found)?;
        assert_eq!(count, found.len());
        assert_eq!(found[0].slot, number as u32);
        assert!(found.iter().all(|near| !replica.is_deleted(near.slot)));
    }
    Ok(())
}
