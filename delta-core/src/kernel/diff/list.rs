//! Changed components as a list: the pass of `scan.rs`, straight into the caller's slices.

use super::scan::{CHUNK_LANES, WORD_LANES, as_index, compare, is_whole};
use crate::simd::Block;

/// Places that are written at a time. At 5% a word of 64 lanes has three changes: with six places
/// one more round is rare enough to be predicted, and little is written in vain. Eight places cost
/// 5-10% more there, four as much at 10%.
const GROUP: usize = 6;

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
        old: &[f32],
        new: &[f32],
        changed: impl Fn(&Block, &Block) -> u16,
    ) -> Option<()> {
        let chunks = old.chunks(CHUNK_LANES).zip(new.chunks(CHUNK_LANES));
        let starts = (0_u32..).step_by(CHUNK_LANES);
        for (start, (old, new)) in starts.zip(chunks) {
            let words = compare(old, new, &changed);
            if words.iter().fold(0, |any, word| any | word) == 0 {
                continue;
            }
            if is_whole(&words, new.len()) {
                self.push_run(start, new)?;
                continue;
            }
            let (whole, rest) = new.as_chunks::<WORD_LANES>();
            let mut start = start;
            for (&word, lanes) in words.iter().zip(whole) {
                self.push_word(word, lanes, start)?;
                start = start.wrapping_add(as_index(WORD_LANES));
            }
            if let Some(&word) = words.get(whole.len()).filter(|&&word| word != 0) {
                let mut lanes = [0.0; WORD_LANES];
                for (to, from) in lanes.iter_mut().zip(rest) {
                    *to = *from;
                }
                self.push_word(word, &lanes, start)?;
            }
        }
        Some(())
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

    /// Appends the lanes of `word`'s bits, the first of which has the index `start`. A group is
    /// written whether there are as many bits or not: the next word overwrites the surplus.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder is below its divisor, the length"
    )]
    fn push_word(&mut self, word: u64, lanes: &[f32; WORD_LANES], start: u32) -> Option<()> {
        let end = self.len + word.count_ones() as usize;
        let (mut left, mut at) = (word, self.len);
        loop {
            let (Some(indices), Some(values)) =
                (group_at(self.indices, at), group_at(self.values, at))
            else {
                self.len = at;
                return self.push_last(left, lanes, start);
            };
            for (index, value) in indices.iter_mut().zip(values) {
                // Past the last bit any place will do; the set one spares a check for 0.
                let place = (left | 1 << 63).trailing_zeros();
                *index = start + place;
                *value = lanes[place as usize % WORD_LANES];
                left &= left.wrapping_sub(1);
            }
            at += GROUP;
            if at >= end {
                break;
            }
        }
        self.len = end;
        Some(())
    }

    /// As [`Self::push_word`] where the slices may end: no surplus.
    #[cold]
    fn push_last(&mut self, word: u64, lanes: &[f32; WORD_LANES], start: u32) -> Option<()> {
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
fn group_at<T>(slice: &mut [T], at: usize) -> Option<&mut [T; GROUP]> {
    slice.get_mut(at..)?.first_chunk_mut()
}
