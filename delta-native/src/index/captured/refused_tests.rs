//! Calls that the stream does not take, and what they leave.

use std::convert::Infallible;

use delta_core::graph::{GraphParameters, Shape};
use delta_core::kernel::distance::Metric;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::{RawMem, StaticRing};

use super::tests::{Lists, SHAPE, captured, drain, insert};
use super::*;
use crate::index::GraphMemory;

type Captured<'m> = CapturedIndex<'m, Lists, RawMem<'m>>;
type Outcome = Result<(), CapturedIndexError<Infallible>>;

const ROW: [f32; 2] = [1.0, 2.0];

fn pair<'a>(key: &'a [u8], old: Option<&'a [u8]>, new: &'a [u8]) -> MetadataEdit<'a> {
    MetadataEdit {
        key,
        old,
        new: Some(new),
    }
}

/// Makes `call` and demands that it is refused, for good, before the index is touched.
fn is_refused(
    captured: &mut Captured<'_>,
    name: &str,
    call: impl Fn(&mut Captured<'_>, &mut u32) -> Outcome,
) {
    let before = (
        captured.capture().position(),
        captured.graph().shadow().digest(),
    );
    for _ in 0..2 {
        let mut runs = 0;
        let error = call(captured, &mut runs).unwrap_err();
        assert!(
            matches!(error, CapturedIndexError::Refused(_)),
            "{name}: {error}"
        );
        assert_eq!(runs, 0, "{name}: the index was changed");
    }
    let after = (
        captured.capture().position(),
        captured.graph().shadow().digest(),
    );
    assert_eq!(after, before, "{name}");
}

fn inserted(
    captured: &mut Captured<'_>,
    runs: &mut u32,
    id: &[u8],
    row: &[f32],
    metadata: &[MetadataEdit<'_>],
) -> Outcome {
    let link = |index: &mut Lists, slot| {
        *runs += 1;
        index.link(slot);
        Ok(())
    };
    captured.insert(id, row, metadata, link).map(drop)
}

fn counted(runs: &mut u32) -> impl FnOnce(&mut Lists, u32) -> Result<(), Infallible> {
    |_, _| {
        *runs += 1;
        Ok(())
    }
}

/// The index and the stream as they were: the next calls go through.
fn goes_on(captured: &mut Captured<'_>) {
    let next = captured.graph().shadow().node_count();
    assert_eq!(insert(captured, &mut 0), Ok(next));
    assert_eq!(captured.delete(next, counted(&mut 0)), Ok(()));
    assert_eq!(
        captured.graph().first_difference(captured.index()),
        Ok(None)
    );
}

#[test]
fn a_slot_that_is_deleted_or_missing_is_refused_before_the_index_changes() {
    captured!(captured, _consumer, StaticRing::<16, 4096>::new(), 8);
    for slot in 0..3 {
        assert_eq!(insert(&mut captured, &mut 0), Ok(slot));
    }
    assert_eq!(captured.delete(1, counted(&mut 0)), Ok(()));
    for slot in [1, 3, u32::MAX] {
        is_refused(&mut captured, "delete", |captured, runs| {
            captured.delete(slot, counted(runs))
        });
        is_refused(&mut captured, "update", |captured, runs| {
            captured.update(slot, [&ROW, &ROW], &[], counted(runs))
        });
        is_refused(&mut captured, "relink", |captured, runs| {
            captured.relink(slot, counted(runs))
        });
    }
    goes_on(&mut captured);
}

#[test]
fn what_no_record_holds_is_refused_before_the_index_changes() {
    captured!(captured, _consumer, StaticRing::<16, 4096>::new(), 8);
    assert_eq!(insert(&mut captured, &mut 0), Ok(0));
    let ids: [&[u8]; 2] = [b"", &[7; 256]];
    for id in ids {
        is_refused(&mut captured, "id", |captured, runs| {
            inserted(captured, runs, id, &ROW, &[])
        });
    }
    for row in [&[][..], &[1.0; 3]] {
        is_refused(&mut captured, "dim", |captured, runs| {
            inserted(captured, runs, b"id", row, &[])
        });
        is_refused(&mut captured, "dim", |captured, runs| {
            captured.update(0, [&ROW, row], &[], counted(runs))
        });
        is_refused(&mut captured, "dim", |captured, runs| {
            captured.update(0, [row, &ROW], &[], counted(runs))
        });
    }
    // Half of the ring's bytes are the most of one record.
    let (long, huge) = (vec![0; 2048], vec![0; 1 << 20]);
    let unsound: [&[MetadataEdit<'_>]; 5] = [
        &[pair(b"b", None, b"1"), pair(b"a", None, b"2")],
        &[pair(b"a", Some(b"0"), b"1")],
        &[pair(b"", None, b"1")],
        &[pair(b"a", None, &long)],
        &[pair(b"a", None, &huge)],
    ];
    for metadata in unsound {
        is_refused(&mut captured, "metadata", |captured, runs| {
            inserted(captured, runs, b"id", &ROW, metadata)
        });
    }
    assert!(captured.scratch.len() <= CHANGE_SIZE);
    is_refused(&mut captured, "order", |captured, runs| {
        captured.update(0, [&ROW, &ROW], unsound[0], counted(runs))
    });
    goes_on(&mut captured);
}

#[test]
fn an_insert_without_a_slot_or_a_node_is_refused_before_the_index_changes() {
    captured!(captured, _consumer, StaticRing::<16, 4096>::new(), 2);
    for slot in 0..2 {
        assert_eq!(insert(&mut captured, &mut 0), Ok(slot));
    }
    let insert = |captured: &mut Captured<'_>, runs: &mut u32| insert(captured, runs).map(drop);
    is_refused(&mut captured, "slots", insert);

    let few = Shape {
        nodes_max: 1,
        ..SHAPE
    };
    captured!(
        captured,
        _consumer,
        StaticRing::<16, 4096>::new(),
        8,
        few,
        Some(few)
    );
    assert_eq!(insert(&mut captured, &mut 0), Ok(()));
    is_refused(&mut captured, "nodes", insert);
    // A row that came without its node: the next node would be that of another row.
    captured!(captured, _consumer, StaticRing::<16, 4096>::new(), 8);
    captured.capture().insert(b"row", &ROW, &[]).unwrap();
    is_refused(&mut captured, "row", insert);
    captured!(
        captured,
        _consumer,
        StaticRing::<16, 4096>::new(),
        8,
        SHAPE,
        None
    );
    is_refused(&mut captured, "no graph", insert);
}

#[test]
fn a_retry_with_other_arguments_is_not_sent() {
    let old: [MetadataEdit<'_>; 1] = [pair(b"k", None, b"v")];
    let others: [(&[u8], [f32; 2], &[MetadataEdit<'_>]); 5] = [
        (b"b", ROW, &old),
        (b"a", [1.0, -2.0], &old),
        (b"a", ROW, &[]),
        (b"a", ROW, &[pair(b"k", None, b"w")]),
        (b"a", ROW, &[pair(b"kv", None, b"")]),
    ];
    captured!(captured, consumer, StaticRing::<4, 4096>::new(), 8);
    for slot in 0..4 {
        assert_eq!(insert(&mut captured, &mut 0), Ok(slot));
    }
    let mut runs = 0;
    let full = inserted(&mut captured, &mut runs, b"a", &ROW, &old).unwrap_err();
    assert!(full.is_full(), "{full}");
    let unsent = CapturedIndexError::Unsent {
        operation: IndexOperation::Insert,
        slot: 4,
    };
    drain(&mut consumer);
    for (id, row, metadata) in others {
        let other = inserted(&mut captured, &mut runs, id, &row, metadata);
        assert_eq!(other, Err(unsent));
    }
    assert_eq!(captured.capture().position().sequence, 4);
    let again = inserted(&mut captured, &mut runs, b"a", &ROW, &old);
    assert_eq!((again, runs), (Ok(()), 1));
    assert_eq!(
        captured.graph().first_difference(captured.index()),
        Ok(None)
    );
}

/// An update has two rows, and a value may move from one to the other.
#[test]
fn a_retried_update_has_both_its_rows() {
    captured!(captured, consumer, StaticRing::<4, 4096>::new(), 8);
    for _ in 0..4 {
        insert(&mut captured, &mut 0).unwrap();
    }
    let full = captured.update(0, [&ROW, &[3.0, 4.0]], &[], counted(&mut 0));
    assert!(full.unwrap_err().is_full());
    drain(&mut consumer);
    let others = [[ROW, [3.0, 5.0]], [[3.0, 4.0], ROW]];
    for [old, new] in others {
        let other = captured.update(0, [&old, &new], &[], counted(&mut 0));
        assert!(matches!(other, Err(CapturedIndexError::Unsent { .. })));
    }
    let again = captured.update(0, [&ROW, &[3.0, 4.0]], &[], counted(&mut 0));
    assert_eq!(again, Ok(()));
}

#[test]
fn an_operation_that_no_record_can_tell_parts_index_and_stream() {
    captured!(captured, _consumer, StaticRing::<16, 4096>::new(), 8);
    insert(&mut captured, &mut 0).unwrap();
    insert(&mut captured, &mut 0).unwrap();
    let mut runs = 0;
    let mut wrong = |captured: &mut Captured<'_>| {
        captured.relink(1, |index: &mut Lists, slot| {
            runs += 1;
            index.0[slot as usize] = vec![slot];
            Ok::<(), Infallible>(())
        })
    };
    let parted = wrong(&mut captured).unwrap_err();
    let CapturedIndexError::Parted(what) = parted else {
        panic!("{parted}");
    };
    assert_eq!((what.operation, what.slot), (IndexOperation::Relink, 1));
    assert!(matches!(what.cause, Some(Refusal::Graph(_))), "{what}");
    assert!(!parted.is_full());
    let text = parted.to_string();
    assert!(
        text.contains("Relink of node 1") && text.contains("anew"),
        "{text}"
    );
    assert_eq!(wrong(&mut captured), Err(parted));
    assert_eq!(insert(&mut captured, &mut runs), Err(parted));
    assert_eq!(runs, 1);
    assert_eq!(captured.capture().position().sequence, 2);
    assert_eq!(captured.into_index().0.len(), 2);
}

/// Links count towards a record's size, and what they are only the index knows.
#[test]
fn links_that_fit_no_record_part_index_and_stream() {
    captured!(captured, consumer, StaticRing::<64, 64>::new(), 64);
    let parted = (0..64).find_map(|_| {
        drain(&mut consumer);
        insert(&mut captured, &mut 0).err()
    });
    let parted = parted.unwrap();
    let CapturedIndexError::Parted(what) = parted else {
        panic!("{parted}");
    };
    assert!(matches!(what.cause, Some(Refusal::Record(_))), "{what}");
    assert_eq!(insert(&mut captured, &mut 0), Err(parted));
}

#[test]
fn a_closure_that_panics_parts_index_and_stream() {
    captured!(captured, _consumer, StaticRing::<16, 4096>::new(), 8);
    insert(&mut captured, &mut 0).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        captured.relink(0, |_, _| -> Result<(), Infallible> {
            panic!("as this test asks for")
        })
    }));
    assert!(panicked.is_err());
    let parted = insert(&mut captured, &mut 0).unwrap_err();
    let CapturedIndexError::Parted(what) = parted else {
        panic!("{parted}");
    };
    assert_eq!(what.cause, None);
}
