//! Which records of a batch can be forked.

use delta_core::codec::varint;
use delta_core::header::{HEADER_SIZE, Operation};
use delta_core::payload::{batch, vector};

use super::worker::split;

/// A record that may be forked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Where it begins in the batch.
    pub(super) start: usize,
    /// The slot whose row alone it changes; `None`: rows of several.
    pub(super) slot: Option<u32>,
    /// How many.
    pub(super) rows: u32,
    /// Bytes of the frame.
    pub(super) size: usize,
    pub(super) sequence: u64,
    pub(super) timestamp_us: u64,
    pub(super) state_digest: Option<u64>,
}

/// The frame at `at`, if it is the next record and changes nothing but rows of existing slots, and
/// where it ends.
pub(super) fn forkable(
    frames: &[u8],
    at: usize,
    sequence: u64,
    epoch: u32,
) -> Option<(Frame, usize)> {
    let (header, payload) = split(frames, at)?;
    if header.sequence != sequence + 1 || header.epoch != epoch || header.tensor {
        return None;
    }
    let (slot, rows) = match header.operation {
        Operation::Update => {
            // Metadata, or a graph change, stands behind the values.
            if payload.first()? & vector::PARTS_FOLLOW != 0 {
                return None;
            }
            (Some(varint::read(payload, &mut 1)?), 1)
        }
        Operation::BatchUpdate => {
            let [_, count] = *payload.as_chunks().0.first_chunk()?;
            let count = u32::from_le_bytes(count);
            if count & batch::WITH_METADATA != 0 {
                return None;
            }
            (None, count)
        }
        _ => return None,
    };
    let size = HEADER_SIZE + payload.len();
    let frame = Frame {
        start: at,
        slot,
        rows,
        size,
        sequence: header.sequence,
        timestamp_us: header.timestamp_us,
        state_digest: header.state_digest,
    };
    Some((frame, at + size))
}
