//! The codec `grid`: exact changes as whole steps of a power of two (WIRE.md, section 4, tags 3
//! and 4).
//!
//! A component is cut to a multiple of its lane's step, and so is the old one; their difference in
//! steps is the number that is written. Bits below the step, of components smaller than the step
//! was made for, follow as they are. Where changes have one size all over the row (a re-embedded
//! text) the step is one for all lanes; where they are in proportion to the component (rounding, a
//! multiplied row) it follows the old component's exponent. A sign that flips costs nothing, other
//! than in a difference of ordered bit patterns, and rows of 16-bit or 8-bit origin, whose low bits
//! are zeros, need no codec of their own.

use super::{
    BLOCK, Numbers, Olds, Source, Target, as_f32,
    estimate::Estimate,
    listing::{self, ListKind, Listing, Selection},
    number_bits, pack,
    scale::Scale,
    step::{EXPONENT_MAX, EXPONENT_MIN, FRACTION_BITS, Grid, TRIMMED_MAX, on_step, whole_steps},
    tails, unpack, unzigzag, zigzag,
};
use crate::codec::{
    ValuesError,
    bits::BitReader,
    survey::{Block, Rows, Spare, Survey},
};

/// Bytes before the list.
const HEAD_SIZE: usize = 3;
/// By how much the exponent that the least step is made for is lowered as long as that helps: once,
/// all components have fewer than 2^28 steps.
const SPREAD: u32 = 4;
/// Low bits that are zero in all components of a row that may have none below its steps.
const COARSE: u32 = 8;

/// A change that the codec can encode.
pub(in crate::codec) struct Plan<'r> {
    rows: Rows<'r>,
    grid: Grid,
    /// Components have bits below their steps.
    tails: bool,
    kind: ListKind,
    changed: usize,
    scale: Scale,
    /// Bits of the encoded values, about.
    pub(in crate::codec) bits: f32,
}

impl Source for (Grid, Rows<'_>) {
    fn dim(&self) -> usize {
        self.1.dim()
    }

    #[inline(always)]
    fn fill(&self, start: usize, numbers: &mut Numbers) {
        let (grid, rows) = self;
        let mut spare = Spare::new();
        let (olds, news) = rows.block(start, &mut spare);
        differences(*grid, olds, news, numbers);
    }

    #[inline(always)]
    fn changed(&self, start: usize, _: &Numbers) -> u64 {
        self.1.changed(start)
    }
}

#[inline(always)]
fn differences(grid: Grid, olds: &Block, news: &Block, numbers: &mut Numbers) {
    for ((number, old), new) in numbers.iter_mut().zip(olds).zip(news) {
        let lane = grid.lane(*old);
        let difference = whole_steps(*new, lane).wrapping_sub(whole_steps(*old, lane));
        *number = zigzag(difference);
    }
}

/// All new components have fewer than 2^28 steps.
#[inline(never)]
fn has_steps(rows: Rows<'_>, grid: Grid) -> bool {
    (0..rows.dim()).step_by(BLOCK).all(|start| {
        let mut spare = Spare::new();
        let (olds, news) = rows.block(start, &mut spare);
        olds.iter().zip(news).all(|(old, new)| {
            let exponent = (new.to_bits() >> FRACTION_BITS) & 0xff;
            exponent <= grid.lane(*old).exponent + SPREAD
        })
    })
}

impl<'r> Plan<'r> {
    /// How to encode `rows`, if all new components are finite. O(dim).
    #[inline(always)]
    pub(in crate::codec) fn new(rows: Rows<'r>, survey: &Survey) -> Option<Self> {
        if !survey.is_finite() {
            return None;
        }
        let top = survey.exponent_max().clamp(EXPONENT_MIN, EXPONENT_MAX);
        let trimmed = survey.trailing_zeros().min(TRIMMED_MAX);
        let dim = rows.dim();
        let thorough = trimmed >= COARSE;
        let one = Estimate::new(
            rows,
            Grid {
                floor: top,
                trimmed,
            },
            thorough,
        );
        let (mut best, mut floor) = (one, top);
        while one.has_tails && floor > EXPONENT_MIN {
            floor = floor.saturating_sub(SPREAD).max(EXPONENT_MIN);
            let grid = Grid { floor, trimmed };
            let lower = Estimate::new(rows, grid, thorough);
            let fits = top - floor <= SPREAD || has_steps(rows, grid);
            if lower.bits(dim) >= best.bits(dim) || !fits {
                break;
            }
            best = lower;
            // Where most components change, what an estimate takes for granted decides.
            if survey.changed() > dim / 4 {
                break;
            }
        }
        if one.has_tails && thorough {
            // A step that all components are multiples of, the small ones too. A lane whose old
            // component is greater than all new ones would have a greater step.
            let floor = rows.old_exponent_max().clamp(top, EXPONENT_MAX);
            let common = Survey::common_exponent(rows).and_then(|common| common.checked_sub(floor));
            if let Some(trimmed) = common.filter(|common| *common < trimmed) {
                let whole = Estimate::new(rows, Grid { floor, trimmed }, true);
                if !whole.has_tails && whole.bits(dim) < best.bits(dim) {
                    best = whole;
                }
            }
        }
        let changed = survey.changed();
        let kind = ListKind::choose(rows, changed, number_bits(best.mean(dim)));
        let source = (best.grid, rows);
        let count = kind.selection().count(dim, changed);
        let scale = Scale::choose(&source, kind.selection(), best.mean(count));
        let (grid, tails) = (best.grid, best.has_tails);
        let bits = match kind.selection() {
            Selection::All => best.bits(dim),
            Selection::Changed => ListKind::bits(changed, dim) + best.bits_of(count, dim),
        };
        Some(Self {
            rows,
            grid,
            tails,
            kind,
            changed,
            scale,
            bits: bits + as_f32(8 * HEAD_SIZE),
        })
    }

    /// Writes the encoded values and returns their size; `None` if `out` is too small. O(dim).
    #[inline(always)]
    pub(in crate::codec) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (head, rest) = out.split_first_chunk_mut::<HEAD_SIZE>()?;
        let [floor, ..] = self.grid.floor.to_le_bytes();
        let [trimmed, ..] = self.grid.trimmed.to_le_bytes();
        let flags = trimmed | u8::from(self.tails) << 5 | (self.kind as u8) << 6;
        *head = [self.scale.to_wire(), flags, floor];
        let source = (self.grid, self.rows);
        let list_size = listing::write(self.kind, &source, self.changed, rest)?;
        let rest = rest.get_mut(list_size..)?;
        let selection = self.kind.selection();
        let count = selection.count(self.rows.dim(), self.changed);
        let packed_size = pack(&source, selection, count, self.scale, rest)?;
        let rest = rest.get_mut(packed_size..)?;
        let tails_size = if self.tails {
            tails::write(self.grid, self.rows, selection, rest)?
        } else {
            0
        };
        Some(HEAD_SIZE + list_size + packed_size + tails_size)
    }
}

/// Checked values of this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridValues<'a> {
    bytes: &'a [u8],
    grid: Grid,
    has_tails: bool,
    /// The change is measured against +0.0, not against the old row.
    from_zero: bool,
    scale: Scale,
    listing: Listing<'a>,
    /// Numbers and tails.
    packed: &'a [u8],
}

impl<'a> GridValues<'a> {
    /// Checks the head and the list; what lies behind is checked by [`Self::decode`].
    pub(in crate::codec) fn parse(
        bytes: &'a [u8],
        dim: u32,
        from_zero: bool,
    ) -> Result<Self, ValuesError> {
        let (&[scale, flags, floor], _) = bytes
            .split_first_chunk::<HEAD_SIZE>()
            .ok_or(ValuesError::truncated(bytes.len()))?;
        let grid = Grid {
            floor: floor.into(),
            trimmed: u32::from(flags & 0x1f),
        };
        let parameter = |offset| ValuesError::Parameter { offset };
        let scale = Scale::from_wire(scale).ok_or(parameter(0))?;
        let kind = ListKind::from_wire(flags >> 6).ok_or(parameter(1))?;
        if grid.trimmed > TRIMMED_MAX || from_zero && kind != ListKind::All {
            return Err(parameter(1));
        }
        if !(EXPONENT_MIN..=EXPONENT_MAX).contains(&grid.floor) {
            return Err(parameter(2));
        }
        let mut at = HEAD_SIZE;
        let listing = Listing::parse(kind, bytes, &mut at, dim)?;
        Ok(Self {
            bytes,
            grid,
            has_tails: flags & 1 << 5 != 0,
            from_zero,
            scale,
            listing,
            packed: bytes.get(at..).unwrap_or_default(),
        })
    }

    /// The encoded bytes, without the tag.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
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
        let mut olds = Olds::new(old, &self.listing, self.from_zero);
        let mut wholes = Wholes {
            grid: self.grid,
            olds: &mut olds,
        };
        let rest = unpack(self.packed, out, self.scale, &mut wholes)?;
        let end = ValuesError::truncated(self.bytes.len());
        if !self.has_tails {
            return if rest.is_empty() { Ok(()) } else { Err(end) };
        }
        let mut tails = BitReader::new(rest);
        let mut olds = Olds::new(old, &self.listing, self.from_zero);
        let mut spare = [0.0; BLOCK];
        for slots in out.chunks_mut(BLOCK) {
            tails::add(self.grid, slots, olds.next(&mut spare), &mut tails);
        }
        match tails.finish() {
            Some([]) => Ok(()),
            _ => Err(end),
        }
    }
}

/// Makes components of numbers, without what is below their steps.
struct Wholes<'d, 'o> {
    grid: Grid,
    olds: &'d mut Olds<'o>,
}

impl Target for Wholes<'_, '_> {
    #[inline(always)]
    fn turn(&mut self, numbers: &mut Numbers) {
        let mut spare = [0.0; BLOCK];
        let olds = self.olds.next(&mut spare);
        for (number, old) in numbers.iter_mut().zip(olds) {
            let lane = self.grid.lane(*old);
            let steps = whole_steps(*old, lane).wrapping_add(unzigzag(*number));
            *number = on_step(steps, lane).to_bits();
        }
    }
}
