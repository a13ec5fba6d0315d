//! What a graph refuses, and that it then is what it was.

use super::{Memory, SMALL, bytes, four_nodes, link, patch, replace};
use crate::graph::{
    Edit, EditError, EditError as E,
    digest::graph_digest,
    encode::{Change, ChangeError, InsertWriter, Link},
};

fn refusal(edits: &[Edit<'_>]) -> EditError {
    let mut memory = Memory::new(SMALL);
    let mut graph = four_nodes(&mut memory);
    graph.apply([Edit::Tombstone { slot: 1 }]).unwrap();
    let before = bytes(&graph);
    let error = graph.apply(edits.iter().copied()).unwrap_err();
    assert_eq!(bytes(&graph), before, "{edits:?}");
    error
}

#[test]
fn edits_that_do_not_fit_the_graph() {
    // Lists of layer 0: 0: 2 3, 1: 0, 2: 0 1, 3: 0 1 2.
    let cases: [(Edit<'_>, EditError); 14] = [
        (link(0, 0, 0, Some(9)), E::MissingNode { slot: 9 }),
        (link(0, 9, 0, Some(0)), E::MissingNode { slot: 9 }),
        (
            link(1, 1, 0, Some(0)),
            E::MissingLayer { layer: 1, slot: 1 },
        ),
        (
            link(1, 2, 0, Some(1)),
            E::MissingLayer { layer: 1, slot: 1 },
        ),
        (link(0, 2, 0, Some(2)), E::SelfLink { layer: 0, slot: 2 }),
        (
            link(0, 0, 0, Some(2)),
            E::DuplicateEdge {
                layer: 0,
                from: 0,
                to: 2,
            },
        ),
        (
            patch(0, 0, &[1], &[]),
            E::MissingEdge {
                layer: 0,
                from: 0,
                to: 1,
            },
        ),
        (
            link(0, 0, 0b100, None),
            E::MissingPlace {
                layer: 0,
                slot: 0,
                place: 2,
            },
        ),
        (
            replace(0, 0, &[2, 2]),
            E::Unsorted {
                layer: 0,
                slot: 0,
                neighbour: 2,
            },
        ),
        (
            patch(0, 0, &[3, 2], &[]),
            E::Unsorted {
                layer: 0,
                slot: 0,
                neighbour: 2,
            },
        ),
        (Edit::Tombstone { slot: 1 }, E::AlreadyTombstone { slot: 1 }),
        (Edit::Tombstone { slot: 4 }, E::MissingNode { slot: 4 }),
        (
            Edit::Insert { slot: 5, level: 0 },
            E::SlotNotNext {
                slot: 5,
                expected: 4,
            },
        ),
        (
            Edit::Insert { slot: 4, level: 32 },
            E::Full { slot: 4, level: 32 },
        ),
    ];
    for (edit, error) in cases {
        assert_eq!(refusal(&[edit]), error, "{edit:?}");
    }
}

#[test]
fn degrees_entries_and_room() {
    let insert = Edit::Insert { slot: 4, level: 2 };
    assert_eq!(
        refusal(&[insert]),
        E::EntryLevel {
            slot: 0,
            level: 1,
            level_max: 2
        }
    );
    assert_eq!(
        refusal(&[Edit::Entry { slot: 1 }]),
        E::EntryLevel {
            slot: 1,
            level: 0,
            level_max: 1
        }
    );
    assert_eq!(
        refusal(&[insert, patch(1, 4, &[], &[0, 2]), Edit::Entry { slot: 7 }]),
        E::MissingNode { slot: 7 }
    );
    let level = 7;
    assert_eq!(
        refusal(&[Edit::Insert { slot: 4, level }]),
        E::Full { slot: 4, level }
    );
    let insert = Edit::Insert { slot: 4, level: 0 };
    assert_eq!(
        refusal(&[insert, link(0, 3, 0, Some(4)), link(0, 4, 0, Some(4))]),
        E::SelfLink { layer: 0, slot: 4 }
    );

    let mut memory = Memory::new(SMALL);
    let mut graph = memory.graph();
    let first = Edit::Insert { slot: 0, level: 0 };
    assert_eq!(graph.apply([first]), Err(E::MissingEntry));
    graph.apply([first, Edit::Entry { slot: 0 }]).unwrap();
    for slot in 1..12 {
        let insert = Edit::Insert { slot, level: 0 };
        graph.apply([insert]).unwrap();
    }
    let (slot, level) = (12, 0);
    let error = graph.apply([Edit::Insert { slot, level }]);
    assert_eq!(error, Err(E::Full { slot, level }));
    graph.apply([replace(0, 0, &[1, 2, 3, 4])]).unwrap();
    let before = bytes(&graph);
    let degree = E::Degree {
        layer: 0,
        slot: 0,
        degree: 5,
        degree_max: 4,
    };
    assert_eq!(graph.add_edge(0, 0, 5), Err(degree));
    assert_eq!(graph.apply([patch(0, 0, &[3], &[5, 6])]), Err(degree));
    assert_eq!(graph.apply([replace(0, 0, &[1, 2, 3, 4, 5])]), Err(degree));
    assert_eq!(bytes(&graph), before);
    graph.apply([patch(0, 0, &[3], &[5])]).unwrap();
    assert_eq!(graph.neighbours(0, 0), Some(&[1, 2, 4, 5][..]));
}

#[test]
fn a_tombstone_of_the_inserted_node_needs_its_insert() {
    let tombstone = Edit::Tombstone { slot: 4 };
    assert_eq!(refusal(&[tombstone]), E::MissingNode { slot: 4 });
    let insert = Edit::Insert { slot: 4, level: 0 };
    assert_eq!(
        refusal(&[Edit::Tombstone { slot: 5 }, insert]),
        E::MissingNode { slot: 5 }
    );
    let mut memory = Memory::new(SMALL);
    let mut graph = memory.graph();
    let first = Edit::Tombstone { slot: 0 };
    let missing = Err(E::MissingNode { slot: 0 });
    assert_eq!(graph.apply([first]), missing);
    let insert = Edit::Insert { slot: 0, level: 0 };
    let digest = graph.apply([first, insert, Edit::Entry { slot: 0 }]);
    assert_eq!(digest, Ok(graph_digest(&graph)));
    assert!(graph.is_tombstone(0));
    assert_eq!((graph.node_count(), graph.tombstone_count()), (1, 1));
}

/// No graph has a node of the last slot, so that no list can name it, however it is told.
#[test]
fn the_last_slot_is_no_neighbour() {
    const LAST: u32 = u32::MAX;
    let missing = E::MissingNode { slot: LAST };
    for edit in [
        link(0, 0, 0, Some(LAST)),
        patch(0, 0, &[], &[LAST]),
        replace(0, 0, &[2, LAST]),
        replace(0, LAST, &[0]),
    ] {
        assert_eq!(refusal(&[edit]), missing, "{edit:?}");
    }
    assert_eq!(
        refusal(&[patch(0, 0, &[LAST], &[])]),
        E::MissingEdge {
            layer: 0,
            from: 0,
            to: LAST
        }
    );
    // Node 0, list 0: one slot comes, a gap of 2^32 - 1; after slot 1: of 2^32 - 3.
    for bytes in [
        &[0, 3, 1, 0, 0xff, 1, 0xff, 0xff, 0xff, 0xff, 0x0f][..],
        &[0, 3, 1, 0, 0xff, 2, 1, 0xfd, 0xff, 0xff, 0xff, 0x0f],
        // The same as an added slot: the zigzag of -1 from 0.
        &[0, 3, 1, 0, 1, 1],
    ] {
        let change = Change::parse(bytes);
        assert!(matches!(change, Err(ChangeError::Malformed { .. })));
    }
    // As a tuple it is told, and found missing by the graph.
    let edges = [
        2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    ];
    let mut memory = Memory::new(SMALL);
    let mut graph = four_nodes(&mut memory);
    let before = bytes(&graph);
    let change = Change::parse(&edges).unwrap();
    assert_eq!(graph.apply(change), Err(missing));
    assert_eq!(bytes(&graph), before);
}

#[test]
fn a_set_out_of_order() {
    let order = |index| E::Order { index };
    let insert = Edit::Insert { slot: 4, level: 0 };
    assert_eq!(refusal(&[Edit::Clear, Edit::Clear]), order(1));
    assert_eq!(
        refusal(&[Edit::Tombstone { slot: 0 }, Edit::Clear]),
        order(1)
    );
    assert_eq!(refusal(&[insert, insert]), order(1));
    assert_eq!(refusal(&[insert, Edit::Tombstone { slot: 0 }]), order(1));
    assert_eq!(
        refusal(&[patch(0, 2, &[0], &[]), patch(0, 2, &[1], &[])]),
        order(1)
    );
    assert_eq!(refusal(&[patch(1, 0, &[2], &[]), insert,]), order(1));
    assert_eq!(
        refusal(&[patch(1, 0, &[2], &[]), patch(0, 0, &[2], &[])]),
        order(1)
    );
    assert_eq!(
        refusal(&[Edit::Entry { slot: 2 }, Edit::Entry { slot: 0 }]),
        order(1)
    );
}

#[test]
fn a_digest_that_its_writer_does_not_say() {
    let mut memory = Memory::new(SMALL);
    let mut graph = four_nodes(&mut memory);
    let before = bytes(&graph);
    let edits = [patch(0, 3, &[1], &[])];
    let predicted = graph.prepare(edits).unwrap().digest();
    let expected = predicted.wrapping_add(1);
    let refused = graph.prepare(edits).unwrap().expect_digest(expected);
    assert_eq!(
        refused.map(|_| ()),
        Err(E::Diverged {
            expected,
            predicted
        })
    );
    assert_eq!(bytes(&graph), before);
    let prepared = graph.prepare(edits).unwrap().expect_digest(predicted);
    prepared.unwrap().commit();
    assert_eq!(graph.digest(), predicted);
    assert_eq!(graph.neighbours(0, 3), Some(&[0, 2][..]));
}

/// Neighbours that no memory has are asked for before they are checked.
#[test]
fn neighbours_beyond_all_memory_are_prefetched_and_refused() {
    let mut memory = Memory::new(SMALL);
    let mut graph = four_nodes(&mut memory);
    for slot in [1 << 30, i32::MAX.cast_unsigned(), u32::MAX - 1] {
        let mut bytes = [0; 32];
        let mut writer = InsertWriter::new(&mut bytes, 4, 0, false).unwrap();
        writer.layer(&[slot], &[Link::default()]).unwrap();
        let size = writer.finish().unwrap();
        let change = Change::parse(&bytes[..size]).unwrap();
        graph.prefetch(change);
        assert_eq!(graph.apply(change), Err(E::MissingNode { slot }));
    }
}
