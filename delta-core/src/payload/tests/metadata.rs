use crate::{
    codec::lz4::Lz4Scratch,
    payload::metadata::{
        MetadataChanges, MetadataEdit, MetadataError, MetadataSection, SECTION_SIZE_MAX,
        section_size_max, write_section,
    },
    testing::Pairs,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
};
use std::collections::BTreeMap;

fn edit<'a>(key: &'a [u8], old: Option<&'a [u8]>, new: Option<&'a [u8]>) -> MetadataEdit<'a> {
    MetadataEdit { key, old, new }
}

fn written(
    edits: &[MetadataEdit<'_>],
    lz4: Option<&mut Lz4Scratch>,
) -> Result<(Vec<u8>, bool), MetadataError> {
    let mut out = vec![0xaa; section_size_max(edits)];
    let (size, compressed) = write_section(edits, &mut out, lz4)?;
    out.truncate(size);
    Ok((out, compressed))
}

#[test]
fn literal_bytes() {
    let long = [b'x'; 127];
    let edits = [
        edit(b"a", None, Some(b"")),
        edit(b"ab", Some(b"old"), None),
        edit(b"b", Some(b"same"), Some(b"same")),
        edit(b"c", None, Some(&long)),
        edit(b"d", None, None),
    ];
    let mut expected = vec![1, b'a', 1, 2, b'a', b'b', 0, 1, b'c', 0x80, 0x01];
    expected.extend(long);
    assert_eq!(written(&edits, None), Ok((expected.clone(), false)));

    let changes = MetadataChanges::parse(&expected).unwrap();
    assert_eq!(
        changes.into_iter().collect::<Vec<_>>(),
        [
            (&b"a"[..], Some(&b""[..])),
            (b"ab", None),
            (b"c", Some(&long))
        ]
    );
    assert_eq!(changes.as_bytes(), expected);
    assert!(!changes.is_empty());
    assert!(MetadataChanges::default().is_empty());
}

#[test]
fn unchanged_pairs_need_no_room() {
    let long = [7; 1000];
    assert_eq!(section_size_max(&[edit(b"k", Some(&long), Some(&long))]), 0);
    assert_eq!(section_size_max(&[edit(b"k", Some(&long), None)]), 7);
    assert_eq!(section_size_max(&[edit(b"k", None, Some(&long))]), 1007);
}

#[test]
fn refuses_to_read_broken_pairs() {
    let truncated = |offset| Err(MetadataError::Truncated { offset });
    for (bytes, refusal) in [
        (&[1][..], truncated(0)),
        (&[1, b'a'], truncated(0)),
        (&[1, b'a', 2], truncated(0)),
        (&[1, b'a', 0x81, 0x00], truncated(0)),
        (&[1, b'a', 1, 2, b'b'], truncated(3)),
        (&[1, b'a', 0xff, 0xff, 0xff, 0xff, 0x0f], truncated(0)),
        (&[0, 1], Err(MetadataError::KeySize { size: 0 })),
        (
            &[1, b'a', 1, 1, b'a', 1],
            Err(MetadataError::Order { pair: 1 }),
        ),
        (
            &[2, b'a', b'b', 1, 1, b'a', 0],
            Err(MetadataError::Order { pair: 1 }),
        ),
    ] {
        assert_eq!(MetadataChanges::parse(bytes), refusal, "{bytes:?}");
        assert_eq!(
            MetadataSection::parse(bytes, false).map(|_| ()),
            refusal.map(|_: MetadataChanges<'_>| ())
        );
    }
    let size = SECTION_SIZE_MAX + 1;
    assert_eq!(
        MetadataChanges::parse(&vec![0; size]),
        Err(MetadataError::TooLarge { size })
    );
}

#[test]
fn refuses_to_write_what_no_reader_takes() {
    let twice = [edit(b"a", None, Some(b"1")), edit(b"a", None, Some(b"2"))];
    assert_eq!(written(&twice, None), Err(MetadataError::Order { pair: 1 }));
    // Also where the pair is not written.
    let unsorted = [edit(b"b", None, Some(b"1")), edit(b"a", None, None)];
    assert_eq!(
        written(&unsorted, None),
        Err(MetadataError::Order { pair: 1 })
    );
    for size in [0, 256] {
        let key = vec![b'k'; size];
        assert_eq!(
            written(&[edit(&key, None, Some(b"v"))], None),
            Err(MetadataError::KeySize { size })
        );
    }
    let value = vec![0; SECTION_SIZE_MAX];
    let size = SECTION_SIZE_MAX;
    assert_eq!(
        written(&[edit(b"k", None, Some(&value))], None),
        Err(MetadataError::TooLarge { size })
    );
    // Key size, key, three bytes of value size: one byte too many.
    let value = &value[..SECTION_SIZE_MAX - 4];
    assert_eq!(
        written(&[edit(b"k", None, Some(value))], None),
        Err(MetadataError::TooLarge { size: size + 1 })
    );
    let value = &value[1..];
    assert_eq!(
        written(&[edit(b"k", None, Some(value))], None).map(|(bytes, _)| bytes.len()),
        Ok(size)
    );
    assert_eq!(
        write_section(&[edit(b"k", None, Some(b"v"))], &mut [0; 3], None),
        Err(MetadataError::OutputTooSmall { given: 3 })
    );
}

#[test]
fn compressed_where_that_is_smaller() {
    let mut lz4 = Lz4Scratch::new();
    let value = [b'a'; 60];
    let edits = [edit(b"k", None, Some(&value))];
    let (plain, compressed) = written(&edits, None).unwrap();
    assert!(!compressed && plain.len() == 63);
    let (bytes, compressed) = written(&edits, Some(&mut lz4)).unwrap();
    assert!(compressed && bytes.len() < 63);
    assert_eq!(bytes[0], 63);

    let section = MetadataSection::parse(&bytes, true).unwrap();
    assert_eq!(section.stored_size(), bytes.len());
    let mut scratch = [0; 63];
    assert_eq!(section.decode(&mut scratch).unwrap().as_bytes(), plain);
    assert_eq!(
        section.decode(&mut scratch[1..]),
        Err(MetadataError::ScratchTooSmall {
            needed: 63,
            given: 62
        })
    );

    let noise: Vec<u8> = (0..60_u8).map(|i| i.wrapping_mul(167)).collect();
    let edits = [edit(b"k", None, Some(&noise))];
    assert_eq!(written(&edits, Some(&mut lz4)), written(&edits, None));
    assert_eq!(written(&[], Some(&mut lz4)), Ok((vec![], false)));
}

#[test]
fn refuses_compressed_sections_of_impossible_sizes() {
    let compressed = |plain_size| Err(MetadataError::Compressed { plain_size });
    let too_large = |size| Err(MetadataError::TooLarge { size });
    for (stored, refusal) in [
        (&[][..], Err(MetadataError::Truncated { offset: 0 })),
        (
            &[0x80, 0x00, 1],
            Err(MetadataError::Truncated { offset: 0 }),
        ),
        (&[0, 1, 2], compressed(0)),
        (&[1], compressed(1)),
        (&[0x80, 0x02, 1], compressed(256)),
        (&[0xff, 0xff, 0x03, 1], too_large(65_535)),
        (&[0xff, 0xff, 0xff, 0xff, 0x0f, 1], too_large(0xffff_ffff)),
    ] {
        let parsed = MetadataSection::parse(stored, true);
        assert_eq!(parsed.map(|_| ()), refusal, "{stored:x?}");
    }
    // A byte takes a block of two; of more than 17 it is none, and is not decoded.
    let mut long = [0; 19];
    long[0] = 1;
    assert!(MetadataSection::parse(&long[..18], true).is_ok());
    let parsed = MetadataSection::parse(&long, true);
    assert_eq!(parsed.map(|_| ()), compressed(1));
    // 255 bytes of one are possible in principle, but not these.
    let section = MetadataSection::parse(&[0xff, 0x01, 1], true).unwrap();
    let decoded = section.decode(&mut [0; 255]).map(|_| ());
    assert_eq!(decoded, compressed(255));
}

#[test]
fn refuses_compressed_pairs_that_are_broken() {
    // One literal run of the plain section, whose keys do not ascend.
    let stored = [6, 0x60, 1, b'b', 1, 1, b'a', 1];
    let section = MetadataSection::parse(&stored, true).unwrap();
    assert_eq!(
        section.decode(&mut [0; 6]),
        Err(MetadataError::Order { pair: 1 })
    );
}

/// Values that compress and values that do not.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..20),
        (any::<u8>(), 0..300_usize).prop_map(|(byte, n)| vec![byte; n]),
    ]
}

type Edits = BTreeMap<Vec<u8>, (Option<Vec<u8>>, Option<Vec<u8>>)>;

fn any_edits() -> impl Strategy<Value = Edits> {
    let key = vec(0..3_u8, 1..4);
    let value = || option::of(any_value());
    btree_map(key, (value(), value()), 0..8)
}

proptest! {
    #[test]
    fn prop_parse_inverts_emit(edits in any_edits(), compress in any::<bool>()) {
        let list: Vec<_> = edits
            .iter()
            .map(|(key, (old, new))| edit(key, old.as_deref(), new.as_deref()))
            .collect();
        let mut lz4 = Lz4Scratch::new();
        let (plain, _) = written(&list, None).unwrap();
        let (bytes, compressed) = written(&list, compress.then_some(&mut lz4)).unwrap();
        prop_assert!(bytes.len() <= plain.len());
        prop_assert_eq!(compressed, bytes.len() < plain.len());
        let mut scratch = vec![0; plain.len()];
        let section = MetadataSection::parse(&bytes, compressed).unwrap();
        let changes = section.decode(&mut scratch).unwrap();
        let changed = list.iter().filter(|edit| edit.old != edit.new);
        let expected: Vec<_> = changed.map(|edit| (edit.key, edit.new)).collect();
        prop_assert_eq!(changes.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn prop_emit_inverts_parse(bytes in vec(0..4_u8, 0..24)) {
        let Ok(changes) = MetadataChanges::parse(&bytes) else { return Ok(()) };
        let edits: Vec<_> = changes
            .into_iter()
            .map(|(key, new)| edit(key, if new.is_none() { Some(b"") } else { None }, new))
            .collect();
        prop_assert_eq!(written(&edits, None), Ok((bytes.clone(), false)));
    }

    #[test]
    fn prop_broken_sections_do_not_panic(
        stored in vec(any::<u8>(), 0..60),
        compressed in any::<bool>(),
    ) {
        if let Ok(section) = MetadataSection::parse(&stored, compressed) {
            let mut scratch = vec![0; 20_000];
            if let Ok(changes) = section.decode(&mut scratch) {
                let pairs: Pairs = changes
                    .into_iter()
                    .map(|(key, value)| (key.to_vec(), value.unwrap_or_default().to_vec()))
                    .collect();
                prop_assert!(pairs.is_sorted_by(|a, b| a.0 < b.0));
            }
        }
    }
}
