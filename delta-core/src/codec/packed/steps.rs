//! The codec `steps`: changes rounded to steps of twice the bound (WIRE.md, section 4, tags 5 and
//! 6).
//!
//! The row after the change is the one before it plus whole steps, so the encoder knows in every
//! bit what a decoder will have. It measures the next change against that: errors do not add up.

use super::{
    BLOCK, Numbers, Olds, Source, Target, lanes,
    listing::{self, ListKind, Listing},
    mask_of, pack,
    scale::Scale,
    unpack, unzigzag, zigzag,
};
use crate::codec::{
    Bound, ValuesError,
    survey::{Rows, Spare},
};

/// Bytes before the list.
const HEAD_SIZE: usize = 5;
/// Greatest number of steps of a component: they are counted without rounding.
const STEPS_MAX: f32 = 4_194_304.0;
/// Sign bit of a 16-bit float, free in those that are positive.
const SIGN: u16 = 1 << 15;

/// Steps of a row: twice the bound times the root mean square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Steps {
    bound: Bound,
    /// Upper 16 bits of the root mean square of the new row, or of a number below it.
    rms: u16,
}

impl Steps {
    /// The step, if it is a number to divide by.
    fn size(self) -> Option<f32> {
        let rms = f32::from_bits(u32::from(self.rms) << 16);
        // Both have 8 significant bits: the product is exact.
        let size = 2.0 * self.bound.get() * rms;
        (size.is_normal() && (1.0 / size).is_normal()).then_some(size)
    }
}

/// The component after a change.
#[inline(always)]
fn stepped(old: f32, steps: i32, size: f32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "at most 2^22 from any encoder")]
    let new = old + steps as f32 * size;
    if new.is_nan() {
        f32::from_bits(0x7fc0_0000)
    } else {
        new
    }
}

/// The steps nearest to a difference of at most [`STEPS_MAX`] steps; of a greater one any number.
#[inline(always)]
fn nearest_steps(difference: f32, inverse: f32) -> i32 {
    /// Adding it rounds a small number to a whole one, the nearest, ties to even, which then
    /// stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let rounded = (difference * inverse + ROUND).to_bits();
    rounded.wrapping_sub(ROUND.to_bits()).cast_signed()
}

/// Rows, and how long a step is.
struct Rounded<'r> {
    rows: Rows<'r>,
    /// 1 / size.
    inverse: f32,
}

impl Source for Rounded<'_> {
    fn dim(&self) -> usize {
        self.rows.dim()
    }

    #[inline(always)]
    fn fill(&self, start: usize, numbers: &mut Numbers) {
        let mut spare = Spare::new();
        let (olds, news) = self.rows.block(start, &mut spare);
        for ((number, old), new) in numbers.iter_mut().zip(olds).zip(news) {
            *number = zigzag(nearest_steps(new - old, self.inverse));
        }
    }

    #[inline(always)]
    fn changed(&self, start: usize, numbers: &Numbers) -> u64 {
        let mask = numbers
            .iter()
            .rev()
            .fold(0, |mask, number| mask << 1 | u64::from(*number != 0));
        mask & mask_of(lanes(self.dim(), start))
    }
}

/// A change that the codec can encode.
pub(in crate::codec) struct Plan<'r> {
    source: Rounded<'r>,
    steps: Steps,
    kind: ListKind,
    changed: usize,
    scale: Scale,
    /// Bits of the encoded values, about.
    pub(in crate::codec) bits: f32,
}

impl<'r> Plan<'r> {
    /// How to encode `rows` so that no component is off by more than `bound` times the root mean
    /// square of the new row; `None` if that cannot be. O(dim).
    #[inline(always)]
    pub(in crate::codec) fn new(rows: Rows<'r>, bound: Bound) -> Option<Self> {
        let square = mean_square(rows.new_row());
        let below_rms = square_root(square) * (1.0 - 1.0 / 4096.0);
        let rms = u16::try_from(below_rms.to_bits() >> 16).ok()?;
        // A sum that rounds the wrong way can put a component beyond the bound: one smaller step.
        for less in 0..2 {
            let rms = rms.checked_sub(less)?;
            let plan = Self::with_steps(rows, Steps { bound, rms }, square);
            if plan.is_some() {
                return plan;
            }
        }
        None
    }

    #[inline(always)]
    fn with_steps(rows: Rows<'r>, steps: Steps, mean_square: f64) -> Option<Self> {
        let size = steps.size()?;
        let source = Rounded {
            rows,
            inverse: 1.0 / size,
        };
        let bound = f64::from(steps.bound.get());
        let check = Check::new(rows, size, bound * bound * mean_square)?;
        let dim = rows.dim();
        let mean = check.mean(dim);
        let kind = ListKind::choose(rows, check.changed, super::number_bits(mean));
        let count = kind.selection().count(dim, check.changed);
        let scale = Scale::choose(&source, kind.selection(), check.mean(count));
        Some(Self {
            source,
            steps,
            kind,
            changed: check.changed,
            scale,
            bits: super::row_bits(dim, mean),
        })
    }

    /// Writes the encoded values and returns their size; `None` if `out` is too small. O(dim).
    #[inline(always)]
    pub(in crate::codec) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (head, rest) = out.split_first_chunk_mut::<HEAD_SIZE>()?;
        let mut bound = self.steps.bound.to_wire();
        let mut rms = self.steps.rms;
        match self.kind {
            ListKind::All => {}
            ListKind::Changed => bound |= SIGN,
            ListKind::Unchanged => rms |= SIGN,
        }
        let ([b0, b1], [r0, r1]) = (bound.to_le_bytes(), rms.to_le_bytes());
        *head = [self.scale.to_wire(), b0, b1, r0, r1];
        let list_size = listing::write(self.kind, &self.source, self.changed, rest)?;
        let rest = rest.get_mut(list_size..)?;
        let selection = self.kind.selection();
        let count = selection.count(self.source.dim(), self.changed);
        let packed_size = pack(&self.source, selection, count, self.scale, rest)?;
        Some(HEAD_SIZE + list_size + packed_size)
    }
}

/// What a look at the row after the change finds, if every component is within the bound.
struct Check {
    changed: usize,
    /// Sum of the absolute steps, about.
    steps: f32,
}

impl Check {
    #[inline(always)]
    fn new(rows: Rows<'_>, size: f32, error_square_max: f64) -> Option<Self> {
        const LANES: usize = 16;
        let inverse = 1.0 / size;
        let (mut sums, mut changed, mut errors) =
            ([0.0_f32; LANES], [0_u32; LANES], [0.0_f32; LANES]);
        let mut sound = true;
        for start in (0..rows.dim()).step_by(BLOCK) {
            let mut spare = Spare::new();
            let (olds, news) = rows.block(start, &mut spare);
            for (olds, news) in olds
                .as_chunks::<LANES>()
                .0
                .iter()
                .zip(news.as_chunks::<LANES>().0)
            {
                let totals = sums.iter_mut().zip(&mut changed).zip(&mut errors);
                for (((sum, changed), error), (old, new)) in totals.zip(olds.iter().zip(news)) {
                    let steps = nearest_steps(new - old, inverse);
                    let off = (stepped(*old, steps, size) - new).abs();
                    let magnitude = ((new - old) * inverse).abs();
                    // False for a NaN, too.
                    sound &= magnitude <= STEPS_MAX && off < f32::INFINITY;
                    *error = error.max(off);
                    *sum += magnitude;
                    *changed += u32::from(steps != 0);
                }
            }
        }
        // A difference of floats this close is exact.
        let error = f64::from(errors.iter().fold(0.0_f32, |most, error| most.max(*error)));
        (sound && error * error <= error_square_max).then(|| Self {
            changed: changed.iter().map(|count| *count as usize).sum(),
            steps: sums.iter().sum(),
        })
    }

    /// Mean of the absolute steps of `count` components.
    fn mean(&self, count: usize) -> f32 {
        self.steps / super::as_f32(count.max(1))
    }
}

/// Makes components of numbers.
struct Stepped<'d, 'o> {
    size: f32,
    olds: &'d mut Olds<'o>,
}

impl Target for Stepped<'_, '_> {
    #[inline(always)]
    fn turn(&mut self, numbers: &mut Numbers) {
        let mut spare = [0.0; BLOCK];
        let olds = self.olds.next(&mut spare);
        for (number, old) in numbers.iter_mut().zip(olds) {
            *number = stepped(*old, unzigzag(*number), self.size).to_bits();
        }
    }
}

/// Mean of the squares of a row's components.
#[inline(always)]
fn mean_square(row: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    for chunk in row.chunks(sums.len()) {
        for (sum, component) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*component) * f64::from(*component);
        }
    }
    let sum: f64 = sums.iter().sum();
    sum / f64::from(u32::try_from(row.len().max(1)).unwrap_or(u32::MAX))
}

/// The square root of a number that is not negative, nearly: by Newton's method, since `core` has
/// none.
#[expect(clippy::cast_possible_truncation, reason = "rounds")]
fn square_root(square: f64) -> f32 {
    if square == 0.0 || !square.is_finite() {
        return 0.0;
    }
    let mut root = f64::from_bits((square.to_bits() >> 1) + (1023 << 51));
    for _ in 0..4 {
        root = 0.5 * (root + square / root);
    }
    root as f32
}

/// Checked values of this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepsValues<'a> {
    bytes: &'a [u8],
    steps: Steps,
    /// The change is measured against +0.0, not against the old row.
    from_zero: bool,
    scale: Scale,
    listing: Listing<'a>,
    numbers: &'a [u8],
}

impl<'a> StepsValues<'a> {
    /// Checks the head and the list; what lies behind is checked by [`Self::decode`].
    pub(in crate::codec) fn parse(
        bytes: &'a [u8],
        dim: u32,
        from_zero: bool,
    ) -> Result<Self, ValuesError> {
        let (&[scale, b0, b1, r0, r1], _) = bytes
            .split_first_chunk::<HEAD_SIZE>()
            .ok_or(ValuesError::truncated(bytes.len()))?;
        let parameter = |offset| ValuesError::Parameter { offset };
        let scale = Scale::from_wire(scale).ok_or(parameter(0))?;
        let (bound, rms) = (u16::from_le_bytes([b0, b1]), u16::from_le_bytes([r0, r1]));
        let kind = match (bound & SIGN, rms & SIGN) {
            (0, 0) => ListKind::All,
            (_, 0) => ListKind::Changed,
            (0, _) => ListKind::Unchanged,
            _ => return Err(parameter(3)),
        };
        if from_zero && kind != ListKind::All {
            return Err(parameter(1));
        }
        let steps = Steps {
            bound: Bound::from_wire(bound & !SIGN).ok_or(parameter(1))?,
            rms: rms & !SIGN,
        };
        steps.size().ok_or(parameter(3))?;
        let mut at = HEAD_SIZE;
        let listing = Listing::parse(kind, bytes, &mut at, dim)?;
        Ok(Self {
            bytes,
            steps,
            from_zero,
            scale,
            listing,
            numbers: bytes.get(at..).unwrap_or_default(),
        })
    }

    /// The encoded bytes, without the tag.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// No component is off by more than this many times the root mean square of the new row.
    #[inline]
    pub fn bound(&self) -> Bound {
        self.steps.bound
    }

    /// The change is measured against +0.0: it can be applied to any row.
    #[inline]
    pub fn is_from_zero(&self) -> bool {
        self.from_zero
    }

    pub(in crate::codec) fn listing(&self) -> &Listing<'a> {
        &self.listing
    }

    /// Decodes the new bits of the components that change, in order, into `out`, which has one
    /// element for each. O(changes).
    #[inline(always)]
    pub(in crate::codec) fn decode(
        &self,
        old: &[f32],
        out: &mut [[u8; 4]],
    ) -> Result<(), ValuesError> {
        let size = self.steps.size().unwrap_or(0.0);
        let mut olds = Olds::new(old, &self.listing, self.from_zero);
        let mut components = Stepped {
            size,
            olds: &mut olds,
        };
        let rest = unpack(self.numbers, out, self.scale, &mut components)?;
        if rest.is_empty() {
            Ok(())
        } else {
            Err(ValuesError::truncated(self.bytes.len()))
        }
    }
}
