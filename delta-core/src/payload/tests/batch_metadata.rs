//! Batches whose metadata travel in one LZ4 block.

use super::header;
use crate::{
    codec::{Encoding, lz4::Lz4Scratch},
    header::{DeltaHeader, Operation},
    payload::{
        PayloadError,
        batch::{BatchChanges, BatchPayload, BatchWriteError, BatchWriter, RowUpdate},
        metadata::{MetadataChanges, MetadataEdit, MetadataError, SECTION_SIZE_MAX},
    },
    testing::Pairs,
};
use proptest::{collection::vec, prelude::*};

/// Slot 300 at sequence 97 is set to (1.0, 2.0), slot 1 to its own row; both get a "path".
const ENTRIES: [u8; 27] = [
    2, 0, 0, 0, // dim
    2, 0, 0, 0x80, // count, some entry has metadata
    0xac, 0x02, 3, 8, 0x81, // slot, distance, values_size, tag with metadata
    0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, // 1.0, 2.0
    26,   // size of the section
    1, 100, 0, 0x80, 26, // slot, distance, values_size, tag with metadata, size
];
/// 26 literals, the first section; 17 bytes from 26 before; nine literals.
const BLOCK: [u8; 40] = *b"\xfd\x0b\x04path\x15guide/wire-format.md\x1a\x00\x90layout.md";

fn compressed_header() -> DeltaHeader {
    DeltaHeader {
        compressed: true,
        ..header(Operation::BatchUpdate)
    }
}

/// Slots and pairs.
fn shown(changes: BatchChanges<'_>) -> Vec<(u32, Pairs)> {
    let pair = |(key, new): (&[u8], Option<&[u8]>)| (key.to_vec(), new.unwrap_or(b"-").to_vec());
    changes
        .map(|(entry, metadata)| (entry.slot, metadata.into_iter().map(pair).collect()))
        .collect()
}

fn path(name: &str) -> Pairs {
    vec![(b"path".to_vec(), format!("guide/wire-{name}.md").into())]
}

#[test]
fn literal_bytes() {
    let bytes = [&ENTRIES[..], &BLOCK].concat();
    let batch = BatchPayload::parse(&compressed_header(), &bytes).unwrap();
    let entries: Vec<_> = batch
        .entries()
        .map(|e| (e.slot, e.prev_sequence, e.size))
        .collect();
    assert_eq!(entries, [(300, 97, 14), (1, 0, 5)]);
    assert_eq!((batch.metadata_size(), batch.scratch_size()), (40, 52));
    let mut scratch = [0; 52];
    let (needed, given) = (52, 51);
    assert_eq!(
        batch.decode(&mut scratch[..51]).map(|_| ()),
        Err(MetadataError::ScratchTooSmall { needed, given })
    );
    let changes = batch.decode(&mut scratch).unwrap();
    assert_eq!(shown(changes), [(300, path("format")), (1, path("layout"))]);
}

#[test]
fn refuses_blocks_that_cannot_be() {
    let refusal = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = [&ENTRIES[..], &BLOCK].concat();
        edit(&mut bytes);
        BatchPayload::parse(&compressed_header(), &bytes).unwrap_err()
    };
    let broken = |entry, offset| PayloadError::BatchEntry { entry, offset };
    let block = |plain_size| MetadataError::Compressed { plain_size }.into();
    // Without bit 31; without any section; a section of no bytes; an entry cut off.
    assert_eq!(refusal(|b| b[7] = 0), PayloadError::BatchMetadata);
    let none = |b: &mut Vec<u8>| {
        b.truncate(21);
        (b[7], b[12]) = (0, 1);
        b.extend([1, 100, 0, 0]);
    };
    assert_eq!(refusal(none), PayloadError::BatchMetadata);
    assert_eq!(refusal(|b| b[26] = 0), broken(1, 22));
    assert_eq!(refusal(|b| b.truncate(26)), broken(1, 22));
    // No block; one that would grow more than 255-fold; too much for any.
    assert_eq!(refusal(|b| b.truncate(27)), block(52));
    let grown = |b: &mut Vec<u8>| {
        b.splice(26..27, [0xc0, 0x4f]);
    };
    assert_eq!(refusal(grown), block(26 + 10_176));
    let huge = |b: &mut Vec<u8>| {
        b.splice(26..27, [0xe5, 0xff, 0x03]);
    };
    let size = 65_535;
    assert_eq!(refusal(huge), MetadataError::TooLarge { size }.into());
    let beyond = |b: &mut Vec<u8>| {
        b.splice(26..27, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        b.splice(21..22, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    };
    let too_large = |error| {
        matches!(
            error,
            PayloadError::Metadata(MetadataError::TooLarge { .. })
        )
    };
    assert!(too_large(refusal(beyond)));
    // The flag alone decides what stands behind the values.
    let plain = DeltaHeader {
        compressed: false,
        ..compressed_header()
    };
    let bytes = [&ENTRIES[..], &BLOCK].concat();
    assert!(BatchPayload::parse(&plain, &bytes).is_err());
}

#[test]
fn refuses_blocks_when_they_are_decoded() {
    let refusal = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = [&ENTRIES[..], &BLOCK].concat();
        edit(&mut bytes);
        let batch = BatchPayload::parse(&compressed_header(), &bytes).unwrap();
        assert_eq!(batch.entries().count(), 2);
        batch.decode(&mut [0; 100]).map(|_| ()).unwrap_err()
    };
    let block = |plain_size| MetadataError::Compressed { plain_size };
    // A match from before the block, a block cut off, one of another size.
    assert_eq!(refusal(|b| b[55] = 27), block(52));
    assert_eq!(refusal(|b| b.truncate(66)), block(52));
    assert_eq!(refusal(|b| b.push(0)), block(52));
    assert_eq!(refusal(|b| b[26] = 25), block(51));
    // Sections that end elsewhere than the pairs, and a second one that is no section.
    let moved = |b: &mut Vec<u8>| (b[21], b[26]) = (25, 27);
    assert_eq!(refusal(moved), MetadataError::Truncated { offset: 0 });
    let longer = |b: &mut Vec<u8>| (b[21], b[26]) = (43, 9);
    assert_eq!(refusal(longer), MetadataError::Truncated { offset: 26 });
    let empty_key = |b: &mut Vec<u8>| (b[29], b[30]) = (0, 0);
    assert_eq!(refusal(empty_key), MetadataError::KeySize { size: 0 });
}

/// Writes updates of slots 0, 1, 2, ... whose rows stay, with these values of one key.
fn write(values: &[Vec<u8>], out: &mut [u8]) -> Result<BatchWriter, BatchWriteError> {
    let mut writer = BatchWriter::new(100, 1);
    for (slot, value) in (0..).zip(values) {
        let new = (!value.is_empty()).then_some(&value[..]);
        let update = RowUpdate {
            slot,
            old: &[1.0],
            new: &[1.0],
            metadata: &[MetadataEdit {
                key: b"k",
                old: None,
                new,
            }],
        };
        writer.push_as(Encoding::EXACT, out, 7, &update)?;
    }
    Ok(writer)
}

/// Whether the writer compresses, and its payload.
fn finished(values: &[Vec<u8>], room: usize, lz4: Option<&mut Lz4Scratch>) -> (bool, Vec<u8>) {
    let mut out = vec![0xaa; 200_000];
    let writer = write(values, &mut out).unwrap();
    let plain_entries: Vec<_> = writer.entries(&out).map(|entry| entry.slot).collect();
    let out = &mut out[..writer.size() + room];
    let written = writer.finish(out, lz4).unwrap();
    let entries: Vec<_> = written.entries.clone().map(|entry| entry.slot).collect();
    assert_eq!(entries, plain_entries);
    (written.compressed, written.payload.to_vec())
}

fn parse(compressed: bool, payload: &[u8]) -> BatchPayload<'_> {
    let header = DeltaHeader {
        compressed,
        ..compressed_header()
    };
    BatchPayload::parse(&header, payload).unwrap()
}

#[test]
fn a_writer_compresses_what_becomes_smaller() {
    let mut lz4 = Lz4Scratch::new();
    let alike: Vec<_> = (0..16).map(|i| format!("docs/{i}.md").into()).collect();
    let (_, plain) = finished(&alike, 1_000, None);
    let (compressed, smaller) = finished(&alike, 1_000, Some(&mut lz4));
    assert!(compressed && smaller.len() < plain.len() - 80);
    let (plain, smaller) = (parse(false, &plain), parse(true, &smaller));
    let mut scratch = [0; 1_000];
    assert_eq!(
        shown(plain.decode(&mut []).unwrap()),
        shown(smaller.decode(&mut scratch).unwrap())
    );
    assert_eq!(smaller.scratch_size(), plain.metadata_size());
    assert!(
        plain
            .entries()
            .map(|e| e.size)
            .eq(smaller.entries().map(|e| e.size))
    );

    // The room that is left must hold the sections once more.
    let needed = plain.metadata_size();
    assert!(!finished(&alike, needed - 1, Some(&mut lz4)).0);
    assert!(finished(&alike, needed, Some(&mut lz4)).0);
    // Nothing to compress, and nothing to win.
    let noise: Vec<_> = (0..16_u8)
        .map(|i| (0..9).map(|j| (i * 9 + j).wrapping_mul(167)).collect())
        .collect();
    for values in [vec![vec![]; 40], vec![b"alike".to_vec(); 2], noise] {
        let (compressed, payload) = finished(&values, 1_000, Some(&mut lz4));
        assert_eq!((compressed, payload), finished(&values, 1_000, None));
    }
}

#[test]
fn a_writer_compresses_as_much_as_a_block_takes() {
    let mut lz4 = Lz4Scratch::new();
    // Key, its size, and three bytes of the value's.
    let largest = vec![vec![b'x'; SECTION_SIZE_MAX / 2 - 5]; 2];
    let (compressed, payload) = finished(&largest, 70_000, Some(&mut lz4));
    assert!(compressed);
    assert_eq!(parse(true, &payload).scratch_size(), SECTION_SIZE_MAX);
    let mut scratch = vec![0; SECTION_SIZE_MAX];
    assert!(parse(true, &payload).decode(&mut scratch).is_ok());
    let larger = [&largest[..], &[b"y".to_vec()]].concat();
    assert!(!finished(&larger, 70_000, Some(&mut lz4)).0);
}

#[test]
fn a_writer_needs_what_it_wrote_into() {
    let mut out = [0; 100];
    let writer = write(&[b"v".to_vec()], &mut out).unwrap();
    let size = writer.size();
    assert!(writer.clone().finish(&mut out[..size], None).is_ok());
    for given in [0, 7, size - 1] {
        assert!(matches!(
            writer.clone().finish(&mut out[..given], None),
            Err(BatchWriteError::Encode(_))
        ));
    }
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(0..3_u8, 0..40),
        (any::<u8>(), 0..300_usize).prop_map(|(byte, size)| vec![byte; size]),
        vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn prop_compressed_and_plain_mean_the_same(
        values in vec(any_value(), 1..12),
        room in 0..3_000_usize,
    ) {
        let mut lz4 = Lz4Scratch::new();
        let (_, plain) = finished(&values, room, None);
        let (compressed, written) = finished(&values, room, Some(&mut lz4));
        prop_assert_eq!(compressed, written.len() < plain.len());
        if !compressed {
            prop_assert_eq!(&written, &plain);
        }
        let (plain, batch) = (parse(false, &plain), parse(compressed, &written));
        let mut scratch = vec![0; batch.scratch_size()];
        prop_assert_eq!(
            shown(batch.decode(&mut scratch).unwrap()),
            shown(plain.decode(&mut []).unwrap())
        );
    }

    #[test]
    fn prop_any_bytes_are_a_batch_or_an_error(
        values in vec(any_value(), 1..6),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut lz4 = Lz4Scratch::new();
        let (compressed, mut bytes) = finished(&values, 3_000, Some(&mut lz4));
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let header = DeltaHeader { compressed, ..compressed_header() };
        if let Ok(batch) = BatchPayload::parse(&header, &bytes) {
            let mut scratch = vec![0; SECTION_SIZE_MAX];
            if let Ok(changes) = batch.decode(&mut scratch) {
                let sizes = changes.map(|(_, metadata)| {
                    let section = metadata.as_bytes();
                    assert_eq!(MetadataChanges::parse(section), Ok(metadata));
                    section.len()
                });
                let plain_size = match compressed {
                    true => batch.scratch_size(),
                    false => batch.metadata_size(),
                };
                prop_assert_eq!(sizes.sum::<usize>(), plain_size);
            }
        }
    }
}
