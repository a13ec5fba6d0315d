//! Encoded values are read as the oracle reads them, set the bits that they say, and predict the
//! digest; what the encoder makes of the change is the smallest candidate and means the same.
//!
//! Input: tag, dim (u16), seed of the old row (u32), encoded values.

use delta_core::codec::{Base, Values, encode, encoded_size_max};

use crate::oracle::bytes::{Bytes, varint};
use crate::oracle::{digest, payload};

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
    assert_eq!(super::record_stream::same_values(&values), expected);
    assert_eq!(values.size(), 1 + encoded.len());
    if dim > DIM_MAX {
        return;
    }
    let old = row_of(seed, dim);
    let mut new = old.clone();
    expected.apply(&mut new);

    let mut row = floats(&old);
    let change = values.change_sum(&row);
    let after = digest::row_sum(&old).wrapping_add(change);
    assert_eq!(after, digest::row_sum(&new), "the predicted sum");
    for time in 1..=2 {
        values.apply(&mut row);
        assert_eq!(bits(&row), new, "applied {time} times");
    }
    encode_again(Base::Row(&floats(&old)), &old, &new);
    encode_again(Base::Zero, &vec![0; new.len()], &new);
}

fn encode_again(base: Base<'_>, old: &[u32], new: &[u32]) {
    let dim = new.len();
    let mut out = vec![0xa5; encoded_size_max(dim) + 8];
    let (tag, size) = encode(base, &floats(new), &mut out).expect("room for any change");
    assert!(out.iter().rev().take(8).all(|&byte| byte == 0xa5));
    assert_eq!(size, smallest(old, new), "the smallest candidate");
    let again = payload::values(tag as u8, &out[..size], dim as u32).expect("sound values");
    let mut row = old.to_vec();
    again.apply(&mut row);
    assert_eq!(row, new);
    if size > 0 {
        let short = encode(base, &floats(new), &mut out[..size - 1]);
        assert!(short.is_err(), "{size} bytes in {}", size - 1);
    }
}

/// Bytes of the smallest encoding: the gap's varint and four bytes a change, or raw.
fn smallest(old: &[u32], new: &[u32]) -> usize {
    let mut next = 0;
    let mut sparse = 0;
    for (index, _) in (0..)
        .zip(old.iter().zip(new))
        .filter(|(_, (old, new))| old != new)
    {
        sparse += varint(index - next).len() + 4;
        next = index + 1;
    }
    sparse.min(4 * new.len())
}

/// A row of any bits, special ones among them.
fn row_of(seed: u32, dim: u32) -> Vec<u32> {
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

fn floats(bits: &[u32]) -> Vec<f32> {
    bits.iter().map(|&bits| f32::from_bits(bits)).collect()
}

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|value| value.to_bits()).collect()
}
