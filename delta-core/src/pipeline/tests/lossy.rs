//! Relative and lossy records: what readers have is the shadow, in every bit, and a reader that
//! has another row asks for a whole one.

use super::take_all;
use crate::{
    codec::{Bound, Tag},
    payload::Payload,
    pipeline::{
        apply::{Applier, Outcome, Refusal},
        capture::Capture,
        sequencer::{Position, PrepareError, Sequencer, SlotState},
        shadow::Shadow,
    },
    record::Record,
    ring::StaticRing,
    store::{Replica, state_digest},
    testing::{Memory, bits_of, view},
};

const DIM: usize = 48;
const DIM_U32: u32 = 48;
const SLOTS: usize = 4;
const SLOTS_U32: u32 = 4;

/// A row of made-up numbers near each other.
fn row(seed: u32, step: u32) -> Vec<f32> {
    let part = |number: u32, of: u16| {
        f32::from(u16::try_from(number % u32::from(of)).unwrap()) / f32::from(of)
    };
    let wave = |d: u32| part(seed * 31 + d * 7, 64) - 0.5;
    let noise = |d: u32| part(step.wrapping_mul(2_654_435_761) ^ (d * 40_503), 1024);
    (0..DIM_U32)
        .map(|d| wave(d) + (noise(d) - 0.5) * 0.05)
        .collect()
}

/// Every component of `found` is within `bound` times the root mean square of `new`.
fn assert_within(bound: Bound, found: &[f32], new: &[f32]) {
    let square: f64 = new.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let limit = f64::from(bound.get()) * (square / f64::from(DIM_U32)).sqrt() * 1.000_000_1;
    for (found, new) in found.iter().zip(new) {
        let error = (f64::from(*found) - f64::from(*new)).abs();
        assert!(error <= limit, "{error} above {limit}");
    }
}

fn tag_of(frame: &[u8]) -> Tag {
    let record = Record::parse(frame).unwrap();
    match record.payload() {
        Payload::Insert(vector) | Payload::Update(vector) => {
            let tag = vector.values().tag();
            let header = record.header();
            assert_eq!(
                (header.lossy, header.relative),
                (tag.is_lossy(), tag.is_relative())
            );
            tag
        }
        payload => panic!("{payload:?}"),
    }
}

#[test]
fn errors_do_not_add_up() {
    let bound = Bound::new(3e-3).unwrap();
    let mut ring = StaticRing::<16, 16384>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); SLOTS];
    let mut rows = vec![0.0; Shadow::size(SLOTS, DIM)];
    let sequencer = Sequencer::new(DIM_U32, &mut slots, 0, Position::START);
    let mut capture =
        Capture::new(tx, sequencer).with_shadow(Shadow::new(bound, DIM_U32, &mut rows));
    let mut memory = Memory::new(DIM, SLOTS, 200);
    let mut store = memory.store();
    let mut scratch = vec![0; Applier::scratch_size_max(DIM_U32)];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let (mut bytes, mut updates) = (0, 0_usize);
    for step in 0..10_000_u32 {
        let slot = step % SLOTS_U32;
        let new = row(slot, step);
        if step < SLOTS_U32 {
            capture.insert(&slot.to_le_bytes(), &new, &[]).unwrap();
        } else if step % 3 == 0 {
            let mut batch = capture.batch(1000).unwrap();
            batch.update(slot, &[0.0; DIM], &new).unwrap();
            let other = (slot + 1) % SLOTS_U32;
            batch.update(other, &[0.0; DIM], &row(other, step)).unwrap();
            batch.commit().unwrap();
        } else {
            // What the caller passes as the old row is not looked at.
            capture.update(slot, &[f32::NAN; DIM], &new).unwrap();
        }
        for frame in take_all(&mut rx) {
            (bytes, updates) = (bytes + frame.len(), updates + 1);
            let record = Record::parse(&frame).unwrap();
            assert!(record.header().lossy);
            assert_eq!(
                applier.apply_delta(&record, &mut store),
                Ok(Outcome::Applied)
            );
        }
        assert_within(bound, store.row(slot).unwrap(), &new);
        let shadow = capture.shadow().unwrap();
        for slot in 0..store.slot_count() {
            let (replica, shadow) = (store.row(slot).unwrap(), shadow.row(slot).unwrap());
            assert_eq!(bits_of(replica), bits_of(shadow));
        }
    }
    assert_eq!(capture.position(), applier.current_position());
    assert_eq!(applier.current_position().digest, state_digest(&store));
    assert!(
        bytes < updates * (64 + 2 * DIM * 2),
        "{bytes} bytes for {updates} records"
    );
}

#[test]
fn what_is_not_sent_leaves_the_shadow() {
    let bound = Bound::new(0.01).unwrap();
    let mut ring = StaticRing::<2, 1024>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); SLOTS];
    let mut rows = vec![0.0; Shadow::size(1, DIM)];
    let sequencer = Sequencer::new(DIM_U32, &mut slots, 0, Position::START);
    let mut capture =
        Capture::new(tx, sequencer).with_shadow(Shadow::new(bound, DIM_U32, &mut rows));
    capture.insert(b"a", &row(0, 0), &[]).unwrap();
    capture.update(0, &[], &row(0, 1)).unwrap_err();
    capture.update(0, &[0.0; DIM], &row(0, 1)).unwrap();
    let before = (
        bits_of(capture.shadow().unwrap().row(0).unwrap()),
        capture.position(),
    );
    let refused = capture.update(0, &[0.0; DIM], &row(0, 2)).unwrap_err();
    assert!(refused.is_full());
    take_all(&mut rx);
    let mut batch = capture.batch(400).unwrap();
    batch.update(0, &[0.0; DIM], &row(0, 3)).unwrap();
    drop(batch);
    // Beyond the shadow's memory.
    let refused = capture.insert(b"b", &row(1, 0), &[]);
    let no_room = PrepareError::SlotsFull { capacity: 1 };
    assert_eq!(
        refused,
        Err(crate::pipeline::capture::CaptureError::Prepare(no_room))
    );
    let after = (
        bits_of(capture.shadow().unwrap().row(0).unwrap()),
        capture.position(),
    );
    assert_eq!(before, after);
    assert!(take_all(&mut rx).is_empty());
}

#[test]
fn a_reader_with_another_row_asks_for_a_whole_one() {
    let mut ring = StaticRing::<16, 4096>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); SLOTS];
    let sequencer = Sequencer::new(DIM_U32, &mut slots, 0, Position::START);
    let mut capture = Capture::new(tx, sequencer);
    let mut memory = Memory::new(DIM, SLOTS, 200);
    let mut store = memory.store();
    let mut scratch = vec![0; Applier::scratch_size_max(DIM_U32)];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let (a, b, c) = (row(0, 0), row(0, 1), row(0, 2));
    capture.insert(b"a", &a, &[]).unwrap();
    capture.update(0, &a, &b).unwrap();
    let frames = take_all(&mut rx);
    assert_eq!(tag_of(&frames[0]), Tag::GridFromZero);
    assert_eq!(tag_of(&frames[1]), Tag::Grid);
    let insert = Record::parse(&frames[0]).unwrap();
    applier.apply_delta(&insert, &mut store).unwrap();
    // A change of the reader's own.
    store.set_last_sequence(0, 0);
    let before = view(&store);
    let update = Record::parse(&frames[1]).unwrap();
    let refused = applier.apply_delta(&update, &mut store).unwrap_err();
    let needs = Refusal::NeedsAbsolute {
        slot: 0,
        last_sequence: 0,
        prev_sequence: 1,
    };
    assert_eq!(refused.reason, needs);
    assert_eq!(view(&store), before);

    // At once, as the next record, and no longer after that; in a batch, too.
    capture.refresh(0, &b).unwrap();
    capture.request_absolute(0).unwrap();
    capture.update(0, &b, &c).unwrap();
    capture.update(0, &c, &a).unwrap();
    capture.request_absolute(0).unwrap();
    for _ in 0..2 {
        let mut batch = capture.batch(1000).unwrap();
        batch.update(0, &a, &b).unwrap();
        batch.commit().unwrap();
        capture.update(0, &b, &a).unwrap();
    }
    let frames = take_all(&mut rx);
    let relative = frames
        .iter()
        .map(|frame| Record::parse(frame).unwrap().header().relative);
    let expected = [false, false, true, false, true, true, true];
    assert_eq!(relative.collect::<Vec<_>>(), expected);
    assert_eq!(tag_of(&frames[0]), Tag::GridFromZero);
    assert!(capture.request_absolute(9).is_err());
}
