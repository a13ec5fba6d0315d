//! What the pipeline and the writers of payloads make.

use crate::{
    blocks::{frames, golden},
    memory::{NAN, SUBNORMAL},
};
use delta_core::{
    codec::Encoding,
    header::{DeltaHeader, Operation},
    payload::{
        Payload,
        batch::{BatchPayload, BatchWriter, RowUpdate},
        metadata::MetadataEdit,
    },
    pipeline::{
        capture::Capture,
        sequencer::{Position, Sequencer, SlotState},
    },
    record::Record,
    ring::{Consumer, Mem, StaticRing},
};

/// Takes the record that was just captured out of the ring, as a frame, and moves the clock on.
fn take<M: Mem>(capture: &mut Capture<'_, M>, consumer: &mut Consumer<M>) -> Vec<u8> {
    let received = consumer.poll().unwrap().unwrap();
    let frame = [&received.header()[..], received.payload()].concat();
    received.done();
    capture.set_timestamp_us(1_700_000_000_000_001 + capture.position().sequence);
    frame
}

fn edit(
    key: &'static [u8],
    old: Option<&'static str>,
    new: Option<&'static str>,
) -> MetadataEdit<'static> {
    MetadataEdit {
        key,
        old: old.map(str::as_bytes),
        new: new.map(str::as_bytes),
    }
}

#[test]
fn a_batch_carries_metadata() {
    let (name, bytes) = frames("payload").remove(0);
    assert_eq!(name, "batch-metadata");
    let mut out = [0; 100];
    let mut writer = BatchWriter::new(100, 2);
    let metadata = [edit(b"a", Some("1"), None), edit(b"b", None, Some("x"))];
    for (prev_sequence, slot, new, metadata) in
        [(97, 300, [1.0, 2.0], &[][..]), (0, 1, [0.0; 2], &metadata)]
    {
        let update = RowUpdate {
            slot,
            old: &[0.0; 2],
            new: &new,
            metadata,
        };
        writer
            .push_as(Encoding::EXACT, &mut out, prev_sequence, &update)
            .unwrap();
    }
    let written = writer.finish(&mut out, None).unwrap();
    assert_eq!(written.payload, bytes);
    let header = DeltaHeader::new(Operation::BatchUpdate, 100, 1);
    let parsed = BatchPayload::parse(&header, &bytes).unwrap();
    let changes = parsed.decode(&mut []).unwrap();
    let pairs: Vec<_> = changes.flat_map(|(_, metadata)| metadata).collect();
    assert_eq!(pairs, [(&b"a"[..], None), (b"b", Some(&b"x"[..]))]);
}

/// The header of a batch with compressed metadata, as the vectors of its payload have it.
fn compressed_batch() -> DeltaHeader {
    DeltaHeader {
        compressed: true,
        ..DeltaHeader::new(Operation::BatchUpdate, 100, 1)
    }
}

#[test]
fn a_batch_carries_compressed_metadata() {
    let (name, bytes) = frames("payload").remove(1);
    assert_eq!(name, "batch-compressed");
    let parsed = BatchPayload::parse(&compressed_batch(), &bytes).unwrap();
    let mut scratch = [0; 52];
    let shown: Vec<_> = parsed
        .decode(&mut scratch)
        .unwrap()
        .flat_map(|(entry, metadata)| metadata.into_iter().map(move |pair| (entry.slot, pair)))
        .collect();
    let path = |value| (&b"path"[..], Some(value));
    assert_eq!(
        shown,
        [
            (300, path(&b"guide/wire-format.md"[..])),
            (1, path(b"guide/wire-layout.md"))
        ]
    );
}

#[test]
fn refused_payloads_of_compressed_batches_are_refused() {
    let blocks = frames("payload-refused");
    assert!(blocks.len() >= 5);
    for (name, bytes) in blocks {
        let header = compressed_batch();
        let parsed = BatchPayload::parse(&header, &bytes);
        let is_sound = parsed.is_ok_and(|batch| batch.decode(&mut [0; 100]).is_ok());
        assert!(!is_sound, "{name} was accepted");
    }
}

#[test]
fn capture_writes_the_golden_frames() {
    let mut ring = StaticRing::<16, 4096>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = Capture::new(tx, Sequencer::new(4, &mut slots, 0, Position::START));
    capture.set_timestamp_us(1_700_000_000_000_001);

    capture.start(b"own").unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("start"));

    let a1 = [1.0, -0.0, NAN, SUBNORMAL];
    assert_eq!(
        capture.insert(b"a", &a1, &[edit(b"k", None, Some("v"))]),
        Ok(0)
    );
    assert_eq!(take(&mut capture, &mut rx), golden("insert-raw"));

    let b1 = [0.0, -2.5, 0.0, 0.0];
    let long = [b'a'; 60];
    let metadata = [MetadataEdit {
        key: b"k",
        old: None,
        new: Some(&long),
    }];
    assert_eq!(capture.insert("δ/2".as_bytes(), &b1, &metadata), Ok(1));
    let plain = take(&mut capture, &mut rx);
    assert_same_but_compression(&plain, &golden("insert-sparse-compressed"));

    let a2 = [1.0, 0.0, NAN, 0.5];
    let metadata = [
        edit(b"k", Some("v"), None),
        edit(b"n", None, Some("")),
        edit(b"o", None, Some("12")),
    ];
    capture
        .update_with_metadata(0, &a1, &a2, &metadata)
        .unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("update-sparse"));

    capture.update(1, &b1, &b1).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("update-same"));

    let (a3, b2) = ([3.0, 0.0, NAN, 0.5], [1.5, 2.5, -3.5, f32::NEG_INFINITY]);
    let mut batch = capture.batch(64).unwrap();
    batch.update(1, &b1, &b2).unwrap();
    batch.update(0, &a2, &a3).unwrap();
    batch.commit().unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("batch"));

    capture.delete(0).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("delete"));
    capture.resync(2).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("resync"));
    capture.watermark(5, 77).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("watermark"));
    capture.update(1, &b2, &[0.25, 0.125, -7.0, 1e-40]).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("update-raw"));
    assert_eq!(capture.insert(b"a", &[0.0, 0.0, 0.0, -0.5], &[]), Ok(2));
    assert_eq!(take(&mut capture, &mut rx), golden("insert-after-resync"));
    capture.end(10).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("end"));
}

/// An LZ4 writer may choose another block than the golden one, and this one was given no scratch
/// to compress with: what is compared is what both decode to.
fn assert_same_but_compression(plain: &[u8], compressed: &[u8]) {
    let (plain, compressed) = (
        Record::parse(plain).unwrap(),
        Record::parse(compressed).unwrap(),
    );
    assert!(compressed.header().compressed && !plain.header().compressed);
    assert_eq!(
        plain.header().state_digest,
        compressed.header().state_digest
    );
    let (Payload::Insert(plain), Payload::Insert(compressed)) =
        (plain.payload(), compressed.payload())
    else {
        panic!("both are inserts");
    };
    let mut scratch = [0; 64];
    assert_eq!(
        plain.metadata().decode(&mut []).unwrap().as_bytes(),
        compressed
            .metadata()
            .decode(&mut scratch)
            .unwrap()
            .as_bytes()
    );
    assert_eq!(
        (plain.values(), plain.id()),
        (compressed.values(), compressed.id())
    );
}
