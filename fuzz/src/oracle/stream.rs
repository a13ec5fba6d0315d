//! Section 2: streams of frames.

use super::frame::{self, Frame};
use super::payload::Payload;

/// Reads a stream frame by frame.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    rest: &'a [u8],
    read: Vec<Frame>,
}

/// What stands next in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Frame(Frame),
    /// The stream is whole.
    Done,
    Refused,
}

impl<'a> Stream<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            read: Vec::new(),
        }
    }

    pub fn step(&mut self) -> Next {
        let ended = matches!(
            self.last().map(|last| &last.payload),
            Some(Payload::End { .. })
        );
        if ended && self.rest.is_empty() {
            return Next::Done;
        }
        let Some((frame, rest)) = frame::split(self.rest).filter(|_| !ended) else {
            return Next::Refused;
        };
        if !self.follows(&frame) {
            return Next::Refused;
        }
        self.rest = rest;
        self.read.push(frame.clone());
        Next::Frame(frame)
    }

    fn last(&self) -> Option<&Frame> {
        self.read.last()
    }

    /// Whether `next` may stand behind what was read.
    fn follows(&self, next: &Frame) -> bool {
        let is_range = matches!(next.payload, Payload::Range { .. } | Payload::Erased { .. });
        let is_start = matches!(next.payload, Payload::Start { .. });
        let (Some(first), Some(last)) = (self.read.first(), self.last()) else {
            return is_start;
        };
        let epoch_fits = match next.payload {
            Payload::Resync => next.header.epoch > last.header.epoch,
            _ => next.header.epoch == last.header.epoch,
        };
        let count_fits = match next.payload {
            Payload::End { count } => count == self.read.len() as u64 - 1,
            _ => true,
        };
        let dim_fits = match (&next.payload, &first.payload) {
            (
                Payload::Row(super::payload::Row { dim, .. }) | Payload::Batch { dim, .. },
                Payload::Start { dim: start, .. },
            ) => dim == start,
            _ => true,
        };
        // A control record changes nothing.
        let compares =
            is_control(&next.payload) && next.header.has_digest() && last.header.has_digest();
        let digest_fits = !compares || next.header.state_digest == last.header.state_digest;
        !is_start
            && !is_range
            && digest_fits
            && last.header.sequence.checked_add(1) == Some(next.header.sequence)
            && epoch_fits
            && count_fits
            && dim_fits
    }
}

fn is_control(payload: &Payload) -> bool {
    !matches!(
        payload,
        Payload::Row(_)
            | Payload::Delete { .. }
            | Payload::Batch { .. }
            | Payload::Reindex(_)
            | Payload::Tensor(_)
    )
}
