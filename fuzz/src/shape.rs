//! Turns bytes into frames that pass the first checks.
//!
//! A mutated byte breaks the checksum, and no fuzzer finds another that fits: without repair
//! nothing behind the checksum would ever be met.

use crate::oracle::frame::{HEADER_SIZE, checksum};

/// What [`repair`] puts right; each is one bit of the fuzzer's mode byte.
#[derive(Clone, Copy, Debug)]
pub struct Repairs {
    /// Sizes that fit, versions, the ring's fields, and checksums.
    pub seals: bool,
    /// Sequences: dense, from the first frame's.
    pub numbers: bool,
    /// Epochs: the first frame's.
    pub epochs: bool,
    /// The count in the last frame, as if that were an end.
    pub count: bool,
}

impl Repairs {
    pub fn from_mode(mode: u8) -> Self {
        Self {
            seals: mode & 1 != 0,
            numbers: mode & 2 != 0,
            epochs: mode & 4 != 0,
            count: mode & 8 != 0,
        }
    }
}

/// The stream in `bytes` with the chosen repairs. What is no whole frame stays as it is.
pub fn repair(bytes: &[u8], repairs: Repairs) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    let mut first: Option<(u64, u32)> = None;
    let mut frames = 0_u64;
    while rest.len() >= HEADER_SIZE {
        let announced = u32::from_le_bytes(field(rest, 28)) as usize;
        let room = rest.len() - HEADER_SIZE;
        if announced > room && !repairs.seals {
            break;
        }
        let size = HEADER_SIZE + announced.min(room);
        let mut frame = rest[..size].to_vec();
        rest = &rest[size..];
        let own = (
            u64::from_le_bytes(field(&frame, 0)),
            u32::from_le_bytes(field(&frame, 52)),
        );
        let (sequence, epoch) = *first.get_or_insert(own);
        if repairs.numbers {
            let sequence = sequence.wrapping_add(frames);
            frame[..8].copy_from_slice(&sequence.to_le_bytes());
        }
        if repairs.epochs {
            frame[52..56].copy_from_slice(&epoch.to_le_bytes());
        }
        if repairs.count && rest.is_empty() && size == HEADER_SIZE + 16 {
            let count = frames.wrapping_sub(1);
            frame[HEADER_SIZE + 8..].copy_from_slice(&count.to_le_bytes());
        }
        if repairs.seals {
            seal(&mut frame);
        }
        out.extend(frame);
        frames += 1;
    }
    out.extend_from_slice(rest);
    out
}

/// Makes `frame` one with the right version, size and checksum, outside a ring.
pub fn seal(frame: &mut [u8]) {
    let size = (frame.len() - HEADER_SIZE) as u32;
    frame[10..12].copy_from_slice(&[1, 0]);
    frame[24..28].fill(0);
    frame[28..32].copy_from_slice(&size.to_le_bytes());
    frame[48..52].fill(0);
    let checksum = checksum(frame);
    frame[32..40].copy_from_slice(&checksum.to_le_bytes());
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes[offset..offset + N].try_into().expect("N bytes")
}
