//! Changed components as a list: the pass of `scan.rs`, straight into the caller's slices.

use super::scan::{CHUNK_WORDS, Sums, as_index, compare_rest, compare_words, padded};
use crate::simd::{Vector, WORD_LANES, WordLanes};

/// The caller's slices, and how much of them is in use.
pub(super) struct List<'o> {
    pub(super) indices: &'o mut [u32],
    pub(super) values: &'o mut [f32],
    /// At most the length of the shorter slice.
    pub(super) len: usize,
}

impl List<'_> {
    /// Appends the `changed` components of two rows of one length, in ascending order; `None` if
    /// they do not fit.
    #[inline(always)]
    pub(super) fn push_changed(
        &mut self,
        unit: impl Vector,
        old: &[f32],
        new: &[f32],
        changed: impl Fn(&WordLanes, &WordLanes) -> u64,
    ) -> Option<()> {
        let (old_words, old_rest) = old.as_chunks();
        let (new_words, new_rest) = new.as_chunks();
        let (mut words, mut start) = ([0; CHUNK_WORDS], 0_u32);
        let chunks = old_words.chunks(CHUNK_WORDS);
        for (old, new) in chunks.zip(new_words.chunks(CHUNK_WORDS)) {
            let Sums { any, all } = compare_words(old, new, &changed, &mut words);
            let mut word_start = start;
            start = start.wrapping_add(as_index(CHUNK_WORDS * WORD_LANES));
            if any == 0 {
                continue;
            }
            if all == u64::MAX {
                self.push_run(word_start, new.as_flattened())?;
                continue;
            }
            for (&word, lanes) in words.iter().zip(new) {
                self.push_word(unit, word, lanes, word_start)?;
                word_start = word_start.wrapping_add(as_index(WORD_LANES));
            }
        }
        if new_rest.is_empty() {
            return Some(());
        }
        let word = compare_rest(old_rest, new_rest, &changed);
        let start = as_index(new_words.as_flattened().len());
        self.push_word(unit, word, &padded(new_rest), start)
    }

    /// Appends all of `new`, whose first component has the index `start`.
    fn push_run(&mut self, start: u32, new: &[f32]) -> Option<()> {
        let end = self.len + new.len();
        let indices = self.indices.get_mut(self.len..end)?;
        let values = self.values.get_mut(self.len..end)?;
        for (index, at) in indices.iter_mut().zip(start..) {
            *index = at;
        }
        values.copy_from_slice(new);
        self.len = end;
        Some(())
    }

    /// Appends the lanes of `word`'s bits, the first of which has the index `start`.
    #[inline(always)]
    fn push_word(
        &mut self,
        unit: impl Vector,
        word: u64,
        lanes: &WordLanes,
        start: u32,
    ) -> Option<()> {
        let (Some(indices), Some(values)) = (
            room_at(self.indices, self.len),
            room_at(self.values, self.len),
        ) else {
            return self.push_last(word, lanes, start);
        };
        // What is written beyond the last bit's lane, the next word overwrites.
        unit.pack(word, lanes, start, indices, values);
        self.len += word.count_ones() as usize;
        Some(())
    }

    /// As [`Self::push_word`] where the slices may end: no surplus.
    #[cold]
    fn push_last(&mut self, word: u64, lanes: &WordLanes, start: u32) -> Option<()> {
        for (place, &lane) in (0_u32..).zip(lanes) {
            if word >> place & 1 == 1 {
                *self.indices.get_mut(self.len)? = start + place;
                *self.values.get_mut(self.len)? = lane;
                self.len += 1;
            }
        }
        Some(())
    }
}

#[inline(always)]
fn room_at<T>(slice: &mut [T], at: usize) -> Option<&mut [T; WORD_LANES]> {
    slice.get_mut(at..)?.first_chunk_mut()
}
