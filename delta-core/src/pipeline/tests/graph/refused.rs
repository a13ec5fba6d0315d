//! Records whose graph change does not fit: refused, each for its own reason, with nothing changed.

mod fixture;

use super::{DIM, PARAMETERS, ROW_DIM};
use crate::{
    graph::{Edit, EditError, GraphParameters, ListChange, Slots, encode},
    header::{DeltaHeader, Operation},
    kernel::distance::Metric,
    payload::control::Control,
    pipeline::{
        GraphRowsError,
        apply::{Applier, Outcome, Refusal},
        sequencer::{Position, PrepareError, Sequencer, SlotState},
    },
    record::Record,
    store::{Replica, state_digest},
    testing::{Memory, frame as seal, frame},
};
use fixture::{EPOCH, Fixture, change, memories, second};
use proptest::{collection::vec, prelude::*};

#[test]
fn edits_that_do_not_fit() {
    let (mut memory, mut graph) = memories();
    let mut fixture = Fixture::new(&mut memory, &mut graph);
    let patch = |layer, slot, removed, added| Edit::List {
        layer,
        slot,
        change: ListChange::Patch {
            removed: Slots::from(removed),
            added: Slots::from(added),
        },
    };
    let many: Vec<u32> = (1..14).collect();
    let (none, one, zero, six): (&[u32], &[u32], &[u32], &[u32]) = (&[], &[1], &[0], &[6]);
    for (edits, expected) in [
        (
            vec![patch(0, 0, none, one)],
            EditError::DuplicateEdge {
                layer: 0,
                from: 0,
                to: 1,
            },
        ),
        (
            vec![patch(0, 0, zero, none)],
            EditError::MissingEdge {
                layer: 0,
                from: 0,
                to: 0,
            },
        ),
        (
            vec![patch(0, 0, none, zero)],
            EditError::SelfLink { layer: 0, slot: 0 },
        ),
        (
            vec![patch(0, 0, none, six)],
            EditError::MissingNode { slot: 6 },
        ),
        (
            vec![patch(1, 0, none, one)],
            EditError::MissingLayer { layer: 1, slot: 0 },
        ),
        (
            vec![patch(0, 9, none, one)],
            EditError::MissingNode { slot: 9 },
        ),
        (
            vec![patch(0, 0, none, &many)],
            EditError::DuplicateEdge {
                layer: 0,
                from: 0,
                to: 1,
            },
        ),
        (
            vec![Edit::Entry { slot: 1 }, Edit::Entry { slot: 0 }],
            EditError::Order { index: 1 },
        ),
        (
            vec![Edit::Insert { slot: 1, level: 0 }],
            EditError::SlotNotNext {
                slot: 1,
                expected: 2,
            },
        ),
    ] {
        let expected = Refusal::Graph(expected);
        for frame in [
            fixture.reindex(&edits),
            fixture.update(0, &edits),
            fixture.insert(3, &edits),
        ] {
            assert_eq!(fixture.refusal(&frame), expected);
        }
    }
}

#[test]
fn rows_and_nodes_that_do_not_go_together() {
    let (mut memory, mut graph) = memories();
    let mut fixture = Fixture::new(&mut memory, &mut graph);
    let tombstone = |slot| [Edit::Tombstone { slot }];
    for (frame, expected) in [
        (
            fixture.delete(0, None),
            GraphRowsError::NodeLeft { slot: 0 },
        ),
        (
            fixture.delete(0, Some(&[Edit::Entry { slot: 1 }])),
            GraphRowsError::NodeLeft { slot: 0 },
        ),
        (
            fixture.delete(0, Some(&tombstone(1))),
            GraphRowsError::RowLeft { slot: 1 },
        ),
        (
            fixture.update(0, &tombstone(0)),
            GraphRowsError::RowLeft { slot: 0 },
        ),
        (
            fixture.reindex(&tombstone(1)),
            GraphRowsError::RowLeft { slot: 1 },
        ),
    ] {
        assert_eq!(fixture.refusal(&frame), Refusal::GraphRows(expected));
    }
    // The third row has no node that could stay behind, and the next node has a row.
    let frame = fixture.reindex(&second(&[0], &[1, 2]));
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    let without_row = GraphRowsError::NodeWithoutRow {
        node_count: 4,
        slot_count: 3,
    };
    let frame = fixture.reindex(&second(&[0], &[1, 3]));
    assert_eq!(fixture.refusal(&frame), Refusal::GraphRows(without_row));
    let frame = fixture.delete(1, Some(&tombstone(1)));
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    // A cleared graph has no node that a deletion leaves.
    let frame = fixture.reindex(&[Edit::Clear]);
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    let frame = fixture.delete(0, None);
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    // Its node comes back as a tombstone, or not at all.
    let insert = Edit::Insert { slot: 0, level: 0 };
    let live = fixture.reindex(&[insert, Edit::Entry { slot: 0 }]);
    let left = Refusal::GraphRows(GraphRowsError::NodeLeft { slot: 0 });
    assert_eq!(fixture.refusal(&live), left);
    let [gone] = tombstone(0);
    let frame = fixture.reindex(&[gone, insert, Edit::Entry { slot: 0 }]);
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    let insert = Edit::Insert { slot: 1, level: 0 };
    let [gone] = tombstone(1);
    let frame = fixture.reindex(&[gone, insert]);
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    // So does one that comes with the deletion of its row; that of a live row is none.
    let insert = Edit::Insert { slot: 2, level: 0 };
    let [gone] = tombstone(2);
    let frame = fixture.reindex(&[gone, insert]);
    assert_eq!(
        fixture.refusal(&frame),
        Refusal::GraphRows(GraphRowsError::RowLeft { slot: 2 })
    );
    let left = Refusal::GraphRows(GraphRowsError::NodeLeft { slot: 2 });
    let frame = fixture.delete(2, Some(&[insert]));
    assert_eq!(fixture.refusal(&frame), left);
    let frame = fixture.delete(2, Some(&[gone, insert]));
    assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
    assert_eq!(
        state_digest(&fixture.store),
        fixture.applier.current_position().digest
    );
}

#[test]
fn another_digest() {
    let (mut memory, mut graph) = memories();
    let mut fixture = Fixture::new(&mut memory, &mut graph);
    let frame = fixture.reindex(&[Edit::Entry { slot: 1 }]);
    let record = Record::parse(&frame).unwrap();
    let header = DeltaHeader {
        state_digest: Some(1),
        ..*record.header()
    };
    let frame = seal(header, record.payload_bytes());
    assert!(matches!(
        fixture.refusal(&frame),
        Refusal::Diverged { expected: 1, .. }
    ));
}

#[test]
fn graphs_that_differ_or_are_missing() {
    let (mut memory, mut graph) = memories();
    let mut fixture = Fixture::new(&mut memory, &mut graph);
    let mut start = |graph| {
        let control = Control::Start {
            dim: ROW_DIM,
            slot_count: 3,
            graph,
            consumer_bytes: b"",
        };
        let mut payload = vec![0; control.size()];
        control.write(&mut payload).unwrap();
        let header = DeltaHeader {
            state_digest: Some(fixture.applier.current_position().digest),
            ..fixture.next(Operation::Control)
        };
        let frame = frame(header, &payload);
        fixture.refusal(&frame)
    };
    let expected = Some(PARAMETERS);
    for found in [
        None,
        Some(GraphParameters {
            metric: Metric::Dot,
            ..PARAMETERS
        }),
        Some(GraphParameters {
            degree_max: 1,
            ..PARAMETERS
        }),
    ] {
        let refusal = Refusal::GraphParameters { expected, found };
        assert_eq!(start(found), refusal);
    }
    let frame = fixture.reindex(&[Edit::Clear]);
    let mut memory = Memory::new(DIM, 5, 256);
    let mut store = memory.store();
    let position = Position {
        sequence: fixture.applier.current_position().sequence,
        epoch: EPOCH,
        digest: 0,
    };
    let mut applier = Applier::new(position, &mut []);
    let refused = applier.apply_delta(&Record::parse(&frame).unwrap(), &mut store);
    assert_eq!(refused.unwrap_err().reason, Refusal::NoGraph);
}

#[test]
fn the_sequencer_refuses_what_replicas_would() {
    let (mut memory, mut graph) = memories();
    let fixture = Fixture::new(&mut memory, &mut graph);
    let adjacency = fixture.store.graph().unwrap().adjacency();
    let mut slots = [SlotState::default(); 5];
    let position = fixture.applier.current_position();
    let sequencer = Sequencer::new(ROW_DIM, &mut slots, 3, position)
        .with_graph(PARAMETERS, adjacency.node_count());
    let mut out = [0; 64];
    let refused = |error| Err(PrepareError::GraphRows(error));
    assert_eq!(
        sequencer.prepare_delete(1, &mut out),
        refused(GraphRowsError::NodeLeft { slot: 1 })
    );
    assert!(sequencer.prepare_delete(2, &mut out).is_ok());
    let bytes = change(&[Edit::Tombstone { slot: 1 }]);
    let change = encode::Change::parse(&bytes).unwrap();
    let checked = adjacency.check(change).unwrap();
    assert_eq!(
        sequencer.prepare_reindex(&checked, &mut out),
        refused(GraphRowsError::RowLeft { slot: 1 })
    );
    let needed = 4 + bytes.len();
    assert_eq!(
        sequencer.prepare_delete_with_graph(1, Some(&checked), &mut out[..needed - 1]),
        Err(PrepareError::OutputTooSmall {
            needed,
            given: needed - 1
        })
    );
    let prepared = sequencer.prepare_delete_with_graph(1, Some(&checked), &mut out);
    assert_eq!(prepared.unwrap().header.payload_size as usize, needed);
}

proptest! {
    /// Whatever a graph change says: it is made whole, or not a byte of rows and graph changes.
    #[test]
    fn prop_a_refused_graph_change_changes_no_byte(
        operation in 0..4_u8,
        slot in 0..3_u32,
        change in vec(prop_oneof![0..6_u8, any::<u8>()], 0..12),
    ) {
        let (mut memory, mut graph) = memories();
        let mut fixture = Fixture::new(&mut memory, &mut graph);
        let template = match operation {
            0 => fixture.insert(3, &[Edit::Entry { slot: 0 }]),
            1 => fixture.update(slot, &[Edit::Entry { slot: 0 }]),
            2 => fixture.delete(slot, Some(&[Edit::Entry { slot: 0 }])),
            _ => fixture.reindex(&[Edit::Entry { slot: 0 }]),
        };
        // The change of the template is its last three bytes.
        let record = Record::parse(&template).unwrap();
        let (front, _) = record.payload_bytes().split_at(record.payload_bytes().len() - 3);
        let mut payload = front.to_vec();
        if operation < 2 {
            *payload.last_mut().unwrap() = u8::try_from(change.len()).unwrap();
        }
        payload.extend(&change);
        let frame = frame(*record.header(), &payload);
        if let Ok(record) = Record::parse(&frame) {
            let before = fixture.whole();
            if fixture.applier.apply_delta(&record, &mut fixture.store).is_err() {
                prop_assert_eq!(before, fixture.whole());
            }
            let digest = fixture.applier.current_position().digest;
            prop_assert_eq!(state_digest(&fixture.store), digest);
        }
    }
}
