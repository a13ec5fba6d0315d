//! Sections 1 and 2: headers, checksums, frames.

use super::bytes::Bytes;
use super::digest::xxh3;
use super::payload::{self, Payload};

pub const HEADER_SIZE: usize = 64;
pub const COMPRESSED: u8 = 1;
pub const LOSSY: u8 = 2;
pub const RELATIVE: u8 = 4;
pub const HAS_DIGEST: u8 = 8;
pub const GRAPH: u8 = 16;
pub const TENSOR: u8 = 32;
/// What the largest ring region could hold.
pub const PAYLOAD_SIZE_MAX: u32 = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub sequence: u64,
    pub operation: u8,
    pub flags: u8,
    pub vector_id_hash: u32,
    pub timestamp: u64,
    pub payload_size: u32,
    pub checksum: u64,
    pub prev_sequence: u64,
    pub epoch: u32,
    pub state_digest: u64,
}

impl Header {
    pub fn has_digest(&self) -> bool {
        self.flags & HAS_DIGEST != 0
    }

    pub fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }

    pub fn has_graph(&self) -> bool {
        self.flags & GRAPH != 0
    }

    pub fn is_tensor(&self) -> bool {
        self.flags & TENSOR != 0
    }

    /// The table of section 1, as outside a ring.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend([self.operation, self.flags, 1, 0]);
        bytes.extend(self.vector_id_hash.to_le_bytes());
        bytes.extend(self.timestamp.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(self.payload_size.to_le_bytes());
        bytes.extend(self.checksum.to_le_bytes());
        bytes.extend(self.prev_sequence.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(self.epoch.to_le_bytes());
        bytes.extend(self.state_digest.to_le_bytes());
        bytes
    }

    /// Header and payload, with the size and the checksum that belong to them.
    pub fn sealed(mut self, payload: &[u8]) -> Vec<u8> {
        self.payload_size = payload.len() as u32;
        let mut frame = self.to_bytes();
        frame.extend_from_slice(payload);
        let checksum = checksum(&frame);
        frame[32..40].copy_from_slice(&checksum.to_le_bytes());
        frame
    }
}

/// Reads a header outside a ring.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let mut bytes = Bytes(bytes.get(..HEADER_SIZE)?);
    let sequence = bytes.u64()?;
    let (operation, flags) = (bytes.u8()?, bytes.u8()?);
    let version = bytes.u16()?;
    let (vector_id_hash, timestamp) = (bytes.u32()?, bytes.u64()?);
    let (payload_offset, payload_size) = (bytes.u32()?, bytes.u32()?);
    let (checksum, prev_sequence) = (bytes.u64()?, bytes.u64()?);
    let (stamp, epoch, state_digest) = (bytes.u32()?, bytes.u32()?, bytes.u64()?);
    let header = Header {
        sequence,
        operation,
        flags,
        vector_id_hash,
        timestamp,
        payload_size,
        checksum,
        prev_sequence,
        epoch,
        state_digest,
    };
    let refused = operation > 5
        || flags & !(COMPRESSED | LOSSY | RELATIVE | HAS_DIGEST | GRAPH | TENSOR) != 0
        || (header.is_tensor() && flags & !(RELATIVE | HAS_DIGEST | TENSOR) != 0)
        || (header.is_tensor() && operation != 1)
        || version != 1
        || sequence == 0
        || epoch == 0
        || prev_sequence >= sequence
        || (state_digest != 0 && !header.has_digest())
        || (header.is_compressed() && !matches!(operation, 0 | 1 | 3))
        || (header.has_graph() && operation > 2)
        || (flags & LOSSY != 0 && !matches!(operation, 0 | 1 | 3))
        || (flags & RELATIVE != 0 && !matches!(operation, 1 | 3))
        || payload_offset != 0
        || stamp != 0
        || payload_size > PAYLOAD_SIZE_MAX;
    (!refused).then_some(header)
}

/// The checksum of the frame that `frame` is: the fields of a ring and the checksum itself may
/// hold anything.
pub fn checksum(frame: &[u8]) -> u64 {
    let (header, payload) = frame.split_at(HEADER_SIZE);
    let mut header = header.to_vec();
    header[24..28].fill(0);
    header[48..52].fill(0);
    header[32..40].copy_from_slice(&xxh3(payload).to_le_bytes());
    xxh3(&header)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub header: Header,
    pub payload: Payload,
}

/// The frame at the front of `bytes`, and what follows it.
pub fn split(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let header = header(bytes)?;
    let size = HEADER_SIZE + header.payload_size as usize;
    let frame = bytes.get(..size)?;
    if checksum(frame) != header.checksum {
        return None;
    }
    let payload = payload::read(&header, &frame[HEADER_SIZE..])?;
    Some((Frame { header, payload }, &bytes[size..]))
}
