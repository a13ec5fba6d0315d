use super::{
    Base, Bound, CodecSet, DecodeError, EncodeError, Encoding, Tag, Values, ValuesError, encode,
    encode_as, encode_summed, encoded_size_max,
    lz4::{Lz4Scratch, PLAIN_SIZE_MAX, decompress},
    sparse::{SparseValues, SparseWriter},
};
use crate::{
    kernel::{diff::DiffError, digest::row_sum},
    testing::{any_change, any_row, bits_of},
};
use proptest::{collection::vec, prelude::*};

/// Exactly, without the codecs that work with differences.
const PLAIN: Encoding = Encoding {
    codecs: CodecSet::PLAIN,
    ..Encoding::EXACT
};

/// Encodes with a plain codec.
fn encoded(base: Base<'_>, new: &[f32]) -> (Tag, Vec<u8>) {
    encoded_as(PLAIN, base, new)
}

/// Encodes into exactly as many bytes as may be needed.
fn encoded_as(encoding: Encoding, base: Base<'_>, new: &[f32]) -> (Tag, Vec<u8>) {
    let mut out = vec![0xaa; encoded_size_max(new.len())];
    let (tag, size) = encode_as(encoding, base, new, &mut out).unwrap();
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
        assert_eq!(known, (tag < 9).then_some(tag));
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

/// The row that `values` make of `old`, and by how much that changes its sum.
fn applied(values: &Values<'_>, old: &[f32]) -> (Vec<f32>, u64) {
    let mut scratch = vec![0xaa; values.scratch_size()];
    let change = values.decode(old, &mut scratch).unwrap();
    let mut row = old.to_vec();
    change.apply(&mut row);
    (row, change.change_sum(old))
}

/// The law of every exact codec: what was encoded parses, is no larger than raw, and turns `old`
/// into `new` and the one's sum into the other's; if it is absolute, again.
fn apply_inverts_encode(
    encoding: Encoding,
    base: Base<'_>,
    old: &[f32],
    new: &[f32],
) -> Result<Tag, TestCaseError> {
    let (tag, bytes) = encoded_as(encoding, base, new);
    let values = Values::parse(tag as u8, &bytes, dim(new)).unwrap();
    prop_assert_eq!(Some(values), Values::from_checked(tag, &bytes, dim(new)));
    prop_assert_eq!(values.tag(), tag);
    prop_assert!(values.size() <= 1 + 4 * new.len());
    prop_assert!(!tag.is_lossy());
    if encoding.codecs.has(Tag::Same) {
        prop_assert_eq!(bits_of(old) == bits_of(new), tag == Tag::Same);
    }

    let (row, sum) = applied(&values, old);
    prop_assert_eq!(bits_of(&row), bits_of(new));
    prop_assert_eq!(row_sum(old).wrapping_add(sum), row_sum(new));
    prop_assert_eq!(values.exact_change_sum(old, new), sum);
    let mut out = vec![0xaa; encoded_size_max(new.len())];
    let known = encode_summed(encoding, base, new, &mut out).unwrap();
    prop_assert_eq!((known.tag, known.size), (tag, bytes.len()));
    prop_assert!(known.change_sum.is_none_or(|known| known == sum));
    if !tag.is_relative() {
        let (row, sum) = applied(&values, new);
        prop_assert_eq!((bits_of(&row), sum), (bits_of(new), 0));
    }
    Ok(tag)
}

/// All exact codecs, and each way to leave some out.
fn exact_encodings() -> impl Iterator<Item = Encoding> {
    let sets = [
        CodecSet::ALL,
        CodecSet::ABSOLUTE,
        CodecSet::PLAIN,
        CodecSet::RAW,
        CodecSet::WHOLE,
        CodecSet::RAW.with(Tag::Grid),
        CodecSet::RAW.with(Tag::GridFromZero),
        CodecSet::RAW.with(Tag::Ranks),
        CodecSet::RAW.with(Tag::RanksFromZero),
    ];
    sets.into_iter().map(|codecs| Encoding {
        codecs,
        ..Encoding::EXACT
    })
}

/// Rows whose components differ little, mostly: what the codecs of differences are for.
fn near_rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let coarse = prop_oneof![Just(0_u32), Just(13), Just(16), Just(18)];
    (1..300_usize, -12..24_i32, coarse, any::<[u8; 3]>()).prop_flat_map(
        |(dim, size, coarse, [kept, proportional, zeros])| {
            let component = (any::<f32>(), -1.0..1.0_f32, any::<u8>());
            vec((-1.0..1.0_f32, component), dim).prop_map(move |row| {
                let cut = |x: f32| f32::from_bits(x.to_bits() >> coarse << coarse);
                let pairs = row.into_iter().map(|(old, (any, change, dice))| {
                    let old = if dice < 3 { any } else { old };
                    let scale = if proportional < 99 { old.abs() } else { 1.0 };
                    let new = old + change * scale / 2.0_f32.powi(size);
                    let new = match dice {
                        250.. => any,
                        _ if dice < zeros / 8 => 0.0,
                        _ if dice > kept && kept > 99 => old,
                        _ => new,
                    };
                    (cut(old), cut(new))
                });
                pairs.unzip()
            })
        },
    )
}

/// Rows of a few values of any bits, of which some components change to these or others.
fn rows_of_few_values() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let values = vec(any::<u32>().prop_map(f32::from_bits), 1..160);
    (values, 1..300_usize, any::<[u8; 2]>()).prop_flat_map(|(values, dim, [kept, spread])| {
        vec((any::<[u8; 3]>(), any::<u32>()), dim).prop_map(move |row| {
            let few = 1 + usize::from(spread) % values.len();
            let pairs = row.into_iter().map(|([at, to, dice], any)| {
                let old = values[usize::from(at) % few];
                let new = match dice {
                    _ if dice <= kept => old,
                    255 => f32::from_bits(any),
                    _ => values[usize::from(to) % values.len()],
                };
                (old, new)
            });
            pairs.unzip()
        })
    })
}

#[test]
fn takes_differences_where_they_are_smaller() {
    let old: Vec<f32> = (0..64_u8).map(|i| f32::from(i) * 0.01 - 0.3).collect();
    let new: Vec<f32> = old.iter().map(|x| x + x * x * 0.001).collect();
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::Grid);
    assert!(bytes.len() < 180, "{}", bytes.len());
    // Rows that have nothing to do with each other, and a row of small whole numbers.
    let whole: Vec<f32> = (0..64_u8).map(|i| f32::from(i % 17) - 8.0).collect();
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&[1e9; 64]), &whole);
    assert_eq!(tag, Tag::GridFromZero);
    assert!(bytes.len() < 50, "{}", bytes.len());
    // A component that is not finite has no difference.
    let mut new = new;
    new[7] = f32::NAN;
    let (tag, _) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::Raw);
}

/// Counts of words, as their logarithms: one more of a word is the next value of the row.
#[test]
fn counters_are_moves_among_their_values() {
    let values: Vec<f32> = (0..8_u8).map(|count| f32::from(count).ln_1p()).collect();
    let old: Vec<f32> = (0..96).map(|i| values[i * 5 % 8]).collect();
    let mut new = old.clone();
    // One more of three, one less of one, three more of one.
    for (at, count) in [(1, 6), (17, 6), (40, 1), (42, 1), (80, 3)] {
        new[at] = values[count];
    }
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    let expected = [
        6, 0, // table 6, no low bits; no new values, those that change are listed
        5, 3, 210, 103, 121, 5, // gaps of 1, 15, 22, 1 and 37
        42, 11, // 1, 1, 1, 0 and 5: moves by 1, 1, 1, -1 and 3
    ];
    assert_eq!((tag, &bytes[..]), (Tag::Ranks, &expected[..]));
    let values = Values::parse(tag as u8, &bytes, dim(&new)).unwrap();
    assert_eq!(applied(&values, &old).0, new);
    // From zero the values are sent, once each.
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Zero, &new);
    assert_eq!((tag, bytes[1]), (Tag::RanksFromZero, 7));
    assert!(bytes.len() < 96, "{}", bytes.len());
}

/// Few components, but by their last bits alone: a fifth of what sparse values take.
#[test]
fn last_bits_are_differences() {
    let old: Vec<f32> = (0..384_u16)
        .map(|i| (f32::from(i) * 0.37).sin() * 0.1)
        .collect();
    let mut new = old.clone();
    for at in (5..384).step_by(12) {
        new[at] = f32::from_bits(new[at].to_bits() ^ 3);
    }
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::Grid);
    assert!(bytes.len() < 5 * 32 / 2, "{}", bytes.len());
    let values = Values::parse(tag as u8, &bytes, dim(&new)).unwrap();
    assert_eq!(bits_of(&applied(&values, &old).0), bits_of(&new));
}

#[test]
fn a_row_that_loses_most_is_written_from_zero() {
    let old: Vec<f32> = (0..96_u16).map(|i| f32::from(i % 9).ln_1p()).collect();
    let mut new = vec![0.0; 96];
    (new[7], new[70]) = (old[7], old[4]);
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!((tag, bytes.len()), (Tag::RanksFromZero, 23));
    // Nor is a row moved among its values that had too many of them.
    let old: Vec<f32> = (0..1536_u16).map(|i| f32::from(i).ln_1p()).collect();
    let new: Vec<f32> = (0..1536_u16)
        .map(|i| f32::from(i * 7 % 4).ln_1p())
        .collect();
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::RanksFromZero);
    assert!(bytes.len() < 1536 / 2, "{}", bytes.len());
}

/// Of a short row, too, it is seen that a value stands again.
#[test]
fn short_rows_have_ranks() {
    let old: Vec<f32> = (0..16_u8).map(|i| f32::from(i % 5).ln_1p()).collect();
    let mut new = old.clone();
    for at in [1, 6, 7, 11, 12] {
        new[at] = old[at + 1];
    }
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::Ranks, "{bytes:?}");
}

/// A row of as many values as the dictionary takes; another one is refused, on either side.
#[test]
fn a_dictionary_takes_128_values() {
    let old: Vec<f32> = (0..300_u16).map(|i| f32::from(i * 126 / 300)).collect();
    let distinct = |row: &[f32]| {
        let mut bits = bits_of(row);
        bits.sort_unstable();
        bits.dedup();
        bits.len()
    };
    assert_eq!(distinct(&old), 126);
    let ranks = Encoding {
        codecs: CodecSet::RAW.with(Tag::Ranks),
        ..Encoding::EXACT
    };
    let mut new = old.clone();
    (new[3], new[5], new[250]) = (-1.0, 0.5, 7.0);
    let (tag, bytes) = encoded_as(ranks, Base::Row(&old), &new);
    assert_eq!(tag, Tag::Ranks);
    let values = Values::parse(tag as u8, &bytes, 300).unwrap();
    assert_eq!(applied(&values, &old).0, new);
    // A reader with another row, of one value more.
    let mut other = old.clone();
    other[9] = 0.25;
    let refused = values.decode(&other, &mut [0; 12]).map(|_| ());
    assert_eq!(refused, Err(ValuesError::TooManyDistinct.into()));
    new[299] = 0.125;
    assert_eq!(encoded_as(ranks, Base::Row(&old), &new).0, Tag::Raw);
}

#[test]
fn whole_rows_are_whole_although_nothing_changes() {
    let row = [0.25; 40];
    let whole = Encoding {
        codecs: CodecSet::WHOLE,
        ..Encoding::EXACT
    };
    let (tag, bytes) = encoded_as(whole, Base::Row(&row), &row);
    let values = Values::parse(tag as u8, &bytes, 40).unwrap();
    assert_eq!(applied(&values, &[f32::NAN; 40]).0, row);
}

#[test]
fn a_small_scratch_is_refused() {
    let (old, new) = ([1.0; 32], [1.25; 32]);
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    let values = Values::parse(tag as u8, &bytes, 32).unwrap();
    assert_eq!(values.scratch_size(), 128);
    let refused = values.decode(&old, &mut [0; 127]).map(|_| ());
    let (needed, given) = (128, 127);
    assert_eq!(refused, Err(DecodeError::ScratchTooSmall { needed, given }));
}

#[test]
fn differences_of_too_many_steps_are_encoded_exactly() {
    let encoding = Encoding {
        codecs: CodecSet::PLAIN.with(Tag::Steps),
        bound: Some(Bound::new(1e-3).unwrap()),
        ..Encoding::EXACT
    };
    for far in [
        3e4,
        4e4,
        -4e4,
        1e9,
        -1e9,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NAN,
    ] {
        let (tag, bytes) = encoded_as(encoding, Base::Row(&[far; 64]), &[1.0; 64]);
        assert_eq!((tag, bytes.len()), (Tag::Raw, 256), "{far}");
    }
}

#[test]
fn bounds_are_rounded_down() {
    assert_eq!(Bound::new(1.0).unwrap().get(), 1.0);
    assert_eq!(Bound::new(0.01).unwrap().get(), 0.009_948_730_5);
    for found in [0.0, -0.5, 1.0001, 1e-9, f32::NAN, f32::INFINITY] {
        assert!(Bound::new(found).is_err(), "{found}");
    }
}

proptest! {
    #[test]
    fn prop_apply_inverts_diff((old, new) in any_change(300)) {
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Row(&old), &old, &new)?;
        }
    }

    #[test]
    fn prop_apply_inverts_diff_of_near_rows((old, new) in near_rows()) {
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Row(&old), &old, &new)?;
            apply_inverts_encode(encoding, Base::Zero, &vec![0.0; new.len()], &new)?;
        }
    }

    #[test]
    fn prop_apply_inverts_diff_of_rows_of_few_values((old, new) in rows_of_few_values()) {
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Row(&old), &old, &new)?;
            apply_inverts_encode(encoding, Base::Zero, &vec![0.0; new.len()], &new)?;
        }
    }

    #[test]
    fn prop_errors_are_bounded((old, new) in near_rows(), bound in 1e-6..1.0_f32) {
        let bound = Bound::new(bound).unwrap();
        let encoding = Encoding { bound: Some(bound), ..Encoding::EXACT };
        for base in [Base::Row(&old), Base::Zero] {
            let (tag, bytes) = encoded_as(encoding, base, &new);
            let values = Values::parse(tag as u8, &bytes, dim(&new)).unwrap();
            let before = match base {
                Base::Row(old) => old.to_vec(),
                Base::Zero => vec![0.0; new.len()],
            };
            let (row, sum) = applied(&values, &before);
            prop_assert_eq!(row_sum(&before).wrapping_add(sum), row_sum(&row));
            if tag.is_lossy() {
                let square = |x: &f32| f64::from(*x) * f64::from(*x);
                let mean_square = new.iter().map(square).sum::<f64>() / f64::from(dim(&new));
                let limit = f64::from(bound.get()) * mean_square.sqrt() * 1.000_000_1;
                for (found, new) in row.iter().zip(&new) {
                    prop_assert!((f64::from(*found) - f64::from(*new)).abs() <= limit);
                }
            } else {
                prop_assert_eq!(bits_of(&row), bits_of(&new));
            }
        }
    }

    #[test]
    fn prop_any_bytes_decode_or_are_refused(
        tag in 0..10_u8,
        bytes in vec(any::<u8>(), 0..120),
        old in any_row(40),
        dim in 1..=40_usize,
    ) {
        let mut row = old[..dim].to_vec();
        let dim = u32::try_from(dim).unwrap();
        let Ok(values) = Values::parse(tag, &bytes, dim) else { return Ok(()) };
        let mut scratch = vec![0; values.scratch_size()];
        if let Ok(change) = values.decode(&row.clone(), &mut scratch) {
            let after = row_sum(&row).wrapping_add(change.change_sum(&row));
            change.apply(&mut row);
            prop_assert_eq!(row_sum(&row), after);
        }
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
            apply_inverts_encode(Encoding::EXACT, Base::Row(&old), &old, &seed[..dim])?;
        }
    }

    #[test]
    fn prop_apply_inverts_diff_from_zero((_, new) in any_change(1200), zeros in 0..1200_usize) {
        let mut new = new;
        let zeros = zeros.min(new.len());
        new[..zeros].fill(0.0);
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Zero, &vec![0.0; new.len()], &new)?;
        }
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
