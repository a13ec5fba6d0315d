//! Rows of discrete values, such as counters, categories and packed bits: the smallest of `ranks`,
//! `flips` and `bytes`.

use super::{
    Base, Encoding, Tag, bytes,
    encoding::count_not_zero,
    packed::{as_f32, flips, ranks},
};

/// How to encode a change of discrete values, by the codecs that may be used and suit the rows.
pub(super) struct Plan<'r> {
    ranks: Option<ranks::Plan<'r>>,
    flips: Option<flips::Plan<'r>>,
    /// The new row, if all of it is bytes.
    bytes: Option<&'r [f32]>,
}

/// Whether a row seems to have discrete values.
#[inline]
pub(super) fn is_likely(new: &[f32]) -> bool {
    ranks::has_repeats(new) || bytes::are_likely(new)
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
        let has = |tag| encoding.codecs.has(tag);
        let flips = match base {
            Base::Row(old) if has(Tag::Flips) && bytes::are_likely(new) => {
                flips::Plan::new(old, new)
            }
            _ => None,
        };
        Self {
            ranks: if ranks::has_repeats(new) {
                ranks_plan(encoding, base, new, changed, values)
            } else {
                None
            },
            flips,
            bytes: Some(new).filter(|new| has(Tag::Bytes) && bytes::are_all(new)),
        }
    }

    /// Bits of the encoded values, about; infinitely many of values that cannot be encoded so.
    pub(super) fn bits(&self) -> f32 {
        let ranks = self.ranks.as_ref().map(|plan| plan.bits);
        let flips = self.flips.as_ref().map(|plan| plan.bits);
        let bytes = self.bytes.map(|row| as_f32(8 * row.len()));
        let all = [ranks, flips, bytes].into_iter().flatten();
        all.fold(f32::INFINITY, f32::min)
    }

    /// Bytes that the encoded values do not exceed: those of `bytes`, whose size is no estimate.
    pub(super) fn size_max(&self) -> usize {
        self.bytes.map_or(usize::MAX, <[f32]>::len)
    }

    /// Writes the values by the codec that is smallest and returns its tag and their size; `None`
    /// if there is none or `out` is too small. O(dim).
    #[inline(never)]
    pub(super) fn write(&self, out: &mut [u8]) -> Option<(Tag, usize)> {
        let least = self.bits();
        let below = out.get_mut(..self.size_max().min(out.len()))?;
        let flips = self.flips.as_ref().filter(|plan| plan.bits <= least);
        if let Some(size) = flips.and_then(|plan| plan.write(below)) {
            return Some((Tag::Flips, size));
        }
        let ranks = self.ranks.as_ref().filter(|plan| plan.bits <= least);
        if let Some(plan) = ranks
            && let Some(size) = plan.write(below)
        {
            return Some((plan.tag(), size));
        }
        Some((Tag::Bytes, bytes::write(self.bytes?, out)?))
    }
}

/// How to encode a change by `ranks`, if the rows have few distinct values, for which there is room
/// in `values` then.
fn ranks_plan<'r>(
    encoding: Encoding,
    base: Base<'r>,
    new: &'r [f32],
    changed: usize,
    values: &'r mut Option<ranks::Values>,
) -> Option<ranks::Plan<'r>> {
    let has = |tag| encoding.codecs.has(tag);
    let values = values.insert(ranks::Values::NONE);
    let may_be_from_zero = has(Tag::RanksFromZero);
    if let Base::Row(old) = base
        && has(Tag::Ranks)
        && !(may_be_from_zero && is_smaller_from_zero(new, changed, values))
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

/// Whether a row has lost so much of what it had that it is smaller from zero, where a component
/// takes about a byte, and a value four. `values` are left as there were none. O(dim).
fn is_smaller_from_zero(new: &[f32], changed: usize, values: &mut ranks::Values) -> bool {
    let not_zero = count_not_zero(new);
    if not_zero >= changed {
        return false;
    }
    let is_few = values.add_few(new).is_some();
    let size = not_zero + 4 * values.count();
    *values = ranks::Values::NONE;
    is_few && size < changed
}
