use super::header;
use crate::{
    codec::{Base, EncodeError, Tag, ValuesError},
    header::{DeltaHeader, Operation, PAYLOAD_SIZE_MAX, vector_id_hash},
    payload::{
        PayloadError,
        metadata::{MetadataEdit, MetadataError, SECTION_SIZE_MAX},
        vector::{DIM_MAX, PREFIX_SIZE_MAX, VectorChange, VectorPayload, VectorWriteError},
    },
    testing::{any_change, apply_values, bits_of, rows_between},
};
use proptest::{collection::vec, prelude::*};

/// An update of slot 9: one of four components changes, and the key `k` is removed.
const UPDATE: [u8; 13] = [
    0x82, 9, 4, // tag, and that parts follow; slot, dim
    0, 5, // id_size, values_size
    3, 0, 0, 0x80, 0x3f, // component 3 becomes 1.0
    1, b'k', 0, // metadata
];

const REMOVAL: MetadataEdit<'_> = MetadataEdit {
    key: b"k",
    old: Some(b"v"),
    new: None,
};

/// The change that [`UPDATE`] carries.
const CHANGE: VectorChange<'_> = VectorChange {
    slot: 9,
    base: Base::Row(&[0.0; 4]),
    new: &[0.0, 0.0, 0.0, 1.0],
    id: &[],
    graph: None,
    metadata: &[REMOVAL],
};

/// The header that an insert of `id` needs.
fn insert_header(id: &[u8]) -> DeltaHeader {
    DeltaHeader {
        vector_id_hash: vector_id_hash(id),
        ..header(Operation::Insert)
    }
}

#[test]
fn an_update_of_literal_bytes() {
    let mut out = [0xaa; 40];
    assert_eq!(CHANGE.payload_size_max(), 17 + 16 + 7);
    let written = CHANGE.write(&mut out, None).unwrap();
    assert_eq!((written.size, written.compressed), (13, false));
    assert_eq!(out[..13], UPDATE);

    let vector = VectorPayload::parse(&header(Operation::Update), &UPDATE).unwrap();
    assert_eq!((vector.slot(), vector.dim()), (9, 4));
    assert_eq!(vector.values().tag(), Tag::Sparse);
    assert_eq!(vector.id(), b"");
    assert_eq!(vector.metadata().stored_size(), 3);
    let changes = vector.metadata().decode(&mut []).unwrap();
    assert_eq!(changes.into_iter().collect::<Vec<_>>(), [(&b"k"[..], None)]);
}

#[test]
fn an_insert_of_literal_bytes() {
    let bytes = [
        0x81, 0, 2, 1, 8, // prefix
        0, 0, 0x80, 0x3f, 1, 0, 0xc0, 0x7f, // 1.0 and a NaN
        b'a', // id
    ];
    let change = VectorChange {
        slot: 0,
        base: Base::Zero,
        new: &[1.0, f32::from_bits(0x7fc0_0001)],
        id: b"a",
        graph: None,
        metadata: &[],
    };
    let mut out = [0xaa; 26];
    assert_eq!(change.payload_size_max(), out.len());
    assert_eq!(change.write(&mut out, None).unwrap().size, bytes.len());
    assert_eq!(out[..14], bytes);
    let vector = VectorPayload::parse(&insert_header(b"a"), &bytes).unwrap();
    assert_eq!((vector.id(), vector.values().tag()), (&b"a"[..], Tag::Raw));
}

/// Parses [`UPDATE`] with other bytes from `offset` on.
fn parse_with(offset: usize, bytes: &[u8]) -> Result<(), PayloadError> {
    let mut payload = UPDATE;
    payload[offset..offset + bytes.len()].copy_from_slice(bytes);
    VectorPayload::parse(&header(Operation::Update), &payload).map(|_| ())
}

#[test]
fn refuses_parts_that_do_not_fit() {
    let size = |expected, found| Err(PayloadError::Size { expected, found });
    let parse = |bytes: &[u8]| VectorPayload::parse(&header(Operation::Update), bytes).map(|_| ());
    for cut in 0..5 {
        assert_eq!(parse(&UPDATE[..cut]), size(cut as u64 + 1, cut as u64));
    }
    assert_eq!(parse(&UPDATE[..9]), size(10, 9));
    assert_eq!(parse_with(4, &[9]), size(14, 13));
    let expected = u64::from(u32::MAX) + 9;
    assert_eq!(
        parse(&[0x82, 9, 4, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        size(expected, 9)
    );
    assert_eq!(
        VectorPayload::parse(&insert_header(b""), &[0x80, 0, 1, 255, 0, b'a']),
        Err(PayloadError::Size {
            expected: 260,
            found: 6
        })
    );
}

#[test]
fn refuses_parts_that_do_not_follow() {
    let bytes = &UPDATE[..10];
    assert_eq!(
        VectorPayload::parse(&header(Operation::Update), bytes),
        Err(PayloadError::Reserved { offset: 0 })
    );
}

#[test]
fn refuses_flags_other_than_those_of_the_values() {
    for flag in 0..2 {
        let header = DeltaHeader {
            lossy: flag == 0,
            relative: flag == 1,
            ..header(Operation::Update)
        };
        assert_eq!(
            VectorPayload::parse(&header, &UPDATE),
            Err(PayloadError::HeaderField { offset: 9 })
        );
    }
}

#[test]
fn refuses_rows_of_no_components() {
    assert_eq!(parse_with(2, &[0]), Err(PayloadError::ZeroDim));
}

#[test]
fn refuses_ids_of_updates_and_inserts_without_one() {
    assert_eq!(parse_with(3, &[3]), Err(PayloadError::IdSize { found: 3 }));
    assert_eq!(
        VectorPayload::parse(&insert_header(b""), &UPDATE),
        Err(PayloadError::IdSize { found: 0 })
    );
}

#[test]
fn refuses_headers_of_other_entities() {
    let mut insert = UPDATE;
    insert[3] = 1; // the id is the byte 1, and the metadata is broken
    let refusal = |header| VectorPayload::parse(&header, &insert);
    let good = insert_header(&[1]);
    assert_eq!(
        refusal(DeltaHeader {
            prev_sequence: 1,
            ..good
        }),
        Err(PayloadError::HeaderField { offset: 40 })
    );
    assert_eq!(
        refusal(DeltaHeader {
            vector_id_hash: 1,
            ..good
        }),
        Err(PayloadError::HeaderField { offset: 12 })
    );
    assert!(matches!(refusal(good), Err(PayloadError::Metadata(_))));
}

#[test]
fn refuses_broken_values_and_metadata() {
    assert_eq!(
        parse_with(0, &[0xe4]),
        Err(PayloadError::Values(ValuesError::UnknownTag { found: 100 }))
    );
    assert_eq!(
        parse_with(5, &[4]),
        Err(PayloadError::Values(ValuesError::IndexOutOfRange {
            index: 4,
            dim: 4
        }))
    );
    assert_eq!(
        parse_with(10, &[0, 0]),
        Err(PayloadError::Metadata(MetadataError::KeySize { size: 0 }))
    );
    assert_eq!(
        parse_with(12, &[2]),
        Err(PayloadError::Metadata(MetadataError::Truncated {
            offset: 0
        }))
    );
}

#[test]
fn refuses_to_write_what_no_reader_takes() {
    let mut out = [0; 400];
    let mut refusal = |change: VectorChange<'_>| change.write(&mut out, None).unwrap_err();
    let (new, metadata) = (&[][..], &[][..]);
    assert_eq!(
        refusal(VectorChange { new, ..CHANGE }),
        VectorWriteError::Dim { dim: 0 }
    );
    assert_eq!(
        refusal(VectorChange {
            id: &[b'a'; 256],
            metadata,
            ..CHANGE
        }),
        VectorWriteError::IdSize { size: 256 }
    );
    assert!(matches!(
        refusal(VectorChange {
            base: Base::Row(&[]),
            ..CHANGE
        }),
        VectorWriteError::Encode(EncodeError::Rows(_))
    ));
    let edit = MetadataEdit {
        key: &[b'k'; 256],
        ..REMOVAL
    };
    assert_eq!(
        refusal(VectorChange {
            metadata: &[edit],
            ..CHANGE
        }),
        VectorWriteError::Metadata(MetadataError::KeySize { size: 256 })
    );
}

#[test]
fn an_insert_has_no_old_metadata() {
    let kept = MetadataEdit {
        key: b"l",
        old: Some(b"v"),
        new: Some(b"v"),
    };
    let new = MetadataEdit {
        key: b"k",
        old: None,
        new: Some(b"v"),
    };
    let insert = VectorChange {
        id: b"a",
        metadata: &[new, kept],
        ..CHANGE
    };
    assert_eq!(
        insert.write(&mut [0; 100], None),
        Err(VectorWriteError::Metadata(MetadataError::OldValue {
            pair: 1
        }))
    );
    let update = VectorChange { id: b"", ..insert };
    assert!(update.write(&mut [0; 100], None).is_ok());
}

#[test]
fn refuses_any_output_that_is_too_small() {
    for given in 0..PREFIX_SIZE_MAX + 16 {
        assert_eq!(
            CHANGE.write(&mut vec![0; given], None),
            Err(VectorWriteError::Encode(EncodeError::OutputTooSmall {
                needed: if given < 17 { 40 } else { 16 },
                given: if given < 17 { given } else { given - 17 },
            }))
        );
    }
}

#[test]
fn a_row_of_most_components_fits_a_payload() {
    let others = PREFIX_SIZE_MAX + 255 + SECTION_SIZE_MAX;
    assert!(4 * DIM_MAX as usize + others <= PAYLOAD_SIZE_MAX);
    assert!(4 * (DIM_MAX as usize + 1) + others > PAYLOAD_SIZE_MAX);
}

proptest! {
    #[test]
    fn prop_parse_inverts_emit(
        slot in any::<u32>(),
        (old, new) in any_change(40),
        id in vec(any::<u8>(), 0..=255),
        value in vec(any::<u8>(), 0..30),
        removed in any::<bool>(),
    ) {
        let base = if id.is_empty() { Base::Row(&old) } else { Base::Zero };
        let edit = MetadataEdit {
            key: b"key",
            old: (id.is_empty() && removed).then_some(&b"old"[..]),
            new: (!removed).then_some(&value[..]),
        };
        let metadata = &[edit];
        let change = VectorChange { slot, base, new: &new, id: &id, graph: None, metadata };
        let mut out = vec![0xaa; change.payload_size_max()];
        let written = change.write(&mut out, None).unwrap();
        prop_assert!(!written.compressed);
        let (size, relative) = (written.size, written.values.tag().is_relative());
        let header = if id.is_empty() { header(Operation::Update) } else { insert_header(&id) };
        let header = DeltaHeader { relative, ..header };
        let vector = VectorPayload::parse(&header, &out[..size]).unwrap();
        prop_assert_eq!(vector.slot(), slot);
        prop_assert_eq!(vector.dim() as usize, new.len());
        prop_assert_eq!(vector.id(), &id);
        let changes: Vec<_> = vector.metadata().decode(&mut []).unwrap().into_iter().collect();
        if edit.old == edit.new {
            prop_assert!(changes.is_empty());
        } else {
            prop_assert_eq!(changes, [(&b"key"[..], edit.new)]);
        }
        let mut row = if id.is_empty() { old } else { vec![0.0; new.len()] };
        apply_values(vector.values(), &mut row);
        prop_assert_eq!(bits_of(&row), bits_of(&new));
    }

    #[test]
    fn prop_emit_inverts_parse(
        edits in vec((0..UPDATE.len(), 0..6_u8), 0..6),
        cut in 0..=UPDATE.len(),
    ) {
        let mut bytes = UPDATE;
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        let bytes = &bytes[..cut];
        let Ok(vector) = VectorPayload::parse(&header(Operation::Update), bytes) else {
            return Ok(());
        };
        let (old, new) = rows_between(vector.values(), vector.dim() as usize);
        let pairs: Vec<_> = vector.metadata().decode(&mut []).unwrap().into_iter().collect();
        let edits: Vec<_> = pairs
            .iter()
            .map(|&(key, new)| MetadataEdit {
                key,
                old: if new.is_some() { None } else { Some(b"") },
                new,
            })
            .collect();
        let change = VectorChange {
            slot: vector.slot(),
            base: Base::Row(&old),
            new: &new,
            id: &[],
            graph: None,
            metadata: &edits,
        };
        let mut out = vec![0; change.payload_size_max()];
        let written = change.write(&mut out, None).unwrap();
        // Values that would be smaller in another codec are written in that.
        if written.values.tag() == vector.values().tag() {
            let size = written.size;
            prop_assert_eq!(&out[..size], bytes);
        }
    }
}
