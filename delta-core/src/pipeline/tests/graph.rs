//! Rows and their graph in one stream: an index replicated record by record, and what is refused.

/// A primary with all its memory, and the consumer of its ring.
macro_rules! primary {
    ($primary:ident, $consumer:ident, $ring:expr) => {
        let mut ring = $ring;
        let (producer, $consumer) = ring.split();
        let mut slots = [SlotState::default(); ROWS as usize];
        let mut shadow = GraphMemory::new(SHAPE);
        let sequencer = Sequencer::new(ROW_DIM, &mut slots, 0, Position::START);
        let mut $primary = Primary {
            index: index(),
            graph: GraphCapture::new(shadow.graph()),
            capture: Capture::new(producer, sequencer.with_graph(PARAMETERS, 0)),
            random: Random(7),
            out: [0; 4096],
        };
    };
}

mod check;
mod everywhere;
mod log;
mod refused;
mod renumber;

use crate::{
    graph::{
        GraphParameters, Shape,
        capture::GraphCapture,
        digest::graph_digest,
        search::{Candidate, Neighbour, SearchScratch},
        tests::{
            Memory as GraphMemory, bytes,
            hnsw::{Hnsw, Random, clustered},
        },
    },
    kernel::distance::{Metric, distance},
    pipeline::{
        apply::{Applier, Apply, Outcome},
        capture::{Capture, CaptureError},
        sequencer::{Position, PrepareError, Sequencer, SlotState},
    },
    ring::{Consumer, Mem, StaticRing},
    store::{Replica, ReplicaGraph, SliceStore, state_digest},
    testing::Memory,
};

const DIM: usize = 12;
/// The same, as streams have it.
const ROW_DIM: u32 = 12;
const LINKS: u8 = 6;
const ROWS: u32 = 240;
const SHAPE: Shape = Shape {
    nodes_max: ROWS,
    degree0_max: 2 * LINKS,
    degree_max: LINKS,
    upper_blocks_max: ROWS / 2,
};
const PARAMETERS: GraphParameters = GraphParameters::new(SHAPE, Metric::SquaredL2);

fn index() -> Hnsw {
    Hnsw::new(DIM, LINKS.into(), 30, |a, b| {
        distance(Metric::SquaredL2, a, b)
    })
}

fn with_graph<'a>(memory: &'a mut Memory, graph: &'a mut GraphMemory) -> SliceStore<'a> {
    let graph = ReplicaGraph::new(graph.graph(), Metric::SquaredL2);
    memory.store().with_graph(graph)
}

/// A primary: an index, the capture of its graph, and the stream.
struct Primary<'a, M: Mem> {
    index: Hnsw,
    graph: GraphCapture<'a>,
    capture: Capture<'a, M>,
    random: Random,
    out: [u8; 4096],
}

impl<M: Mem> Primary<'_, M> {
    fn insert(&mut self, row: &[f32]) -> Result<u32, CaptureError> {
        let level = self.index.level(self.random.next());
        let slot = self.index.insert(row, level);
        self.insert_again(slot)
    }

    /// Captures an insert that the index has made.
    fn insert_again(&mut self, slot: u32) -> Result<u32, CaptureError> {
        let pending = self.graph.insert(&self.index, slot, &mut self.out).unwrap();
        let row = self.index.row(slot);
        self.capture
            .insert_with_graph(&slot.to_le_bytes(), row, &[], pending)
    }

    fn update(&mut self, slot: u32, row: &[f32]) -> Result<(), CaptureError> {
        let old = self.index.row(slot).to_vec();
        self.index.update(slot, row);
        let pending = self.graph.update(&self.index, slot, &mut self.out).unwrap();
        self.capture
            .update_with_graph(slot, &old, row, &[], pending)
    }

    /// Deletes and repairs: the neighbours forget the node.
    fn delete(&mut self, slot: u32) -> Result<(), CaptureError> {
        for layer in 0..self.index.lists[slot as usize].len() {
            for to in self.index.lists[slot as usize][layer].clone() {
                self.index.lists[to as usize][layer].retain(|&back| back != slot);
            }
        }
        let pending = self.graph.delete(&self.index, slot, &mut self.out).unwrap();
        self.capture.delete_with_graph(slot, pending)
    }
}

/// Every node has a row, both are deleted or neither is, and every edge of every list leads to a
/// node that has the layer.
fn every_edge_leads_to_a_row(store: &SliceStore<'_>) {
    let graph = store.graph().unwrap().adjacency();
    for slot in 0..graph.node_count() {
        assert!(store.row(slot).is_some());
        assert_eq!(graph.is_tombstone(slot), store.is_deleted(slot));
        for layer in 0..=graph.level(slot).unwrap() {
            for &to in graph.neighbours(layer, slot).unwrap() {
                assert!(to < store.slot_count() && store.row(to).is_some());
                assert!(graph.level(to).unwrap() >= layer);
            }
        }
    }
    let entry = graph.entry();
    assert!(entry.is_none_or(|entry| store.row(entry).is_some()));
}

/// Applies all that is in the ring, and looks at the replica between any two records.
fn apply_all<M: Mem>(apply: &mut Apply<'_, M>, store: &mut SliceStore<'_>) {
    while let Some(outcome) = apply.poll(store).unwrap() {
        assert_eq!(outcome, Outcome::Applied);
        every_edge_leads_to_a_row(store);
    }
    let digest = apply.applier().current_position().digest;
    assert_eq!(state_digest(store), digest);
}

fn found(store: &SliceStore<'_>, query: &[f32]) -> Vec<Neighbour> {
    let mut pool = [Candidate::default(); 80];
    let mut visited = [0; ROWS as usize];
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut out = [Neighbour::default(); 10];
    let graph = store.graph().unwrap();
    let count = graph.search(store, query, 40, &mut scratch, &mut out);
    out[..count.unwrap()].to_vec()
}

#[test]
fn an_index_is_replicated_with_its_rows() {
    primary!(primary, consumer, StaticRing::<64, 16_384>::new());
    let (mut memory, mut graph) = (
        Memory::new(DIM, ROWS as usize, 8192),
        GraphMemory::new(SHAPE),
    );
    let mut store = with_graph(&mut memory, &mut graph);
    let mut apply = Apply::new(consumer, Applier::new(Position::START, &mut []));
    let rows = clustered(ROWS as usize + 100, DIM, 8, &mut Random(3));
    let (rows, others) = rows.split_at(ROWS as usize);

    primary.capture.start(b"").unwrap();
    for (slot, row) in (0..).zip(rows) {
        assert_eq!(primary.insert(row), Ok(slot));
        apply_all(&mut apply, &mut store);
        assert_eq!(found(&store, row)[0].slot, slot);
    }
    for (slot, row) in (0..ROWS).step_by(5).zip(others) {
        if primary.index.entry != Some(slot) {
            primary.update(slot, row).unwrap();
            apply_all(&mut apply, &mut store);
        }
    }
    for slot in (0..ROWS).step_by(7) {
        primary.delete(slot).unwrap();
        apply_all(&mut apply, &mut store);
        assert!(
            found(&store, primary.index.row(slot))
                .iter()
                .all(|near| near.slot != slot)
        );
    }
    assert_eq!(primary.graph.first_difference(&primary.index), Ok(None));
    let replica = store.graph().unwrap().adjacency();
    assert_eq!(bytes(replica), bytes(primary.graph.shadow()));
    assert_eq!(graph_digest(replica), replica.digest());
    assert_eq!(
        primary.capture.position(),
        apply.applier().current_position()
    );
}

/// A consumer that takes nothing yet.
fn discard<M: Mem>(consumer: &mut Consumer<M>) {
    while let Some(received) = consumer.poll().unwrap() {
        received.done();
    }
}

#[test]
fn a_full_ring_leaves_stream_and_shadow() {
    primary!(primary, consumer, StaticRing::<4, 4096>::new());
    let mut consumer = consumer;
    let rows = clustered(5, DIM, 1, &mut Random(3));
    for row in &rows[..4] {
        primary.insert(row).unwrap();
    }
    let before = (bytes(primary.graph.shadow()), primary.capture.position());
    let refused = primary.insert(&rows[4]).unwrap_err();
    assert!(refused.is_full());
    assert_eq!(
        (bytes(primary.graph.shadow()), primary.capture.position()),
        before
    );
    discard(&mut consumer);
    assert_eq!(primary.insert_again(4), Ok(4));
    assert_eq!(primary.graph.first_difference(&primary.index), Ok(None));
    assert_eq!(primary.capture.position().sequence, 5);
}

#[test]
fn a_stream_without_a_graph_takes_no_graph_change() {
    let mut ring = StaticRing::<4, 4096>::new();
    let (producer, _consumer) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let sequencer = Sequencer::new(ROW_DIM, &mut slots, 0, Position::START);
    let mut shadow = GraphMemory::new(SHAPE);
    let mut primary = Primary {
        index: index(),
        graph: GraphCapture::new(shadow.graph()),
        capture: Capture::new(producer, sequencer),
        random: Random(7),
        out: [0; 4096],
    };
    let refused = Err(CaptureError::Prepare(PrepareError::NoGraph));
    assert_eq!(primary.insert(&[1.0; DIM]), refused);
    assert_eq!(primary.graph.shadow().node_count(), 0);
    assert_eq!(primary.capture.position(), Position::START);
}
