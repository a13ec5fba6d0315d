//! Compacted logs against the logs themselves.

use super::{
    ATTRIBUTES, RandomLog, Shown, any_log, base_position,
    model::{SCRATCH, SLOTS},
    shown,
};
use crate::{
    compact::{CompactError, CompactMemory, Compactor, NoRows, RangeError, RangeSegment, Touched},
    graph::search::Rows,
    header::DeltaHeader,
    payload::{Payload, control::Control, metadata::MetadataEdit},
    pipeline::{
        apply::{Applier, BatchApplyError, Outcome, Refusal, Undo},
        sequencer::{Position, PrepareError, Prepared, Sequencer, SlotState},
    },
    record::Record,
    store::{Cleanup, Replica, SliceStore, state_digest},
    testing::{Memory, frame, view},
};
use proptest::prelude::*;

/// A compactor's memory.
pub(super) struct Work {
    touched: Vec<Touched>,
    index: Vec<u32>,
    rows: Vec<f32>,
    changed: Vec<u64>,
    text: Vec<u8>,
    scratch: Vec<u8>,
}

impl Work {
    pub(super) fn new(dim: usize, entities: usize, text: usize) -> Self {
        Self {
            touched: vec![Touched::default(); entities],
            index: vec![0; (2 * entities).next_power_of_two()],
            rows: vec![0.0; dim * entities],
            changed: vec![0; dim.div_ceil(64) * entities],
            text: vec![0; text],
            scratch: vec![0; 1_000],
        }
    }

    pub(super) fn compactor(&mut self, dim: usize, from: Position) -> Compactor<'_> {
        self.compactor_over(dim, from, NoRows)
    }

    /// Over the rows before the range.
    pub(super) fn compactor_over<B: Rows>(
        &mut self,
        dim: usize,
        from: Position,
        base: B,
    ) -> Compactor<'_, B> {
        let memory = CompactMemory {
            touched: &mut self.touched,
            index: &mut self.index,
            rows: &mut self.rows,
            changed: &mut self.changed,
            text: &mut self.text,
            scratch: &mut self.scratch,
        };
        Compactor::with_base(u32::try_from(dim).unwrap(), from, memory, base)
    }
}

pub(super) fn finish<B: Rows>(compactor: &mut Compactor<'_, B>) -> Vec<u8> {
    let mut out = vec![0; compactor.size_max()];
    let size = compactor.finish(&mut out).unwrap();
    out.truncate(size);
    out
}

/// Segments of `frames` by a workspace that must hold each record alone.
fn compact(log: &RandomLog, from: Position, entities: usize, text: usize) -> Vec<Vec<u8>> {
    let mut memory = Memory::new(log.dim, SLOTS, ATTRIBUTES);
    let base = memory.store_with_base(&log.base);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(from, &mut scratch);
    let mut undo = vec![0; 1 << 20];
    let mut work = Work::new(log.dim, entities, text);
    let mut compactor = work.compactor_over(log.dim, from, base);
    let mut segments = vec![];
    for frame in &log.frames {
        let record = Record::parse(frame).unwrap();
        while let Err(error) = compactor.push(&record) {
            assert!(matches!(error, CompactError::Full { .. }), "{error}");
            assert!(!compactor.is_empty(), "a record alone fits");
            let bytes = finish(&mut compactor);
            let segment = RangeSegment::parse(&bytes).unwrap();
            applier
                .apply_range(&segment, compactor.base_mut(), &mut Undo::new(&mut undo))
                .unwrap();
            segments.push(bytes);
        }
    }
    if !compactor.is_empty() {
        segments.push(finish(&mut compactor));
    }
    segments
}

/// What a replica shows after the segments, and where it is.
fn replay_segments(log: &RandomLog, segments: &[Vec<u8>]) -> (Shown, Position) {
    let mut memory = Memory::new(log.dim, SLOTS, ATTRIBUTES);
    let mut store = memory.store_with_base(&log.base);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(base_position(&store), &mut scratch);
    let mut undo = vec![0; 1 << 20];
    let mut undo = Undo::new(&mut undo);
    for bytes in segments {
        let segment = RangeSegment::parse(bytes).unwrap();
        assert_eq!(segment.from(), applier.current_position());
        let outcome = applier.apply_range(&segment, &mut store, &mut undo);
        assert_eq!(outcome, Ok(Outcome::Applied));
        assert_eq!(segment.to(), applier.current_position());
        let again = applier.apply_range(&segment, &mut store, &mut undo);
        assert_eq!(again, Ok(Outcome::Duplicate));
    }
    (cleaned(&mut store), applier.current_position())
}

/// What a replica shows once it has given up what deleted slots keep: of an entity that was
/// inserted and deleted within a segment, it never had it.
fn cleaned(store: &mut SliceStore<'_>) -> Shown {
    let digest = state_digest(store);
    let all = Cleanup::default().step(store, u64::MAX, u32::MAX);
    assert!(all.done);
    assert_eq!(state_digest(store), digest);
    shown(store)
}

fn replay_records(log: &RandomLog) -> (Shown, Position, Position) {
    let mut memory = Memory::new(log.dim, SLOTS, ATTRIBUTES);
    let mut store = memory.store_with_base(&log.base);
    let start = base_position(&store);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(start, &mut scratch);
    for frame in &log.frames {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut store).unwrap();
    }
    (cleaned(&mut store), applier.current_position(), start)
}

proptest! {
    #[test]
    fn prop_replaying_the_compacted_log_is_replaying_the_log(
        log in any_log(),
        entities in 4..=SLOTS,
        text in prop_oneof![Just(600_usize), Just(100_000)],
    ) {
        let (expected, position, start) = replay_records(&log);
        let segments = compact(&log, start, entities.max(5), text);
        let (found, end) = replay_segments(&log, &segments);
        prop_assert_eq!(end, position);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn prop_compaction_is_idempotent_and_merges_segments(log in any_log(), entities in 5..=SLOTS) {
        let (_, _, start) = replay_records(&log);
        prop_assume!(!log.frames.is_empty());
        let whole = compact(&log, start, SLOTS, 1 << 20);
        prop_assert_eq!(whole.len(), 1);
        let pieces = compact(&log, start, entities, 2_000);
        for segments in [&whole, &pieces] {
            let mut work = Work::new(log.dim, SLOTS, 1 << 20);
            let mut compactor = work.compactor(log.dim, start);
            for bytes in segments {
                compactor.push_segment(&RangeSegment::parse(bytes).unwrap()).unwrap();
            }
            prop_assert_eq!(&finish(&mut compactor), &whole[0]);
        }
    }

    #[test]
    fn prop_a_damaged_segment_is_refused_or_changes_nothing(
        log in any_log(),
        damage in any::<(proptest::sample::Index, u8)>(),
    ) {
        let (_, _, start) = replay_records(&log);
        prop_assume!(!log.frames.is_empty());
        let mut bytes = compact(&log, start, SLOTS, 1 << 20).remove(0);
        let at = damage.0.index(bytes.len());
        bytes[at] ^= 1 << (damage.1 % 8);
        prop_assert!(RangeSegment::parse(&bytes).is_err());
        bytes.truncate(at);
        prop_assert!(RangeSegment::parse(&bytes).is_err());
    }
}

/// A sequencer's updates of one row, as frames.
pub(super) fn updates(rows: &[[f32; 2]]) -> (Vec<Vec<u8>>, Position) {
    let mut slots = [SlotState::default(); 2];
    let mut sequencer = Sequencer::new(2, &mut slots, 1, Position::START);
    let mut frames = vec![];
    for step in rows.windows(2) {
        let mut out = [0; 64];
        let prepared = sequencer
            .prepare_update(0, &step[0], &step[1], &[], &mut out, None)
            .unwrap();
        let header = prepared.header;
        frames.push([&header.to_bytes()[..], &out[..header.payload_size as usize]].concat());
        sequencer.commit(prepared);
    }
    (frames, sequencer.position())
}

#[test]
fn what_swings_back_and_forth_comes_to_rest_in_one_record() {
    let mut rows = vec![[0.0, 0.0]];
    for _ in 0..500 {
        rows.extend([[1.0, 0.0], [0.0, 0.0]]);
    }
    let (frames, position) = updates(&rows);
    let log = RandomLog {
        dim: 2,
        base: vec![0.0; 2],
        frames,
    };
    let segments = compact(&log, Position::START, 1, 0);
    assert_eq!(segments.len(), 1);
    // The range and one sparse update of one component.
    assert_eq!(segments[0].len(), 64 + 40 + 64 + 3 + 5);
    let (found, end) = replay_segments(&log, &segments);
    assert_eq!(end, position);
    assert_eq!(found.0[0].last_sequence, 1_000);
}

/// The frame that `prepare` writes.
fn next_frame<'s>(
    sequencer: &mut Sequencer<'s>,
    prepare: impl FnOnce(&Sequencer<'s>, &mut [u8]) -> Result<Prepared, PrepareError>,
) -> Vec<u8> {
    let mut out = [0; 256];
    let prepared = prepare(sequencer, &mut out).unwrap();
    let header = prepared.header;
    sequencer.commit(prepared);
    [&header.to_bytes()[..], &out[..header.payload_size as usize]].concat()
}

#[test]
fn what_is_inserted_and_deleted_leaves_its_slot_alone() {
    let mut slots = [SlotState::default(); 2];
    let mut sequencer = Sequencer::new(2, &mut slots, 0, Position::START);
    let (key, row) = (&b"k"[..], [1.0, 2.0]);
    let edit = MetadataEdit {
        key,
        old: None,
        new: Some(b"v"),
    };
    let frames = vec![
        next_frame(&mut sequencer, |sequencer, out| {
            sequencer.prepare_insert(b"gone", &row, &[edit], out, None)
        }),
        next_frame(&mut sequencer, |sequencer, out| {
            sequencer.prepare_update(0, &row, &[1.0, 3.0], &[], out, None)
        }),
        next_frame(&mut sequencer, |sequencer, out| {
            sequencer.prepare_delete(0, out)
        }),
        next_frame(&mut sequencer, |sequencer, out| {
            sequencer.prepare_insert(b"b", &row, &[], out, None)
        }),
    ];
    let position = sequencer.position();
    let log = RandomLog {
        dim: 2,
        base: vec![],
        frames,
    };
    let segment = compact(&log, Position::START, 2, 100).remove(0);
    let parsed = RangeSegment::parse(&segment).unwrap();
    let records: Vec<_> = parsed.records().collect();
    assert_eq!(records.len(), 2);
    let erased = records[0].payload();
    let Payload::Control(Control::Erased { slot: 0, .. }) = erased else {
        panic!("{erased:?}");
    };
    assert_eq!(
        (records[0].size(), records[0].header().sequence),
        (64 + 16, 3)
    );
    let (found, end) = replay_segments(&log, std::slice::from_ref(&segment));
    assert_eq!(end, position);
    assert_eq!((found.0[0].last_sequence, found.0[0].deleted), (3, true));
    assert_eq!(found.0[0].row, [0, 0]);
    assert_eq!(found, replay_records(&log).0);
    // A store without room for the second refuses the first too.
    let mut memory = Memory::new(2, 1, 100);
    let mut store = memory.store();
    let before = view(&store);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut undo = [0; 400];
    let refused = applier.apply_range(&parsed, &mut store, &mut Undo::new(&mut undo));
    assert!(
        matches!(refused, Err(BatchApplyError::Apply(_))),
        "{refused:?}"
    );
    assert_eq!((view(&store), state_digest(&store)), (before, 0));
    // In a stream it is refused, as the segment's head is.
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(parsed.from(), &mut scratch);
    let single = DeltaHeader {
        sequence: 1,
        ..*records[0].header()
    };
    let single = frame(single, records[0].payload_bytes());
    let refused = applier.apply_delta(&Record::parse(&single).unwrap(), &mut store);
    assert_eq!(refused.unwrap_err().reason, Refusal::Segment);
}

#[test]
fn a_segment_applies_at_its_beginning_alone_and_wholly() {
    let (frames, _) = updates(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]);
    let log = RandomLog {
        dim: 2,
        base: vec![0.0; 2],
        frames,
    };
    let segment = compact(&log, Position::START, 1, 0).remove(0);
    let segment = RangeSegment::parse(&segment).unwrap();
    let mut memory = Memory::new(2, 2, 0);
    let mut store = memory.store_with_base(&[0.0; 2]);
    let mut undo = [0; 256];
    let refused = |applier: &mut Applier<'_>, store: &mut _, undo: &mut [u8]| {
        let before = (view(store), applier.current_position());
        let result = applier.apply_range(&segment, store, &mut Undo::new(undo));
        assert_eq!((view(store), applier.current_position()), before);
        result.unwrap_err()
    };
    let reason = |error| match error {
        BatchApplyError::Apply(error) => error.reason,
        error => panic!("{error}"),
    };
    let at = |sequence, digest| Position {
        epoch: 1,
        sequence,
        digest,
    };
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(at(1, 0), &mut scratch);
    let error = reason(refused(&mut applier, &mut store, &mut undo));
    assert_eq!(error, Refusal::Gap { expected: 2 });
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(at(0, 5), &mut scratch);
    let error = reason(refused(&mut applier, &mut store, &mut undo));
    assert!(matches!(
        error,
        Refusal::Base {
            expected: 0,
            found: 5
        }
    ));
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let error = refused(&mut applier, &mut store, &mut undo[..50]);
    assert!(matches!(
        error,
        BatchApplyError::UndoTooSmall { given: 50, .. }
    ));
    // A replica whose row is not what its digest says.
    store.row_mut(0)[1] = 9.0;
    let error = reason(refused(&mut applier, &mut store, &mut undo));
    assert!(matches!(error, Refusal::Diverged { .. }));
    store.row_mut(0)[1] = 0.0;
    // Its head is not a record of a stream.
    let head = Record::with_header(*segment.header(), &[]).is_ok();
    assert!(!head);
}

#[test]
fn records_that_do_not_follow_are_refused() {
    let (frames, _) = updates(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]);
    let mut work = Work::new(2, 1, 0);
    let mut compactor = work.compactor(2, Position::START);
    let second = Record::parse(&frames[1]).unwrap();
    let gap = CompactError::Sequence {
        expected: 1,
        found: 2,
    };
    assert_eq!(compactor.push(&second), Err(gap));
    let mut work = Work::new(3, 1, 0);
    let mut compactor = work.compactor(3, Position::START);
    let first = Record::parse(&frames[0]).unwrap();
    let dim = CompactError::Dim {
        expected: 3,
        found: 2,
    };
    assert_eq!(compactor.push(&first), Err(dim));
    assert_eq!(RangeSegment::parse(&frames[0]), Err(RangeError::NoRange));
}
