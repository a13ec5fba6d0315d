use super::{
    Base, EncodeError, Tag, Values, ValuesError, encode, encoded_size_max,
    lz4::{Lz4Scratch, PLAIN_SIZE_MAX, decompress},
    sparse::{SparseValues, SparseWriter},
};
use crate::{
    kernel::{diff::DiffError, digest::row_sum},
    testing::{any_change, any_row, bits_of},
};
use proptest::{collection::vec, prelude::*};

/// Encodes into exactly as many bytes as may be needed.
fn encoded(base: Base<'_>, new: &[f32]) -> (Tag, Vec<u8>) {
    let mut out = vec![0xaa; encoded_size_max(new.len())];
    let (tag, size) = encode(base, new, &mut out).unwrap();
    out.truncate(size);
    (tag, out)
}

fn dim(row: &[f32]) -> u32 {
    u32::try_from(row.len()).unwrap()
}

#[test]
fn equal_rows_are_same() {
    let row = [f32::NAN, -0.0, 1.0];
    assert_eq!(encoded(Base::Row(&row), &row), (Tag::Same, vec![]));
    assert_eq!(encoded(Base::Zero, &[0.0; 2000]), (Tag::Same, vec![]));
    assert_eq!(encoded(Base::Row(&[]), &[]), (Tag::Same, vec![]));
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
        assert_eq!(known, (tag < 3).then_some(tag));
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

#[test]
fn lz4_compresses_where_that_is_smaller() {
    let mut lz4 = Lz4Scratch::new();
    let plain = [7; 300];
    let block = lz4.compress(&plain, 2).unwrap().to_vec();
    assert!(block.len() < 30);
    // What lies in the table from the block before does not show.
    let noise: Vec<u8> = (0..=u8::MAX).map(|i| i.wrapping_mul(167)).collect();
    assert_eq!(lz4.compress(&noise, 0), None);
    assert_eq!(lz4.compress(&plain, 2), Some(&block[..]));
    assert_eq!(lz4.compress(&plain, plain.len() - block.len()), None);
    assert!(
        lz4.compress(&plain, plain.len() - block.len() - 1)
            .is_some()
    );

    let mut out = [0; 300];
    assert!(decompress(&block, &mut out));
    assert_eq!(out, plain);
}

#[test]
fn lz4_takes_sections_of_its_sizes_alone() {
    let mut lz4 = Lz4Scratch::new();
    assert_eq!(lz4.compress(&[7; 31], 0), None);
    assert!(lz4.compress(&[7; 32], 0).is_some());
    assert!(lz4.compress(&[7; PLAIN_SIZE_MAX], 0).is_some());
    assert_eq!(lz4.compress(&[7; PLAIN_SIZE_MAX + 1], 0), None);
}

#[test]
fn lz4_refuses_another_size_and_broken_blocks() {
    let block = Lz4Scratch::new().compress(&[7; 300], 0).unwrap().to_vec();
    assert!(!decompress(&block, &mut [0; 299]));
    assert!(!decompress(&block, &mut [0; 301]));
    assert!(!decompress(&block[..block.len() - 1], &mut [0; 300]));
    assert!(!decompress(&[], &mut [0; 300]));
    // A match that begins before the block.
    assert!(!decompress(&[0x10, 7, 9, 0], &mut [0; 5]));
}

/// The law of every codec: what was encoded parses, is no larger than raw, and turns `old` into
/// `new` and the one's sum into the other's; applied again it changes nothing.
fn apply_inverts_encode(base: Base<'_>, old: &[f32], new: &[f32]) -> Result<(), TestCaseError> {
    let (tag, bytes) = encoded(base, new);
    let values = Values::parse(tag as u8, &bytes, dim(new)).unwrap();
    prop_assert_eq!(values, Values::from_checked(tag, &bytes));
    prop_assert!(values.size() <= 1 + 4 * new.len());
    let changed = old
        .iter()
        .zip(new)
        .filter(|(a, b)| a.to_bits() != b.to_bits());
    prop_assert_eq!(changed.count() == 0, tag == Tag::Same);

    let sum = row_sum(old).wrapping_add(values.change_sum(old));
    prop_assert_eq!(sum, row_sum(new));
    let mut row = old.to_vec();
    values.apply(&mut row);
    prop_assert_eq!(bits_of(&row), bits_of(new));
    prop_assert_eq!(values.change_sum(&row), 0);
    values.apply(&mut row);
    prop_assert_eq!(bits_of(&row), bits_of(new));
    Ok(())
}

proptest! {
    #[test]
    fn prop_apply_inverts_diff((old, new) in any_change(300)) {
        apply_inverts_encode(Base::Row(&old), &old, &new)?;
    }

    #[test]
    fn prop_apply_inverts_diff_of_every_dim(
        seed in any_row(300),
        at in any::<prop::sample::Index>(),
    ) {
        for dim in 1..=300 {
            let mut old = seed[..dim].to_vec();
            let at = at.index(dim);
            old[at] = f32::from_bits(!old[at].to_bits());
            apply_inverts_encode(Base::Row(&old), &old, &seed[..dim])?;
        }
    }

    #[test]
    fn prop_apply_inverts_diff_from_zero((_, new) in any_change(1200), zeros in 0..1200_usize) {
        let mut new = new;
        let zeros = zeros.min(new.len());
        new[..zeros].fill(0.0);
        apply_inverts_encode(Base::Zero, &vec![0.0; new.len()], &new)?;
    }

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

    #[test]
    fn prop_decompress_inverts_compress(
        pieces in vec((any::<u8>(), 1..40_usize), 0..60),
        overhead in 0..4_usize,
    ) {
        let plain: Vec<u8> = pieces.iter().flat_map(|&(byte, n)| vec![byte; n]).collect();
        let mut lz4 = Lz4Scratch::new();
        if let Some(block) = lz4.compress(&plain, overhead) {
            prop_assert!(block.len() + overhead < plain.len());
            let mut out = vec![0xaa; plain.len()];
            prop_assert!(decompress(block, &mut out));
            prop_assert_eq!(out, plain);
        }
    }

    #[test]
    fn prop_broken_blocks_do_not_panic(block in vec(any::<u8>(), 0..100), size in 0..400_usize) {
        decompress(&block, &mut vec![0; size]);
    }
}
