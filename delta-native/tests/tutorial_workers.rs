//! A tutorial: batches applied by several workers, and readers that never see half of one.
//!
//! Rows are spread over shards, one a worker. A batch's row updates are forked over the workers and
//! joined; what changes more than rows, such as the graph, follows on the calling thread; then the
//! position is published.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use delta_core::codec::Base;
use delta_core::graph::search::{Candidate, Neighbour, SearchScratch};
use delta_core::graph::{
    Adjacency, Edit, GraphParameters, ListChange, Shape, Slots,
    encode::{Change, encode_edits},
};
use delta_core::kernel::distance::Metric;
use delta_core::payload::vector::VectorChange;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::store::ReplicaGraph;
use delta_native::index::GraphMemory;
use delta_native::workers::{ShardedReplica, run};

const DIM: usize = 8;
const ROW_DIM: u32 = 8;
const ROWS: u32 = 24;
const BATCHES: u8 = 120;
const SHAPE: Shape = Shape {
    nodes_max: ROWS,
    degree0_max: 4,
    degree_max: 2,
    upper_blocks_max: 1,
};

/// The writing side: rows in a ring-shaped graph, each node linked with the two beside it.
struct Writer<'a> {
    sequencer: Sequencer<'a>,
    graph: Adjacency<'a>,
    frames: Vec<u8>,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn send(&mut self, change: &VectorChange<'_>) {
        let prepared = self
            .sequencer
            .prepare_vector(change, &mut self.out, None)
            .unwrap();
        self.frames.extend(prepared.header.to_bytes());
        let size = prepared.header.payload_size as usize;
        self.frames.extend(&self.out[..size]);
        self.sequencer.commit(prepared);
    }

    /// Row, node and links travel in one record.
    fn insert(&mut self, slot: u32) {
        let before = slot.checked_sub(1);
        let own: Vec<u32> = before.into_iter().collect();
        let list = |slot, change| Edit::List {
            layer: 0,
            slot,
            change,
        };
        let link = ListChange::Link {
            removed: 0,
            added: Some(slot),
        };
        let mut edits = vec![Edit::Insert { slot, level: 0 }];
        edits.extend(before.map(|before| list(before, link)));
        if slot > 0 {
            edits.push(list(slot, ListChange::Replace(Slots::from(&own[..]))));
        } else {
            edits.push(Edit::Entry { slot });
        }
        let mut bytes = [0; 64];
        let size = encode_edits(edits, &mut bytes).unwrap();
        let checked = self
            .graph
            .check(Change::parse(&bytes[..size]).unwrap())
            .unwrap();
        self.send(&VectorChange {
            slot,
            base: Base::Zero,
            new: &[0.0; DIM],
            id: &slot.to_le_bytes(),
            graph: Some(checked),
            metadata: &[],
        });
        self.graph.make(checked);
    }

    /// Every row from one value to the next.
    fn update_all(&mut self, value: u8) {
        let (old, new) = ([f32::from(value - 1); DIM], [f32::from(value); DIM]);
        for slot in 0..ROWS {
            self.send(&VectorChange {
                slot,
                base: Base::Row(&old),
                new: &new,
                id: &[],
                graph: None,
                metadata: &[],
            });
        }
    }
}

#[test]
fn a_search_sees_whole_batches_while_workers_apply_them() {
    let mut states = vec![SlotState::default(); ROWS as usize];
    let mut shadow = GraphMemory::new(SHAPE).unwrap();
    let metric = Metric::SquaredL2;
    let sequencer = Sequencer::new(ROW_DIM, &mut states, 0, Position::START)
        .with_graph(GraphParameters::new(SHAPE, metric), 0);
    let mut writer = Writer {
        sequencer,
        graph: shadow.empty_graph(),
        frames: Vec::new(),
        out: vec![0; 1_024],
    };

    // A replica of three shards, with a graph: one calling thread and two workers beside it.
    let mut graph = GraphMemory::new(SHAPE).unwrap();
    let replica = ShardedReplica::new(ROW_DIM, ROWS, 3, Position::START)
        .unwrap()
        .with_graph(ReplicaGraph::new(graph.empty_graph(), metric));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| search_until(&replica, &done));
        let forked = run(&replica, |session| {
            (0..ROWS).for_each(|slot| writer.insert(slot));
            let mut forked = 0;
            for value in 1..=BATCHES {
                writer.update_all(value);
                let frames = std::mem::take(&mut writer.frames);
                let (applied, memory) = session.apply_batch(frames);
                forked += applied.unwrap().forked;
                writer.frames = memory;
                writer.frames.clear();
            }
            forked
        });
        assert_eq!(forked.unwrap(), u64::from(BATCHES) * u64::from(ROWS));
        done.store(true, Ordering::Release);
        assert!(reader.join().unwrap() > 0);
    });

    let view = replica.read();
    assert_eq!(view.position(), writer.sequencer.position());
    assert_eq!(
        view.graph().unwrap().adjacency().digest(),
        writer.graph.digest()
    );
    let counted = replica.counters().snapshot();
    assert_eq!(counted.records, writer.sequencer.position().sequence);
    let rows = u64::from(ROWS) * (1 + u64::from(BATCHES));
    assert_eq!(counted.raw_bytes, 4 * u64::from(ROW_DIM) * rows);
}

/// Searches over and over: at the end of a batch all rows are equal, so all distances must be.
fn search_until(replica: &ShardedReplica<'_>, done: &AtomicBool) -> u32 {
    let (mut pool, mut visited) = ([Candidate::default(); 64], [0; ROWS as usize]);
    let mut found = [Neighbour::default(); ROWS as usize];
    let (mut searches, mut last) = (0, 0);
    while !done.load(Ordering::Acquire) || searches < 3 {
        let view = replica.read();
        let position = view.position().sequence;
        assert!(position >= last, "positions only grow");
        last = position;
        let mut scratch = SearchScratch::new(&mut pool, &mut visited);
        let ef = ROWS as usize;
        let count = view
            .search(&[0.5; DIM], ef, &mut scratch, &mut found)
            .unwrap();
        drop(view);
        let found = &found[..count];
        if let Some(first) = found.first() {
            assert_eq!(count, ROWS as usize, "the graph is whole");
            let same = found
                .iter()
                .all(|near| near.distance.to_bits() == first.distance.to_bits());
            assert!(same, "half of a batch at {position}");
        }
        searches += 1;
    }
    searches
}
