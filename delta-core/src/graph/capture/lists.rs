//! Lists on the stack, and what is between two of them.

use crate::graph::encode::Link;

/// The most neighbours of any list.
pub(super) const LIST_MAX: usize = u8::MAX as usize;

/// The neighbours of one node, or as many of something else.
pub(in crate::graph) struct List<T = u32> {
    items: [T; LIST_MAX],
    len: usize,
}

impl<T: Copy + Default> List<T> {
    pub(in crate::graph) fn new() -> Self {
        Self {
            items: [T::default(); LIST_MAX],
            len: 0,
        }
    }

    /// What does not fit is dropped.
    pub(in crate::graph) fn push(&mut self, item: T) {
        if let Some(word) = self.items.get_mut(self.len) {
            *word = item;
            self.len += 1;
        }
    }

    pub(in crate::graph) fn pop(&mut self) -> Option<T> {
        let last = *self.as_slice().last()?;
        self.len -= 1;
        Some(last)
    }

    pub(in crate::graph) fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or(&[])
    }

    pub(in crate::graph) fn as_mut_slice(&mut self) -> &mut [T] {
        self.items.get_mut(..self.len).unwrap_or_default()
    }
}

/// Nodes whose lists an operation can have changed: one, and two lists of neighbours.
pub(super) struct Touched {
    slots: [u32; 2 * LIST_MAX + 1],
    len: usize,
}

impl Touched {
    pub(super) fn new() -> Self {
        Self {
            slots: [0; 2 * LIST_MAX + 1],
            len: 0,
        }
    }

    pub(super) fn add(&mut self, slots: &[u32]) {
        let free = self.slots.get_mut(self.len..).unwrap_or_default();
        for (word, &slot) in free.iter_mut().zip(slots) {
            *word = slot;
        }
        self.len += slots.len();
    }

    /// Ascending, each once.
    pub(super) fn sorted(&mut self) -> &[u32] {
        let slots = self.slots.get_mut(..self.len).unwrap_or_default();
        slots.sort_unstable();
        let mut kept = 0;
        for place in 0..slots.len() {
            let slot = slots.get(place).copied();
            if place == 0 || slots.get(kept - 1).copied() != slot {
                if let (Some(word), Some(slot)) = (slots.get_mut(kept), slot) {
                    *word = slot;
                }
                kept += 1;
            }
        }
        slots.get(..kept).unwrap_or(&[])
    }
}

/// What an insert of `slot` did to a list; `None` if it is nothing that a [`Link`] can tell.
pub(super) fn link_between(before: &[u32], now: &[u32], slot: u32) -> Option<Link> {
    let mut link = Link::default();
    let mut now = now.iter().copied().peekable();
    for (place, &known) in before.iter().enumerate() {
        while let Some(added) = now.next_if(|&new| new < known) {
            link.is_linked |= (added == slot).then_some(true)?;
        }
        if now.next_if_eq(&known).is_none() {
            link.removed |= 1_u64.checked_shl(u32::try_from(place).ok()?)?;
        }
    }
    for added in now {
        link.is_linked |= (added == slot).then_some(true)?;
    }
    Some(link)
}

/// The neighbours that went and those that came; `None` if the lists are equal.
pub(super) fn between(before: &[u32], now: &[u32]) -> Option<(List, List)> {
    if before == now {
        return None;
    }
    let (mut removed, mut added) = (List::new(), List::new());
    let mut now = now.iter().copied().peekable();
    for &known in before {
        while let Some(new) = now.next_if(|&new| new < known) {
            added.push(new);
        }
        if now.next_if_eq(&known).is_none() {
            removed.push(known);
        }
    }
    now.for_each(|new| added.push(new));
    Some((removed, added))
}
