//! A tensor's terms of the state digest (WIRE.md, section 9).

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    digest::{mix, slot_key},
    kernel::digest::lane_change,
    payload::tensor::{DType, RANK_MAX, Shape},
};

const ROW_DOMAIN: u64 = 0x3_0000_0000;

/// The odd key of a row of the tensor in `slot`.
pub(super) const fn row_key(slot: u32, row: u32) -> u64 {
    // A cast, since u64::from is not const.
    #[allow(
        clippy::cast_lossless,
        reason = "u64::from cannot be called in a const function"
    )]
    let row = row as u64;
    mix(slot_key(slot) ^ mix(ROW_DOMAIN + row)) | 1
}

/// The term of a tensor's element type and shape.
pub(super) fn shape_term(slot: u32, dtype: DType, shape: &Shape) -> u64 {
    let mut bytes = [0; 2 + 4 * RANK_MAX];
    let extents = shape.extents();
    let (head, rest) = bytes.split_at_mut(2);
    // At most RANK_MAX axes.
    head.copy_from_slice(&[dtype as u8, extents.len().to_le_bytes()[0]]);
    for (field, extent) in rest.as_chunks_mut::<4>().0.iter_mut().zip(extents) {
        *field = extent.to_le_bytes();
    }
    let used = bytes.get(..2 + size_of_val(extents)).unwrap_or_default();
    mix(slot_key(slot) ^ xxh3_64(used))
}

/// The sum of elements of one tensor, given run by run.
pub(super) struct Sum {
    slot: u32,
    /// Bytes of an element.
    width: usize,
    /// Elements of a row.
    row_elements: usize,
    /// Place of the next element among all of the tensor.
    index: usize,
    /// Mod 2^64.
    pub(super) total: u64,
}

impl Sum {
    pub(super) fn new(slot: u32, dtype: DType, shape: &Shape) -> Self {
        Self {
            slot,
            width: dtype.width(),
            row_elements: shape.row_elements() as usize,
            index: 0,
            total: 0,
        }
    }

    /// The next run begins at element `index`.
    pub(super) fn seek(&mut self, index: usize) {
        self.index = index;
    }

    /// Goes over `count` elements that are zero, which add nothing.
    pub(super) fn skip(&mut self, count: usize) {
        self.index += count;
    }

    /// Adds the elements of the next run.
    pub(super) fn add(&mut self, mut run: &[u8]) {
        while !run.is_empty() && self.row_elements > 0 {
            let (row, lane) = (
                self.index / self.row_elements,
                self.index % self.row_elements,
            );
            let left = (self.row_elements - lane) * self.width;
            let (piece, rest) = run.split_at(left.min(run.len()));
            let lanes = lane_sum(lane, piece, self.width);
            // There are at most 2^30 rows.
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            self.total = self
                .total
                .wrapping_add(row_key(self.slot, row).wrapping_mul(lanes));
            self.index += piece.len() / self.width;
            run = rest;
        }
    }
}

/// Sum of the bits of elements from place `lane` of a row on, times their lane keys.
fn lane_sum(lane: usize, run: &[u8], width: usize) -> u64 {
    fn of(lane: usize, elements: impl Iterator<Item = u32>) -> u64 {
        // A row has at most 2^30 elements.
        let lane = u32::try_from(lane).unwrap_or(u32::MAX);
        (lane..).zip(elements).fold(0, |sum: u64, (lane, bits)| {
            sum.wrapping_add(lane_change(lane, 0, bits))
        })
    }
    match width {
        1 => of(lane, run.iter().map(|byte| u32::from(*byte))),
        2 => {
            let (elements, _) = run.as_chunks();
            of(
                lane,
                elements
                    .iter()
                    .map(|bits| u32::from(u16::from_le_bytes(*bits))),
            )
        }
        _ => {
            let (elements, _) = run.as_chunks();
            of(lane, elements.iter().map(|bits| u32::from_le_bytes(*bits)))
        }
    }
}
