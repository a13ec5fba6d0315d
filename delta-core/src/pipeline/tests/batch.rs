//! Batches, and that neither they nor single records leave a trace when they are not sent.

use super::{capture, take_all};
use crate::{
    codec::{EncodeError, lz4::Lz4Scratch},
    payload::{Payload, batch::BatchWriteError, metadata::MetadataEdit},
    pipeline::{
        batch::BatchError,
        capture::CaptureError,
        sequencer::{Position, PrepareError, SlotState},
    },
    record::Record,
    ring::{ReserveError, StaticRing},
};

const A: [f32; 2] = [1.0, 2.0];
const B: [f32; 2] = [3.0, 4.0];

/// Slots and last sequences of a batch's entries.
fn entries(frame: &[u8]) -> Vec<(u32, u64)> {
    let record = Record::parse(frame).unwrap();
    let Payload::Batch(batch) = record.payload() else {
        panic!("{record:?}")
    };
    batch.entries().map(|e| (e.slot, e.prev_sequence)).collect()
}

#[test]
fn a_batch_is_one_record() {
    let mut ring = StaticRing::<16, 1024>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 2, &mut slots);
    capture.insert(b"a", &A, &[]).unwrap();
    capture.insert(b"b", &A, &[]).unwrap();
    let mut batch = capture.batch(100).unwrap();
    assert!(batch.is_empty());
    batch.update(1, &A, &B).unwrap();
    batch.update(0, &A, &B).unwrap();
    assert_eq!(batch.len(), 2);
    let header = batch.commit().unwrap().unwrap();
    assert_eq!((header.sequence, header.prev_sequence), (3, 0));
    assert_eq!(capture.position().sequence, 3);
    capture.update(0, &B, &A).unwrap();
    let frames = take_all(&mut rx);
    assert_eq!(entries(&frames[2]), [(1, 2), (0, 1)]);
    assert_eq!(Record::parse(&frames[3]).unwrap().header().prev_sequence, 3);
}

#[test]
fn a_batch_that_is_dropped_or_empty_leaves_no_trace() {
    let mut ring = StaticRing::<16, 1024>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 2, &mut slots);
    for id in [b"a", b"b", b"c"] {
        capture.insert(id, &A, &[]).unwrap();
    }
    take_all(&mut rx);
    let before = capture.position();
    let mut batch = capture.batch(100).unwrap();
    batch.update(2, &A, &B).unwrap();
    batch.update(0, &A, &B).unwrap();
    drop(batch);
    assert_eq!(capture.batch(100).unwrap().commit(), Ok(None));
    assert_eq!(capture.batch(0).unwrap().commit(), Ok(None));
    assert_eq!(capture.position(), before);
    assert!(take_all(&mut rx).is_empty());

    // Each slot has its last sequence again, in a batch and alone.
    let mut batch = capture.batch(100).unwrap();
    batch.update(0, &A, &B).unwrap();
    batch.commit().unwrap();
    capture.update(2, &A, &B).unwrap();
    let frames = take_all(&mut rx);
    assert_eq!(entries(&frames[0]), [(0, 1)]);
    let header = *Record::parse(&frames[1]).unwrap().header();
    assert_eq!((header.sequence, header.prev_sequence), (5, 3));
}

#[test]
fn a_refused_change_leaves_the_batch_as_it_was() {
    let mut ring = StaticRing::<16, 1024>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 2, &mut slots);
    for id in [b"a", b"b", b"c"] {
        capture.insert(id, &A, &[]).unwrap();
    }
    capture.delete(2).unwrap();
    let mut batch = capture.batch(30).unwrap();
    batch.update(1, &A, &B).unwrap();
    let prepare = |error| Err(BatchError::Prepare(error));
    let (expected, slot_count) = (2, 3);
    for (slot, old, new, refusal) in [
        (1, &A[..], &B[..], Err(BatchError::Repeated { slot: 1 })),
        (2, &A, &B, prepare(PrepareError::Deleted { slot: 2 })),
        (
            3,
            &A,
            &B,
            prepare(PrepareError::UnknownSlot {
                slot: 3,
                slot_count,
            }),
        ),
        (
            0,
            &A[..1],
            &B,
            prepare(PrepareError::Dim { expected, found: 1 }),
        ),
        (
            0,
            &A,
            &B[..1],
            prepare(PrepareError::Dim { expected, found: 1 }),
        ),
        (
            0,
            &A,
            &B,
            Err(BatchError::Write(BatchWriteError::Full {
                needed: 20,
                left: 10,
            })),
        ),
    ] {
        let refused = batch.update(slot, old, new);
        assert_eq!(refused, refusal);
        let retryable = matches!(
            refusal,
            Err(BatchError::Repeated { .. } | BatchError::Write(BatchWriteError::Full { .. }))
        );
        assert_eq!(refused.unwrap_err().is_retryable(), retryable);
        assert_eq!(batch.len(), 1);
    }
    batch.commit().unwrap();
    assert_eq!(entries(take_all(&mut rx).last().unwrap()), [(1, 2)]);
    // Slot 0 was not marked: it can be changed.
    capture.update(0, &A, &B).unwrap();
}

#[test]
fn a_batch_that_no_change_fits_is_not_to_be_tried_again() {
    let mut ring = StaticRing::<16, 1024>::new();
    let (tx, _rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 2, &mut slots);
    capture.insert(b"a", &A, &[]).unwrap();
    let mut batch = capture.batch(27).unwrap();
    let refused = batch.update(0, &A, &B).unwrap_err();
    let too_small = EncodeError::OutputTooSmall {
        needed: 28,
        given: 27,
    };
    assert_eq!(
        refused,
        BatchError::Write(BatchWriteError::Encode(too_small))
    );
    assert!(!refused.is_retryable());
}

#[test]
fn a_full_ring_leaves_no_trace() {
    let mut ring = StaticRing::<4, 1024>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 8];
    let mut capture = capture(tx, 2, &mut slots);
    for id in [b"a", b"b", b"c", b"d"] {
        capture.insert(id, &A, &[]).unwrap();
    }
    let before = capture.position();
    let full = |result: Result<(), CaptureError>| result.is_err_and(|error| error.is_full());
    assert!(full(capture.insert(b"e", &A, &[]).map(|_| ())));
    assert!(full(capture.update(0, &A, &B)));
    assert!(full(capture.delete(0)));
    assert!(full(capture.resync(2)));
    assert!(full(capture.watermark(1, 1)));
    assert!(full(capture.start(b"")));
    assert!(full(capture.end(4)));
    assert!(full(capture.batch(100).map(|_| ())));
    assert_eq!(capture.position(), before);
    assert_eq!(take_all(&mut rx).len(), 4);
    assert_eq!(capture.insert(b"e", &A, &[]), Ok(4));
    capture.update(0, &A, &B).unwrap();
    let frames = take_all(&mut rx);
    assert_eq!(Record::parse(&frames[1]).unwrap().header().prev_sequence, 1);
}

#[test]
fn a_record_that_never_fits_is_not_to_be_tried_again() {
    let mut ring = StaticRing::<4, 64>::new();
    let (tx, _rx) = ring.split();
    let mut slots = [SlotState::default(); 8];
    let mut capture = capture(tx, 8, &mut slots);
    let refused = capture.insert(b"a", &[0.0; 8], &[]).unwrap_err();
    let (len, max) = (17 + 32 + 1, 32);
    assert_eq!(
        refused,
        CaptureError::Ring(ReserveError::TooLarge { len, max })
    );
    assert!(!refused.is_full());
    assert_eq!(capture.position(), Position::START);
}

#[test]
fn metadata_is_compressed_where_that_is_smaller() {
    let mut ring = StaticRing::<16, 2048>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut lz4 = Lz4Scratch::new();
    let mut capture = capture(tx, 2, &mut slots).with_lz4(&mut lz4);
    let runs = [b'x'; 200];
    let noise: Vec<u8> = (0..200_u8).map(|i| i.wrapping_mul(167)).collect();
    let edit = |new| {
        [MetadataEdit {
            key: b"k",
            old: None,
            new: Some(new),
        }]
    };
    capture.insert(b"a", &A, &edit(&runs)).unwrap();
    capture.insert(b"b", &A, &edit(&noise)).unwrap();
    capture.insert(b"c", &A, &[]).unwrap();
    let frames = take_all(&mut rx);
    let shown: Vec<_> = frames
        .iter()
        .map(|frame| {
            let record = Record::parse(frame).unwrap();
            let Payload::Insert(vector) = record.payload() else {
                panic!("{record:?}")
            };
            let size = vector.metadata().stored_size();
            (record.header().compressed, size < 100, size)
        })
        .collect();
    assert!(shown[0].0 && shown[0].1);
    assert_eq!(shown[1], (false, false, 2 + 2 + 200));
    assert_eq!(shown[2], (false, true, 0));
}
