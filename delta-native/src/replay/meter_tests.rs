use super::*;
use delta_core::payload::metadata::MetadataEdit;
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::StaticRing;

/// Rows of 4: an insert and an update with metadata, a batch of three updates, a delete, the end.
#[test]
fn sizes_are_those_that_the_report_defines() {
    let mut ring = StaticRing::<16, 4096>::new();
    let (producer, mut consumer) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let sequencer = Sequencer::new(4, &mut slots, 0, Position::START);
    let mut capture = Capture::new(producer, sequencer);
    let old = [1.0, 2.0, 3.0, 4.0];
    let new = [1.0, 2.0, 3.0, 5.0];
    let inserted = MetadataEdit {
        key: b"key",
        old: None,
        new: Some(b"value"),
    };
    let changed = MetadataEdit {
        key: b"key",
        old: Some(b"value"),
        new: Some(b"v"),
    };
    for id in [b"a", b"b", b"c", b"d"] {
        capture.insert(id, &old, &[inserted]).unwrap();
    }
    capture
        .update_with_metadata(0, &old, &new, &[changed])
        .unwrap();
    let mut batch = capture.batch(256).unwrap();
    batch.update(1, &old, &old).unwrap();
    batch.update(2, &old, &new).unwrap();
    batch.update(3, &old, &[5.0; 4]).unwrap();
    batch.commit().unwrap();
    capture.delete(1).unwrap();
    capture.end(7).unwrap();

    let mut meter = Meter::default();
    while let Some(received) = consumer.poll().unwrap() {
        let record = Record::from_parts(received.header(), received.payload()).unwrap();
        assert!(!meter.ended);
        meter.process(&record);
        received.done();
    }
    assert!(meter.ended);
    assert_eq!((meter.inserts, meter.deletes, meter.records), (4, 1, 8));

    // Sparse: tag, gap, bits. Same: tag. Raw: tag and 16 bytes. A prefix of 3 bytes stands before
    // each entry's tag; the header and the batch's prefix, 72 bytes, are shared by three.
    let value_bytes: Vec<u32> = meter.updates.iter().map(|size| size.value_bytes).collect();
    assert_eq!(value_bytes, [6, 1, 6, 17]);
    let wire_bytes: Vec<f32> = meter.updates.iter().map(|size| size.wire_bytes).collect();
    assert_eq!(
        wire_bytes,
        [64.0 + 4.0 + 6.0, 24.0 + 4.0, 24.0 + 9.0, 24.0 + 20.0]
    );
    assert_eq!(meter.wire_bytes, 74 + 64 + 8 + 4 + 9 + 20);
    // Key size, key, value size, value: of the update alone.
    assert_eq!(meter.metadata_bytes, 1 + 3 + 1 + 1);
}
