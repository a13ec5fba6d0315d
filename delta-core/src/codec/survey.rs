//! The two rows of a change, and what one look at them tells an encoder.

use super::packed::BLOCK;

/// A row's components before and after a change, as many of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'r> {
    /// `None`: a row of +0.0.
    old: Option<&'r [f32]>,
    new: &'r [f32],
}

impl<'r> Rows<'r> {
    pub(super) fn new(old: &'r [f32], new: &'r [f32]) -> Self {
        Self {
            old: Some(old),
            new,
        }
    }

    pub(super) fn from_zero(new: &'r [f32]) -> Self {
        Self { old: None, new }
    }

    #[inline]
    pub(super) fn dim(&self) -> usize {
        self.new.len()
    }

    /// The old row is one of +0.0.
    pub(super) fn is_from_zero(&self) -> bool {
        self.old.is_none()
    }

    pub(super) fn new_row(&self) -> &'r [f32] {
        self.new
    }

    /// Greatest biased exponent of an old component. O(dim).
    pub(super) fn old_exponent_max(&self) -> u32 {
        let old = self.old.unwrap_or_default();
        let exponents = old.iter().map(|old| old.to_bits() << 1 >> 24);
        exponents.max().unwrap_or(0)
    }

    /// Old and new components from `start` on; +0.0 in both beyond the end.
    #[inline(always)]
    pub(super) fn block<'b>(&self, start: usize, spare: &'b mut Spare) -> (&'b Block, &'b Block)
    where
        'r: 'b,
    {
        static ZEROS: Block = [0.0; BLOCK];
        let Spare { old, new } = spare;
        let old = match self.old {
            Some(row) => block(row, start, old),
            None => &ZEROS,
        };
        (old, block(self.new, start, new))
    }

    /// Which components from `start` on change.
    #[inline(always)]
    pub(super) fn changed(&self, start: usize) -> u64 {
        let mut spare = Spare::new();
        let (old, new) = self.block(start, &mut spare);
        old.iter().zip(new).rev().fold(0, |mask, (old, new)| {
            mask << 1 | u64::from(old.to_bits() != new.to_bits())
        })
    }
}

/// Components that are looked at together.
pub(super) type Block = [f32; BLOCK];

/// Room for the last block of a row, which is not whole.
pub(super) struct Spare {
    old: Option<Block>,
    new: Option<Block>,
}

impl Spare {
    /// (Not a constant: one would be copied with all its room, at every block.)
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            old: None,
            new: None,
        }
    }
}

/// A block of a row: in place, or put into `rest` if it is not whole.
#[inline(always)]
fn block<'b>(row: &'b [f32], start: usize, rest: &'b mut Option<Block>) -> &'b Block {
    let from = row.get(start..).unwrap_or_default();
    match from.first_chunk() {
        Some(block) => block,
        None => last_block(from, rest),
    }
}

#[cold]
fn last_block<'b>(from: &[f32], rest: &'b mut Option<Block>) -> &'b Block {
    let rest = rest.insert([0.0; BLOCK]);
    for (to, from) in rest.iter_mut().zip(from) {
        *to = *from;
    }
    rest
}

/// The sum of all lanes, by halves. (Lane after lane, the sums of two arrays would be added side by
/// side, and for that the loop before would be compiled for pairs of lanes.)
#[inline(always)]
fn total(mut sums: [f32; 16]) -> f32 {
    for half in [8, 4, 2, 1] {
        let (low, high) = sums.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low += *high;
        }
    }
    let [total, ..] = sums;
    total
}

/// What one pass over the rows finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survey {
    changed: usize,
    /// Or of the bits of all new components.
    any_bits: u32,
    /// Greatest bits of a new component without its sign.
    greatest: u32,
    /// Sum of the absolute differences.
    pub(super) difference: f32,
    /// Sum of the absolute new components.
    pub(super) magnitude: f32,
}

impl Survey {
    /// Looks at `rows`, of which `changed` components change. O(dim).
    #[inline(always)]
    pub(super) fn new(rows: Rows<'_>, changed: usize) -> Self {
        const LANES: usize = 16;
        let (mut any_bits, mut greatest) = ([0_u32; LANES], [0_i32; LANES]);
        let (mut difference, mut magnitude) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for start in (0..rows.dim()).step_by(BLOCK) {
            let mut spare = Spare::new();
            let (olds, news) = rows.block(start, &mut spare);
            for (olds, news) in olds
                .as_chunks::<LANES>()
                .0
                .iter()
                .zip(news.as_chunks::<LANES>().0)
            {
                for (any, new) in any_bits.iter_mut().zip(news) {
                    *any |= new.to_bits();
                }
                for (greatest, new) in greatest.iter_mut().zip(news) {
                    *greatest = (*greatest).max(new.abs().to_bits().cast_signed());
                }
                for (sum, (old, new)) in difference.iter_mut().zip(olds.iter().zip(news)) {
                    *sum += (new - old).abs();
                }
                for (sum, new) in magnitude.iter_mut().zip(news) {
                    *sum += new.abs();
                }
            }
        }
        Self {
            changed,
            any_bits: any_bits.iter().fold(0, |any, lane| any | lane),
            greatest: greatest
                .iter()
                .fold(0, |most, lane| most.max(*lane))
                .cast_unsigned(),
            difference: total(difference),
            magnitude: total(magnitude),
        }
    }

    /// What a look at the change of a row of `dim` +0.0 to the same new row would have found; all
    /// components count as changed, since all of them are written.
    pub(super) fn against_zero(self, dim: usize) -> Self {
        Self {
            changed: dim,
            difference: self.magnitude,
            ..self
        }
    }

    /// Components that change.
    pub(super) fn changed(&self) -> usize {
        self.changed
    }

    /// All new components are finite.
    pub(super) fn is_finite(&self) -> bool {
        self.exponent_max() < 0xff
    }

    /// Greatest biased exponent of a new component.
    pub(super) fn exponent_max(&self) -> u32 {
        self.greatest >> 23
    }

    /// The biased exponent of the greatest power of two of which all new components are multiples,
    /// 150 being that of 1; `None` if all are zero. O(dim).
    pub(super) fn common_exponent(rows: Rows<'_>) -> Option<u32> {
        const LEADING: u32 = 1 << 23;
        let lowest = |component: &f32| {
            let bits = component.to_bits() << 1 >> 1;
            let (exponent, fraction) = (bits >> 23, bits % LEADING);
            let significand = if exponent > 0 {
                fraction | LEADING
            } else {
                fraction
            };
            exponent.max(1) + significand.trailing_zeros()
        };
        let components = rows.new.iter().filter(|component| **component != 0.0);
        components.map(lowest).min()
    }

    /// Low bits that are zero in all new components.
    pub(super) fn trailing_zeros(&self) -> u32 {
        self.any_bits.trailing_zeros()
    }
}
