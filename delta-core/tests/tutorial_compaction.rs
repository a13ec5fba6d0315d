//! A tutorial: a log becomes one segment, with its graph and without.
//!
//! A late reader does not need the way to a state, only the state: compaction merges what a range
//! of records did to each entity. The segment applies at exactly one position, whole or not at all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use delta_core::compact::{CompactMemory, Compactor, RangeSegment, Touched};
use delta_core::pipeline::apply::{Applier, Outcome, Undo};
use delta_core::pipeline::sequencer::Position;
use delta_core::pipeline::sequencer::SlotState;
use delta_core::pipeline::session::{CaptureConfig, CaptureMemory, CaptureSession};
use delta_core::record::Record;
use delta_core::retain::Place;
use delta_core::store::{Cleanup, Replica, SliceMemory, SliceStore, Slot, state_digest};

/// A log: two documents, of which one changes often and the other comes and goes.
fn log() -> (Vec<Vec<u8>>, Position) {
    let (mut slots, mut bytes) = ([SlotState::default(); 8], [0; 4096]);
    let mut places = [Place::default(); 64];
    let memory = CaptureMemory {
        slots: &mut slots,
        bytes: &mut bytes,
        places: &mut places,
    };
    let config = CaptureConfig {
        dim: 2,
        slot_count: 0,
        position: Position::START,
    };
    let mut session = CaptureSession::init_capture(config, memory);
    session.start_capture(b"").unwrap();
    let kept = session.insert(b"kept", &[1.0, 0.0], &[]).unwrap();
    let mut old = [1.0, 0.0];
    for step in 1..=20_u8 {
        let new = [1.0, f32::from(step)];
        session.update(kept, &old, &new, &[]).unwrap();
        old = new;
    }
    let gone = session.insert(b"gone", &[9.0, 9.0], &[]).unwrap();
    session.delete(gone).unwrap();
    let headers: Vec<_> = session.poll_deltas(100).unwrap().collect();
    let frame = |header: &delta_core::header::DeltaHeader| {
        let payload = session.get_payload(header.sequence).unwrap();
        [&header.to_bytes()[..], payload].concat()
    };
    let frames = headers.iter().map(frame).collect();
    (frames, session.checkpoint().position)
}

#[test]
fn a_late_reader_takes_a_segment_instead_of_the_log() {
    let (frames, end) = log();

    // The compactor's memory bounds how many entities a segment has.
    let (mut touched, mut index) = ([Touched::default(); 4], [0; 8]);
    let (mut rows, mut changed) = ([0.0; 8], [0; 4]);
    let (mut text, mut scratch) = ([0; 256], [0; 64]);
    let memory = CompactMemory {
        touched: &mut touched,
        index: &mut index,
        rows: &mut rows,
        changed: &mut changed,
        text: &mut text,
        scratch: &mut scratch,
    };
    let mut compactor = Compactor::new(2, Position::START, memory);
    for frame in &frames {
        compactor.push(&Record::parse(frame).unwrap()).unwrap();
    }
    let mut out = [0; 1024];
    let size = compactor.finish(&mut out).unwrap();
    let bytes = frames.iter().map(Vec::len).sum::<usize>();
    assert!(size * 5 < bytes, "{size} bytes for {bytes}");

    // Two records are left: one insert, and the mark of a slot that was used in between.
    let segment = RangeSegment::parse(&out[..size]).unwrap();
    assert_eq!(segment.records().count(), 2);
    assert_eq!((segment.from(), segment.to()), (Position::START, end));

    // The late reader moves from the beginning to the end in one step.
    let (mut rows, mut slots, mut attributes) = ([0.0; 8], [Slot::default(); 4], [0; 256]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut store = SliceStore::new(2, memory);
    let mut applier = Applier::new(Position::START, &mut []);
    let mut undo = [0; 512];
    let mut undo = Undo::new(&mut undo);
    let applied = applier.apply_range(&segment, &mut store, &mut undo);
    assert_eq!(applied, Ok(Outcome::Applied));
    assert_eq!(applier.current_position(), end);
    assert_eq!(state_digest(&store), end.digest);
    assert_eq!(store.row(0), Some(&[1.0, 20.0][..]));
    assert!(store.is_deleted(1) && store.is_erased(1));

    // A second time it is known already; elsewhere it is refused.
    let again = applier.apply_range(&segment, &mut store, &mut undo);
    assert_eq!(again, Ok(Outcome::Duplicate));
}

#[test]
fn an_early_reader_gives_up_what_deleted_rows_keep_when_it_is_idle() {
    let (frames, end) = log();
    let (mut rows, mut slots, mut attributes) = ([0.0; 8], [Slot::default(); 4], [0; 256]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut store = SliceStore::new(2, memory);
    let mut scratch = [0; 64];
    let mut applier = Applier::new(Position::START, &mut scratch);
    for frame in &frames {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut store).unwrap();
    }
    // A deletion marks the slot, nothing else.
    assert!(store.is_deleted(1) && store.row(1) == Some(&[9.0, 9.0][..]));

    // When there is nothing to do: at most one slot a step.
    let mut cleanup = Cleanup::default();
    while !cleanup.step(&mut store, end.sequence, 1).done {}
    assert_eq!((store.row(1), store.id(1)), (Some(&[0.0, 0.0][..]), None));
    assert_eq!(state_digest(&store), end.digest, "nobody else has to know");
}
