//! The choice of the smallest codec.

use super::{
    Base, EncodeError, Encoding, Tag,
    bytes::byte_of,
    discrete,
    encoding::{Encoded, count_changed},
    packed::{DIM_MIN, as_f32, grid, steps},
    sparse::SparseWriter,
    survey::{Rows, Survey},
};
use crate::{
    kernel::{
        diff::{self, DiffError},
        digest::lane_change,
    },
    simd::{Job, Vector},
};
use core::ops::ControlFlow;

/// Most bytes that the encoded values of `dim` components take, without their tag.
#[inline]
pub const fn encoded_size_max(dim: usize) -> usize {
    dim.saturating_mul(4)
}

/// Encodes the change from `base` to `new` into the front of `out`, exactly, with the codec that
/// needs the fewest bytes, and returns its tag and the bytes used. O(dim).
///
/// # Errors
/// See [`EncodeError`]; `out` must have [`encoded_size_max`] bytes.
///
/// ```
/// use delta_core::codec::{Base, Tag, encode};
/// let (old, new) = ([0.0; 64], [[0.0; 60].as_slice(), &[0.0, 0.0, 3.5, 0.0]].concat());
/// let mut out = [0; 256];
/// assert_eq!(encode(Base::Row(&old), &new, &mut out), Ok((Tag::Sparse, 5)));
/// assert_eq!(out[..5], [62, 0x00, 0x00, 0x60, 0x40]); // gap 62, then the bits of 3.5
/// ```
#[inline]
pub fn encode(base: Base<'_>, new: &[f32], out: &mut [u8]) -> Result<(Tag, usize), EncodeError> {
    encode_as(Encoding::EXACT, base, new, out)
}

/// As [`encode`], with the codecs of `encoding`, and within its bound.
///
/// A row that has a bound can still be encoded exactly, where that is smaller, or where there is
/// no other way: a component that is not finite, or differs from its old value by more than 2^22
/// steps. [`Tag::is_lossy`] tells.
///
/// # Errors
/// As [`encode`].
#[inline]
pub fn encode_as(
    encoding: Encoding,
    base: Base<'_>,
    new: &[f32],
    out: &mut [u8],
) -> Result<(Tag, usize), EncodeError> {
    let (needed, given) = (encoded_size_max(new.len()), out.len());
    if given < needed {
        return Err(EncodeError::OutputTooSmall { needed, given });
    }
    encode_summed(encoding, base, new, out).map(|encoded| (encoded.tag, encoded.size))
}

/// As [`encode_as`], but `out` may be shorter as long as few components change.
#[inline]
pub(crate) fn encode_summed(
    encoding: Encoding,
    base: Base<'_>,
    new: &[f32],
    out: &mut [u8],
) -> Result<Encoded, EncodeError> {
    if u32::try_from(new.len()).is_err() {
        return Err(DiffError::TooLong { len: new.len() }.into());
    }
    let many = many_changes(base, new)?;
    if many.is_none()
        && let Some(encoded) = encode_at_once(encoding, base, new, out)?
    {
        return Ok(encoded);
    }
    let (needed, given) = (encoded_size_max(new.len()), out.len());
    let Some(out) = out.get_mut(..needed) else {
        return Err(EncodeError::OutputTooSmall { needed, given });
    };
    let changed = match many {
        Some(changed) => changed,
        None => count_changed(base, new)?,
    };
    // What is not below raw is raw.
    let below_raw = out.get_mut(..needed.saturating_sub(1)).unwrap_or_default();
    let mut values = None;
    let discrete = discrete::Plan::new(encoding, base, new, changed, &mut values);
    let size_max = discrete.size_max().min(below_raw.len());
    let packed = encoding.unit.run(Packed {
        encoding,
        base,
        new,
        changed,
        bits_max: discrete.bits(),
        out: below_raw.get_mut(..size_max).unwrap_or_default(),
    });
    let packed = packed.or_else(|| discrete.write(below_raw));
    // The longer gaps, of two bytes and more, take a byte more for 128 components at most.
    let sparse_size_max = SPARSE_SIZE_MIN * changed + changed.min(needed / 512);
    if encoding.codecs.has(Tag::Sparse)
        && changed > 0
        && packed.is_none_or(|(_, size)| sparse_size_max < size)
        && let Some(sparse) = write_sparse(base, new, below_raw)?
    {
        return Ok(sparse);
    }
    if let Some((tag, size)) = packed {
        return Ok(Encoded::new(tag, size));
    }
    // Little-endian targets only (the crate compiles on no other): memory order is wire order.
    out.copy_from_slice(bytemuck::cast_slice(new));
    Ok(Encoded::new(Tag::Raw, needed))
}

/// How many components change, if they are so many that [`encode_at_once`] would find nothing. The
/// first of them say whether it is worth a count.
#[inline]
fn many_changes(base: Base<'_>, new: &[f32]) -> Result<Option<usize>, DiffError> {
    const FIRST: usize = 4;
    static ZEROS: [f32; FIRST] = [0.0; FIRST];
    let first_old = match base {
        Base::Row(old) => old.first_chunk::<FIRST>(),
        Base::Zero => Some(&ZEROS),
    };
    let (Some(old), Some(first)) = (first_old, new.first_chunk::<FIRST>()) else {
        return Ok(None);
    };
    let differ = old
        .iter()
        .zip(first)
        .map(|(old, new)| old.to_bits() != new.to_bits());
    if differ.map(usize::from).sum::<usize>() < FIRST {
        return Ok(None);
    }
    let changed = count_changed(base, new)?;
    let at_once = encoded_size_max(new.len()) / SPARSE_AT_ONCE;
    Ok((SPARSE_SIZE_MIN * changed > at_once).then_some(changed))
}

/// No change, or so few that sparse values are taken at once, in one pass over the rows that ends
/// where there are too many for `out` or for that.
#[inline]
fn encode_at_once(
    encoding: Encoding,
    base: Base<'_>,
    new: &[f32],
    out: &mut [u8],
) -> Result<Option<Encoded>, EncodeError> {
    let at_once = encoded_size_max(new.len()) / SPARSE_AT_ONCE;
    let size_max = if encoding.codecs.has(Tag::Sparse) {
        at_once.min(out.len())
    } else {
        0
    };
    let may_be_grid = encoding.codecs.has(Tag::Grid) && out.len() >= encoded_size_max(new.len());
    let out = out.get_mut(..size_max).unwrap_or_default();
    let Some(sparse) = write_sparse(base, new, out)? else {
        return Ok(None);
    };
    Ok(match sparse.size {
        // Nothing changes.
        0 => (encoding.codecs.has(Tag::Same)).then(|| Encoded::new(Tag::Same, 0)),
        FEW_SPARSE_SIZE.. if may_be_grid && is_last_bits(base, out) => None,
        size if may_be_grid && size >= few_whole_size(new) && is_whole(base, out) => None,
        FEW_SPARSE_SIZE.. if discrete::is_likely(new) => {
            Some(write_smaller_discrete(encoding, base, new, sparse, out)?)
        }
        _ => Some(sparse),
    })
}

/// Replaces `sparse`, which stands in `out`, by a codec of discrete values if that is smaller.
#[inline(never)]
fn write_smaller_discrete(
    encoding: Encoding,
    base: Base<'_>,
    new: &[f32],
    sparse: Encoded,
    out: &mut [u8],
) -> Result<Encoded, DiffError> {
    // All components from zero are more than the few that change from a row.
    let has_relative = encoding.codecs.has(Tag::Ranks) || encoding.codecs.has(Tag::Flips);
    if matches!(base, Base::Row(_)) && !has_relative {
        return Ok(sparse);
    }
    let changed = count_changed(base, new)?;
    let mut values = None;
    let plan = discrete::Plan::new(encoding, base, new, changed, &mut values);
    let smaller = out.get_mut(..sparse.size - 1).unwrap_or_default();
    if plan.bits() >= as_f32(8 * smaller.len()) {
        return Ok(sparse);
    }
    if let Some((tag, size)) = plan.write(smaller) {
        return Ok(Encoded {
            tag,
            size,
            ..sparse
        });
    }
    // The plan's size is an estimate.
    let again = write_sparse(base, new, out)?;
    Ok(again.unwrap_or(sparse))
}

/// Sparse values of fewer bytes are not worth another attempt.
const FEW_SPARSE_SIZE: usize = 4 * SPARSE_SIZE_MIN;
/// A component that differs in bits below this alone is so near that `grid` takes a few bits.
const LAST_BITS: u32 = 1 << 14;
/// Bytes of a sparse change, at least: one of gap and four of value.
const SPARSE_SIZE_MIN: usize = 5;
/// Sparse values that are at most this part of the row are taken at once: what another codec could
/// save is little beside the record's header, and takes longer.
const SPARSE_AT_ONCE: usize = 8;

/// Whether the first of sparse changes differs by its last bits alone: by that of all are judged.
#[inline]
fn is_last_bits(base: Base<'_>, sparse: &[u8]) -> bool {
    first_change(base, sparse).is_some_and(|(old, new)| old ^ new < LAST_BITS)
}

/// Whether the first of sparse changes is of whole numbers of 8 bits and a sign.
#[inline]
fn is_whole(base: Base<'_>, sparse: &[u8]) -> bool {
    let is_whole = |bits| byte_of(f32::from_bits(bits).abs()).is_some();
    first_change(base, sparse).is_some_and(|(old, new)| is_whole(old) && is_whole(new))
}

/// Sparse values of whole numbers that are worth another attempt, which looks at every component.
#[inline]
fn few_whole_size(new: &[f32]) -> usize {
    (2 * SPARSE_SIZE_MIN).max(new.len() / 8)
}

/// Old and new bits of the first of sparse changes, if it is one from a row with a short gap.
#[inline]
fn first_change(base: Base<'_>, sparse: &[u8]) -> Option<(u32, u32)> {
    let (Base::Row(old), Some(&[gap @ 0..0x80, b0, b1, b2, b3])) = (base, sparse.first_chunk())
    else {
        return None;
    };
    let old = old.get(usize::from(gap))?;
    Some((old.to_bits(), u32::from_le_bytes([b0, b1, b2, b3])))
}

/// Sparse values, `None` if `out` is too small. Not in line: it is called more than once, and
/// large.
#[inline(never)]
fn write_sparse(base: Base<'_>, new: &[f32], out: &mut [u8]) -> Result<Option<Encoded>, DiffError> {
    let mut writer = SparseWriter::new(out);
    let mut sum = 0_u64;
    let mut push = |index, old_bits, bits| match writer.push(index, bits) {
        Some(()) => {
            sum = sum.wrapping_add(lane_change(index, old_bits, bits));
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let flow = match base {
        Base::Row(old) => diff::for_each_changed(old, new, |index, bits| {
            let old_bits = old.get(index as usize).map_or(0, |old| old.to_bits());
            push(index, old_bits, bits)
        })?,
        Base::Zero => (0..)
            .zip(new)
            .map(|(index, value)| (index, value.to_bits()))
            .filter(|(_, bits)| *bits != 0)
            .try_for_each(|(index, bits)| push(index, 0, bits)),
    };
    let encoded = Encoded {
        tag: Tag::Sparse,
        size: writer.size(),
        change_sum: Some(sum),
    };
    Ok(flow.is_continue().then_some(encoded))
}

/// A change, for the codecs that work with differences.
struct Packed<'a> {
    encoding: Encoding,
    base: Base<'a>,
    new: &'a [f32],
    /// Components that change.
    changed: usize,
    /// Only what takes fewer bits, about.
    bits_max: f32,
    out: &'a mut [u8],
}

impl Job for Packed<'_> {
    type Output = Option<(Tag, usize)>;

    #[inline(always)]
    fn on<V: Vector>(self, _: V) -> Self::Output {
        self.write()
    }
}

impl Packed<'_> {
    /// The smaller of the codecs, and its size; `None` if none fits.
    #[inline(always)]
    fn write(self) -> Option<(Tag, usize)> {
        let Self {
            base,
            new,
            changed,
            bits_max,
            out,
            ..
        } = self;
        let Encoding { codecs, bound, .. } = self.encoding;
        if new.len() < DIM_MIN {
            return None;
        }
        let bound = bound.filter(|_| codecs.has(Tag::Steps) || codecs.has(Tag::StepsFromZero));
        let has = |relative: bool| match (relative, bound.is_some()) {
            (true, lossy) => codecs.has(Tag::Grid) || lossy && codecs.has(Tag::Steps),
            (false, lossy) => {
                codecs.has(Tag::GridFromZero) || lossy && codecs.has(Tag::StepsFromZero)
            }
        };
        let mut relative = true;
        let (mut rows, written) = match base {
            Base::Row(old) if has(true) => (Rows::new(old, new), changed),
            _ if has(false) => {
                relative = false;
                (Rows::from_zero(new), new.len())
            }
            _ => return None,
        };
        let mut survey = Survey::new(rows, written);
        // What is nearer to zero than to the old row.
        if survey.magnitude < survey.difference && has(false) {
            rows = Rows::from_zero(new);
            survey = survey.against_zero(new.len());
            relative = false;
        }
        let (grid_tag, steps_tag) = if relative {
            (Tag::Grid, Tag::Steps)
        } else {
            (Tag::GridFromZero, Tag::StepsFromZero)
        };
        // Not by a closure: it would not be compiled for the unit.
        let steps = match bound {
            Some(bound) if codecs.has(steps_tag) => steps::Plan::new(rows, bound),
            _ => None,
        };
        // Exact values are smaller than lossy ones only of rows that are coarse themselves.
        let grid = if codecs.has(grid_tag) && (steps.is_none() || survey.trailing_zeros() >= COARSE)
        {
            grid::Plan::new(rows, &survey)
        } else {
            None
        };
        let steps = steps.filter(|steps| steps.bits < bits_max);
        let grid = grid.filter(|grid| grid.bits < bits_max);
        // Each is written in one place: what writes is large, and compiled into this function.
        if let Some(grid) = grid
            && steps.as_ref().is_none_or(|steps| grid.bits <= steps.bits)
        {
            return Some((grid_tag, grid.write(out)?));
        }
        Some((steps_tag, steps?.write(out)?))
    }
}

/// Low bits that are zero in all components of a coarse row.
const COARSE: u32 = 8;
