//! A state with many tombstones, renumbered by primary and replica: equal bytes, and a stream that
//! goes on over them.

use super::{DIM, PARAMETERS, Primary, ROW_DIM, ROWS, SHAPE, apply_all, found, index, with_graph};
use crate::{
    graph::{
        Edit, Shape,
        capture::GraphCapture,
        encode::{Change, encode_edits},
        renumber::GONE,
        tests::{
            Memory as GraphMemory, bytes,
            hnsw::{Random, clustered},
        },
    },
    kernel::distance::{Metric, distance},
    pipeline::{
        apply::{Applier, Apply, Outcome},
        capture::Capture,
        sequencer::{Position, Sequencer, SlotState},
    },
    record::Record,
    ring::StaticRing,
    store::{RenumberError, Replica, SliceStore, StoreError, renumber, state_digest},
    testing::{Memory, frame, view},
};

/// Slots that are deleted before the state is renumbered: two of three.
fn is_deleted(slot: u32) -> bool {
    slot % 3 != 1
}

/// Runs `test` on a replica of which most rows are deleted, at its position.
fn with_tombstones(test: impl FnOnce(&SliceStore<'_>, Position)) {
    primary!(primary, consumer, StaticRing::<64, 16_384>::new());
    let (mut memory, mut graph) = (
        Memory::new(DIM, ROWS as usize, 8192),
        GraphMemory::new(SHAPE),
    );
    let mut store = with_graph(&mut memory, &mut graph);
    let mut apply = Apply::new(consumer, Applier::new(Position::START, &mut []));
    for row in clustered(ROWS as usize, DIM, 8, &mut Random(3)) {
        primary.insert(&row).unwrap();
        apply_all(&mut apply, &mut store);
    }
    for slot in (0..ROWS).filter(|&slot| is_deleted(slot)) {
        let pending = primary.graph.delete(&primary.index, slot, &mut primary.out);
        primary
            .capture
            .delete_with_graph(slot, pending.unwrap())
            .unwrap();
        apply_all(&mut apply, &mut store);
    }
    test(&store, apply.applier().current_position());
}

#[test]
fn replicas_that_renumber_have_equal_bytes_and_answers() {
    with_tombstones(|store, _| {
        let mut memories = [(); 2].map(|()| (Memory::new(DIM, 100, 4096), GraphMemory::new(SHAPE)));
        let (mut map, mut scratch) = ([0; ROWS as usize], [0; 64]);
        let seen = memories.each_mut().map(|(memory, graph)| {
            let mut target = with_graph(memory, graph);
            let digest = renumber(store, &mut target, &mut map, &mut scratch).unwrap();
            assert_eq!(digest, state_digest(&target));
            let adjacency = target.graph().unwrap().adjacency();
            assert_eq!(adjacency.tombstone_count(), 0);
            assert_eq!(adjacency.node_count(), ROWS / 3);
            (bytes(adjacency), view(&target))
        });
        assert_eq!(seen[0], seen[1]);

        let (memory, graph) = &mut memories[0];
        let mut target = with_graph(memory, graph);
        renumber(store, &mut target, &mut map, &mut scratch).unwrap();
        for (old, &slot) in (0..).zip(&map) {
            assert_eq!(slot == GONE, is_deleted(old));
            if slot != GONE {
                assert_eq!(target.row(slot), store.row(old));
                assert_eq!(target.id(slot), store.id(old));
            }
        }
        let mut hits = 0;
        for query in clustered(60, DIM, 8, &mut Random(3)) {
            let mut exact: Vec<_> = (0..target.slot_count())
                .map(|slot| {
                    let row = target.row(slot).unwrap();
                    (distance(Metric::SquaredL2, &query, row), slot)
                })
                .collect();
            exact.sort_by(|a, b| a.partial_cmp(b).unwrap());
            let answers = found(&target, &query);
            let is_near = |slot| exact[..10].iter().any(|near| near.1 == slot);
            hits += answers.iter().filter(|near| is_near(near.slot)).count();
        }
        assert!(hits >= 570, "{hits} of 600");
    });
}

#[test]
fn a_stream_goes_on_over_the_renumbered_state() {
    with_tombstones(|store, position| {
        let (mut memory, mut graph) = (Memory::new(DIM, 100, 4096), GraphMemory::new(SHAPE));
        let mut target = with_graph(&mut memory, &mut graph);
        let mut map = [0; ROWS as usize];
        let digest = renumber(store, &mut target, &mut map, &mut []).unwrap();
        let position = Position {
            epoch: position.epoch + 1,
            digest,
            ..position
        };
        let (mut slots, mut out) = ([SlotState::default(); 100], [0; 128]);
        let count = target.slot_count();
        let mut sequencer =
            Sequencer::new(ROW_DIM, &mut slots, count, position).with_graph(PARAMETERS, count);
        let mut applier = Applier::new(position, &mut []);
        let start = sequencer.prepare_start(b"", &mut out).unwrap();
        let start_frame = frame(start.header, &out[..16]);
        sequencer.commit(start);
        let edits = [Edit::Tombstone { slot: 5 }];
        let mut change = [0; 8];
        let size = encode_edits(edits, &mut change).unwrap();
        let change = Change::parse(&change[..size]).unwrap();
        let checked = target.graph().unwrap().adjacency().check(change).unwrap();
        let delete = sequencer
            .prepare_delete_with_graph(5, Some(&checked), &mut out)
            .unwrap();
        let delete_frame = frame(delete.header, &out[..4 + size]);
        for bytes in [start_frame, delete_frame] {
            let record = Record::parse(&bytes).unwrap();
            let outcome = applier.apply_delta(&record, &mut target);
            assert_eq!(outcome, Ok(Outcome::Applied));
        }
        assert_eq!(state_digest(&target), applier.current_position().digest);
    });
}

#[test]
fn what_does_not_fit_is_not_renumbered() {
    with_tombstones(|store, _| {
        let (mut memory, mut graph) = (Memory::new(DIM, 100, 4096), GraphMemory::new(SHAPE));
        let mut target = with_graph(&mut memory, &mut graph);
        let mut map = [0; ROWS as usize];
        let needed = map.len();
        assert_eq!(
            renumber(store, &mut target, &mut map[1..], &mut []),
            Err(RenumberError::Map {
                needed,
                given: needed - 1
            })
        );
        let mut bare = Memory::new(DIM, 100, 4096);
        assert_eq!(
            renumber(store, &mut bare.store(), &mut map, &mut []),
            Err(RenumberError::Graph {
                source: Some(PARAMETERS),
                target: None
            })
        );
        let mut other = Memory::new(DIM + 1, 100, 4096);
        assert_eq!(
            renumber(store, &mut other.store(), &mut map, &mut []),
            Err(RenumberError::Target { dim: ROW_DIM })
        );
        let (mut few, mut graph) = (Memory::new(DIM, 79, 4096), GraphMemory::new(SHAPE));
        assert_eq!(
            renumber(
                store,
                &mut with_graph(&mut few, &mut graph),
                &mut map,
                &mut []
            ),
            Err(RenumberError::Store(StoreError::SlotsFull { capacity: 79 }))
        );
        let shape = Shape {
            nodes_max: 79,
            ..SHAPE
        };
        let (mut memory, mut graph) = (Memory::new(DIM, 100, 4096), GraphMemory::new(shape));
        let mut target = with_graph(&mut memory, &mut graph);
        assert!(matches!(
            renumber(store, &mut target, &mut map, &mut []),
            Err(RenumberError::Edit(_))
        ));
    });
}
