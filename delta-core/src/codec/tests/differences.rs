//! Codecs of differences, exact and within a bound.

use super::*;

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

/// Few components, but whole numbers: a byte or two each, not five.
#[test]
fn few_changes_of_whole_numbers_are_differences() {
    let old: Vec<f32> = (0..384_u16)
        .map(|i| f32::from(i * 37 % 255) - 127.0)
        .collect();
    let mut new = old.clone();
    for at in (7..384).step_by(13) {
        new[at] += 1.0;
    }
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    assert_eq!(tag, Tag::Grid);
    assert!(bytes.len() < 29 * 3, "{}", bytes.len());
}

/// Old components that are greater than all new ones do not lengthen the others: 384 differences of
/// up to five bits, and no bit of a component below the step.
#[test]
fn whole_numbers_have_one_step_whatever_they_were() {
    let old: Vec<f32> = (0..384_u16)
        .map(|i| f32::from(i * 37 % 140) - 70.0)
        .collect();
    let new: Vec<f32> = old
        .iter()
        .map(|x| (x + x % 7.0).clamp(-63.0, 63.0))
        .collect();
    let (tag, bytes) = encoded_as(Encoding::EXACT, Base::Row(&old), &new);
    // Bit 5 of the second byte: tails.
    assert_eq!((tag, bytes[1] & 0x20), (Tag::Grid, 0));
    assert!(bytes.len() < 384 * 5 / 8, "{}", bytes.len());
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
    fn prop_apply_inverts_diff_of_near_rows((old, new) in near_rows()) {
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
}
