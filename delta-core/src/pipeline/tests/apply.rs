//! Every refusal by name. That a refused record changes nothing is a law of its own, too.

mod fixture;

use super::{capture, take_all};
use crate::{
    codec::lz4::Lz4Scratch,
    digest::{row_term, tombstone_term},
    header::{DeltaHeader, Operation},
    kernel::digest::row_sum,
    payload::{
        batch::BatchWriter,
        control::Control,
        metadata::{MetadataEdit, MetadataError},
    },
    pipeline::{
        apply::{Applier, Apply, ApplyError, Outcome, PollError, Refusal},
        sequencer::{Position, SlotState},
    },
    record::Record,
    ring::StaticRing,
    store::{Replica, StoreError},
    testing::{Memory, frame, view},
};
use fixture::{A, B, Fixture, batch, control, delete, memory, next, resync, update, vector};

#[test]
fn what_was_applied_before_is_skipped() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let before = view(&fixture.store);
    for (sequence, epoch) in [(8, 1), (10, 3), (10, 2)] {
        let header = DeltaHeader::new(Operation::Delete, sequence, epoch);
        assert_eq!(fixture.apply(&delete(header, 0)), Ok(Outcome::Duplicate));
    }
    assert_eq!(fixture.apply(&resync(9, 3)), Ok(Outcome::Duplicate));
    assert_eq!(
        (fixture.applier.duplicates(), fixture.applier.applied()),
        (4, 0)
    );
    assert_eq!(view(&fixture.store), before);
}

#[test]
fn refuses_other_epochs() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let current = 3;
    let of_epoch = |epoch| DeltaHeader::new(Operation::Delete, 11, epoch);
    assert_eq!(
        fixture.refusal(&delete(of_epoch(2), 0)),
        Refusal::StaleEpoch { current, found: 2 }
    );
    assert_eq!(
        fixture.refusal(&delete(of_epoch(4), 0)),
        Refusal::UnknownEpoch { current, found: 4 }
    );
    assert_eq!(
        fixture.refusal(&resync(11, 3)),
        Refusal::UnknownEpoch { current, found: 3 }
    );
    assert_eq!(
        fixture.refusal(&resync(11, 2)),
        Refusal::StaleEpoch { current, found: 2 }
    );
    // Also where the sequence alone would be a duplicate's.
    let header = DeltaHeader::new(Operation::Delete, 8, 4);
    assert_eq!(
        fixture.refusal(&delete(header, 0)),
        Refusal::UnknownEpoch { current, found: 4 }
    );
}

#[test]
fn refuses_gaps_and_resyncs_from_before() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let header = DeltaHeader::new(Operation::Delete, 12, 3);
    let gap = Refusal::Gap { expected: 11 };
    assert_eq!(fixture.refusal(&delete(header, 0)), gap);
    assert_eq!(fixture.refusal(&resync(12, 4)), gap);
    for sequence in [1, 10] {
        let (position, found) = (10, sequence - 1);
        assert_eq!(
            fixture.refusal(&resync(sequence, 4)),
            Refusal::Behind { position, found }
        );
    }
}

#[test]
fn nothing_follows_the_last_sequence() {
    let mut memory = memory();
    let mut store = memory.store();
    let position = Position {
        sequence: u64::MAX,
        ..Position::START
    };
    let mut applier = Applier::new(position, &mut []);
    let frame = resync(1, 2);
    let refused = applier.apply_delta(&Record::parse(&frame).unwrap(), &mut store);
    let (position, found) = (u64::MAX, 0);
    assert_eq!(
        refused.unwrap_err().reason,
        Refusal::Behind { position, found }
    );
}

#[test]
fn refuses_rows_of_another_dim() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let dim = |found| Refusal::Dim { expected: 2, found };
    assert_eq!(fixture.refusal(&update(7, 0, &[1.0; 3])), dim(3));
    let insert = vector(next(Operation::Insert), 2, &[0.0], &[1.0], &[], None);
    assert_eq!(fixture.refusal(&insert), dim(1));
    let start = Control::Start {
        dim: 9,
        slot_count: 2,
        graph: None,
        consumer_bytes: b"",
    };
    assert_eq!(
        fixture.refusal(&control(next(Operation::Control), start)),
        dim(9)
    );
    let mut payload = [0; 40];
    let mut writer = BatchWriter::new(11, 1);
    writer.push(&mut payload, 0, 7, &[0.0], &[0.0]).unwrap();
    let payload = writer.finish(&mut payload, None).unwrap().payload;
    let frame = frame(next(Operation::BatchUpdate), payload);
    assert_eq!(fixture.refusal(&frame), dim(1));
}

#[test]
fn refuses_other_slots_than_the_next() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let expected = 2;
    for found in [0, 1, 3, u32::MAX] {
        let insert = vector(next(Operation::Insert), found, &[0.0; 2], &A, &[], None);
        assert_eq!(
            fixture.refusal(&insert),
            Refusal::SlotCount { expected, found }
        );
    }
    let start = Control::Start {
        dim: 2,
        slot_count: 3,
        graph: None,
        consumer_bytes: b"",
    };
    assert_eq!(
        fixture.refusal(&control(next(Operation::Control), start)),
        Refusal::SlotCount { expected, found: 3 }
    );
    let slot_count = 2;
    for slot in [2, u32::MAX] {
        let unknown = Refusal::UnknownSlot { slot, slot_count };
        assert_eq!(fixture.refusal(&update(7, slot, &B)), unknown);
        assert_eq!(
            fixture.refusal(&delete(next(Operation::Delete), slot)),
            unknown
        );
        assert_eq!(fixture.refusal(&batch(&[(0, 7, B), (slot, 7, B)])), unknown);
    }
}

#[test]
fn refuses_changes_of_tombstones_and_of_other_versions() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let deleted = Refusal::Deleted { slot: 1 };
    assert_eq!(fixture.refusal(&update(10, 1, &B)), deleted);
    assert_eq!(
        fixture.refusal(&delete(next(Operation::Delete), 1)),
        deleted
    );
    assert_eq!(fixture.refusal(&batch(&[(0, 7, B), (1, 10, B)])), deleted);
    let conflict = |prev_sequence| Refusal::Conflict {
        slot: 0,
        last_sequence: 7,
        prev_sequence,
    };
    assert_eq!(fixture.refusal(&update(6, 0, &B)), conflict(6));
    assert_eq!(fixture.refusal(&update(0, 0, &B)), conflict(0));
    assert_eq!(fixture.refusal(&batch(&[(0, 8, B)])), conflict(8));
}

#[test]
fn refuses_batches_that_change_a_slot_twice() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let repeated = Refusal::Repeated { slot: 0 };
    assert_eq!(fixture.refusal(&batch(&[(0, 7, B), (0, 7, A)])), repeated);
    assert_eq!(fixture.refusal(&batch(&[(0, 7, B), (0, 10, A)])), repeated);
    assert_eq!(fixture.apply(&batch(&[(0, 7, B)])), Ok(Outcome::Applied));
    assert_eq!(fixture.store.last_sequence(0), Some(11));
    assert_eq!(fixture.store.row(0), Some(&B[..]));
}

#[test]
fn refuses_metadata_that_it_cannot_unpack() {
    let (mut memory, mut scratch) = (Memory::new(2, 3, 1000), [0; 302]);
    let mut fixture = Fixture::new(&mut memory, &mut scratch);
    let edit = MetadataEdit {
        key: b"k",
        old: None,
        new: Some(&[7; 299]),
    };
    let header = DeltaHeader {
        prev_sequence: 7,
        ..next(Operation::Update)
    };
    let good = vector(header, 0, &A, &B, &[edit], Some(&mut Lz4Scratch::new()));
    assert_eq!(
        fixture.refusal(&good),
        Refusal::Metadata(MetadataError::ScratchTooSmall {
            needed: 303,
            given: 302
        })
    );
    // The announced size one more, and room for it.
    let mut scratch = [0; 304];
    let position = fixture.applier.current_position();
    fixture.applier = Applier::new(position, &mut scratch);
    let mut broken = good.clone();
    // Tag, slot, dim, id_size, values_size; gap and bits.
    let at = 64 + 5 + 5;
    assert_eq!(broken[at..at + 2], [0xaf, 0x02]);
    broken[at] = 0xb0;
    let header = *Record::parse(&good).unwrap().header();
    let broken = frame(header, &broken[64..]);
    assert_eq!(
        fixture.refusal(&broken),
        Refusal::Metadata(MetadataError::Compressed { plain_size: 304 })
    );
    assert_eq!(fixture.apply(&good), Ok(Outcome::Applied));
    assert_eq!(fixture.store.metadata(0, b"k"), Some(&[7; 299][..]));
}

#[test]
fn refuses_what_the_store_has_no_room_for() {
    let mut memory = Memory::new(2, 2, 0);
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let insert = vector(next(Operation::Insert), 2, &[0.0; 2], &A, &[], None);
    let full = StoreError::SlotsFull { capacity: 2 };
    assert_eq!(fixture.refusal(&insert), Refusal::Store(full));

    let mut memory = Memory::new(2, 3, 10);
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let (needed, left) = (11, 10);
    let full = StoreError::AttributesFull { needed, left };
    assert_eq!(fixture.refusal(&insert), Refusal::Store(full));
}

#[test]
fn refuses_a_start_from_another_state() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let found = fixture.applier.current_position().digest;
    let start = Control::Start {
        dim: 2,
        slot_count: 2,
        graph: None,
        consumer_bytes: b"",
    };
    let with_digest = |digest| DeltaHeader {
        state_digest: Some(digest),
        ..next(Operation::Control)
    };
    assert_eq!(
        fixture.refusal(&control(with_digest(1), start)),
        Refusal::Base { expected: 1, found }
    );
    let start = control(with_digest(found), start);
    assert_eq!(fixture.apply(&start), Ok(Outcome::Applied));
    assert_eq!(fixture.applier.current_position().digest, found);
}

#[test]
fn refuses_records_after_which_it_would_differ() {
    let mut memory = memory();
    let mut fixture = Fixture::new(&mut memory, &mut []);
    let before = fixture.applier.current_position().digest;
    let computed = before.wrapping_add(tombstone_term(0));
    let header = |expected| DeltaHeader {
        state_digest: Some(expected),
        ..next(Operation::Delete)
    };
    let expected = computed ^ 1;
    assert_eq!(
        fixture.refusal(&delete(header(expected), 0)),
        Refusal::Diverged { expected, computed }
    );
    // Only the component that changes counts.
    let change = row_sum(&[9.0, -2.0]).wrapping_sub(row_sum(&[9.0, 2.0]));
    let expected = before.wrapping_add(row_term(0, change));
    let header = DeltaHeader {
        state_digest: Some(expected),
        prev_sequence: 7,
        ..next(Operation::Update)
    };
    let good = vector(header, 0, &A, &B, &[], None);
    assert_eq!(fixture.apply(&good), Ok(Outcome::Applied));
    let resync = resync(12, 4);
    assert_eq!(
        fixture.refusal(&resync),
        Refusal::Diverged {
            expected: 0,
            computed: expected
        }
    );
}

#[test]
fn a_refused_record_stays_in_the_ring() {
    let mut ring = StaticRing::<16, 512>::new();
    let (tx, rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 2, &mut slots);
    capture.insert(b"a", &A, &[]).unwrap();
    capture.insert(b"b", &A, &[]).unwrap();

    let mut small = Memory::new(2, 1, 100);
    let mut store = small.store();
    let mut apply = Apply::new(rx, Applier::new(Position::START, &mut []));
    assert_eq!(apply.poll(&mut store), Ok(Some(Outcome::Applied)));
    let reason = Refusal::Store(StoreError::SlotsFull { capacity: 1 });
    let refused = PollError::Apply(ApplyError {
        sequence: 2,
        reason,
    });
    assert_eq!(apply.poll(&mut store), Err(refused));
    assert_eq!(apply.poll(&mut store), Err(refused));
    let (mut rx, applier, _) = apply.into_parts();
    assert_eq!(applier.current_position().sequence, 1);
    assert_eq!(take_all(&mut rx).len(), 1);
}
