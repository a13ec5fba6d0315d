//! What an encoder makes of any two rows, with any codecs to choose from, the oracle decodes to the
//! new row: exactly, or within the bound. No codec needs more than raw; where all may be chosen,
//! nor more than sparse; every vector unit makes the same bytes.
//!
//! Input: codecs, bound (u16), kind of the rows, seed (u32), then the old row's bits, a word each,
//! and a byte of change for each of them.

use delta_core::codec::{Base, Bound, CodecSet, Encoding, Tag, encode_as, encoded_size_max};

use super::codec_decode::{bits, floats, row_of};
use crate::oracle::bytes::{Bytes, varint};
use crate::oracle::payload;
use crate::units::units;

/// Components of a row, at most.
const DIM_MAX: usize = 2048;

/// What the bits of the input's first byte add to `raw`.
const CHOICE: [&[Tag]; 8] = [
    &[Tag::Flips, Tag::Bytes],
    &[Tag::Sparse],
    &[Tag::Grid],
    &[Tag::GridFromZero],
    &[Tag::Steps],
    &[Tag::StepsFromZero],
    &[Tag::Ranks],
    &[Tag::RanksFromZero],
];

pub fn run(input: &[u8]) {
    let mut bytes = Bytes(input);
    let (Some(codecs), Some(bound), Some(kind)) = (bytes.u8(), bytes.u16(), bytes.u8()) else {
        return;
    };
    let Some(seed) = bytes.u32() else { return };
    let (old, new) = rows(kind, seed, bytes.0);
    let codecs = (0..8)
        .filter(|bit| codecs >> bit & 1 == 1)
        .flat_map(|bit| CHOICE[bit])
        .fold(CodecSet::RAW, |set, tag| set.with(*tag));
    let encoding = Encoding {
        codecs,
        bound: Bound::new(f32::from_bits(u32::from(bound) << 16)).ok(),
        ..Encoding::EXACT
    };
    check(encoding, Base::Row(&floats(&old)), &old, &new);
    check(encoding, Base::Zero, &vec![0; new.len()], &new);
    for codecs in [CodecSet::ALL, CodecSet::WHOLE] {
        let exact = Encoding {
            codecs,
            bound: None,
            ..Encoding::EXACT
        };
        check(exact, Base::Row(&floats(&old)), &old, &new);
    }
}

/// Rows of any bits, or near each other in one of several ways.
fn rows(kind: u8, seed: u32, input: &[u8]) -> (Vec<u32>, Vec<u32>) {
    let dim = (input.len() / 5).min(DIM_MAX);
    let (words, changes) = input.split_at(4 * dim);
    let words = words
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().expect("four")));
    let random = row_of(seed, dim as u32);
    if kind & 0xf == 0xd {
        return words.zip(changes).map(of_bytes).unzip();
    }
    if kind & 3 == 1 {
        return words
            .zip(changes)
            .map(|(word, &change)| of_few_values(kind, &random, word, change))
            .unzip();
    }
    let old: Vec<u32> = words.collect();
    let coarse = [0, 0, 13, 16][usize::from(kind & 3)];
    let new = old
        .iter()
        .zip(changes)
        .zip(&random)
        .map(|((&old, &change), &random)| {
            let value = f32::from_bits(old);
            let change = f32::from(change.cast_signed()) / 128.0;
            let moved = match kind >> 2 & 3 {
                0 => value + change,
                1 => value + value * change,
                2 if change > 0.5 => return random,
                2 => return old,
                _ => value + change * 2.0_f32.powi(-(i32::from(kind >> 4))),
            };
            moved.to_bits() >> coarse << coarse
        });
    let new = new.collect();
    (old, new)
}

/// A byte of which bits flip, or, rarely, a component of any bits, before or after.
fn of_bytes((word, change): (u32, &u8)) -> (u32, u32) {
    let [old, flips, dice, rare] = word.to_le_bytes();
    let byte = |byte: u8| f32::from(byte).to_bits();
    match rare {
        0 => (word, byte(*change)),
        1 => (byte(*change), word),
        _ => (byte(old), byte(old ^ (flips & dice & change))),
    }
}

/// A component of one of the first values of a row, or, rarely, of any bits, before and after.
fn of_few_values(kind: u8, values: &[u32], word: u32, change: u8) -> (u32, u32) {
    let few = (1 + 9 * usize::from(kind >> 4)).min(values.len());
    let old = values[word as usize % few];
    let new = match change & 7 {
        7 => word,
        least if least > kind >> 2 & 3 => old,
        _ => values[usize::from(change) % few],
    };
    (old, new)
}

fn check(encoding: Encoding, base: Base<'_>, old: &[u32], new: &[u32]) {
    let size_max = encoded_size_max(new.len());
    let mut out = vec![0xa5; size_max + 8];
    let new_row = floats(new);
    let (tag, size) = encode_as(encoding, base, &new_row, &mut out).expect("room for any change");
    assert!(size <= size_max && out[size_max..].iter().all(|&byte| byte == 0xa5));
    assert!(tag == Tag::Raw || encoding.codecs.has(tag), "{tag:?}");
    if encoding.codecs == CodecSet::ALL && encoding.bound.is_none() {
        assert!(size <= sparse_size(old, new), "more than sparse");
    }
    for unit in units() {
        let mut same = vec![0; size_max];
        let made = encode_as(Encoding { unit, ..encoding }, base, &new_row, &mut same);
        assert_eq!(made, Ok((tag, size)), "{unit:?}");
        assert_eq!(same[..size], out[..size], "{unit:?}");
    }
    let values = payload::values(tag as u8, &out[..size], new.len() as u32).expect("sound values");
    let mut row = old.to_vec();
    values.apply(&mut row).expect("sound values");
    match encoding.bound.filter(|_| tag.is_lossy()) {
        None => assert_eq!(row, new),
        Some(bound) => {
            let square = |x: &f32| f64::from(*x) * f64::from(*x);
            let mean = new_row.iter().map(square).sum::<f64>() / new.len() as f64;
            let limit = square(&bound.get()) * mean * (1.0 + 1e-9);
            for (found, new) in floats(&row).iter().zip(&new_row) {
                let error = f64::from(*found) - f64::from(*new);
                assert!(error * error <= limit, "{error} for {bound:?}");
            }
        }
    }
    assert_eq!(bits(&new_row), new);
    if size_max > 0 {
        let short = encode_as(encoding, base, &new_row, &mut out[..size_max - 1]);
        assert!(short.is_err());
    }
}

/// Bytes of the sparse encoding.
fn sparse_size(old: &[u32], new: &[u32]) -> usize {
    let mut next = 0;
    let changed = (0..)
        .zip(old.iter().zip(new))
        .filter(|(_, (old, new))| old != new);
    changed.fold(0, |size, (index, _)| {
        let gap = index - next;
        next = index + 1;
        size + varint(gap).len() + 4
    })
}
