//! No change, all components, or some of them.

use super::*;

#[test]
fn equal_rows_are_same() {
    let row = [f32::NAN, -0.0, 1.0];
    assert_eq!(encoded(Base::Row(&row), &row), (Tag::Same, vec![]));
    assert_eq!(encoded(Base::Zero, &[0.0; 2000]), (Tag::Same, vec![]));
    assert_eq!(encoded(Base::Row(&[]), &[]), (Tag::Same, vec![]));
}

/// A set of codecs without `same` has no sparse values of no components, which no reader takes.
#[test]
fn equal_rows_without_same_are_whole() {
    let row = [1.0; 100];
    let encoding = Encoding {
        codecs: CodecSet::WHOLE.with(Tag::Sparse),
        ..Encoding::EXACT
    };
    let (tag, bytes) = encoded_as(encoding, Base::Row(&row), &row);
    assert_ne!(tag, Tag::Sparse);
    assert!(Values::parse(tag as u8, &bytes, 100).is_ok());
}

/// Gaps of a byte each are checked all together: to the last component and no further.
#[test]
fn short_gaps_reach_the_last_component() {
    let bytes = [99, 1, 0, 0, 0, 100, 2, 0, 0, 0, 0, 3, 0, 0, 0];
    let found = |bytes, dim| SparseValues::parse(bytes, dim).err();
    assert_eq!(found(&bytes, 202), None);
    let error = ValuesError::IndexOutOfRange {
        index: 201,
        dim: 201,
    };
    assert_eq!(found(&bytes, 201), Some(error));
    let truncated = |offset| Some(ValuesError::Truncated { offset });
    assert_eq!(found(&bytes[..14], 202), truncated(10));
    assert_eq!(found(&[], 202), truncated(0));
}

#[test]
fn few_changes_are_sparse() {
    let old = [0.0; 400];
    let mut new = old;
    new[1] = -0.0;
    new[130] = 1.0;
    new[399] = f32::from_bits(0x7f80_0001);
    let bytes = vec![
        1, 0x00, 0x00, 0x00, 0x80, // gap 1, -0.0
        0x80, 0x01, 0x00, 0x00, 0x80, 0x3f, // gap 128, 1.0
        0x8c, 0x02, 0x01, 0x00, 0x80, 0x7f, // gap 268, a signalling NaN
    ];
    assert_eq!(encoded(Base::Row(&old), &new), (Tag::Sparse, bytes.clone()));
    assert_eq!(encoded(Base::Zero, &new), (Tag::Sparse, bytes.clone()));
    let values = SparseValues::parse(&bytes, 400).unwrap();
    let changes: Vec<_> = values.iter().collect();
    assert_eq!(
        changes,
        [(1, 0x8000_0000), (130, 0x3f80_0000), (399, 0x7f80_0001)]
    );
}

#[test]
fn many_changes_are_raw() {
    let (old, new) = ([0.0; 5], [1.0, 2.0, 0.0, 4.0, 5.0]);
    let (tag, bytes) = encoded(Base::Row(&old), &new);
    assert_eq!(tag, Tag::Raw);
    assert_eq!(bytes[..8], [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
    assert_eq!(bytes.len(), 20);
}

#[test]
fn of_equal_sizes_raw_wins() {
    // Four changes of five bytes against five components of four.
    assert_eq!(encoded(Base::Zero, &[1.0, 1.0, 1.0, 1.0, 0.0]).0, Tag::Raw);
    assert_eq!(
        encoded(Base::Zero, &[1.0, 1.0, 1.0, 0.0, 0.0]).0,
        Tag::Sparse
    );
}

#[test]
fn a_long_gap_can_make_raw_win() {
    // 511 changes take 2,555 bytes of 2,556, and one more for a gap of 128.
    let mut new = [1.0; 639];
    new[..128].fill(0.0);
    assert_eq!(encoded(Base::Zero, &new).0, Tag::Raw);
    new[0] = 1.0;
    new[638] = 0.0;
    let (tag, bytes) = encoded(Base::Zero, &new);
    assert_eq!((tag, bytes.len()), (Tag::Sparse, 2555));
}

#[test]
fn a_row_of_zeros_is_compared_in_pieces() {
    let mut new = [0.0; 1030];
    for at in [511, 512, 1023, 1024, 1029] {
        new[at] = 2.0;
    }
    let (tag, bytes) = encoded(Base::Zero, &new);
    assert_eq!(tag, Tag::Sparse);
    let changes: Vec<_> = SparseValues::parse(&bytes, 1030).unwrap().iter().collect();
    let indices: Vec<_> = changes.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, [511, 512, 1023, 1024, 1029]);
}

#[test]
fn refuses_rows_of_different_lengths() {
    for (old, new) in [(&[][..], &[1.0][..]), (&[1.0], &[]), (&[1.0], &[1.0, 2.0])] {
        let mismatch = DiffError::LengthMismatch {
            old: old.len(),
            new: new.len(),
        };
        assert_eq!(
            encode(Base::Row(old), new, &mut [0; 8]),
            Err(EncodeError::Rows(mismatch))
        );
    }
}

#[test]
fn refuses_too_small_an_output() {
    assert_eq!(
        encode(Base::Zero, &[0.0; 2], &mut [0; 7]),
        Err(EncodeError::OutputTooSmall {
            needed: 8,
            given: 7
        })
    );
}

#[test]
fn refuses_unknown_tags() {
    for tag in 0..=u8::MAX {
        let known = Tag::from_wire(tag).map(|tag| tag as u8);
        assert_eq!(known, (tag < 11).then_some(tag));
        if known.is_none() {
            let found = tag;
            assert_eq!(
                Values::parse(tag, &[], 1),
                Err(ValuesError::UnknownTag { found })
            );
        }
    }
}

#[test]
fn refuses_sizes_of_another_dim() {
    for (tag, found, expected) in [(0, 1, 0), (1, 11, 12), (1, 13, 12), (1, 0, 12)] {
        assert_eq!(
            Values::parse(tag, &[0; 16][..found], 3),
            Err(ValuesError::Size {
                dim: 3,
                expected,
                found: found as u64
            })
        );
    }
    // The product of the greatest dim does not overflow.
    assert_eq!(
        Values::parse(1, &[], u32::MAX),
        Err(ValuesError::Size {
            dim: u32::MAX,
            expected: 0x3_ffff_fffc,
            found: 0
        })
    );
}

#[test]
fn refuses_broken_sparse_values() {
    let truncated = |offset| Err(ValuesError::Truncated { offset });
    let out_of_range = |index| Err(ValuesError::IndexOutOfRange { index, dim: 4 });
    for (bytes, refusal) in [
        (&[][..], truncated(0)),
        (&[0, 1, 2, 3], truncated(0)),
        (&[0x80], truncated(0)),
        (&[0x81, 0x00, 1, 2, 3, 4], truncated(0)),
        (&[0, 1, 2, 3, 4, 0], truncated(5)),
        (&[0, 1, 2, 3, 4, 0, 1, 2, 3], truncated(5)),
        (&[4, 1, 2, 3, 4], out_of_range(4)),
        (&[3, 1, 2, 3, 4, 0, 1, 2, 3, 4], out_of_range(4)),
        (
            &[1, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4],
            out_of_range(0x1_0000_0001),
        ),
    ] {
        assert_eq!(Values::parse(2, bytes, 4), refusal.map(Values::Sparse));
    }
}

#[test]
fn a_sparse_writer_takes_ascending_indices_that_fit() {
    let mut out = [0; 11];
    let mut writer = SparseWriter::new(&mut out);
    assert_eq!(writer.push(7, 1), Some(()));
    assert_eq!(writer.push(7, 2), None);
    assert_eq!(writer.push(u32::MAX, 2), None);
    assert_eq!(writer.push(136, 3), Some(()));
    assert_eq!(writer.size(), 11);
    assert_eq!(writer.push(137, 4), None);
    assert_eq!(writer.size(), 11);
    assert_eq!(out, [7, 1, 0, 0, 0, 0x80, 0x01, 3, 0, 0, 0]);
}

#[test]
fn values_tell_their_codec_and_size() {
    for (tag, bytes) in [
        (Tag::Same, &[][..]),
        (Tag::Raw, &[1, 2, 3, 4]),
        (Tag::Sparse, &[0, 1, 2, 3, 4]),
    ] {
        let values = Values::parse(tag as u8, bytes, 1).unwrap();
        assert_eq!((values.tag(), values.size()), (tag, 1 + bytes.len()));
    }
}

proptest! {
    #[test]
    fn prop_sparse_is_taken_where_it_is_smaller((old, new) in any_change(300)) {
        let mut out = [0; 1500];
        let mut writer = SparseWriter::new(&mut out);
        for (index, (old, new)) in (0..).zip(old.iter().zip(&new)) {
            if old.to_bits() != new.to_bits() {
                writer.push(index, new.to_bits()).unwrap();
            }
        }
        let size = writer.size();
        let (tag, bytes) = encoded(Base::Row(&old), &new);
        if size < 4 * new.len() {
            prop_assert_eq!(bytes, &out[..size]);
        } else {
            prop_assert_eq!(tag, Tag::Raw);
        }
    }

    #[test]
    fn prop_emit_inverts_parse_of_sparse_values(
        bytes in vec(any::<u8>(), 0..40),
        dim in 1..300_u32,
    ) {
        if let Ok(values) = SparseValues::parse(&bytes, dim) {
            let mut out = vec![0; bytes.len()];
            let mut writer = SparseWriter::new(&mut out);
            for (index, bits) in &values {
                prop_assert!(index < dim);
                writer.push(index, bits).unwrap();
            }
            prop_assert_eq!(out, bytes);
        }
    }
}
