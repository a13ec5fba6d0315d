//! Any 64 bytes are a header that the oracle reads the same and that emits the same bytes again,
//! or an error of both. A sealed record in which any one bit is flipped is refused.
//!
//! Input: a header, then a payload. Its last two bytes choose the bit.

use delta_core::header::{DeltaHeader, HEADER_SIZE};

use crate::oracle::frame;

pub fn run(input: &[u8]) {
    let Some((head, payload)) = input.split_first_chunk::<HEADER_SIZE>() else {
        return;
    };
    let (found, expected) = (DeltaHeader::parse(head), frame::header(head));
    assert_eq!(found.is_ok(), expected.is_some(), "{found:?} {expected:?}");
    let (Ok(header), Some(expected)) = (found, expected) else {
        return;
    };
    assert_eq!(same(&header), expected);
    assert_eq!(header.to_bytes(), *head, "parse and emit are inverse");
    let fits = frame::checksum(input) == expected.checksum;
    assert_eq!(header.verify(payload).is_ok(), fits);

    let sealed = header.seal(payload).expect("the fuzzer's inputs are small");
    let mut record = expected.sealed(payload);
    assert_eq!(sealed.to_bytes(), record[..HEADER_SIZE]);
    assert_eq!(sealed.verify(payload), Ok(()));

    let [.., high, low] = input else { return };
    let bit = usize::from(u16::from_le_bytes([*low, *high])) % (8 * record.len());
    record[bit / 8] ^= 1 << (bit % 8);
    let (head, payload) = record
        .split_first_chunk::<HEADER_SIZE>()
        .expect("64 bytes or more");
    let refused = DeltaHeader::parse(head)
        .and_then(|flipped| flipped.verify(payload))
        .is_err();
    assert!(refused, "bit {bit} is not covered by a check");
}

/// The core's header as the oracle has it.
pub fn same(header: &DeltaHeader) -> frame::Header {
    let compressed = if header.compressed {
        frame::COMPRESSED
    } else {
        0
    };
    let lossy = if header.lossy { frame::LOSSY } else { 0 };
    let relative = if header.relative { frame::RELATIVE } else { 0 };
    let graph = if header.graph { frame::GRAPH } else { 0 };
    let has_digest = if header.state_digest.is_some() {
        frame::HAS_DIGEST
    } else {
        0
    };
    let tensor = if header.tensor { frame::TENSOR } else { 0 };
    frame::Header {
        sequence: header.sequence,
        operation: header.operation as u8,
        flags: compressed | lossy | relative | graph | has_digest | tensor,
        vector_id_hash: header.vector_id_hash,
        timestamp: header.timestamp_us,
        payload_size: header.payload_size,
        checksum: header.checksum,
        prev_sequence: header.prev_sequence,
        epoch: header.epoch,
        state_digest: header.state_digest.unwrap_or(0),
    }
}
