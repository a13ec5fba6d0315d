//! The pipeline against a plain model of the primary; each stage in a file of its own.

mod apply;
mod batch;
mod graph;
mod history;
mod metadata;
mod model;
mod refused;
mod relay;
mod sequencer;

use super::{
    capture::Capture,
    sequencer::{Position, Sequencer, SlotState},
};
use crate::ring::{Consumer, Mem, Producer};

/// A capture from an empty state.
fn capture<'a, M: Mem>(
    producer: Producer<M>,
    dim: u32,
    slots: &'a mut [SlotState],
) -> Capture<'a, M> {
    Capture::new(producer, Sequencer::new(dim, slots, 0, Position::START))
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
