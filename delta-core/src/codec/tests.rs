use super::{
    Base, Bound, CodecSet, DecodeError, EncodeError, Encoding, RowChange, Tag, Values, ValuesError,
    encode, encode_as, encode_summed, encoded_size_max,
    sparse::{SparseValues, SparseWriter},
};
use crate::{
    kernel::{diff::DiffError, digest::row_sum},
    testing::{any_change, any_row, bits_of},
};
use proptest::{collection::vec, prelude::*};

mod differences;
mod discrete;
mod lz4;
mod plain;

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
        CodecSet::RAW.with(Tag::Flips),
        CodecSet::RAW.with(Tag::Bytes),
    ];
    sets.into_iter().map(|codecs| Encoding {
        codecs,
        ..Encoding::EXACT
    })
}

proptest! {
    #[test]
    fn prop_apply_inverts_diff((old, new) in any_change(300)) {
        for encoding in exact_encodings() {
            apply_inverts_encode(encoding, Base::Row(&old), &old, &new)?;
        }
    }

    #[test]
    fn prop_any_bytes_decode_or_are_refused(
        tag in 0..12_u8,
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
}
