use super::{
    DeltaHeader, FLAG_COMPRESSED, FLAG_GRAPH, FLAG_HAS_DIGEST, FLAG_LOSSY, FLAG_RELATIVE,
    FLAG_TENSOR, HEADER_SIZE, HeaderError, Operation, PAYLOAD_SIZE_MAX, VERSION, vector_id_hash,
};
use proptest::prelude::*;

/// A delete of slot 0, from the golden vectors.
const BYTES: [u8; HEADER_SIZE] = [
    7, 0, 0, 0, 0, 0, 0, 0, // sequence
    2, 8, 1, 0, // operation, flags, version
    0x1f, 0x4e, 0x96, 0x1e, // vector_id_hash
    0x07, 0x40, 0x1e, 0x18, 0x24, 0x0a, 0x06, 0x00, // timestamp
    0, 0, 0, 0, // payload_offset
    4, 0, 0, 0, // payload_size
    0xa3, 0x4b, 0x96, 0x8d, 0x5f, 0xa9, 0xc8, 0x3a, // checksum
    6, 0, 0, 0, 0, 0, 0, 0, // prev_sequence
    0, 0, 0, 0, // stamp
    1, 0, 0, 0, // epoch
    0x28, 0x23, 0x06, 0x87, 0x34, 0xf1, 0x88, 0x85, // state_digest
];

const HEADER: DeltaHeader = DeltaHeader {
    sequence: 7,
    operation: Operation::Delete,
    compressed: false,
    lossy: false,
    relative: false,
    graph: false,
    tensor: false,
    vector_id_hash: 0x1e96_4e1f,
    timestamp_us: 1_700_000_000_000_007,
    payload_size: 4,
    checksum: 0x3ac8_a95f_8d96_4ba3,
    prev_sequence: 6,
    epoch: 1,
    state_digest: Some(0x8588_f134_8706_2328),
};

#[test]
fn literal_bytes() {
    assert_eq!(DeltaHeader::parse(&BYTES), Ok(HEADER));
    assert_eq!(HEADER.to_bytes(), BYTES);
    assert_eq!(HEADER.verify(&[0; 4]), Ok(()));
    let unsealed = DeltaHeader {
        payload_size: 0,
        checksum: 0,
        ..HEADER
    };
    assert_eq!(unsealed.seal(&[0; 4]), Ok(HEADER));
    assert_eq!(vector_id_hash(b"a"), HEADER.vector_id_hash);
}

/// Parses [`BYTES`] with other bytes from `offset` on.
fn parse_with<const N: usize>(offset: usize, bytes: [u8; N]) -> Result<DeltaHeader, HeaderError> {
    let mut header = BYTES;
    header[offset..offset + N].copy_from_slice(&bytes);
    DeltaHeader::parse(&header)
}

#[test]
fn refuses_another_version() {
    let found = 0x0201;
    assert_eq!(parse_with(10, [1, 2]), Err(HeaderError::Version { found }));
    assert_ne!(found, VERSION);
}

#[test]
fn refuses_unknown_operations() {
    for operation in 0..=u8::MAX {
        let parsed = parse_with(8, [operation]);
        match Operation::from_wire(operation) {
            Some(known) => {
                assert_eq!(known as u8, operation);
                assert_eq!(parsed.map(|header| header.operation), Ok(known));
            }
            None => {
                let found = operation;
                assert_eq!(parsed, Err(HeaderError::UnknownOperation { found }));
            }
        }
    }
    assert_eq!(Operation::from_wire(6), None);
}

#[test]
fn refuses_unknown_flags() {
    for bit in [5, 6, 7] {
        let bits = 1 << bit;
        assert_eq!(
            parse_with(9, [FLAG_HAS_DIGEST | bits]),
            Err(HeaderError::Flags { bits })
        );
    }
}

#[test]
fn compressed_is_for_rows() {
    let bits = FLAG_COMPRESSED;
    for operation in 0..6 {
        let parsed = parse_with(8, [operation, FLAG_HAS_DIGEST | bits]);
        if [0, 1, 3].contains(&operation) {
            assert!(parsed.unwrap().compressed);
        } else {
            assert_eq!(parsed, Err(HeaderError::Flags { bits }));
        }
    }
    let sealed = DeltaHeader {
        compressed: true,
        ..HEADER
    };
    assert_eq!(sealed.seal(&[]), Err(HeaderError::Flags { bits }));
}

#[test]
fn lossy_and_relative_are_for_rows() {
    for (bits, allowed) in [(FLAG_LOSSY, [0, 1, 3].as_slice()), (FLAG_RELATIVE, &[1, 3])] {
        for operation in 0..6 {
            let parsed = parse_with(8, [operation, FLAG_HAS_DIGEST | bits]);
            if allowed.contains(&operation) {
                let header = parsed.unwrap();
                let found = (header.lossy, header.relative);
                assert_eq!(found, (bits == FLAG_LOSSY, bits == FLAG_RELATIVE));
            } else {
                assert_eq!(parsed, Err(HeaderError::Flags { bits }));
            }
        }
    }
}

#[test]
fn tensor_changes_are_updates_and_may_be_relative() {
    let with = |operation, bits| parse_with(8, [operation, FLAG_HAS_DIGEST | FLAG_TENSOR | bits]);
    let header = with(1, FLAG_RELATIVE).unwrap();
    assert!(header.tensor && header.relative);
    assert!(!with(1, 0).unwrap().relative);
    for bits in [FLAG_COMPRESSED, FLAG_LOSSY, FLAG_GRAPH] {
        assert_eq!(with(1, bits), Err(HeaderError::Flags { bits }));
    }
    for operation in [0, 2, 3, 4, 5] {
        let bits = FLAG_TENSOR;
        assert_eq!(with(operation, 0), Err(HeaderError::Flags { bits }));
    }
}

#[test]
fn graph_changes_are_for_single_entities() {
    let bits = FLAG_GRAPH;
    for operation in 0..6 {
        let parsed = parse_with(8, [operation, FLAG_HAS_DIGEST | bits]);
        if operation < 3 {
            assert!(parsed.unwrap().graph);
        } else {
            assert_eq!(parsed, Err(HeaderError::Flags { bits }));
        }
    }
    let sealed = DeltaHeader {
        graph: true,
        operation: Operation::ReindexLayers,
        ..HEADER
    };
    assert_eq!(sealed.seal(&[]), Err(HeaderError::Flags { bits }));
}

#[test]
fn refuses_impossible_numbers() {
    let numbering = |sequence, prev_sequence, epoch| {
        Err(HeaderError::Numbering {
            sequence,
            prev_sequence,
            epoch,
        })
    };
    assert_eq!(parse_with(0, [0]), numbering(0, 6, 1));
    assert_eq!(parse_with(0, [6]), numbering(6, 6, 1));
    assert_eq!(parse_with(40, [7]), numbering(7, 7, 1));
    assert_eq!(parse_with(52, [0]), numbering(7, 6, 0));
    let unnumbered = DeltaHeader::new(Operation::Delete, 0, 1);
    assert_eq!(unnumbered.seal(&[0; 4]), numbering(0, 0, 1));
    assert_eq!(
        DeltaHeader { epoch: 0, ..HEADER }.seal(&[0; 4]),
        numbering(7, 6, 0)
    );
}

#[test]
fn refuses_a_digest_without_its_flag() {
    let found = HEADER.state_digest.unwrap();
    assert_eq!(
        parse_with(9, [0]),
        Err(HeaderError::UnannouncedDigest { found })
    );
    let mut without = BYTES;
    without[9] = 0;
    without[56..].fill(0);
    let parsed = DeltaHeader::parse(&without).unwrap();
    assert_eq!(parsed.state_digest, None);
    without[9] = FLAG_HAS_DIGEST;
    let parsed = DeltaHeader::parse(&without).unwrap();
    assert_eq!(parsed.state_digest, Some(0));
}

#[test]
fn refuses_the_fields_of_a_ring() {
    let ring = |payload_offset, stamp| {
        Err(HeaderError::RingFields {
            payload_offset,
            stamp,
        })
    };
    assert_eq!(parse_with(24, [16]), ring(16, 0));
    assert_eq!(parse_with(48, [0, 1]), ring(0, 256));
}

#[test]
fn refuses_too_large_a_payload() {
    assert!(parse_with(28, [0, 0, 0, 0x40]).is_ok());
    assert_eq!(
        parse_with(28, [1, 0, 0, 0x40]),
        Err(HeaderError::PayloadTooLarge {
            size: PAYLOAD_SIZE_MAX as u64 + 1
        })
    );
}

#[test]
fn refuses_a_wrong_checksum() {
    let (found, payload) = (HEADER.checksum, [0, 0, 0, 1]);
    let computed = HEADER.seal(&payload).unwrap().checksum;
    assert_eq!(
        HEADER.verify(&payload),
        Err(HeaderError::Checksum { computed, found })
    );
}

#[test]
fn a_flip_in_any_byte_is_refused() {
    for byte in 0..HEADER_SIZE {
        let mut flipped = BYTES;
        flipped[byte] ^= 0x10;
        let refusal = DeltaHeader::parse(&flipped).and_then(|header| header.verify(&[0; 4]));
        let ring_field = matches!(byte, 24..28 | 48..52);
        match refusal.unwrap_err() {
            HeaderError::RingFields { .. } => assert!(ring_field, "byte {byte}"),
            _ => assert!(!ring_field, "byte {byte}"),
        }
    }
}

fn any_header() -> impl Strategy<Value = DeltaHeader> {
    let operation = (0..6_u8).prop_map(|wire| Operation::from_wire(wire).unwrap());
    let numbers = (1..=u64::MAX, any::<u64>(), 1..=u32::MAX);
    let payload_size = 0..=u32::try_from(PAYLOAD_SIZE_MAX).unwrap();
    let others = any::<([bool; 5], u32, u64, u64, Option<u64>)>();
    (operation, numbers, payload_size, others).prop_map(
        |(operation, (sequence, prev_sequence, epoch), payload_size, others)| {
            let (
                [compressed, lossy, relative, graph, tensor],
                vector_id_hash,
                timestamp_us,
                checksum,
                digest,
            ) = others;
            let allowed = |operations: &[u8]| operations.contains(&(operation as u8));
            let tensor = tensor && operation == Operation::Update;
            DeltaHeader {
                sequence,
                operation,
                compressed: compressed && !tensor && allowed(&[0, 1, 3]),
                lossy: lossy && !tensor && allowed(&[0, 1, 3]),
                relative: relative && allowed(&[1, 3]),
                graph: graph && !tensor && allowed(&[0, 1, 2]),
                tensor,
                vector_id_hash,
                timestamp_us,
                payload_size,
                checksum,
                prev_sequence: prev_sequence % sequence,
                epoch,
                state_digest: digest,
            }
        },
    )
}

proptest! {
    #[test]
    fn prop_parse_inverts_emit(header in any_header()) {
        prop_assert_eq!(DeltaHeader::parse(&header.to_bytes()), Ok(header));
    }

    #[test]
    fn prop_emit_inverts_parse(
        header in any_header(),
        edits in proptest::collection::vec((0..HEADER_SIZE, any::<u8>()), 0..4),
    ) {
        let mut bytes = header.to_bytes();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        if let Ok(parsed) = DeltaHeader::parse(&bytes) {
            prop_assert_eq!(parsed.to_bytes(), bytes);
        }
    }

    #[test]
    fn prop_a_sealed_header_parses_and_fits_its_payload_alone(
        header in any_header(),
        payload in proptest::collection::vec(any::<u8>(), 1..100),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let sealed = header.seal(&payload).unwrap();
        prop_assert_eq!(DeltaHeader::parse(&sealed.to_bytes()), Ok(sealed));
        prop_assert_eq!(sealed.verify(&payload), Ok(()));
        let mut other = payload.clone();
        other[at.index(payload.len())] ^= flip;
        prop_assert!(sealed.verify(&other).is_err());
        prop_assert!(sealed.verify(&payload[1..]).is_err());
    }
}
