//! What else is made of compressed batches: merged rows, derived streams, segments.

use super::super::{
    compact::{Work, finish},
    take_all,
};
use super::{
    DIM, DIM_U32, ROWS, ROWS_U32, apply_all, batch_of, compressed_log, memory, plain_log, row,
    with_broken_block,
};
use crate::{
    compact::CompactError,
    payload::metadata::MetadataError,
    pipeline::{
        apply::Applier,
        derive::{
            DeriveError, Derived, DerivedConfig, DerivedMemory, DropMetadata, Everything, Followed,
            Identity, Transform,
        },
        merge::{LastWriterWins, Merge, MergeMemory, Merged, Stamp},
        sequencer::{Position, Sequencer, SlotState},
    },
    record::Record,
    ring::StaticRing,
    store::{SliceMemory, Slot},
};

#[test]
fn the_rows_of_compressed_batches_are_merged() {
    let frames = compressed_log();
    let (mut states, mut stamps) = ([SlotState::default(); ROWS], [Stamp::default(); ROWS]);
    let (mut rows, mut written) = (vec![0.0; DIM * ROWS], [0.0; DIM]);
    let memory = MergeMemory {
        rows: &mut rows,
        stamps: &mut stamps,
        written: &mut written,
    };
    let sequencer = Sequencer::new(DIM_U32, &mut states, ROWS_U32, Position::START);
    let mut merge = Merge::new(sequencer, memory, LastWriterWins);
    let mut writers: Vec<_> = (0..ROWS_U32).map(|slot| row(slot, 0)).collect();
    let (mut scratch, mut out) = ([0; 4 * DIM], [0; 200]);
    for frame in &frames[ROWS..] {
        let record = Record::parse(frame).unwrap();
        let stamp = Stamp {
            sequence: record.header().sequence,
            ..Stamp::default()
        };
        for entry in batch_of(&record).entries() {
            let row = &mut writers[entry.slot as usize];
            entry.values.decode(row, &mut scratch).unwrap().apply(row);
            let merged = merge.update(entry.slot, stamp, row, &mut out);
            assert!(matches!(merged, Ok(Merged::Changed(_))));
        }
    }
    for slot in 0..ROWS_U32 {
        assert_eq!(merge.row(slot), Some(&row(slot, 2)[..]));
    }
}

/// What a stream derived from the log sends for its last batch, with `scratch` bytes.
fn derived<T: Transform>(
    frames: &[Vec<u8>],
    transform: T,
    scratch: usize,
) -> (Result<Followed, DeriveError>, Vec<Vec<u8>>) {
    let (last, before) = frames.split_last().unwrap();
    let (mut source_memory, mut source_scratch) = (memory(), [0; 1_000]);
    let mut source = source_memory.store();
    let mut applier = Applier::new(Position::START, &mut source_scratch);
    apply_all(&mut applier, before, &mut source);
    let mut ring = StaticRing::<16, 8_192>::new();
    let (mut tx, mut rx) = ring.split();
    let (mut rows, mut slots) = ([0.0; DIM * ROWS], [Slot::default(); ROWS]);
    let (mut attributes, mut map, mut row) = ([0; 4_000], [0; ROWS], [0.0; DIM]);
    let (mut states, mut scratch) = ([SlotState::default(); ROWS], vec![0; scratch]);
    let memory = DerivedMemory {
        store: SliceMemory {
            rows: &mut rows,
            slots: &mut slots,
            attributes: &mut attributes,
        },
        states: &mut states,
        map: &mut map,
        row: &mut row,
        scratch: &mut scratch,
    };
    let config = DerivedConfig::new(Everything, transform);
    let position = applier.current_position();
    let mut derived = Derived::new(config, &source, position, memory).unwrap();
    apply_all(&mut applier, std::slice::from_ref(last), &mut source);
    let record = Record::parse(last).unwrap();
    let followed = derived.follow(&record, &source, &mut tx);
    // Refused or not, it has its scratch.
    assert_eq!(derived.watermark(&mut tx), Ok(()));
    let mut sent = take_all(&mut rx);
    sent.pop();
    (followed, sent)
}

#[test]
fn a_stream_is_derived_from_compressed_batches() {
    let (plain, compressed) = (plain_log(), compressed_log());
    let (followed, sent) = derived(&compressed, Identity, 1_000);
    assert_eq!((followed, sent.len()), (Ok(Followed::Passed), ROWS));
    assert_eq!(sent, derived(&plain, Identity, 1_000).1);
    // Metadata that do not travel on are not decompressed.
    let (followed, sent) = derived(&compressed, DropMetadata(Identity), 0);
    assert_eq!((followed, sent.len()), (Ok(Followed::Passed), ROWS));
}

#[test]
fn a_derived_stream_needs_room_for_all_metadata_of_a_batch() {
    let frames = compressed_log();
    let (followed, _) = derived(&frames, Identity, 100);
    let small = MetadataError::ScratchTooSmall {
        needed: 248,
        given: 100,
    };
    assert_eq!(followed, Err(DeriveError::Metadata(small)));
}

#[test]
fn compressed_and_plain_batches_compact_to_the_same_bytes() {
    let (plain, compressed) = (plain_log(), compressed_log());
    let segment = |frames: &[Vec<u8>]| {
        let mut work = Work::new(DIM, ROWS, 4_000);
        let mut compactor = work.compactor(DIM, Position::START);
        for frame in frames {
            compactor.push(&Record::parse(frame).unwrap()).unwrap();
        }
        finish(&mut compactor)
    };
    assert_eq!(segment(&plain), segment(&compressed));

    // A broken block changes nothing, and the scratch is there for the right one.
    let broken = with_broken_block(&compressed);
    let (last, before) = compressed.split_last().unwrap();
    let mut work = Work::new(DIM, ROWS, 4_000);
    let mut compactor = work.compactor(DIM, Position::START);
    for frame in before {
        compactor.push(&Record::parse(frame).unwrap()).unwrap();
    }
    let refused = compactor.push(&Record::parse(&broken).unwrap());
    assert!(matches!(
        refused,
        Err(CompactError::Metadata(MetadataError::Compressed { .. }))
    ));
    compactor.push(&Record::parse(last).unwrap()).unwrap();
    assert_eq!(finish(&mut compactor), segment(&plain));
}
