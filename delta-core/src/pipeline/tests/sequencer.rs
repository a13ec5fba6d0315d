use crate::{
    codec::EncodeError,
    header::{HeaderError, Operation, vector_id_hash},
    payload::{
        metadata::{MetadataEdit, MetadataError},
        vector::VectorWriteError,
    },
    pipeline::sequencer::{Position, PrepareError, Sequencer, SlotState},
};

const A: [f32; 2] = [1.0, 2.0];
const B: [f32; 2] = [1.0, 3.0];

/// A sequencer with one live slot and a deleted one.
fn with_slots(slots: &mut [SlotState]) -> Sequencer<'_> {
    let mut sequencer = Sequencer::new(2, slots, 0, Position::START);
    let mut out = [0; 100];
    for id in [b"a", b"b"] {
        let insert = sequencer.prepare_insert(id, &A, &[], &mut out, None);
        sequencer.commit(insert.unwrap());
    }
    let delete = sequencer.prepare_delete(1, &mut out).unwrap();
    sequencer.commit(delete);
    sequencer
}

#[test]
fn numbers_and_links_records() {
    let mut slots = [SlotState::default(); 4];
    let mut sequencer = with_slots(&mut slots);
    sequencer.set_timestamp_us(77);
    let mut out = [0; 100];
    let update = sequencer
        .prepare_update(0, &A, &B, &[], &mut out, None)
        .unwrap();
    let header = update.header;
    assert_eq!(
        (header.sequence, header.prev_sequence, header.epoch),
        (4, 1, 1)
    );
    assert_eq!(header.operation, Operation::Update);
    assert_eq!(header.vector_id_hash, vector_id_hash(b"a"));
    assert_eq!(header.timestamp_us, 77);
    sequencer.commit(update);
    let delete = sequencer.prepare_delete(0, &mut out).unwrap();
    assert_eq!(
        (delete.header.sequence, delete.header.prev_sequence),
        (5, 4)
    );
    sequencer.commit(delete);
    let insert = sequencer
        .prepare_insert(b"a", &A, &[], &mut out, None)
        .unwrap();
    assert_eq!(
        (insert.header.sequence, insert.header.prev_sequence),
        (6, 0)
    );
    assert_eq!((sequencer.dim(), sequencer.slot_count()), (2, 2));
    sequencer.commit(insert);
    assert_eq!(sequencer.slot_count(), 3);
}

#[test]
fn what_is_not_committed_leaves_no_trace() {
    let mut slots = [SlotState::default(); 4];
    let sequencer = with_slots(&mut slots);
    let (mut out, mut again) = ([0; 100], [0; 100]);
    let before = (sequencer.position(), sequencer.slot_count());
    let first = sequencer
        .prepare_update(0, &A, &B, &[], &mut out, None)
        .unwrap();

    let _ = sequencer
        .prepare_insert(b"c", &B, &[], &mut again, None)
        .unwrap();
    let _ = sequencer
        .prepare_update(0, &A, &A, &[], &mut again, None)
        .unwrap();
    let _ = sequencer.prepare_delete(0, &mut again).unwrap();
    let _ = sequencer.prepare_resync(9, &mut again).unwrap();
    let _ = sequencer.prepare_watermark(9, 9, &mut again).unwrap();
    let _ = sequencer.prepare_start(b"x", &mut again).unwrap();
    let _ = sequencer.prepare_end(9, &mut again).unwrap();

    assert_eq!((sequencer.position(), sequencer.slot_count()), before);
    again = [0; 100];
    let second = sequencer
        .prepare_update(0, &A, &B, &[], &mut again, None)
        .unwrap();
    assert_eq!((first, out), (second, again));
}

#[test]
fn goes_on_where_an_earlier_one_stopped() {
    let mut slots = [SlotState::default(); 4];
    let (position, slot_count) = {
        let sequencer = with_slots(&mut slots);
        (sequencer.position(), sequencer.slot_count())
    };
    let mut out = [0; 100];
    let mut resumed = Sequencer::resume(2, &mut slots, slot_count, position);
    let resync = resumed.prepare_resync(2, &mut out).unwrap();
    assert_eq!((resync.header.sequence, resync.header.epoch), (4, 2));
    assert_eq!(resync.header.state_digest, Some(position.digest));
    resumed.commit(resync);
    assert_eq!(
        resumed.prepare_delete(1, &mut out),
        Err(PrepareError::Deleted { slot: 1 })
    );
    let update = resumed
        .prepare_update(0, &A, &B, &[], &mut out, None)
        .unwrap();
    assert_eq!(update.header.prev_sequence, 1);
    // One that starts anew over the same memory knows nothing of it.
    let anew = Sequencer::new(2, &mut slots, 2, position);
    let update = anew.prepare_update(1, &A, &B, &[], &mut out, None).unwrap();
    assert_eq!(update.header.prev_sequence, 0);
}

#[test]
fn a_slot_that_is_used_again_lives() {
    let mut slots = [SlotState::default(); 4];
    with_slots(&mut slots);
    // A snapshot from before the second insert.
    let mut sequencer = Sequencer::resume(2, &mut slots, 1, Position::START);
    let mut out = [0; 100];
    let insert = sequencer
        .prepare_insert(b"c", &A, &[], &mut out, None)
        .unwrap();
    sequencer.commit(insert);
    assert!(sequencer.prepare_delete(1, &mut out).is_ok());
}

#[test]
fn refuses_changes_that_fit_no_slot() {
    let mut slots = [SlotState::default(); 2];
    let sequencer = with_slots(&mut slots);
    let mut out = [0; 100];
    let slot_count = 2;
    for slot in [2, 3, u32::MAX] {
        let unknown = Err(PrepareError::UnknownSlot { slot, slot_count });
        assert_eq!(sequencer.prepare_delete(slot, &mut out), unknown);
        assert_eq!(
            sequencer.prepare_update(slot, &A, &B, &[], &mut out, None),
            unknown
        );
    }
    let deleted = Err(PrepareError::Deleted { slot: 1 });
    assert_eq!(sequencer.prepare_delete(1, &mut out), deleted);
    assert_eq!(
        sequencer.prepare_update(1, &A, &B, &[], &mut out, None),
        deleted
    );
    assert_eq!(
        sequencer.prepare_insert(b"c", &A, &[], &mut out, None),
        Err(PrepareError::SlotsFull { capacity: 2 })
    );
}

#[test]
fn refuses_rows_ids_and_metadata_of_wrong_sizes() {
    let mut slots = [SlotState::default(); 4];
    let sequencer = with_slots(&mut slots);
    let mut out = [0; 400];
    let dim = |found| Err(PrepareError::Dim { expected: 2, found });
    let long = [1.0; 3];
    assert_eq!(
        sequencer.prepare_insert(b"c", &long, &[], &mut out, None),
        dim(3)
    );
    assert_eq!(
        sequencer.prepare_update(0, &long, &A, &[], &mut out, None),
        dim(3)
    );
    assert_eq!(
        sequencer.prepare_update(0, &A, &[], &[], &mut out, None),
        dim(0)
    );
    for size in [0, 256] {
        assert_eq!(
            sequencer.prepare_insert(&vec![b'i'; size], &A, &[], &mut out, None),
            Err(PrepareError::Payload(VectorWriteError::IdSize { size }))
        );
    }
    let edit = MetadataEdit {
        key: b"",
        old: None,
        new: Some(b"v"),
    };
    assert_eq!(
        sequencer.prepare_update(0, &A, &B, &[edit], &mut out, None),
        Err(PrepareError::Payload(VectorWriteError::Metadata(
            MetadataError::KeySize { size: 0 }
        )))
    );
}

#[test]
fn refuses_epochs_that_do_not_rise() {
    let mut slots = [SlotState::default(); 1];
    let position = Position {
        epoch: 5,
        ..Position::START
    };
    let sequencer = Sequencer::new(2, &mut slots, 0, position);
    let current = 5;
    for found in [0, 4, 5] {
        assert_eq!(
            sequencer.prepare_resync(found, &mut [0; 16]),
            Err(PrepareError::Epoch { current, found })
        );
    }
}

#[test]
fn refuses_outputs_that_are_too_small() {
    let mut slots = [SlotState::default(); 4];
    let sequencer = with_slots(&mut slots);
    let too_small = |needed, given| Err(PrepareError::OutputTooSmall { needed, given });
    assert_eq!(sequencer.prepare_delete(0, &mut [0; 3]), too_small(4, 3));
    assert_eq!(
        sequencer.prepare_start(b"x", &mut [0; 16]),
        too_small(17, 16)
    );
    assert_eq!(sequencer.prepare_end(0, &mut [0; 15]), too_small(16, 15));
    assert!(matches!(
        sequencer.prepare_update(0, &A, &B, &[], &mut [0; 10], None),
        Err(PrepareError::Payload(VectorWriteError::Encode(
            EncodeError::OutputTooSmall { .. }
        )))
    ));
    assert_eq!(Sequencer::update_size_max(&A, &[]), 25);
    assert_eq!(Sequencer::insert_size_max(b"abc", &A, &[]), 28);
}

#[test]
fn there_is_no_record_behind_the_last_sequence() {
    let mut slots = [SlotState::default(); 4];
    let position = Position {
        sequence: u64::MAX,
        ..Position::START
    };
    let sequencer = Sequencer::new(2, &mut slots, 1, position);
    let (sequence, prev_sequence, epoch) = (0, 0, 1);
    let refusal = PrepareError::Header(HeaderError::Numbering {
        sequence,
        prev_sequence,
        epoch,
    });
    let mut out = [0; 100];
    assert_eq!(sequencer.prepare_end(0, &mut out), Err(refusal));
    assert_eq!(sequencer.prepare_delete(0, &mut out), Err(refusal));
    assert_eq!(
        sequencer.prepare_update(0, &A, &B, &[], &mut out, None),
        Err(refusal)
    );
    assert_eq!(
        sequencer.prepare_insert(b"a", &A, &[], &mut out, None),
        Err(refusal)
    );
}

#[test]
#[should_panic(expected = "in the order of their preparation")]
fn a_record_is_committed_once() {
    let mut slots = [SlotState::default(); 4];
    let mut sequencer = with_slots(&mut slots);
    let (mut out, mut again) = ([0; 100], [0; 100]);
    let first = sequencer.prepare_delete(0, &mut out).unwrap();
    let second = sequencer.prepare_delete(0, &mut again).unwrap();
    sequencer.commit(first);
    sequencer.commit(second);
}

#[test]
#[should_panic(expected = "more slots than the memory")]
fn a_base_fits_the_memory() {
    Sequencer::new(2, &mut [SlotState::default(); 1], 2, Position::START);
}

#[test]
#[should_panic(expected = "epochs start at 1")]
fn an_epoch_is_not_0() {
    let position = Position {
        epoch: 0,
        ..Position::START
    };
    Sequencer::new(2, &mut [], 0, position);
}
