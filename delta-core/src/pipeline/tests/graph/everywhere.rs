//! The stream that the tests of every place replay (`tests/replica`) is that of the primary below.
//!
//! `DELTA_BLESS=1` writes it anew, for a change of the format or of the index; then
//! `tests/replica.rs` has to tell anew what is found.

use super::{Primary, SHAPE};
use crate::{
    graph::{
        GraphParameters, Shape,
        capture::GraphCapture,
        tests::{
            Memory as GraphMemory, bytes,
            hnsw::{Hnsw, Random, clustered},
        },
    },
    kernel::distance::{Metric, distance},
    pipeline::{
        apply::{Applier, Outcome},
        capture::Capture,
        sequencer::{Position, Sequencer, SlotState},
    },
    ring::{Consumer, Mem, StaticRing},
    store::{Replica, ReplicaGraph},
    stream::StreamReader,
    testing::{Memory, bits_of},
};
use std::fs;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replica/stream.delta");
const ROW_DIM: u32 = 21;
const DIM: usize = ROW_DIM as usize;
const ROWS: u32 = 96;
const SHAPE_OF_ALL: Shape = Shape {
    nodes_max: ROWS,
    upper_blocks_max: ROWS / 2,
    ..SHAPE
};

/// Moves what is in the ring to the end of `frames`.
fn drain<M: Mem>(consumer: &mut Consumer<M>, frames: &mut Vec<u8>) {
    while let Some(received) = consumer.poll().unwrap() {
        frames.extend(received.header());
        frames.extend(received.payload());
        received.done();
    }
}

/// Inserts all rows, then deletes and updates some of them.
fn history<M: Mem>(primary: &mut Primary<'_, M>, consumer: &mut Consumer<M>) -> Vec<u8> {
    let mut frames = Vec::new();
    let rows = clustered(ROWS as usize + 16, DIM, 6, &mut Random(5));
    // Few digits, so that no platform's logarithm makes others.
    let exact = |row: Vec<f32>| {
        row.iter()
            .map(|value| (value * 16.0).round() / 16.0)
            .collect()
    };
    let rows: Vec<Vec<f32>> = rows.into_iter().map(exact).collect();
    let (rows, others) = rows.split_at(ROWS as usize);
    primary.capture.start(b"").unwrap();
    for row in rows {
        primary.insert(row).unwrap();
        drain(consumer, &mut frames);
    }
    let entry = primary.index.entry.unwrap();
    for slot in (0..ROWS).step_by(9) {
        primary.delete(slot).unwrap();
        drain(consumer, &mut frames);
    }
    for (slot, row) in (1..ROWS).step_by(9).zip(others) {
        if slot != entry {
            primary.update(slot, row).unwrap();
            drain(consumer, &mut frames);
        }
    }
    let records = primary.capture.position().sequence - 1;
    primary.capture.end(records).unwrap();
    drain(consumer, &mut frames);
    frames
}

#[test]
fn the_committed_stream_is_that_of_its_primary() {
    let mut ring = StaticRing::<16, 8192>::new();
    let (producer, mut consumer) = ring.split();
    let mut slots = [SlotState::default(); ROWS as usize];
    let mut shadow = GraphMemory::new(SHAPE_OF_ALL);
    let sequencer = Sequencer::new(ROW_DIM, &mut slots, 0, Position::START);
    let parameters = GraphParameters::new(SHAPE_OF_ALL, Metric::SquaredL2);
    let links = usize::from(SHAPE_OF_ALL.degree_max);
    let mut primary = Primary {
        index: Hnsw::new(DIM, links, 30, |a, b| distance(Metric::SquaredL2, a, b)),
        graph: GraphCapture::new(shadow.graph()),
        capture: Capture::new(producer, sequencer.with_graph(parameters, 0)),
        random: Random(7),
        out: [0; 4096],
    };
    let frames = history(&mut primary, &mut consumer);
    if std::env::var_os("DELTA_BLESS").is_some() {
        fs::write(PATH, &frames).unwrap();
    }
    let committed = fs::read(PATH).unwrap();

    let (mut memory, mut graph) = (
        Memory::new(DIM, ROWS as usize, 2048),
        GraphMemory::new(SHAPE_OF_ALL),
    );
    let graph = ReplicaGraph::new(graph.graph(), Metric::SquaredL2);
    let mut store = memory.store().with_graph(graph);
    let mut scratch = [0; 4 * DIM];
    let mut applier = Applier::new(Position::START, &mut scratch);
    for record in StreamReader::new(&committed) {
        let outcome = applier.apply_delta(&record.unwrap(), &mut store);
        assert_eq!(outcome, Ok(Outcome::Applied));
    }
    assert_eq!(applier.current_position(), primary.capture.position());
    let replica = store.graph().unwrap().adjacency();
    assert_eq!(bytes(replica), bytes(primary.graph.shadow()));
    assert_eq!(bits_of(store.rows()), bits_of(&primary.index.rows));
    assert!(replica.level_max() > 0 && replica.tombstone_count() > 0);
}
