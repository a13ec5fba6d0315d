//! Rows of few distinct values, and of bytes.

use super::*;

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

#[test]
fn a_row_that_loses_most_is_written_from_zero() {
    let old: Vec<f32> = (0..96_u16).map(|i| f32::from(i % 9).ln_1p()).collect();
    let mut new = vec![0.0; 96];
    (new[7], new[70]) = (old[7], old[4]);
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!((tag, bytes.len()), (Tag::RanksFromZero, 15));
    // A quarter of them, of few values.
    for (at, value) in new.iter_mut().enumerate().step_by(4) {
        *value = old[1 + at % 3];
    }
    let (tag, _) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::RanksFromZero);
    // Nor is a row moved among its values that had too many of them.
    let old: Vec<f32> = (0..1536_u16).map(|i| f32::from(i).ln_1p()).collect();
    let new: Vec<f32> = (0..1536_u16)
        .map(|i| f32::from(i * 7 % 4).ln_1p())
        .collect();
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::RanksFromZero);
    assert!(bytes.len() < 1536 / 2, "{}", bytes.len());
}

/// Components that are not +0.0 are listed where that is shorter; from any row, and twice.
#[test]
fn few_components_are_listed_from_zero() {
    let mut new = [0.0; 128];
    for (at, value) in [(1, 2.5), (9, 1.25), (40, 2.5), (77, -0.0), (100, 2.5)] {
        new[at] = value;
    }
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Zero, &new);
    let expected = [
        &[2, 0x83][..], // table 2, no low bits; three values, and a list
        &[0, 0, 0, 0x80, 0, 0, 0xa0, 0x3f, 0, 0, 0x20, 0x40],
        &[5, 4, 194, 229, 163, 12], // gaps of 1, 7, 30, 36 and 22
        &[115, 12],                 // 3, 1, 3, 0 and 3: moves by 2, 1, 2, -1 and 2
    ];
    assert_eq!((tag, &bytes), (Tag::RanksFromZero, &expected.concat()));
    let values = Values::parse(tag as u8, &bytes, 128).unwrap();
    assert_eq!(values.scratch_size(), 4 * 128);
    let mut scratch = [0xaa; 512];
    let change = values.decode(&[f32::NAN; 128], &mut scratch).unwrap();
    assert!(matches!(change, RowChange::All(_)), "{change:?}");
    for old in [[f32::NAN; 128], new] {
        assert_eq!(bits_of(&applied(&values, &old).0), bits_of(&new));
    }
    // No component at all.
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&[1.0; 128]), &[0.0; 128]);
    assert_eq!((tag, bytes.len()), (Tag::RanksFromZero, 4));
}

/// A list from zero: of more components than the row has, of one that stays, of too few numbers.
#[test]
fn refuses_broken_lists_from_zero() {
    let decoded = |bytes: &[u8]| {
        let values = Values::parse(8, bytes, 2)?;
        let mut scratch = [0xaa; 8];
        let change = values.decode(&[5.0, 6.0], &mut scratch);
        let mut row = [5.0, 6.0];
        change.unwrap_or(RowChange::Same).apply(&mut row);
        Ok(row)
    };
    let refused = Ok([5.0, 6.0]);
    // One value, 1.0; the second component moves up by one of them.
    let of = |rest: &[u8]| decoded(&[&[0, 0x81, 0, 0, 0x80, 0x3f], rest].concat());
    assert_eq!(of(&[1, 0, 0b01, 0b01]), Ok([0.0, 1.0]));
    assert_eq!(of(&[0, 0]), Ok([0.0, 0.0]));
    let (index, dim) = (2, 2);
    let beyond = ValuesError::IndexOutOfRange { index, dim };
    assert_eq!(of(&[2, 0, 0b001, 0b01]), Err(beyond));
    // Moves by 2, by -1 and by nothing; no number, and one too many.
    assert_eq!(of(&[1, 0, 0b01, 0b0111]), refused);
    assert_eq!(of(&[1, 0, 0b01, 0]), refused);
    let nothing = [1, 0, 0b01, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(of(&nothing), refused);
    assert_eq!(of(&[1, 0, 0b01]), refused);
    assert_eq!(of(&[1, 0, 0b01, 0b01, 0]), refused);
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

/// Rows of bytes, as binary vectors travel; some of another value.
fn rows_of_bytes() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1..200_usize, any::<[u8; 2]>()).prop_flat_map(|(dim, [flipped, other])| {
        vec((any::<[u8; 4]>(), any::<u32>()), dim).prop_map(move |row| {
            let pairs = row.into_iter().map(|([old, flips, dice, rare], any)| {
                let any = f32::from_bits(any);
                let flips = if dice < flipped { flips & dice } else { 0 };
                match rare {
                    0 if other < 99 => (f32::from(old), any),
                    1 if other < 99 => (any, f32::from(old)),
                    2 if other < 99 => (any, any),
                    _ => (f32::from(old), f32::from(old ^ flips)),
                }
            });
            pairs.unzip()
        })
    })
}

/// 384 bits, of which some flip, in 48 bytes.
#[test]
fn flipped_bits_are_listed() {
    let old: Vec<f32> = (0..48_u8).map(|i| f32::from(i.wrapping_mul(37))).collect();
    let mut new = old.clone();
    let flips: [(u32, u8); 5] = [(0, 1), (3, 0x80), (5, 0x11), (14, 2), (39, 163)];
    for (at, flipped) in flips {
        new[at as usize] = f32::from(at.to_le_bytes()[0].wrapping_mul(37) ^ flipped);
    }
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    let expected = [
        9, 4, // nine bits, whose gaps have four low bits
        32, 135, 230, 209, 255, 51, 96, 4, // 0, 30, 12, 3, 72, 198, 0, 3 and 1
    ];
    assert_eq!((tag, &bytes[..]), (Tag::Flips, &expected[..]));
    let values = Values::parse(tag as u8, &bytes, 48).unwrap();
    assert_eq!(applied(&values, &old).0, new);
    assert_eq!(values.scratch_size(), 4 * 5);
    let Values::Flips(values) = values else {
        panic!("{values:?}");
    };
    assert_eq!(values.iter().collect::<Vec<_>>(), flips);
}

/// A new row of packed bits, and one of which every bit may flip, is its bytes.
#[test]
fn rows_of_bytes_take_a_byte_each() {
    let new: Vec<f32> = (0..48_u8)
        .map(|i| f32::from(i.wrapping_mul(37) ^ 0x55))
        .collect();
    let expected: Vec<u8> = (0..48_u8).map(|i| i.wrapping_mul(37) ^ 0x55).collect();
    let whole = (Tag::Bytes, expected.clone());
    assert_eq!(encoded_as(Encoding::EXACT, Base::Zero, &new), whole);
    let old: Vec<f32> = (0..48_u8).map(|i| f32::from(i.wrapping_mul(101))).collect();
    assert_eq!(encoded_as(Encoding::EXACT, Base::Row(&old), &new), whole);
    let values = Values::parse(10, &expected, 48).unwrap();
    assert_eq!(applied(&values, &[f32::NAN; 48]).0, new);
    let found = 48;
    for dim in [47, 49, 12] {
        let expected_size = ValuesError::Size {
            dim,
            expected: dim.into(),
            found,
        };
        assert_eq!(Values::parse(10, &expected, dim), Err(expected_size));
    }
}

/// Nor minus zero, which has no bits to flip.
#[test]
fn only_bytes_have_bits_to_flip() {
    let flips = Encoding {
        codecs: CodecSet::RAW.with(Tag::Flips),
        ..Encoding::EXACT
    };
    let (old, mut new) = ([7.0; 40], [7.0; 40]);
    new[3] = 255.0;
    let (tag, bytes) = encoded_as(flips, Base::Row(&old), &new);
    assert_eq!((tag, &bytes[..]), (Tag::Flips, &[5, 5, 54, 0, 0, 0][..]));
    let values = Values::parse(tag as u8, &bytes, 40).unwrap();
    for other in [-0.0, -1.0, 256.0, 0.5, f32::NAN, f32::INFINITY, 1e-40] {
        let mut row = old;
        row[3] = other;
        assert_eq!(encoded_as(flips, Base::Row(&row), &new).0, Tag::Raw);
        assert_eq!(encoded_as(flips, Base::Row(&new), &row).0, Tag::Raw);
        let refused = values.decode(&row, &mut [0; 4]).map(|_| ());
        assert_eq!(refused, Err(ValuesError::NotAByte { index: 3 }.into()));
    }
}

#[test]
fn refuses_broken_flips() {
    let parse = |bytes| Values::parse(9, bytes, 2).map(|_| ());
    // No bit, and the last of 16.
    assert_eq!(parse(&[0, 0]), Ok(()));
    assert_eq!(
        parse(&[1, 3, 0b0001_1110]),
        Err(ValuesError::Truncated { offset: 0 })
    );
    assert_eq!(parse(&[1, 3, 0b1_1101]), Ok(()));
    let index = 2;
    let beyond = Err(ValuesError::IndexOutOfRange { index, dim: 2 });
    // 12, then 16.
    assert_eq!(parse(&[2, 2, 0x87, 0x01]), beyond);
    assert_eq!(
        parse(&[1, 32, 0]),
        Err(ValuesError::Parameter { offset: 1 })
    );
    assert_eq!(parse(&[1, 3]), Err(ValuesError::Truncated { offset: 0 }));
    assert_eq!(
        parse(&[1, 3, 0, 0]),
        Err(ValuesError::Truncated { offset: 3 })
    );
    assert_eq!(
        parse(&[1, 3, 0x80]),
        Err(ValuesError::Truncated { offset: 0 })
    );
}

proptest! {
    #[test]
    fn prop_apply_inverts_diff_of_rows_of_few_values((old, new) in rows_of_few_values()) {
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Row(&old), &old, &new)?;
            apply_inverts_encode(encoding, Base::Zero, &vec![0.0; new.len()], &new)?;
        }
    }

    #[test]
    fn prop_apply_inverts_diff_of_rows_of_bytes((old, new) in rows_of_bytes()) {
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Row(&old), &old, &new)?;
            apply_inverts_encode(encoding, Base::Zero, &vec![0.0; new.len()], &new)?;
        }
    }
}
