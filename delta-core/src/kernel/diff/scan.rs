//! The pass that finds changed lanes.
//!
//! The row is compared in words of 64 lanes, one bit a lane, eight words at a time. Words without a
//! change cost little more than a loop that only loads and compares. From the others, positions are
//! taken eight at a time whether a bit is there or not, and the surplus is overwritten by the next
//! word's: how many bits a word has is then rarely a branch, which at a few changes a word would be
//! mispredicted at each (the trick is that of Langdale and Lemire, "Parsing gigabytes of JSON per
//! second", 2019, section 3.2).

use core::iter::{Enumerate, Zip};
use core::ops::Range;
use core::slice::Chunks;

use crate::simd::{WORD_LANES, WordLanes};

/// Words compared before any of their bits is looked at.
pub(super) const CHUNK_WORDS: usize = 8;
const CHUNK_LANES: usize = CHUNK_WORDS * WORD_LANES;
/// Positions taken from a word at a time.
const GROUP: usize = 8;
/// Positions collected before they are handed on: a 1,536-d row with 5% changes is handed on once.
const COLLECTED: usize = 160;

pub(super) type Words = [u64; CHUNK_WORDS];

/// An index, or a step, below a length that `check_indices` in `diff.rs` accepted.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the length fits a u32")]
pub(super) fn as_index(index: usize) -> u32 {
    index as u32
}

/// How many lanes of two rows of equal length are `changed`.
pub(super) fn count(
    old: &[f32],
    new: &[f32],
    changed: impl Fn(&WordLanes, &WordLanes) -> u64,
) -> usize {
    let chunks = old.chunks(CHUNK_LANES).zip(new.chunks(CHUNK_LANES));
    let counts = chunks.map(|(old, new)| {
        let mut words = [0; CHUNK_WORDS];
        compare(old, new, &changed, &mut words);
        words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum::<usize>()
    });
    counts.sum()
}

/// Changed components, in ascending order.
pub(super) enum Found<'a> {
    Indices(&'a [u32]),
    /// All of a range: a dense change is copied, not picked.
    Run(Range<usize>),
}

/// The arrays of a [`Scan`].
///
/// They lie outside it: a local that is indexed at run time keeps its whole structure in memory,
/// and the lengths and cursors of the scan belong in registers.
pub(super) struct Buffers {
    words: Words,
    starts: [u32; CHUNK_WORDS],
    indices: [u32; COLLECTED],
}

impl Buffers {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            words: [0; CHUNK_WORDS],
            starts: [0; CHUNK_WORDS],
            indices: [0; COLLECTED],
        }
    }
}

/// The changed components of two rows of equal length, a batch at a time.
///
/// Not a callback, so that the loop over a batch stands once in the caller and is compiled with the
/// caller's state in registers.
pub(super) struct Scan<'a, C> {
    chunks: Enumerate<Zip<Chunks<'a, f32>, Chunks<'a, f32>>>,
    changed: C,
    kept: Kept<'a>,
    collected: Collected<'a>,
    /// A run that waits until what lies before it has been handed out.
    run: Option<Range<usize>>,
}

impl<'a, C: Fn(&WordLanes, &WordLanes) -> u64> Scan<'a, C> {
    #[inline(always)]
    pub(super) fn new(
        old: &'a [f32],
        new: &'a [f32],
        changed: C,
        buffers: &'a mut Buffers,
    ) -> Self {
        let Buffers {
            words,
            starts,
            indices,
        } = buffers;
        Self {
            chunks: old
                .chunks(CHUNK_LANES)
                .zip(new.chunks(CHUNK_LANES))
                .enumerate(),
            changed,
            kept: Kept {
                words,
                starts,
                count: 0,
                next: 0,
            },
            collected: Collected { indices, len: 0 },
            run: None,
        }
    }

    /// The next batch, in ascending order; it may be empty.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Found<'_>> {
        loop {
            while let Some((word, start)) = self.kept.peek() {
                if !self.collected.has_room_for_a_word() {
                    return Some(Found::Indices(self.collected.take()));
                }
                self.collected.push_bits_of(word, start);
                self.kept.next += 1;
            }
            if let Some(run) = self.run.take() {
                return Some(Found::Run(run));
            }
            let Some((chunk, (old, new))) = self.chunks.next() else {
                break;
            };
            let mut words = [0; CHUNK_WORDS];
            let Sums { any, all } = compare(old, new, &self.changed, &mut words);
            if any == 0 {
                continue;
            }
            let start = chunk * CHUNK_LANES;
            if all == u64::MAX {
                self.run = Some(start..start + old.len());
                return Some(Found::Indices(self.collected.take()));
            }
            self.kept.keep_changed(&words, as_index(start));
        }
        if self.collected.len == 0 {
            None
        } else {
            Some(Found::Indices(self.collected.take()))
        }
    }
}

/// What all words of a chunk have together.
///
/// Made in registers on the way, and the words are written where they stay: to load what was just
/// stored in wider pieces waits for longer than the words take to compare.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    /// Bits that any word has.
    pub(super) any: u64,
    /// Bits that all words have which the chunk reaches; not all ones if it does not fill the last.
    pub(super) all: u64,
}

/// The change bits of the lanes of up to eight words; those of lanes that the chunks do not have
/// are 0.
#[inline(always)]
fn compare(
    old: &[f32],
    new: &[f32],
    changed: impl Fn(&WordLanes, &WordLanes) -> u64,
    words: &mut Words,
) -> Sums {
    let (old_words, old_rest) = old.as_chunks();
    let (new_words, new_rest) = new.as_chunks();
    let mut sums = compare_words(old_words, new_words, &changed, words);
    let mut others = words.iter_mut().skip(old_words.len());
    // Fewer than eight words were full if lanes are left over.
    if !old_rest.is_empty()
        && let Some(word) = others.next()
    {
        *word = compare_rest(old_rest, new_rest, &changed);
        sums.any |= *word;
        sums.all = 0;
    }
    others.for_each(|word| *word = 0);
    sums
}

/// The change bits of up to eight words; further ones stay.
#[inline(always)]
pub(super) fn compare_words(
    old: &[WordLanes],
    new: &[WordLanes],
    changed: impl Fn(&WordLanes, &WordLanes) -> u64,
    words: &mut Words,
) -> Sums {
    let (mut any, mut all) = (0, u64::MAX);
    for (word, (old, new)) in words.iter_mut().zip(old.iter().zip(new)) {
        let bits = changed(old, new);
        *word = bits;
        any |= bits;
        all &= bits;
    }
    Sums { any, all }
}

/// The change bits of fewer than 64 lanes. Lanes that fill the word up are equal in both.
#[inline(always)]
pub(super) fn compare_rest(
    old: &[f32],
    new: &[f32],
    changed: impl Fn(&WordLanes, &WordLanes) -> u64,
) -> u64 {
    changed(&padded(old), &padded(new))
}

/// Fewer than 64 lanes, filled up by zeros.
pub(super) fn padded(lanes: &[f32]) -> WordLanes {
    let mut word = [0.0; WORD_LANES];
    for (to, from) in word.iter_mut().zip(lanes) {
        *to = *from;
    }
    word
}

/// The words of a chunk that have a change.
///
/// It is filled where it lies: returned by value it would be copied in wide loads over the narrow
/// stores that made it, which stalls for longer than the words take to compare.
struct Kept<'a> {
    words: &'a mut Words,
    /// Index of each word's first lane.
    starts: &'a mut [u32; CHUNK_WORDS],
    /// At most `CHUNK_WORDS`.
    count: usize,
    /// The first word not yet taken.
    next: usize,
}

impl Kept<'_> {
    /// Keeps the words that are not 0 of a chunk whose first lane is `start`, without a branch on
    /// any.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder is below its divisor, the length"
    )]
    fn keep_changed(&mut self, words: &Words, start: u32) {
        let mut count = 0;
        let mut next_start = start;
        for &word in words {
            // `count` is below CHUNK_WORDS here: the remainder spares a bounds check.
            self.words[count % CHUNK_WORDS] = word;
            self.starts[count % CHUNK_WORDS] = next_start;
            count += usize::from(word != 0);
            next_start = next_start.wrapping_add(as_index(WORD_LANES));
        }
        self.count = count;
        self.next = 0;
    }

    /// The next word and the index of its first lane.
    #[inline(always)]
    fn peek(&self) -> Option<(u64, u32)> {
        if self.next < self.count {
            Some((*self.words.get(self.next)?, *self.starts.get(self.next)?))
        } else {
            None
        }
    }
}

/// Indices on their way to the caller.
struct Collected<'a> {
    indices: &'a mut [u32; COLLECTED],
    /// At most `COLLECTED`.
    len: usize,
}

impl Collected<'_> {
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
