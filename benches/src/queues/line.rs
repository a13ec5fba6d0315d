//! The limit: one cache line that one side writes and the other polls, nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{PAYLOAD, Receiver, Record, Sender};

/// A line of its own, and the neighbour that prefetchers fetch with it.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Line(AtomicU64);

/// The writing end.
#[derive(Debug)]
pub struct LineSender(Arc<Line>);

/// The reading end.
#[derive(Debug)]
pub struct LineReceiver {
    line: Arc<Line>,
    seen: u64,
}

/// A line for one word at a time: a new one overwrites the last, so there may be only one in
/// flight.
#[must_use]
pub fn new() -> (LineSender, LineReceiver) {
    let line = Arc::new(Line::default());
    (
        LineSender(Arc::clone(&line)),
        LineReceiver { line, seen: 0 },
    )
}

impl Sender for LineSender {
    #[inline]
    fn send(&mut self, record: Record) {
        let [word, ..] = record;
        self.0.0.store(word, Ordering::Release);
    }

    fn send_payload(&mut self, _: &[u8; PAYLOAD]) {
        unreachable!("a line holds no payload");
    }
}

impl Receiver for LineReceiver {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> bool {
        let word = self.line.0.load(Ordering::Acquire);
        if word == self.seen {
            return false;
        }
        self.seen = word;
        read(&super::record(word));
        true
    }

    fn receive_payloads(&mut self, _: &mut [u8; PAYLOAD]) -> u64 {
        unreachable!("a line holds no payload");
    }
}
