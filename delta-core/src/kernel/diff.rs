//! Which components of a row changed, and to what.
//!
//! One pass over both rows, 64 lanes at a time (`scan.rs` says how); what changed goes straight
//! into the caller's slices (`list.rs`), or is collected and handed to the caller's function.

use core::fmt;
use core::ops::ControlFlow;

use self::list::List;
use self::scan::{Buffers, Found, Scan, as_index, count};
use crate::simd::{Block, Job, Native, Vector, VectorUnit, WordLanes, word_of};

mod list;
mod scan;

/// How many components differ in their bits: -0.0 differs from +0.0, a NaN with other payload from
/// another. Time: O(`old.len()`).
///
/// # Errors
///
/// [`DiffError::LengthMismatch`] if the rows differ in length.
pub fn count_changed(old: &[f32], new: &[f32]) -> Result<usize, DiffError> {
    check_lengths(old, new)?;
    Ok(count(old, new, changed_word))
}

/// Calls `f(index, new_bits)` for every component whose bits differ, in ascending order, until it
/// breaks.
///
/// Returns what the last call returned. Time: O(`old.len()`).
///
/// # Errors
///
/// [`DiffError::LengthMismatch`] if the rows differ in length, [`DiffError::TooLong`] if an index
/// would not fit a u32; `f` is then not called.
///
/// ```
/// use core::ops::ControlFlow;
/// use delta_core::kernel::diff::for_each_changed;
///
/// let mut changed = Vec::new();
/// let flow = for_each_changed(&[1.0, 2.0, 3.0], &[1.0, 2.5, f32::NAN], |index, new_bits| {
///     changed.push((index, f32::from_bits(new_bits)));
///     ControlFlow::Continue(())
/// })?;
/// assert!(flow.is_continue());
/// assert_eq!(changed[0], (1, 2.5));
/// assert!(changed[1].0 == 2 && changed[1].1.is_nan());
/// # Ok::<(), delta_core::kernel::diff::DiffError>(())
/// ```
#[inline]
pub fn for_each_changed(
    old: &[f32],
    new: &[f32],
    mut f: impl FnMut(u32, u32) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, DiffError> {
    check_indices(old, new)?;
    let mut buffers = Buffers::new();
    let mut scan = Scan::new(old, new, changed_word, &mut buffers);
    while let Some(found) = scan.next() {
        let flow = match found {
            Found::Indices(indices) => indices.iter().try_for_each(|&index| {
                let Some(value) = new.get(index as usize) else {
                    return ControlFlow::Continue(());
                };
                f(index, value.to_bits())
            }),
            Found::Run(range) => {
                let values = new.get(range.clone()).unwrap_or_default();
                range
                    .zip(values)
                    .try_for_each(|(index, value)| f(as_index(index), value.to_bits()))
            }
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Writes the index and the new value of every component whose bits differ, in ascending order, and
/// returns how many there are. Exact: [`scatter`](super::apply::scatter) of the result turns `old`
/// into `new` in every bit. Time: O(`old.len()`).
///
/// # Errors
///
/// [`DiffError::LengthMismatch`] if the rows differ in length, [`DiffError::TooLong`] if an index
/// would not fit a u32, [`DiffError::OutputFull`] if `indices` or `values` is too short; what they
/// hold is then unspecified.
///
/// ```
/// use delta_core::kernel::diff::diff;
///
/// let (mut indices, mut values) = ([0; 3], [0.0; 3]);
/// let changed = diff(&[1.0, 0.0, 3.0], &[1.0, -0.0, 4.0], &mut indices, &mut values)?;
/// assert_eq!(indices[..changed], [1, 2]);
/// assert_eq!(values[1], 4.0);
/// # Ok::<(), delta_core::kernel::diff::DiffError>(())
/// ```
pub fn diff(
    old: &[f32],
    new: &[f32],
    indices: &mut [u32],
    values: &mut [f32],
) -> Result<usize, DiffError> {
    diff_on(VectorUnit::BASELINE, old, new, indices, values)
}

/// As [`diff`], on `unit`: the same list, sooner where it is wider.
///
/// # Errors
///
/// As [`diff`].
pub fn diff_on(
    unit: VectorUnit,
    old: &[f32],
    new: &[f32],
    indices: &mut [u32],
    values: &mut [f32],
) -> Result<usize, DiffError> {
    check_indices(old, new)?;
    unit.run(Diff {
        old,
        new,
        condition: Changed,
        indices,
        values,
    })
}

/// As [`diff`], but leaves out components whose difference is small: listed are those whose bits
/// differ and for which `|new - old| <= epsilon`, in f32 arithmetic, does not hold. A change to or
/// from NaN or between infinities is listed.
///
/// With `epsilon` 0 the result is not that of [`diff`]: +0.0 and -0.0 are 0 apart, so a change of a
/// zero's sign is left out here and listed there. A NaN or negative `epsilon` lists what [`diff`]
/// lists.
///
/// # Errors
///
/// As [`diff`].
pub fn diff_within(
    old: &[f32],
    new: &[f32],
    epsilon: f32,
    indices: &mut [u32],
    values: &mut [f32],
) -> Result<usize, DiffError> {
    check_indices(old, new)?;
    VectorUnit::BASELINE.run(Diff {
        old,
        new,
        condition: ChangedBeyond { epsilon },
        indices,
        values,
    })
}

#[inline(always)]
fn changed_word(old: &WordLanes, new: &WordLanes) -> u64 {
    Native.changed_word(old, new)
}

fn check_lengths(old: &[f32], new: &[f32]) -> Result<(), DiffError> {
    if old.len() == new.len() {
        Ok(())
    } else {
        Err(DiffError::LengthMismatch {
            old: old.len(),
            new: new.len(),
        })
    }
}

fn check_indices(old: &[f32], new: &[f32]) -> Result<(), DiffError> {
    check_lengths(old, new)?;
    match u32::try_from(new.len()) {
        Ok(_) => Ok(()),
        Err(_) => Err(DiffError::TooLong { len: new.len() }),
    }
}

/// Which lanes are listed.
trait Condition: Copy {
    fn word(self, unit: impl Vector, old: &WordLanes, new: &WordLanes) -> u64;
}

/// Those whose bits differ.
#[derive(Clone, Copy)]
struct Changed;

impl Condition for Changed {
    #[inline(always)]
    fn word(self, unit: impl Vector, old: &WordLanes, new: &WordLanes) -> u64 {
        unit.changed_word(old, new)
    }
}

/// Those that differ by more than `epsilon`.
#[derive(Clone, Copy)]
struct ChangedBeyond {
    epsilon: f32,
}

impl Condition for ChangedBeyond {
    #[inline(always)]
    fn word(self, unit: impl Vector, old: &WordLanes, new: &WordLanes) -> u64 {
        let beyond = |old: &Block, new: &Block| unit.changed_beyond_mask(old, new, self.epsilon);
        word_of(old, new, beyond)
    }
}

/// The list of what changed between two rows of one length, which a u32 counts.
struct Diff<'a, C> {
    old: &'a [f32],
    new: &'a [f32],
    condition: C,
    indices: &'a mut [u32],
    values: &'a mut [f32],
}

impl<C: Condition> Job for Diff<'_, C> {
    type Output = Result<usize, DiffError>;

    #[inline(always)]
    fn on<V: Vector>(self, unit: V) -> Self::Output {
        let Self {
            old,
            new,
            condition,
            indices,
            values,
        } = self;
        let changed = |old: &WordLanes, new: &WordLanes| condition.word(unit, old, new);
        let capacity = indices.len().min(values.len());
        let mut list = List {
            indices,
            values,
            len: 0,
        };
        match list.push_changed(unit, old, new, changed) {
            Some(()) => Ok(list.len),
            None => Err(DiffError::OutputFull {
                needed: count(old, new, changed),
                capacity,
            }),
        }
    }
}

/// Why two rows were not compared, or the result not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiffError {
    /// The rows have different numbers of components.
    LengthMismatch {
        /// Components of the old row.
        old: usize,
        /// Components of the new row.
        new: usize,
    },
    /// The rows have more components than a u32 can count.
    TooLong {
        /// Components of either row.
        len: usize,
    },
    /// The caller's output is too short.
    OutputFull {
        /// Components that changed.
        needed: usize,
        /// Length of the shorter output slice.
        capacity: usize,
    },
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMismatch { old, new } => write!(
                f,
                "the old row has {old} components and the new one {new}: \
                 insert a row of another dimension as a new one"
            ),
            Self::TooLong { len } => {
                write!(
                    f,
                    "a row has {len} components: split it into rows of fewer than 2^32"
                )
            }
            Self::OutputFull { needed, capacity } => write!(
                f,
                "{needed} components changed but the output holds {capacity}: \
                 pass longer slices or send the row whole"
            ),
        }
    }
}

impl core::error::Error for DiffError {}

#[cfg(test)]
mod tests;
