//! Rows of discrete values, such as counters, categories and packed bits: the smaller of `ranks`
//! and `flips`.

use super::{
    Base, Encoding, Tag,
    encoding::count_not_zero,
    packed::{flips, ranks},
};

/// How to encode a change of discrete values, by the codecs that may be used and suit the rows.
pub(super) struct Plan<'r> {
    ranks: Option<ranks::Plan<'r>>,
    flips: Option<flips::Plan<'r>>,
}

/// Whether a row seems to have discrete values.
#[inline]
pub(super) fn is_likely(base: Base<'_>, new: &[f32]) -> bool {
    ranks::has_repeats(new) || matches!(base, Base::Row(old) if flips::are_likely(old, new))
}

impl<'r> Plan<'r> {
    /// For a change of `changed` components. In `values` there is room for those of a row. O(dim).
    #[inline(never)]
    pub(super) fn new(
        encoding: Encoding,
        base: Base<'r>,
        new: &'r [f32],
        changed: usize,
        values: &'r mut Option<ranks::Values>,
    ) -> Self {
        let flips = match base {
            Base::Row(old) if encoding.codecs.has(Tag::Flips) && flips::are_likely(old, new) => {
                flips::Plan::new(old, new)
            }
            _ => None,
        };
        Self {
            ranks: ranks_plan(encoding, base, new, changed, values),
            flips,
        }
    }

    /// Bits of the encoded values, about; of values that cannot be encoded so, infinitely many.
    pub(super) fn bits(&self) -> f32 {
        self.ranks_bits().min(self.flips_bits())
    }

    fn ranks_bits(&self) -> f32 {
        self.ranks.as_ref().map_or(f32::INFINITY, |plan| plan.bits)
    }

    fn flips_bits(&self) -> f32 {
        self.flips.as_ref().map_or(f32::INFINITY, |plan| plan.bits)
    }

    /// Writes the values by the codec that is smaller and returns its tag and their size; `None` if
    /// there is none or `out` is too small. O(dim).
    #[inline(never)]
    pub(super) fn write(&self, out: &mut [u8]) -> Option<(Tag, usize)> {
        match (&self.flips, &self.ranks) {
            (Some(flips), _) if flips.bits <= self.ranks_bits() => {
                Some((Tag::Flips, flips.write(out)?))
            }
            (_, Some(ranks)) => Some((ranks.tag(), ranks.write(out)?)),
            _ => None,
        }
    }
}

/// How to encode a change by `ranks`, if the row has few distinct values, for which there is room
/// in `values` then.
fn ranks_plan<'r>(
    encoding: Encoding,
    base: Base<'r>,
    new: &'r [f32],
    changed: usize,
    values: &'r mut Option<ranks::Values>,
) -> Option<ranks::Plan<'r>> {
    if !ranks::has_repeats(new) {
        return None;
    }
    let has = |tag| encoding.codecs.has(tag);
    let values = values.insert(ranks::Values::NONE);
    let may_be_from_zero = has(Tag::RanksFromZero);
    if let Base::Row(old) = base
        && has(Tag::Ranks)
        // A row that loses most of what it had is smaller from zero.
        && !(may_be_from_zero && 4 * count_not_zero(new) < changed)
        && values.add_few(old).is_some()
    {
        return ranks::Plan::new(base, new, changed, values);
    }
    if !may_be_from_zero {
        return None;
    }
    *values = ranks::Values::NONE;
    values.add_few(&[0.0])?;
    ranks::Plan::new(Base::Zero, new, changed, values)
}
