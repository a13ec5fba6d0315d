use delta_core::codec::Bound;

use super::*;
use crate::fixtures::f32s;
use crate::sample;

fn figures(report: &Report) -> (u64, u64, u64, u64) {
    (
        report.inserts,
        report.updates,
        report.deletes,
        report.raw_bytes,
    )
}

#[test]
fn the_sample_is_replicated_bit_for_bit() {
    for stream in sample::streams().unwrap() {
        let report = replay(&stream, &Options::default()).unwrap();
        assert!(report.replica_identical, "{:?}", report.difference);
        let counts = stream.counts();
        let raw = 4 * u64::from(stream.dim()) * counts.updates;
        assert_eq!(
            figures(&report),
            (counts.inserts, counts.updates, counts.deletes, raw)
        );
        assert_eq!(report.deltas, stream.len() as u64);
        assert!(report.value_bytes <= report.raw_bytes + report.updates);
        assert!(report.wire_bytes > report.value_bytes);
        assert!(report.latency_ns_p50 > 0 && report.latency_ns_p50 <= report.latency_ns_p99);
    }
}

fn options(batch: u32) -> Options {
    Options {
        batch,
        ..Options::default()
    }
}

#[test]
fn batches_change_the_wire_and_nothing_else() {
    let stream = &sample::streams().unwrap()[1];
    let single = replay(stream, &options(1)).unwrap();
    let batched = replay(stream, &options(32)).unwrap();
    assert_eq!(single.records, single.deltas + 2);
    assert!(batched.records < single.records);
    assert!(batched.wire_bytes < single.wire_bytes);
    assert_eq!(single.value_bytes, batched.value_bytes);
    assert_eq!(single.digest, batched.digest);
}

#[test]
fn memory_is_primary_replica_and_ring() {
    let stream = &sample::streams().unwrap()[0];
    let memory = replay(stream, &Options::default()).unwrap().memory;
    let rows = stream.slots() as usize * stream.dim() as usize * 4;
    let slots = stream.slots() as usize * 16;
    assert_eq!(memory.primary_bytes, rows + slots);
    assert_eq!(memory.replica_bytes, rows + slots);
    assert!(memory.ring_bytes <= 1 << 20);
}

#[test]
fn rows_too_large_for_the_default_ring_get_a_larger_one() {
    let dim = 100_000_u64;
    let values: Vec<f32> = (0..200_000_u32).map(f32::from_bits).collect();
    let file = f32s(&[2, dim], &values);
    let stream = Stream::load_embedded("wide", &[("wide.npy", &file)]).unwrap();
    let report = replay(&stream, &Options::default()).unwrap();
    assert!(report.replica_identical);
    assert!(report.memory.ring_bytes > 2 * 4 * 100_000);
}

#[test]
fn a_primary_finds_what_differs() {
    use super::primary::Primary;
    use delta_core::payload::metadata::MetadataChanges;
    use delta_core::store::{Replica, SliceMemory, SliceStore, Slot};

    let lines = "{\"op\":\"insert\",\"id\":\"a\",\"row\":0,\"ts\":1,\"n\":7}\n";
    let file = f32s(&[1, 2], &[1.0, f32::NAN]);
    let files = [("s.jsonl", lines.as_bytes()), ("s.npy", &file[..])];
    let stream = Stream::load_embedded("s", &files).unwrap();
    let event = stream.event(0).unwrap();
    let mut primary = Primary::with_capacity(1, 2).unwrap();
    primary.apply(&event);

    let differs = |row: [f32; 2], id: &[u8], metadata: &[u8], deleted: bool| {
        let (mut rows, mut slots, mut attributes) = ([0.0; 2], [Slot::default(); 1], [0; 64]);
        let memory = SliceMemory {
            rows: &mut rows,
            slots: &mut slots,
            attributes: &mut attributes,
        };
        let mut store = SliceStore::new(2, memory);
        store.push(id, MetadataChanges::parse(metadata).unwrap());
        store.row_mut(0).copy_from_slice(&row);
        if deleted {
            store.mark_deleted(0);
        }
        primary.first_difference(&store, None)
    };
    let (row, n7) = ([1.0, f32::NAN], [1, b'n', 2, b'7']);
    assert_eq!(differs(row, b"a", &n7, false), None);
    let other_nan = f32::from_bits(f32::NAN.to_bits() ^ 1);
    assert_eq!(
        differs([1.0, other_nan], b"a", &n7, false).unwrap(),
        "the row of slot 0"
    );
    assert_eq!(differs(row, b"b", &n7, false).unwrap(), "the id of slot 0");
    assert_eq!(
        differs(row, b"a", &[], false).unwrap(),
        "the metadata of slot 0"
    );
    assert_eq!(
        differs(row, b"a", &n7, true).unwrap(),
        "the tombstone of slot 0"
    );
}

/// A stream of one insert, and the primary and digest that it leaves.
#[test]
fn a_pass_compares_rows_positions_and_digests() {
    use super::pass::difference;
    use super::primary::Primary;
    use delta_core::payload::metadata::MetadataChanges;
    use delta_core::pipeline::sequencer::Position;
    use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

    let file = f32s(&[1, 2], &[1.0, -2.0]);
    let stream = Stream::load_embedded("one", &[("one.npy", &file)]).unwrap();
    let mut primary = Primary::with_capacity(1, 2).unwrap();
    primary.apply(&stream.event(0).unwrap());
    let (mut rows, mut slots, mut attributes) = ([0.0; 2], [Slot::default(); 1], [0; 64]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut store = SliceStore::new(2, memory);
    store.push(b"0", MetadataChanges::default());
    store.row_mut(0).copy_from_slice(&[1.0, -2.0]);
    let position = Position {
        epoch: 1,
        sequence: 3,
        digest: state_digest(&store),
    };
    assert_eq!(difference(&primary, &store, None, position, position), None);

    let behind = Position {
        sequence: 2,
        ..position
    };
    let digest = Some("the state digest".to_owned());
    assert_eq!(difference(&primary, &store, None, position, behind), digest);
    let drifted = Position {
        digest: position.digest ^ 1,
        ..position
    };
    assert_eq!(difference(&primary, &store, None, drifted, drifted), digest);

    store.row_mut(0).copy_from_slice(&[1.0, 2.0]);
    let row = Some("the row of slot 0".to_owned());
    assert_eq!(difference(&primary, &store, None, position, position), row);
}

#[test]
fn more_inserts_than_rows_justify_are_refused() {
    use crate::stream::{LineFault, StreamError};

    // 2^20 values are free, and 16 inserts a row: 2^10 / 16 rows of 2^14 make 64 + 16.
    let dim = 1 << 14;
    let array = f32s(&[1, dim], &vec![0.5; 1 << 14]);
    let line = |number| format!("{{\"op\":\"insert\",\"id\":\"{number}\",\"row\":0,\"ts\":1}}\n");
    let load = |count: usize| {
        let lines: String = (0..count).map(line).collect();
        let files = [("s.jsonl", lines.as_bytes()), ("s.npy", &array[..])];
        Stream::load_embedded("s", &files)
    };
    assert!(load(80).is_ok());
    let refused = load(81);
    let fault = LineFault::TooManyInserts {
        insert_max: 80,
        rows: 1,
    };
    let Err(StreamError::Line {
        line, fault: found, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((line, found), (81, fault));
}

#[test]
fn a_bounded_replica_is_the_shadow_and_smaller() {
    for stream in &crate::sample::streams().unwrap() {
        let exact = replay(stream, &Options::default()).unwrap();
        let encoding = Encoding {
            bound: Some(Bound::new(3e-3).unwrap()),
            ..Encoding::EXACT
        };
        let bounded = replay(
            stream,
            &Options {
                encoding,
                ..Options::default()
            },
        )
        .unwrap();
        assert!(bounded.replica_identical, "{:?}", bounded.difference);
        assert!(bounded.value_bytes <= exact.value_bytes);
        assert!(bounded.memory.shadow_bytes > 0 && exact.memory.shadow_bytes == 0);
    }
}
