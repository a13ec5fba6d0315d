//! What a grid would cost, from a look at the rows.

use super::{
    BLOCK, Numbers, SAMPLE, as_f32, lanes, row_bits,
    step::{Grid, on_step, whole_steps},
};
use crate::codec::survey::{Block, Rows, Spare};
use core::ops::AddAssign;

/// What a grid costs.
#[derive(Clone, Copy)]
pub(super) struct Estimate {
    pub(super) grid: Grid,
    /// Some component has bits below its step.
    pub(super) has_tails: bool,
    /// Bits below steps.
    tail_bits: f32,
    /// Sum of the absolute differences in steps, about.
    steps: f32,
}

impl Estimate {
    /// By some of the blocks, and as if there were tails; if `thorough`, by all.
    #[inline(always)]
    pub(super) fn new(rows: Rows<'_>, grid: Grid, thorough: bool) -> Self {
        const LANES: usize = 16;
        let step = if thorough { 1 } else { SAMPLE };
        let (mut steps, mut tail_bits) = ([0.0_f32; LANES], [0_u32; LANES]);
        let (mut differences, mut counts) = ([0.0_f32; BLOCK], [0_u32; BLOCK]);
        let mut any_off = false;
        let mut seen = 0;
        for start in (0..rows.dim()).step_by(BLOCK * step) {
            seen += lanes(rows.dim(), start);
            let mut spare = Spare::new();
            let (olds, news) = rows.block(start, &mut spare);
            costs(grid, olds, news, &mut differences, &mut counts);
            for (differences, counts) in differences.as_chunks().0.iter().zip(counts.as_chunks().0)
            {
                add(&mut steps, differences);
                add(&mut tail_bits, counts);
            }
            if thorough {
                any_off |= any_off_step(grid, olds, news);
            }
        }
        let scale = as_f32(rows.dim()) / as_f32(seen.max(1));
        let has_tails = !thorough || any_off;
        let bits = as_f32(tail_bits.iter().sum::<u32>() as usize) * scale;
        Self {
            grid,
            has_tails,
            tail_bits: if has_tails { bits } else { 0.0 },
            steps: steps.iter().sum::<f32>() * scale,
        }
    }

    /// Mean of the absolute differences of `count` components, in steps.
    pub(super) fn mean(&self, count: usize) -> f32 {
        self.steps / as_f32(count.max(1))
    }

    /// Bits of all numbers and tails of a row, about.
    pub(super) fn bits(&self, dim: usize) -> f32 {
        self.bits_of(dim, dim)
    }

    /// Bits of the numbers and tails of `count` components of a row of `dim`, all that change.
    pub(super) fn bits_of(&self, count: usize, dim: usize) -> f32 {
        let share = as_f32(count) / as_f32(dim.max(1));
        row_bits(count, self.mean(count)) + self.tail_bits * share
    }
}

/// Absolute differences in steps, and bits below them.
#[inline(always)]
fn costs(grid: Grid, olds: &Block, news: &Block, steps: &mut Block, tail_bits: &mut Numbers) {
    for ((steps, old), new) in steps.iter_mut().zip(olds).zip(news) {
        *steps = ((new - old) * grid.lane(*old).inverse).abs();
    }
    for ((bits, old), new) in tail_bits.iter_mut().zip(olds).zip(news) {
        *bits = grid.tail_bits(grid.lane(*old), *new);
    }
}

/// Adds lane by lane.
#[inline(always)]
fn add<T: Copy + AddAssign, const N: usize>(sums: &mut [T; N], numbers: &[T; N]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += *number;
    }
}

/// Some new component is not on a step.
#[inline(always)]
fn any_off_step(grid: Grid, olds: &Block, news: &Block) -> bool {
    let off = olds.iter().zip(news).fold(0, |off, (old, new)| {
        let lane = grid.lane(*old);
        off | on_step(whole_steps(*new, lane), lane).to_bits() ^ new.to_bits()
    });
    off != 0
}
