//! Which components of a row changed, and to what.
//!
//! The row is compared in words of 64 lanes, one bit a lane, eight words at a time. Words without a change cost little
//! more than a loop that only loads and compares. From the others, positions are taken eight at a time whether a bit is
//! there or not, and the surplus is overwritten by the next word's: how many bits a word has is then rarely a branch,
//! which at a few changes a word would be mispredicted at each (the trick is that of Langdale and Lemire, "Parsing
//! gigabytes of JSON per second", 2019, section 3.2).

use core::fmt;
use core::ops::{ControlFlow, Range};

use crate::simd::{Block, LANES, Native, Vector};

/// Lanes of a word of change bits.
const WORD_LANES: usize = 64;
/// Words compared before any of their bits is looked at.
const CHUNK_WORDS: usize = 8;
const CHUNK_LANES: usize = CHUNK_WORDS * WORD_LANES;
/// Positions taken from a word at a time.
const GROUP: usize = 8;
/// Positions collected before they are handed on: a 1,536-d row with 5% changes is handed on once.
const COLLECTED: usize = 160;

type Words = [u64; CHUNK_WORDS];

/// How many components differ in their bits: -0.0 differs from +0.0, a NaN with other payload from another. Time:
/// O(`old.len()`).
///
/// # Errors
///
/// [`DiffError::LengthMismatch`] if the rows differ in length.
pub fn count_changed(old: &[f32], new: &[f32]) -> Result<usize, DiffError> {
    check_lengths(old, new)?;
    Ok(count_where(old, new, Native::changed_mask))
}

/// Calls `f(index, new_bits)` for every component whose bits differ, in ascending order, until it breaks.
///
/// Returns what the last call returned. Time: O(`old.len()`).
///
/// # Errors
///
/// [`DiffError::LengthMismatch`] if the rows differ in length, [`DiffError::TooLong`] if an index would not fit a u32;
/// `f` is then not called.
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
    Ok(scan(old, new, Native::changed_mask, |found| match found {
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
    }))
}

/// Writes the index and the new value of every component whose bits differ, in ascending order, and returns how many
/// there are. Exact: [`scatter`](super::apply::scatter) of the result turns `old` into `new` in every bit. Time:
/// O(`old.len()`).
///
/// # Errors
///
/// [`DiffError::LengthMismatch`] if the rows differ in length, [`DiffError::TooLong`] if an index would not fit a u32,
/// [`DiffError::OutputFull`] if `indices` or `values` is too short; what they hold is then unspecified.
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
    diff_where(old, new, Native::changed_mask, indices, values)
}

/// As [`diff`], but leaves out components whose difference is small: listed are those whose bits differ and for which
/// `|new - old| <= epsilon`, in f32 arithmetic, does not hold. A change to or from NaN or between infinities is listed.
///
/// With `epsilon` 0 the result is not that of [`diff`]: +0.0 and -0.0 are 0 apart, so a change of a zero's sign is left
/// out here and listed there. A NaN or negative `epsilon` lists what [`diff`] lists.
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
    let beyond = |old: &Block, new: &Block| Native::changed_beyond_mask(old, new, epsilon);
    diff_where(old, new, beyond, indices, values)
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

/// An index below a length that [`check_indices`] accepted.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the length fits a u32")]
fn as_index(index: usize) -> u32 {
    index as u32
}

fn diff_where(
    old: &[f32],
    new: &[f32],
    changed: impl Fn(&Block, &Block) -> u16 + Copy,
    indices: &mut [u32],
    values: &mut [f32],
) -> Result<usize, DiffError> {
    check_indices(old, new)?;
    let mut written = 0;
    let flow = scan(old, new, changed, |found| {
        let end = written + found.len();
        let (Some(indices), Some(values)) =
            (indices.get_mut(written..end), values.get_mut(written..end))
        else {
            return ControlFlow::Break(());
        };
        match found {
            Found::Indices(found) => {
                for ((index, value), &at) in indices.iter_mut().zip(values).zip(found) {
                    *index = at;
                    *value = new.get(at as usize).copied().unwrap_or_default();
                }
            }
            Found::Run(range) => {
                for (index, at) in indices.iter_mut().zip(range.clone()) {
                    *index = as_index(at);
                }
                values.copy_from_slice(new.get(range).unwrap_or_default());
            }
        }
        written = end;
        ControlFlow::Continue(())
    });
    match flow {
        ControlFlow::Continue(()) => Ok(written),
        ControlFlow::Break(()) => Err(DiffError::OutputFull {
            needed: count_where(old, new, changed),
            capacity: indices.len().min(values.len()),
        }),
    }
}

fn count_where(old: &[f32], new: &[f32], changed: impl Fn(&Block, &Block) -> u16) -> usize {
    let chunks = old.chunks(CHUNK_LANES).zip(new.chunks(CHUNK_LANES));
    let words = chunks.flat_map(|(old, new)| compare(old, new, &changed));
    words.map(|word| word.count_ones() as usize).sum()
}

/// Changed components, in ascending order.
enum Found<'a> {
    Indices(&'a [u32]),
    /// All of a range: a dense change is copied, not picked.
    Run(Range<usize>),
}

impl Found<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        match self {
            Self::Indices(indices) => indices.len(),
            Self::Run(range) => range.len(),
        }
    }
}

/// Hands the changed components of two rows of equal length to `hand_on` until it breaks.
#[inline(always)]
fn scan(
    old: &[f32],
    new: &[f32],
    changed: impl Fn(&Block, &Block) -> u16,
    mut hand_on: impl FnMut(Found<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut collected = Collected::new();
    let chunks = old.chunks(CHUNK_LANES).zip(new.chunks(CHUNK_LANES));
    for (chunk, (old, new)) in chunks.enumerate() {
        let words = compare(old, new, &changed);
        if words == [0; CHUNK_WORDS] {
            continue;
        }
        let start = chunk * CHUNK_LANES;
        // A word that the row does not fill is never all ones.
        let used_words = old.len().div_ceil(WORD_LANES);
        if words.iter().take(used_words).all(|&word| word == u64::MAX) {
            hand_on(Found::Indices(collected.take()))?;
            hand_on(Found::Run(start..start + old.len()))?;
            continue;
        }
        let (words, starts, count) = without_zeros(words, as_index(start));
        for (&word, &start) in words.iter().zip(&starts).take(count) {
            if !collected.has_room_for_a_word() {
                hand_on(Found::Indices(collected.take()))?;
            }
            collected.push_bits_of(word, start);
        }
    }
    hand_on(Found::Indices(collected.take()))
}

/// The change bits of up to eight words; those of lanes that the chunks do not have are 0.
#[inline(always)]
fn compare(old: &[f32], new: &[f32], changed: impl Fn(&Block, &Block) -> u16) -> Words {
    let mut words = [0; CHUNK_WORDS];
    let (old_words, old_rest) = old.as_chunks::<WORD_LANES>();
    let (new_words, new_rest) = new.as_chunks::<WORD_LANES>();
    for (word, (old, new)) in words.iter_mut().zip(old_words.iter().zip(new_words)) {
        *word = compare_word(old, new, &changed);
    }
    if !old_rest.is_empty() {
        if let Some(word) = words.get_mut(old_words.len()) {
            *word = compare_word(old_rest, new_rest, &changed);
        }
    }
    words
}

/// The change bits of up to 64 lanes. Lanes that fill the last block up are equal in both.
#[inline(always)]
fn compare_word(old: &[f32], new: &[f32], changed: impl Fn(&Block, &Block) -> u16) -> u64 {
    let mut word = 0;
    let (old_blocks, old_rest) = old.as_chunks::<LANES>();
    let (new_blocks, new_rest) = new.as_chunks::<LANES>();
    for (block, (old, new)) in old_blocks.iter().zip(new_blocks).enumerate() {
        word |= u64::from(changed(old, new)) << (block * LANES);
    }
    if !old_rest.is_empty() {
        let mask = changed(&padded(old_rest), &padded(new_rest));
        word |= u64::from(mask) << (old_blocks.len() * LANES);
    }
    word
}

fn padded(lanes: &[f32]) -> Block {
    let mut block = [0.0; LANES];
    for (to, from) in block.iter_mut().zip(lanes) {
        *to = *from;
    }
    block
}

/// The words that are not 0, the index of each one's first lane, and their number; without a branch on any word.
#[inline(always)]
fn without_zeros(words: Words, start: u32) -> (Words, [u32; CHUNK_WORDS], usize) {
    let mut kept = [0; CHUNK_WORDS];
    let mut starts = [0; CHUNK_WORDS];
    let mut count = 0;
    let mut next_start = start;
    for word in words {
        // `count` is below CHUNK_WORDS here; the remainder says so to the compiler.
        kept[count % CHUNK_WORDS] = word;
        starts[count % CHUNK_WORDS] = next_start;
        count += usize::from(word != 0);
        next_start = next_start.wrapping_add(WORD_LANES as u32);
    }
    (kept, starts, count)
}

/// Indices on their way to the caller.
struct Collected {
    indices: [u32; COLLECTED],
    /// At most `COLLECTED`.
    len: usize,
}

impl Collected {
    #[inline(always)]
    fn new() -> Self {
        Self {
            indices: [0; COLLECTED],
            len: 0,
        }
    }

    #[inline(always)]
    fn has_room_for_a_word(&self) -> bool {
        self.len + WORD_LANES + GROUP <= COLLECTED
    }

    /// Appends `start` + the place of each bit of `word`. There must be room for a word.
    #[inline(always)]
    fn push_bits_of(&mut self, word: u64, start: u32) {
        let end = self.len + word.count_ones() as usize;
        let mut word = word;
        let mut at = self.len;
        while at < end {
            let group = self
                .indices
                .get_mut(at..)
                .and_then(|rest| rest.first_chunk_mut::<GROUP>());
            let Some(group) = group else { break };
            for index in group {
                // Past the last bit any place will do; the set one spares a check for 0.
                *index = start + (word | 1 << 63).trailing_zeros();
                word &= word.wrapping_sub(1);
            }
            at += GROUP;
        }
        self.len = end;
    }

    /// All of them, and forgets them.
    #[inline(always)]
    fn take(&mut self) -> &[u32] {
        let len = core::mem::take(&mut self.len);
        self.indices.get(..len).unwrap_or_default()
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
