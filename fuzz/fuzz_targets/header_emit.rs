//! A header of any field values emits bytes that parse to it, or are refused; and a sealed record
//! in which any one bit is flipped is refused.
#![no_main]

use arbitrary::Arbitrary;
use delta_core::header::{DeltaHeader, HEADER_SIZE, Operation};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    sequence: u64,
    operation: u8,
    compressed: bool,
    vector_id_hash: u32,
    timestamp_us: u64,
    prev_sequence: u64,
    epoch: u32,
    state_digest: Option<u64>,
    payload: &'a [u8],
    flipped_bit: usize,
}

fuzz_target!(|input: Input<'_>| {
    let Some(operation) = Operation::from_wire(input.operation % 8) else {
        return;
    };
    let mut header = DeltaHeader::new(operation, input.sequence, input.epoch);
    header.compressed = input.compressed;
    header.vector_id_hash = input.vector_id_hash;
    header.timestamp_us = input.timestamp_us;
    header.prev_sequence = input.prev_sequence;
    header.state_digest = input.state_digest;
    let Ok(header) = header.seal(input.payload) else {
        return;
    };
    let bytes = header.to_bytes();
    let Ok(parsed) = DeltaHeader::parse(&bytes) else {
        return;
    };
    assert_eq!(parsed, header, "emit and parse are inverse");
    assert_eq!(parsed.verify(input.payload), Ok(()));

    let mut record = [&bytes, input.payload].concat();
    let bit = input.flipped_bit % (8 * record.len());
    record[bit / 8] ^= 1 << (bit % 8);
    let (head, payload) = record
        .split_first_chunk::<HEADER_SIZE>()
        .expect("64 bytes or more");
    let refused = DeltaHeader::parse(head)
        .and_then(|flipped| flipped.verify(payload))
        .is_err();
    assert!(refused, "bit {bit} is not covered by a check");
});
