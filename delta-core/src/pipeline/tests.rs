//! The pipeline against a plain model of the primary; each stage in a file of its own.

mod apply;
mod batch;
mod batch_metadata;
mod chaos;
mod compact;
mod derive;
mod gate;
mod graph;
mod group;
mod history;
mod lossy;
mod merge;
mod metadata;
mod model;
mod refused;
mod relay;
mod sequencer;
mod session;
mod stage;

use super::{
    capture::Capture,
    sequencer::{Position, Sequencer, SlotState},
};
use crate::{
    codec::lz4::Lz4Scratch,
    ring::{Consumer, Mem, Producer, StaticRing},
    store::{SliceStore, state_digest},
    testing::{SlotView, any_row, view},
};
use proptest::{collection::vec, prelude::*};

/// A capture from an empty state.
fn capture<'a, M: Mem>(
    producer: Producer<M>,
    dim: u32,
    slots: &'a mut [SlotState],
) -> Capture<'a, M> {
    Capture::new(producer, Sequencer::new(dim, slots, 0, Position::START))
}

/// Dim, base rows, and the frames of a random history over them.
#[derive(Clone, Debug)]
struct RandomLog {
    dim: usize,
    base: Vec<f32>,
    frames: Vec<Vec<u8>>,
}

fn any_log() -> impl Strategy<Value = RandomLog> {
    (1..=model::DIM_MAX, 0..4_usize).prop_flat_map(|(dim, rows)| {
        let events = vec(model::any_event(), 1..40);
        let base = any_row(dim * rows);
        let log = (Just(dim), base, events, any::<bool>());
        log.prop_map(|(dim, base, events, compress)| {
            let mut ring = StaticRing::<64, 65_536>::new();
            let (tx, mut rx) = ring.split();
            let (mut slots, mut lz4) = ([SlotState::default(); model::SLOTS], Lz4Scratch::new());
            let lz4 = compress.then_some(&mut lz4);
            let mut primary = model::Primary::new(tx, &mut slots, lz4, dim, &base);
            for event in &events {
                assert!(primary.step(event));
            }
            let frames = take_all(&mut rx);
            RandomLog { dim, base, frames }
        })
    })
}

/// Bytes for all attributes that a history can give to its slots, twice.
const ATTRIBUTES: usize = 2 * model::SLOTS * (9 + 3 + 6 * (5 + 2 + 80));

/// What a replica shows, but for the memory that its attributes take.
type Shown = (Vec<SlotView>, u64);

fn shown(store: &SliceStore<'_>) -> Shown {
    let view = view(store);
    (view.slots, view.digest)
}

/// Where a replica of `store` starts.
fn base_position(store: &SliceStore<'_>) -> Position {
    Position {
        digest: state_digest(store),
        ..Position::START
    }
}

/// Takes all records out of a ring, as frames.
fn take_all<M: Mem>(consumer: &mut Consumer<M>) -> Vec<Vec<u8>> {
    let mut frames = vec![];
    while let Some(received) = consumer.poll().unwrap() {
        frames.push([&received.header()[..], received.payload()].concat());
        received.done();
    }
    frames
}
