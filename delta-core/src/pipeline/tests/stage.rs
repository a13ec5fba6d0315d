use super::{capture, take_all};
use crate::{
    pipeline::{
        capture::CaptureError,
        sequencer::{PrepareError, SlotState},
    },
    ring::StaticRing,
};

const DIM: usize = 64;

/// A row of which the components that divide by `step` are `value`, the others 1.
fn row(step: usize, value: f32) -> [f32; DIM] {
    core::array::from_fn(|index| {
        if index.is_multiple_of(step) {
            value
        } else {
            1.0
        }
    })
}

/// The frames of an insert and of updates of few, all and no components.
fn frames(stage: &mut [u8]) -> Vec<Vec<u8>> {
    let mut ring = StaticRing::<16, 8192>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 1];
    let mut capture = capture(tx, 64, &mut slots).with_stage(stage);
    let rows = [row(1, 1.5), row(2, 1.25), row(30, 2.0), row(30, 2.0)];
    capture.insert(b"a", &rows[0], &[]).unwrap();
    for pair in rows.windows(2) {
        capture.update(0, &pair[0], &pair[1]).unwrap();
    }
    take_all(&mut rx)
}

#[test]
fn records_are_the_same_by_way_of_any_stage() {
    let whole = frames(&mut []);
    assert_eq!(whole.len(), 4);
    for size in [1, 8, 20, 64, 200, 300, 1000] {
        assert_eq!(
            frames(&mut vec![0xaa; size]),
            whole,
            "a stage of {size} bytes"
        );
    }
}

#[test]
fn a_refusal_says_why_with_a_stage_too() {
    let mut ring = StaticRing::<16, 8192>::new();
    let (tx, mut rx) = ring.split();
    let (mut slots, mut stage) = ([SlotState::default(); 1], [0; 512]);
    let mut capture = capture(tx, 64, &mut slots).with_stage(&mut stage);
    let refusal = PrepareError::UnknownSlot {
        slot: 0,
        slot_count: 0,
    };
    let refused = capture.update(0, &[0.0; DIM], &[1.0; DIM]);
    assert_eq!(refused, Err(CaptureError::Prepare(refusal)));
    assert!(take_all(&mut rx).is_empty());
}
