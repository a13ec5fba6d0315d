//! Encoded values are read as the oracle reads them, or refused by both; they set the bits that
//! they say and predict the digest, on every vector unit of this processor.
//!
//! Input: tag, dim (u16), seed of the old row (u32), encoded values.

use delta_core::codec::Values;
use delta_core::kernel::VectorUnit;

use super::record_stream::same_values;
use crate::oracle::bytes::Bytes;
use crate::oracle::{digest, payload};
use crate::units::units;

/// Components of a row, at most.
const DIM_MAX: u32 = 2048;

pub fn run(input: &[u8]) {
    let mut bytes = Bytes(input);
    let (Some(tag), Some(dim), Some(seed)) = (bytes.u8(), bytes.u16(), bytes.u32()) else {
        return;
    };
    // A high seed stands for a high dim: such rows are parsed only.
    let dim = u32::from(dim) | if seed >> 24 == 0xff { seed << 16 } else { 0 };
    let encoded = bytes.0;
    let (found, expected) = (
        Values::parse(tag, encoded, dim),
        payload::values(tag, encoded, dim),
    );
    let (values, expected) = match (found, expected) {
        (Ok(values), Some(expected)) => (values, expected),
        (Err(_), None) => return,
        (found, expected) => panic!("{found:?} for {expected:?}"),
    };
    assert_eq!(same_values(&values, dim), expected);
    assert_eq!(values.size(), 1 + encoded.len());
    if dim > DIM_MAX {
        return;
    }
    let old = row_of(seed, dim);
    let mut new = old.clone();
    let sound = expected.apply(&mut new).is_some();

    for unit in units() {
        decoded(unit, &values, &old, sound.then_some(&new[..]));
    }
}

/// Decodes on one unit and sets the bits; `new` is the row afterwards, if the values are sound.
fn decoded(unit: VectorUnit, values: &Values<'_>, old: &[u32], new: Option<&[u32]>) {
    let mut row = floats(old);
    let mut scratch = vec![0; values.scratch_size()];
    let changed = values.decode_on(unit, &row, &mut scratch);
    assert_eq!(changed.is_ok(), new.is_some(), "{changed:?}");
    let (Ok(change), Some(new)) = (changed, new) else {
        return;
    };
    let after = digest::row_sum(old).wrapping_add(change.change_sum(&row));
    assert_eq!(after, digest::row_sum(new), "the predicted sum");
    for time in 1..=2 {
        change.apply(&mut row);
        assert_eq!(bits(&row), new, "applied {time} times");
    }
    if !values.tag().is_relative() {
        let again = values
            .decode_on(unit, &row, &mut scratch)
            .expect("sound values");
        assert_eq!(again.change_sum(&row), 0, "decoded against the new row");
    }
}

/// A row of any bits, special ones among them.
pub(super) fn row_of(seed: u32, dim: u32) -> Vec<u32> {
    const SPECIAL: [u32; 8] = [
        0,
        1 << 31,
        0x7fc0_0000,
        0x7f80_0001,
        0xffff_ffff,
        0x7f80_0000,
        1,
        0x3f80_0000,
    ];
    let mut state = seed | 1;
    (0..dim)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            match state & 3 {
                0 => SPECIAL[(state >> 2) as usize % SPECIAL.len()],
                _ => state,
            }
        })
        .collect()
}

pub(super) fn floats(bits: &[u32]) -> Vec<f32> {
    bits.iter().map(|&bits| f32::from_bits(bits)).collect()
}

pub(super) fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|value| value.to_bits()).collect()
}
