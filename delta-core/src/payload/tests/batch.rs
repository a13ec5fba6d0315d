use super::header;
use crate::{
    codec::{EncodeError, Encoding, Tag, ValuesError},
    header::{DeltaHeader, Operation},
    payload::{
        PayloadError,
        batch::{BatchPayload, BatchWriteError, BatchWriter, RowUpdate},
        metadata::{MetadataEdit, MetadataError},
    },
    testing::{any_change, apply_values, bits_of, rows_between},
};
use proptest::{collection::vec, prelude::*};

/// Slot 300 at sequence 97 is set to (1.0, 2.0); slot 1, never touched, to its own row.
const BYTES: [u8; 25] = [
    2, 0, 0, 0, // dim
    2, 0, 0, 0, // count
    0xac, 0x02, 3, 8, 1, // slot, distance, values_size, tag
    0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, // 1.0, 2.0
    1, 100, 0, 0, // slot, distance, values_size, tag
];

/// As [`BYTES`], where slot 1 loses "a" and has "b" set to "x", too.
const WITH_METADATA: [u8; 33] = [
    2, 0, 0, 0, // dim
    2, 0, 0, 0x80, // count, some entry has metadata
    0xac, 0x02, 3, 8, 1, // slot, distance, values_size, tag
    0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, // 1.0, 2.0
    1, 100, 0, 0x80, // slot, distance, values_size, tag with metadata
    7, 1, b'a', 0, 1, b'b', 2, b'x', // size, pairs
];

/// A header with sequence 100.
fn batch_header() -> DeltaHeader {
    header(Operation::BatchUpdate)
}

#[test]
fn literal_bytes() {
    let mut out = [0xaa; 60];
    let mut writer = BatchWriter::new(100, 2);
    assert!(writer.is_empty());
    let values = writer
        .push(&mut out, 300, 97, &[0.0; 2], &[1.0, 2.0])
        .unwrap();
    assert_eq!((values.tag(), values.size()), (Tag::Raw, 9));
    let values = writer.push(&mut out, 1, 0, &[5.0; 2], &[5.0; 2]).unwrap();
    assert_eq!(values.tag(), Tag::Same);
    assert_eq!((writer.len(), writer.size()), (2, 25));
    let written = writer.clone().finish(&mut out, None).unwrap();
    assert_eq!(written.payload, BYTES);

    let batch = BatchPayload::parse(&batch_header(), &BYTES).unwrap();
    assert_eq!((batch.dim(), batch.len(), batch.is_empty()), (2, 2, false));
    let entries: Vec<_> = batch.entries().collect();
    assert_eq!(written.entries.collect::<Vec<_>>(), entries);
    assert_eq!(writer.entries(&out).collect::<Vec<_>>(), entries);
    let shown: Vec<_> = entries
        .iter()
        .map(|e| (e.slot, e.prev_sequence, e.values.tag(), e.size))
        .collect();
    assert_eq!(shown, [(300, 97, Tag::Raw, 13), (1, 0, Tag::Same, 4)]);
}

fn edit<'e>(key: &'e [u8], old: Option<&'e [u8]>, new: Option<&'e [u8]>) -> MetadataEdit<'e> {
    MetadataEdit { key, old, new }
}

#[test]
fn literal_bytes_with_metadata() {
    let (same, edits) = (
        [edit(b"a", Some(b"1"), Some(b"1"))],
        [
            edit(b"a", Some(b"1"), None),
            edit(b"b", None, Some(b"x")),
            edit(b"c", None, None),
        ],
    );
    let mut out = [0xaa; 80];
    let mut writer = BatchWriter::new(100, 2);
    for (prev_sequence, slot, new, metadata) in
        [(97, 300, [1.0, 2.0], &same[..]), (0, 1, [0.0; 2], &edits)]
    {
        let old = &[0.0; 2];
        let update = RowUpdate {
            slot,
            old,
            new: &new,
            metadata,
        };
        writer
            .push_as(Encoding::EXACT, &mut out, prev_sequence, &update)
            .unwrap();
    }
    assert_eq!(
        writer.finish(&mut out, None).unwrap().payload,
        WITH_METADATA
    );

    let batch = BatchPayload::parse(&batch_header(), &WITH_METADATA).unwrap();
    let shown: Vec<_> = batch
        .decode(&mut [])
        .unwrap()
        .map(|(e, metadata)| (e.slot, e.size, metadata.into_iter().collect::<Vec<_>>()))
        .collect();
    let pairs = vec![(&b"a"[..], None), (b"b", Some(&b"x"[..]))];
    assert_eq!(shown, [(300, 13, vec![]), (1, 5, pairs)]);
    assert_eq!((batch.metadata_size(), batch.scratch_size()), (7, 0));
}

#[test]
fn refuses_metadata_that_is_not_as_announced() {
    let refusal = |bytes: &[u8]| BatchPayload::parse(&batch_header(), bytes).unwrap_err();
    let with = |offset: usize, byte: u8| {
        let mut bytes = WITH_METADATA;
        bytes[offset] = byte;
        refusal(&bytes)
    };
    assert_eq!(with(7, 0), PayloadError::BatchMetadata);
    let mut flagged = BYTES;
    flagged[7] = 0x80;
    assert_eq!(refusal(&flagged), PayloadError::BatchMetadata);
    let broken = PayloadError::BatchEntry {
        entry: 1,
        offset: 21,
    };
    // No metadata, and more than there is.
    assert_eq!(refusal(&[&WITH_METADATA[..25], &[0]].concat()), broken);
    assert_eq!(with(25, 8), broken);
    assert_eq!(refusal(&WITH_METADATA[..25]), broken);
    assert_eq!(
        with(29, 0),
        PayloadError::Metadata(MetadataError::Truncated { offset: 3 })
    );
    assert_eq!(
        with(30, b'a'),
        PayloadError::Metadata(MetadataError::Order { pair: 1 })
    );
    assert_eq!(
        with(25, 6),
        PayloadError::Metadata(MetadataError::Truncated { offset: 3 })
    );
    let (expected, found) = (33, 34);
    assert_eq!(
        refusal(&[&WITH_METADATA[..], &[0]].concat()),
        PayloadError::Size { expected, found }
    );
}

/// Parses [`BYTES`] with another byte at `offset`.
fn parse_with(offset: usize, byte: u8) -> Result<(), PayloadError> {
    let mut bytes = BYTES;
    bytes[offset] = byte;
    BatchPayload::parse(&batch_header(), &bytes).map(|_| ())
}

#[test]
fn refuses_batches_of_nothing() {
    assert_eq!(parse_with(0, 0), Err(PayloadError::ZeroDim));
    assert_eq!(parse_with(4, 0), Err(PayloadError::EmptyBatch));
}

#[test]
fn refuses_other_sizes() {
    let parse = |bytes: &[u8]| BatchPayload::parse(&batch_header(), bytes).map(|_| ());
    let size = |expected, found| Err(PayloadError::Size { expected, found });
    assert_eq!(parse(&BYTES[..7]), size(8, 7));
    assert_eq!(parse_with(4, 1), size(21, 25));
    let broken = |entry, offset| Err(PayloadError::BatchEntry { entry, offset });
    assert_eq!(parse_with(4, 3), broken(2, 25));
    assert_eq!(parse_with(7, 0xff), broken(2, 25));
    assert_eq!(parse(&BYTES[..24]), broken(1, 21));
    assert_eq!(parse(&BYTES[..20]), broken(0, 8));
}

#[test]
fn refuses_impossible_distances() {
    let broken = |entry, offset| Err(PayloadError::BatchEntry { entry, offset });
    assert_eq!(parse_with(10, 0), broken(0, 8));
    assert_eq!(parse_with(22, 101), broken(1, 21));
    assert_eq!(parse_with(22, 99), Ok(()));
}

#[test]
fn refuses_long_prefixes() {
    // Raw values of 32 components after a slot, a distance of five bytes and a size of two.
    let parse = |slot: &[u8]| {
        let (head, distance) = ([32, 0, 0, 0, 1, 0, 0, 0], [0x80, 0x80, 0x80, 0x80, 0x01]);
        let size_and_tag = [0x80, 0x01, 1];
        let bytes = [&head, slot, &distance, &size_and_tag, &[0; 128]].concat();
        let header = DeltaHeader {
            sequence: 1 << 40,
            ..batch_header()
        };
        BatchPayload::parse(&header, &bytes).map(|_| ())
    };
    let (entry, offset) = (0, 8);
    assert_eq!(parse(&[0x80, 0x80, 0x80, 0x01]), Ok(()));
    assert_eq!(
        parse(&[0x80, 0x80, 0x80, 0x80, 0x01]),
        Err(PayloadError::BatchEntry { entry, offset })
    );
}

#[test]
fn refuses_broken_values() {
    assert_eq!(
        parse_with(12, 99),
        Err(PayloadError::BatchValues {
            entry: 0,
            error: ValuesError::UnknownTag { found: 99 }
        })
    );
    assert_eq!(
        parse_with(24, 1),
        Err(PayloadError::BatchValues {
            entry: 1,
            error: ValuesError::Size {
                dim: 2,
                expected: 8,
                found: 0
            }
        })
    );
}

#[test]
fn refuses_headers_that_name_an_entity() {
    let mut header = batch_header();
    header.vector_id_hash = 1;
    let refusal = |header| BatchPayload::parse(&header, &BYTES).map(|_| ());
    assert_eq!(
        refusal(header),
        Err(PayloadError::HeaderField { offset: 12 })
    );
    let mut header = batch_header();
    header.prev_sequence = 1;
    assert_eq!(
        refusal(header),
        Err(PayloadError::HeaderField { offset: 40 })
    );
}

#[test]
fn a_refused_entry_leaves_the_batch_as_it_was() {
    let (old, new) = ([0.0; 2], [1.0, 2.0]);
    let mut out = [0; 46];
    let mut writer = BatchWriter::new(1 << 40, 2);
    writer.push(&mut out, 7, (1 << 40) - 1, &old, &new).unwrap();
    let prefix = |slot, prev_sequence| BatchWriteError::Prefix {
        slot,
        prev_sequence,
    };
    let dim = |found| BatchWriteError::Dim { expected: 2, found };
    let before = (writer.len(), writer.size());
    for (slot, prev_sequence, old, new, refusal) in [
        (8, 1 << 40, &old[..], &new[..], prefix(8, 1 << 40)),
        (8, u64::MAX, &old, &new, prefix(8, u64::MAX)),
        (8, 0, &old, &new, prefix(8, 0)),
        (8, (1 << 40) - 1, &old, &new[..1], dim(1)),
        (8, (1 << 40) - 1, &old[..1], &new[..1], dim(1)),
    ] {
        let refused = writer.push(&mut out, slot, prev_sequence, old, new);
        assert_eq!(refused, Err(refusal));
        assert_eq!((writer.len(), writer.size()), before);
    }
    let refused = writer.push(&mut out, 8, (1 << 40) - 1, &old[..1], &new);
    assert!(matches!(
        refused,
        Err(BatchWriteError::Encode(EncodeError::Rows(_)))
    ));
    assert_eq!((writer.len(), writer.size()), before);

    writer.push(&mut out, 8, (1 << 40) - 1, &old, &new).unwrap();
    let payload = writer.finish(&mut out, None).unwrap().payload;
    let mut header = batch_header();
    header.sequence = 1 << 40;
    let batch = BatchPayload::parse(&header, payload).unwrap();
    assert_eq!(batch.entries().map(|e| e.slot).collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn the_greatest_prefix_is_of_twelve_bytes() {
    // Rows of distinct NaNs are raw.
    let row: [f32; 64] =
        core::array::from_fn(|i| f32::from_bits(0x7fc0_0000 | u32::try_from(i).unwrap()));
    let mut out = [0; 300];
    let mut writer = BatchWriter::new(1 << 40, 64);
    let far = (1 << 40) - u64::from(u32::MAX);
    // Five bytes each of slot and distance leave one of values_size, which 256 do not fit.
    let refused = writer.push(&mut out, u32::MAX, far, &[0.0; 64], &row);
    assert_eq!(
        refused,
        Err(BatchWriteError::Prefix {
            slot: u32::MAX,
            prev_sequence: far
        })
    );
    assert!(writer.push(&mut out, u32::MAX, far, &row, &row).is_ok());
    assert_eq!(writer.size(), 8 + 12);
}

#[test]
fn tells_a_full_batch_from_one_that_never_fits() {
    let (old, new) = ([0.0; 2], [1.0, 2.0]);
    let mut out = [0; 40];
    let mut writer = BatchWriter::new(100, 2);
    assert_eq!(
        writer.push(&mut out[..27], 0, 0, &old, &new),
        Err(BatchWriteError::Encode(EncodeError::OutputTooSmall {
            needed: 28,
            given: 27
        }))
    );
    assert!(writer.push(&mut out, 0, 0, &old, &new).is_ok());
    assert_eq!(writer.size(), 20);
    assert!(writer.push(&mut out, 1, 0, &old, &old).is_ok());
    assert_eq!(
        writer.push(&mut out, 2, 0, &old, &old),
        Err(BatchWriteError::Full {
            needed: 20,
            left: 16
        })
    );
}

proptest! {
    #[test]
    fn prop_parse_inverts_emit(
        sequence in 1..=u64::MAX,
        changes in vec((any::<u32>(), any::<u32>(), any_change(8)), 1..10),
    ) {
        let dim = changes[0].2.0.len();
        let changes: Vec<_> = changes.into_iter().filter(|c| c.2.0.len() == dim).collect();
        let mut out = vec![0xaa; 8 + changes.len() * (12 + 4 * dim)];
        let mut writer = BatchWriter::new(sequence, u32::try_from(dim).unwrap());
        let mut expected = vec![];
        for (slot, distance, (old, new)) in &changes {
            let distance = u64::from(*distance).clamp(1, sequence);
            writer.push(&mut out, *slot, sequence - distance, old, new).unwrap();
            expected.push((*slot, sequence - distance, bits_of(new)));
        }
        let payload = writer.clone().finish(&mut out, None).unwrap().payload;
        let header = DeltaHeader { sequence, ..batch_header() };
        let batch = BatchPayload::parse(&header, payload).unwrap();
        prop_assert_eq!(batch.len() as usize, changes.len());
        let mut sizes = 8;
        for ((entry, expected), (_, _, (old, _))) in batch.entries().zip(expected).zip(&changes) {
            let mut row = old.clone();
            apply_values(&entry.values, &mut row);
            prop_assert_eq!((entry.slot, entry.prev_sequence, bits_of(&row)), expected);
            sizes += entry.size;
        }
        prop_assert_eq!(sizes, writer.size());
    }

    #[test]
    fn prop_emit_inverts_parse(
        flags in prop_oneof![Just(0), Just(0x80)],
        bytes in vec(prop_oneof![0..4_u8, Just(0x80), any::<u8>()], 4..40),
    ) {
        let bytes = [&[2, 0, 0, 0, 1, 0, 0, flags][..], &bytes].concat();
        let Ok(batch) = BatchPayload::parse(&batch_header(), &bytes) else { return Ok(()) };
        let mut out = vec![0; bytes.len() + 100];
        let mut writer = BatchWriter::new(100, 2);
        let mut same_codec = true;
        for (entry, metadata) in batch.decode(&mut []).unwrap() {
            let (old, new) = rows_between(&entry.values, 2);
            let metadata: Vec<_> = metadata
                .into_iter()
                .map(|(key, new)| edit(key, if new.is_none() { Some(b"") } else { None }, new))
                .collect();
            let update = RowUpdate { slot: entry.slot, old: &old, new: &new, metadata: &metadata };
            let values =
                writer.push_as(Encoding::EXACT, &mut out, entry.prev_sequence, &update).unwrap();
            same_codec &= values.tag() == entry.values.tag();
        }
        let written = writer.finish(&mut out, None).unwrap();
        // Values that would be smaller in another codec are written in that.
        if same_codec {
            prop_assert_eq!(written.payload, bytes);
        }
    }
}
