//! Lanes picked by their bits, one by one: for units that have no instruction to move them.

use super::{WORD_LANES, WordLanes};

/// Places that are written at a time, whether there are as many bits or not: how many a word has is
/// then rarely a branch, which at a few changes a word would be mispredicted at each (the trick is
/// that of Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019, section 3.2). At 5% a
/// word of 64 lanes has three changes: with six places one more round is rare enough to be
/// predicted, and little is written in vain. Eight places cost 5-10% more there, four as much at
/// 10%.
const GROUP: usize = 6;

/// What [`Vector::pack`](super::Vector::pack) does.
#[inline(always)]
pub(super) fn pick(
    word: u64,
    lanes: &WordLanes,
    start: u32,
    indices: &mut [u32; WORD_LANES],
    values: &mut WordLanes,
) {
    let mut left = word;
    let (index_groups, last_indices) = indices.as_chunks_mut::<GROUP>();
    let (value_groups, last_values) = values.as_chunks_mut::<GROUP>();
    for (indices, values) in index_groups.iter_mut().zip(value_groups) {
        for (index, value) in indices.iter_mut().zip(values) {
            left = pick_one(left, lanes, start, index, value);
        }
        if left == 0 {
            return;
        }
    }
    for (index, value) in last_indices.iter_mut().zip(last_values) {
        left = pick_one(left, lanes, start, index, value);
    }
}

/// Picks the lowest bit's lane and returns the other bits.
#[inline(always)]
#[expect(
    clippy::indexing_slicing,
    reason = "a remainder is below its divisor, the length"
)]
fn pick_one(left: u64, lanes: &WordLanes, start: u32, index: &mut u32, value: &mut f32) -> u64 {
    // Past the last bit any place will do; the set one spares a check for 0.
    let place = (left | 1 << 63).trailing_zeros();
    *index = start.wrapping_add(place);
    *value = lanes[place as usize % WORD_LANES];
    left & left.wrapping_sub(1)
}
