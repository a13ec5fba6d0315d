//! Batches whose metadata are compressed together, on every way that a record takes.

mod stages;

use super::take_all;
use crate::{
    codec::{Bound, lz4::Lz4Scratch},
    header::HEADER_SIZE,
    payload::{
        Payload,
        batch::{BatchPayload, RowUpdate},
        metadata::{MetadataEdit, MetadataError},
    },
    pipeline::{
        apply::{Applier, ApplyError, BatchApplyError, Outcome, Refusal, Undo, apply_rows},
        capture::Capture,
        gate::{Gate, GateConfig},
        process::{PassThrough, relay},
        sequencer::{Position, Sequencer, SlotState},
        shadow::Shadow,
    },
    record::Record,
    ring::StaticRing,
    store::{Replica, SliceStore},
    testing::{Memory, View, bits_of, frame, view},
};

const DIM: usize = 24;
const DIM_U32: u32 = 24;
/// Entities, all of which every batch changes.
const ROWS: usize = 8;
const ROWS_U32: u32 = 8;

/// A row of which every component moves a little.
fn row(slot: u32, step: u8) -> [f32; DIM] {
    let slot = f32::from(u16::try_from(slot).unwrap());
    core::array::from_fn(|d| {
        let d = f32::from(u16::try_from(d).unwrap());
        slot - d / 8.0 + f32::from(step) * (0.02 + d / 1_024.0)
    })
}

fn path(slot: u32, step: u8) -> Vec<u8> {
    format!("guide/chapter-{slot}/part-{step}.md").into_bytes()
}

fn edit<'e>(old: Option<&'e [u8]>, new: &'e [u8]) -> MetadataEdit<'e> {
    MetadataEdit {
        key: b"path",
        old,
        new: Some(new),
    }
}

/// Frames of inserts and two batches that change every row and path.
fn log(lz4: Option<&mut Lz4Scratch>, bound: Option<Bound>) -> Vec<Vec<u8>> {
    let mut ring = StaticRing::<64, 16_384>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); ROWS];
    let mut rows = vec![0.0; Shadow::size(ROWS, DIM)];
    let sequencer = Sequencer::new(DIM_U32, &mut slots, 0, Position::START);
    let mut capture = Capture::new(tx, sequencer);
    if let Some(lz4) = lz4 {
        capture = capture.with_lz4(lz4);
    }
    if let Some(bound) = bound {
        capture = capture.with_shadow(Shadow::new(bound, DIM_U32, &mut rows));
    }
    for slot in 0..ROWS_U32 {
        let (row, path) = (row(slot, 0), path(slot, 0));
        let inserted = capture.insert(&slot.to_le_bytes(), &row, &[edit(None, &path)]);
        inserted.unwrap();
    }
    for step in 1..=2 {
        let mut batch = capture.batch(4_000).unwrap();
        for slot in 0..ROWS_U32 {
            let (old_path, new_path) = (path(slot, step - 1), path(slot, step));
            let update = RowUpdate {
                slot,
                old: &row(slot, step - 1),
                new: &row(slot, step),
                metadata: &[edit(Some(&old_path), &new_path)],
            };
            batch.update_with_metadata(&update).unwrap();
        }
        batch.commit().unwrap().unwrap();
        if let Some(shadow) = capture.shadow() {
            for slot in 0..ROWS_U32 {
                let found = shadow.row(slot).unwrap();
                let near = found.iter().zip(row(slot, step));
                assert!(near.clone().all(|(found, new)| (found - new).abs() < 0.02));
            }
        }
    }
    take_all(&mut rx)
}

fn plain_log() -> Vec<Vec<u8>> {
    log(None, None)
}

fn compressed_log() -> Vec<Vec<u8>> {
    log(Some(&mut Lz4Scratch::new()), None)
}

fn batch_of<'r>(record: &Record<'r>) -> BatchPayload<'r> {
    match record.payload() {
        Payload::Batch(batch) => *batch,
        payload => panic!("{payload:?}"),
    }
}

/// The last frame, its block broken under a checksum that fits.
fn with_broken_block(frames: &[Vec<u8>]) -> Vec<u8> {
    let bytes = frames.last().unwrap();
    let record = Record::parse(bytes).unwrap();
    let mut payload = bytes[HEADER_SIZE..].to_vec();
    let block = payload.len() - batch_of(&record).metadata_size();
    // A token of no literals: a match from before the block.
    payload[block] = 0;
    frame(*record.header(), &payload)
}

fn memory() -> Memory {
    Memory::new(DIM, ROWS, 4_000)
}

/// Applies frames that all apply.
fn apply_all(applier: &mut Applier<'_>, frames: &[Vec<u8>], store: &mut SliceStore<'_>) {
    for frame in frames {
        let record = Record::parse(frame).unwrap();
        assert_eq!(applier.apply_delta(&record, store), Ok(Outcome::Applied));
    }
}

/// What a replica of the whole log shows.
fn end(frames: &[Vec<u8>]) -> (View, Position) {
    let (mut memory, mut scratch) = (memory(), [0; 1_000]);
    let mut store = memory.store();
    let mut applier = Applier::new(Position::START, &mut scratch);
    apply_all(&mut applier, frames, &mut store);
    (view(&store), applier.current_position())
}

#[test]
fn a_batch_with_like_metadata_is_smaller_and_means_the_same() {
    let (plain, compressed) = (plain_log(), compressed_log());
    assert_eq!(end(&plain), end(&compressed));
    for (plain, compressed) in plain.iter().zip(&compressed).skip(ROWS) {
        let [first, second] = [plain, compressed].map(|frame| Record::parse(frame).unwrap());
        assert!(!first.header().compressed && second.header().compressed);
        let saved = plain.len() - compressed.len();
        assert!(saved > 100, "{saved} of {} bytes", plain.len());
        let [first, second] = [batch_of(&first), batch_of(&second)];
        assert_eq!(first.metadata_size() - second.metadata_size(), saved);
        assert!(first.entries().eq(second.entries()));
    }
}

#[test]
fn a_relay_keeps_a_compressed_batch() {
    let (mut source, mut target) = (StaticRing::<4, 4_096>::new(), StaticRing::<4, 4_096>::new());
    let ((mut tx, mut rx), (mut target_tx, mut target_rx)) = (source.split(), target.split());
    let frame = compressed_log().pop().unwrap();
    let (header, payload) = frame.split_first_chunk::<HEADER_SIZE>().unwrap();
    let mut grant = tx.reserve(payload.len()).unwrap();
    grant.payload_mut().copy_from_slice(payload);
    grant.commit(header).unwrap();
    assert_eq!(relay(&mut rx, &mut PassThrough, &mut target_tx), Ok(true));
    assert_eq!(take_all(&mut target_rx), [frame]);
}

#[test]
fn a_refused_compressed_batch_changes_nothing() {
    let frames = compressed_log();
    let (last, before) = frames.split_last().unwrap();
    let record = Record::parse(last).unwrap();
    let plain_size = batch_of(&record).scratch_size();
    let broken = with_broken_block(&frames);
    for scratch_size in [0, plain_size - 1, plain_size + 4 * DIM] {
        let mut memory = memory();
        let mut store = memory.store();
        let mut scratch = [0; 1_000];
        let mut applier = Applier::new(Position::START, &mut scratch);
        apply_all(&mut applier, before, &mut store);
        let (position, shown) = (applier.current_position(), view(&store));
        let mut applier = Applier::new(position, &mut scratch[..scratch_size]);
        let mut refused = |applier: &mut Applier<'_>, frame: &[u8], reason| {
            let record = Record::parse(frame).unwrap();
            let sequence = record.header().sequence;
            let error = ApplyError { sequence, reason };
            assert_eq!(applier.apply_delta(&record, &mut store), Err(error));
            let mut bytes = [0; 4_000];
            let mut undo = Undo::new(&mut bytes);
            assert_eq!(
                applier.apply_batch([record], &mut store, &mut undo),
                Err(BatchApplyError::Apply(error))
            );
            assert!(undo.is_empty());
            assert_eq!(
                (applier.current_position(), view(&store)),
                (position, shown.clone())
            );
        };
        if scratch_size < plain_size {
            let (needed, given) = (plain_size, scratch_size);
            let small = MetadataError::ScratchTooSmall { needed, given };
            refused(&mut applier, last, Refusal::Metadata(small));
            continue;
        }
        let block = MetadataError::Compressed { plain_size };
        refused(&mut applier, &broken, Refusal::Metadata(block));
        apply_all(&mut applier, std::slice::from_ref(last), &mut store);
        assert_eq!((view(&store), applier.current_position()), end(&frames));
    }
}

#[test]
fn the_largest_scratch_suffices_for_rows_and_metadata() {
    let bound = Bound::new(3e-3).unwrap();
    let frames = log(Some(&mut Lz4Scratch::new()), Some(bound));
    let needed = frames.iter().skip(ROWS).map(|frame| {
        let record = Record::parse(frame).unwrap();
        assert!(record.header().lossy && record.header().compressed);
        let batch = batch_of(&record);
        let row = batch
            .entries()
            .map(|entry| entry.values.scratch_size())
            .max();
        assert!(row > Some(0) && row <= Some(4 * DIM));
        batch.scratch_size() + row.unwrap()
    });
    let needed = needed.max().unwrap();
    assert!(needed < Applier::scratch_size_max(DIM_U32));
    let (mut memory, mut scratch) = (memory(), vec![0; needed]);
    let mut store = memory.store();
    apply_all(
        &mut Applier::new(Position::START, &mut scratch),
        &frames,
        &mut store,
    );
    assert_eq!(store.metadata(7, b"path"), Some(&path(7, 2)[..]));
}

#[test]
fn compressed_batches_are_taken_back() {
    let frames = compressed_log();
    let records: Vec<_> = frames
        .iter()
        .map(|frame| Record::parse(frame).unwrap())
        .collect();
    let broken = with_broken_block(&frames);
    let (mut memory, mut scratch) = (memory(), [0; 1_000]);
    let mut store = memory.store();
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut bytes = [0; 16_000];
    let mut undo = Undo::new(&mut bytes);
    apply_all(&mut applier, &frames[..ROWS], &mut store);
    let before = (view(&store).slots, applier.current_position());
    // The first batch is taken back with the second, whose block is broken.
    let two = [records[ROWS], Record::parse(&broken).unwrap()];
    let refused = applier.apply_batch(two, &mut store, &mut undo).unwrap_err();
    assert!(matches!(refused, BatchApplyError::Apply(error) if error.sequence == 10));
    assert_eq!((view(&store).slots, applier.current_position()), before);

    let result = applier.apply_batch(records[ROWS..].iter().copied(), &mut store, &mut undo);
    assert_eq!(result.unwrap().applied, 2);
    assert_eq!(view(&store).slots, end(&frames).0.slots);
    while applier.step_back(&mut store, &mut undo).is_some() {}
    assert_eq!((view(&store).slots, applier.current_position()), before);
}

#[test]
fn an_open_gate_and_workers_take_compressed_batches() {
    let frames = compressed_log();
    let (last, before) = frames.split_last().unwrap();
    let record = Record::parse(last).unwrap();
    let (mut own, mut scratch) = (memory(), [0; 1_000]);
    let mut store = own.store();
    let mut applier = Applier::new(Position::START, &mut scratch);
    apply_all(&mut applier, before, &mut store);
    // A worker changes rows alone, with scratch for one.
    let mut other = memory();
    let mut workers = other.store();
    apply_all(
        &mut Applier::new(Position::START, &mut [0; 1_000]),
        before,
        &mut workers,
    );
    for odd in [0, 1] {
        let owns = |slot| slot % 2 == odd;
        let mut scratch = [0; 4 * DIM];
        apply_rows(&record, &mut workers, owns, &mut scratch, |_, _, _| {}).unwrap();
    }
    let mut gate = Gate::new(GateConfig::OPEN).unwrap();
    assert!(applier.apply_gated(&record, &mut store, &mut gate).is_ok());
    assert_eq!((view(&store), applier.current_position()), end(&frames));
    assert_eq!(bits_of(workers.rows()), bits_of(store.rows()));
}
