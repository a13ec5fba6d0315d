//! Logs of rows and their graph: taken back record by record, and compacted.

mod history;

use super::{GraphMemory, bytes};
use crate::{
    compact::{CompactError, RangeSegment},
    graph::tests::SMALL,
    kernel::distance::Metric,
    pipeline::{
        apply::{Applier, BatchApplyError, Undo},
        sequencer::Position,
        tests::{
            Shown,
            compact::{Work, finish},
            shown,
        },
    },
    record::Record,
    store::{Replica, ReplicaGraph, SliceStore},
    testing::Memory,
};
use history::{any_events, frames_of};
use proptest::{prelude::*, sample::Index};

const DIM: usize = 2;
const SLOTS: usize = 20;
const ATTRIBUTES: usize = 2_000;

fn memories() -> (Memory, GraphMemory) {
    (Memory::new(DIM, SLOTS, ATTRIBUTES), GraphMemory::new(SMALL))
}

fn replica<'a>(memory: &'a mut Memory, graph: &'a mut GraphMemory) -> SliceStore<'a> {
    let graph = ReplicaGraph::new(graph.graph(), Metric::SquaredL2);
    memory.store().with_graph(graph)
}

/// All that a replica has.
fn whole(store: &SliceStore<'_>) -> (Shown, Vec<u8>) {
    (shown(store), bytes(store.graph().unwrap().adjacency()))
}

fn records(frames: &[Vec<u8>]) -> Vec<Record<'_>> {
    frames
        .iter()
        .map(|frame| Record::parse(frame).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn prop_graph_changes_are_taken_back_in_every_byte(
        events in any_events(),
        cut in any::<Index>(),
    ) {
        let (frames, end) = frames_of(&events);
        prop_assume!(!frames.is_empty());
        let (mut memory, mut graph) = memories();
        let mut store = replica(&mut memory, &mut graph);
        let mut scratch = [0; 8 * DIM];
        let mut applier = Applier::new(Position::START, &mut scratch);
        let mut states = vec![];
        let mut bytes = vec![0; 1 << 17];
        let mut undo = Undo::new(&mut bytes);
        for record in records(&frames) {
            states.push((whole(&store), applier.current_position()));
            applier.apply_undoable(&record, &mut store, &mut undo).unwrap();
        }
        prop_assert_eq!(applier.current_position(), end);
        for expected in states.iter().rev() {
            applier.step_back(&mut store, &mut undo).unwrap();
            prop_assert_eq!(&(whole(&store), applier.current_position()), expected);
        }

        // A batch in which a record is missing changes nothing; whole, it leads to the end.
        let mut damaged = frames.clone();
        let missing = cut.index(frames.len());
        damaged.remove(missing);
        if missing < damaged.len() {
            let refused = applier.apply_batch(records(&damaged), &mut store, &mut undo);
            prop_assert!(matches!(refused, Err(BatchApplyError::Apply(_))));
            prop_assert_eq!(&(whole(&store), applier.current_position()), &states[0]);
        }
        let refused = applier.apply_batch(records(&frames), &mut store, &mut Undo::new(&mut []));
        let Err(BatchApplyError::UndoTooSmall { needed, .. }) = refused else {
            panic!("{refused:?}");
        };
        let mut bytes = vec![0; needed];
        let mut undo = Undo::new(&mut bytes);
        let result = applier.apply_batch(records(&frames), &mut store, &mut undo).unwrap();
        prop_assert_eq!(result.position, end);
        while applier.step_back(&mut store, &mut undo).is_some() {}
        prop_assert_eq!(&(whole(&store), applier.current_position()), &states[0]);
    }

    #[test]
    fn prop_a_compacted_log_with_a_graph_replays_as_the_log(
        events in any_events(),
        entities in 2..SLOTS,
    ) {
        let (frames, end) = frames_of(&events);
        prop_assume!(!frames.is_empty());
        let (mut memory, mut graph) = memories();
        let mut expected = replica(&mut memory, &mut graph);
        let mut scratch = [0; 8 * DIM];
        let mut applier = Applier::new(Position::START, &mut scratch);
        for record in records(&frames) {
            applier.apply_delta(&record, &mut expected).unwrap();
        }
        let whole_log = segments(&frames, SLOTS);
        prop_assert_eq!(whole_log.len(), 1);
        for segments in [&whole_log, &segments(&frames, entities)] {
            let (mut memory, mut graph) = memories();
            let mut store = replica(&mut memory, &mut graph);
            let mut scratch = [0; 8 * DIM];
            let mut applier = Applier::new(Position::START, &mut scratch);
            let mut undo = vec![0; 1 << 17];
            let mut undo = Undo::new(&mut undo);
            for bytes in segments {
                let segment = RangeSegment::parse(bytes).unwrap();
                applier.apply_range(&segment, &mut store, &mut undo).unwrap();
            }
            prop_assert_eq!(applier.current_position(), end);
            prop_assert_eq!(whole(&store), whole(&expected));

            // Idempotent, and segments merge.
            let mut work = Work::new(DIM, SLOTS, 4_000);
            let (mut base, mut named) = (GraphMemory::new(SMALL), [u32::MAX; 12]);
            let compactor = work.compactor(DIM, Position::START);
            let mut compactor = compactor.with_graph(base.graph(), &mut named);
            for bytes in segments {
                compactor.push_segment(&RangeSegment::parse(bytes).unwrap()).unwrap();
            }
            prop_assert_eq!(&finish(&mut compactor), &whole_log[0]);
        }
    }
}

/// The log in segments of at most so many entities.
fn segments(frames: &[Vec<u8>], entities: usize) -> Vec<Vec<u8>> {
    let (mut memory, mut graph) = memories();
    let base = replica(&mut memory, &mut graph);
    let mut scratch = [0; 8 * DIM];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut undo = vec![0; 1 << 17];
    let mut work = Work::new(DIM, entities, 4_000);
    let (mut range, mut named) = (GraphMemory::new(SMALL), [u32::MAX; 12]);
    let compactor = work.compactor_over(DIM, Position::START, base);
    let mut compactor = compactor.with_graph(range.graph(), &mut named);
    let mut segments = vec![];
    for record in records(frames) {
        while let Err(error) = compactor.push(&record) {
            assert!(matches!(error, CompactError::Full { .. }), "{error}");
            let bytes = finish(&mut compactor);
            let segment = RangeSegment::parse(&bytes).unwrap();
            let base = compactor.base_mut();
            applier
                .apply_range(&segment, base, &mut Undo::new(&mut undo))
                .unwrap();
            segments.push(bytes);
        }
    }
    segments.push(finish(&mut compactor));
    segments
}
