//! The kernels against slow oracles, over any bits, lengths and alignments, on every vector unit of
//! this processor.
//!
//! Input: mode, epsilon (f32 bits), then the old row, and the new one or the edits of it.

use core::ops::ControlFlow;

use delta_core::kernel::distance::{Metric, Query};
use delta_core::kernel::{apply, diff, digest};

use crate::oracle::bytes::Bytes;
use crate::oracle::digest as oracle;
use crate::oracle::distance as distance_oracle;
use crate::units::units;

pub fn run(input: &[u8]) {
    let mut bytes = Bytes(input);
    let (Some(mode), Some(epsilon)) = (bytes.u8(), bytes.u32()) else {
        return;
    };
    let (front, back) = bytes.0.split_at(bytes.0.len() / 2);
    let old = words(front);
    let new = match mode & 1 {
        0 => words(back).into_iter().take(old.len()).collect(),
        _ => edited(&old, back),
    };
    // Rows begin in the middle of a block of memory, at any lane.
    let skipped = usize::from(mode >> 4);
    let lead = vec![0x7fc0_0001; skipped];
    let old_row = floats(&[&lead[..], &old].concat());
    let new_row = floats(&[&lead[..], &new].concat());
    let (old_row, new_row) = (&old_row[skipped..], &new_row[skipped..]);
    sums(old_row, &old);
    distances(old_row, new_row);
    if old.len() == new.len() {
        differences(old_row, new_row, f32::from_bits(epsilon), usize::from(mode));
        changes(old_row, &old, &new, usize::from(mode >> 1 & 7));
    } else {
        assert!(diff::count_changed(old_row, new_row).is_err());
        for unit in units() {
            assert!(diff::diff_on(unit, old_row, new_row, &mut [], &mut []).is_err());
        }
        assert!(digest::row_change_sum_le(old_row, &le(&new)).is_err());
        let mut row = old_row.to_vec();
        assert!(apply::copy_bits_le(&mut row, &le(&new)).is_err());
        assert_eq!(bits(&row), old, "a refused copy");
    }
    scatter(old_row, &old, back);
}

/// Which components differ, by bits and beyond an epsilon.
fn differences(old: &[f32], new: &[f32], epsilon: f32, breaks_after: usize) {
    let pairs = || (0_u32..).zip(old.iter().zip(new));
    let changed: Vec<(u32, u32)> = pairs()
        .filter(|(_, (old, new))| old.to_bits() != new.to_bits())
        .map(|(index, (_, new))| (index, new.to_bits()))
        .collect();
    let beyond: Vec<(u32, u32)> = pairs()
        .filter(|(_, (old, new))| old.to_bits() != new.to_bits())
        .filter(|(_, (old, new))| {
            let is_within = (*new - *old).abs() <= epsilon;
            !is_within
        })
        .map(|(index, (_, new))| (index, new.to_bits()))
        .collect();
    assert_eq!(diff::count_changed(old, new), Ok(changed.len()));

    let mut seen = Vec::new();
    let flow = diff::for_each_changed(old, new, |index, bits| {
        seen.push((index, bits));
        match seen.len() == breaks_after {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let breaks = (1..=changed.len()).contains(&breaks_after);
    assert_eq!(flow.map(|flow| flow.is_break()), Ok(breaks));
    let calls = if breaks { breaks_after } else { changed.len() };
    assert_eq!(seen, changed[..calls]);

    for unit in units() {
        lists(&changed, |indices, values| {
            diff::diff_on(unit, old, new, indices, values)
        });
    }
    lists(&changed, |indices, values| {
        diff::diff(old, new, indices, values)
    });
    lists(&beyond, |indices, values| {
        diff::diff_within(old, new, epsilon, indices, values)
    });
}

/// A diff lists what is expected, and no less room suffices.
fn lists(
    expected: &[(u32, u32)],
    diff: impl Fn(&mut [u32], &mut [f32]) -> Result<usize, diff::DiffError>,
) {
    let listed = |capacity: usize| {
        let (mut indices, mut values) = (vec![0; capacity], vec![0.0; capacity]);
        let count = diff(&mut indices, &mut values).ok()?;
        let listed = indices.into_iter().zip(bits(&values));
        Some(listed.take(count).collect::<Vec<_>>())
    };
    assert_eq!(listed(expected.len()).as_deref(), Some(expected));
    if let Some(short) = expected.len().checked_sub(1) {
        assert_eq!(listed(short), None, "an output of {short}");
    }
}

/// The same bits on every unit, in both directions.
fn distances(a: &[f32], b: &[f32]) {
    const METRICS: [(Metric, distance_oracle::Metric); 3] = [
        (Metric::SquaredL2, distance_oracle::Metric::SquaredL2),
        (Metric::Dot, distance_oracle::Metric::Dot),
        (Metric::Cosine, distance_oracle::Metric::Cosine),
    ];
    const NAN: u32 = 0x7fc0_0000;
    for (metric, oracle) in METRICS {
        for (a, b) in [(a, b), (b, a), (a, a)] {
            let expected = match a.len() == b.len() {
                true => distance_oracle::distance(oracle, a, b),
                false => NAN,
            };
            for unit in units() {
                let found = Query::new(metric, a).on(unit).distance_to(b).to_bits();
                assert_eq!(found, expected, "{metric:?} on {unit:?}");
            }
        }
    }
}

/// From the old row to the new one, and what that adds to the sum.
fn changes(row: &[f32], old: &[u32], new: &[u32], misaligned: usize) {
    let change = oracle::row_sum(new).wrapping_sub(oracle::row_sum(old));
    let changed = || {
        (0_u32..)
            .zip(old.iter().zip(new))
            .filter(|(_, (a, b))| a != b)
    };
    let by_lane = changed().fold(0, |sum: u64, (index, (old, new))| {
        sum.wrapping_add(digest::lane_change(index, *old, *new))
    });
    assert_eq!(by_lane, change);
    let new_le = [vec![0xa5; misaligned], le(new)].concat();
    let new_le = &new_le[misaligned..];
    assert_eq!(digest::row_change_sum_le(row, new_le), Ok(change));

    let mut copied = row.to_vec();
    assert_eq!(apply::copy_bits_le(&mut copied, new_le), Ok(()));
    assert_eq!(bits(&copied), new);

    let (indices, values): (Vec<u32>, Vec<f32>) = changed()
        .map(|(index, (_, new))| (index, f32::from_bits(*new)))
        .unzip();
    let mut scattered = row.to_vec();
    assert_eq!(apply::scatter(&mut scattered, &indices, &values), Ok(()));
    assert_eq!(bits(&scattered), new);
}

fn sums(row: &[f32], bits: &[u32]) {
    assert_eq!(digest::row_sum(row), oracle::row_sum(bits));
}

/// Any indices: all are written in order, or none.
fn scatter(row: &[f32], old: &[u32], bytes: &[u8]) {
    let dim = old.len();
    let indices: Vec<u32> = bytes
        .iter()
        .map(|&byte| match byte {
            // Beyond the row, near and far.
            0xff => u32::MAX,
            0xfe => 1 << 31,
            byte => u32::from(byte) % (dim as u32 + 1),
        })
        .collect();
    let values: Vec<u32> = (1..=indices.len() as u32).collect();
    let fits = indices.iter().all(|&index| (index as usize) < dim);
    let mut expected = old.to_vec();
    if fits {
        for (&index, &value) in indices.iter().zip(&values) {
            expected[index as usize] = value;
        }
    }
    let mut scattered = row.to_vec();
    let found = apply::scatter(&mut scattered, &indices, &floats(&values));
    assert_eq!(found.is_ok(), fits);
    assert_eq!(bits(&scattered), expected);
    if let [_, rest @ ..] = &values[..] {
        assert!(apply::scatter(&mut scattered, &indices, &floats(rest)).is_err());
        assert_eq!(bits(&scattered), expected);
    }
}

/// `old` with components set: an index (u16) and bits each.
fn edited(old: &[u32], mut bytes: &[u8]) -> Vec<u32> {
    let mut new = old.to_vec();
    while let [i0, i1, b0, b1, b2, b3, rest @ ..] = bytes {
        let index = usize::from(u16::from_le_bytes([*i0, *i1])) % new.len().max(1);
        if let Some(lane) = new.get_mut(index) {
            *lane = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
        }
        bytes = rest;
    }
    new
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
        .collect()
}

fn le(bits: &[u32]) -> Vec<u8> {
    bits.iter().flat_map(|bits| bits.to_le_bytes()).collect()
}

fn floats(bits: &[u32]) -> Vec<f32> {
    bits.iter().map(|&bits| f32::from_bits(bits)).collect()
}

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|value| value.to_bits()).collect()
}
