//! Makes edits that were checked. What cannot be is skipped: [`check`](super::check) leaves no such
//! edit.

use super::{Adjacency, Edit, ListChange, Slots, adjacency::State};

impl Adjacency<'_> {
    pub(super) fn commit<'a>(&mut self, edits: impl Iterator<Item = Edit<'a>>, next: State) {
        let upper_base = self.state.upper_blocks;
        self.state = next;
        edits.for_each(|edit| {
            match edit {
                Edit::Clear => self.buffers.clear(),
                Edit::Tombstone { slot } => self.mark(slot, true),
                Edit::Insert { slot, level } => self.place_node(slot, level, upper_base),
                Edit::List {
                    layer,
                    slot,
                    change,
                } => self.change_list(layer, slot, |list, degree| match change {
                    ListChange::Replace(slots) => replace(list, degree, slots),
                    ListChange::Patch { removed, added } => {
                        let degree = removed
                            .iter()
                            .fold(degree, |degree, slot| remove(list, degree, slot));
                        added
                            .iter()
                            .fold(degree, |degree, slot| add(list, degree, slot))
                    }
                    ListChange::Link { removed, added } => {
                        let degree = remove_places(list, degree, removed);
                        added.map_or(degree, |slot| add(list, degree, slot))
                    }
                }),
                // In `next`.
                Edit::Entry { .. } => {}
            }
        });
    }

    /// Sets whether a node is a tombstone.
    pub(super) fn mark(&mut self, slot: u32, is_tombstone: bool) {
        if let Some(word) = self.buffers.tombstones.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
            *word |= u64::from(is_tombstone) << (slot % 64);
        }
    }

    /// Sets a node's level and its first upper list.
    pub(super) fn place_node(&mut self, slot: u32, level: u8, upper_base: u32) {
        if let Some(stored) = self.buffers.levels.get_mut(slot as usize) {
            *stored = level;
        }
        if let Some(base) = self.buffers.upper_base.get_mut(slot as usize) {
            *base = if level == 0 { 0 } else { upper_base };
        }
    }
}

/// Writes all slots and zeroes what was in use beyond them; the new degree.
#[inline]
fn replace(list: &mut [u32], degree: usize, slots: Slots<'_>) -> usize {
    let mut words = list.iter_mut();
    let mut count = 0;
    // The list is long enough: its degree was checked.
    let _ = slots.try_each(|slot| {
        *words.next().ok_or(())? = slot;
        count += 1;
        Ok::<(), ()>(())
    });
    if let Some(rest) = list.get_mut(count..degree) {
        rest.fill(0);
    }
    count
}

/// Takes `slot` out of the sorted list; the new degree.
#[inline]
fn remove(list: &mut [u32], degree: usize, slot: u32) -> usize {
    let used = list.get_mut(..degree).unwrap_or_default();
    let Some(place) = used.iter().position(|&known| known == slot) else {
        return degree;
    };
    remove_at(used, place);
    degree - 1
}

/// Takes out the slots at the places of `mask`; the new degree.
#[inline]
fn remove_places(list: &mut [u32], mut degree: usize, mut mask: u64) -> usize {
    // From the last place on, so that the places before it stay.
    while mask != 0 {
        let place = 63 - mask.leading_zeros();
        mask &= !(1 << place);
        if (place as usize) < degree {
            remove_at(list.get_mut(..degree).unwrap_or_default(), place as usize);
            degree -= 1;
        }
    }
    degree
}

/// Moves what lies behind `place` one forward and zeroes the last word.
#[inline]
fn remove_at(used: &mut [u32], place: usize) {
    if place + 1 < used.len() {
        used.copy_within(place + 1.., place);
    }
    if let Some(last) = used.last_mut() {
        *last = 0;
    }
}

/// Puts `slot` at its place in the sorted list; the new degree.
#[inline]
fn add(list: &mut [u32], degree: usize, slot: u32) -> usize {
    let Some(used) = list.get_mut(..=degree) else {
        return degree;
    };
    let last = degree.checked_sub(1).and_then(|last| used.get(last));
    let place = if last.is_none_or(|&last| last < slot) {
        // The newest node, as in most edits.
        degree
    } else {
        // Counting beats a binary search on lists this short: no branch depends on the slots.
        let below = used.iter().take(degree).filter(|&&known| known < slot);
        below.count()
    };
    if place < degree {
        used.copy_within(place..degree, place + 1);
    }
    if let Some(word) = used.get_mut(place) {
        *word = slot;
    }
    degree + 1
}
