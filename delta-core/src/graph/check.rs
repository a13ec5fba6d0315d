//! Checks a set of edits against the unchanged graph, and predicts what it leads to.

mod list;

use super::{
    Adjacency, Edit, EditError, LAYERS_MAX, ListChange, Slots,
    adjacency::State,
    digest::{ListKey, entry_term, list_sum, node_term, tombstone_term},
};
use list::List;

impl Adjacency<'_> {
    /// The state after a set of edits that can be made.
    pub(super) fn predict<'a>(
        &self,
        edits: impl Iterator<Item = Edit<'a>>,
    ) -> Result<State, EditError> {
        let mut check = Check {
            graph: self,
            next: self.state,
            place: 0,
            level_inserted: None,
            tombstone_first: None,
        };
        let (mut index, mut checked) = (0_u32, Ok(()));
        // Not a loop: a whole change is read faster from inside than edit by edit.
        edits.for_each(|edit| {
            if checked.is_ok() {
                checked = check.next(index, &edit);
                index += 1;
            }
        });
        checked?;
        check.entry()
    }
}

/// Where an edit stands in a set: each place is taken at most once, in ascending order.
fn place(edit: &Edit<'_>) -> u64 {
    const TOMBSTONES: u64 = 1;
    const INSERT: u64 = 1 << 33;
    const LISTS: u64 = INSERT + 1;
    const ENTRY: u64 = LISTS + (1 << 40);
    match *edit {
        // The only place 0; what follows stands below the place after it.
        Edit::Clear => 0,
        Edit::Tombstone { slot } => TOMBSTONES + u64::from(slot),
        Edit::Insert { .. } => INSERT,
        Edit::List { layer, slot, .. } => LISTS + (u64::from(layer) << 32 | u64::from(slot)),
        Edit::Entry { .. } => ENTRY,
    }
}

struct Check<'g, 'm> {
    graph: &'g Adjacency<'m>,
    /// The state after the edits seen.
    next: State,
    /// Least place of the next edit.
    place: u64,
    /// Level of the node that the set inserts.
    level_inserted: Option<u8>,
    /// The next node, if the set makes it a tombstone before it inserts it.
    tombstone_first: Option<u32>,
}

impl Check<'_, '_> {
    #[inline(always)]
    fn next(&mut self, index: u32, edit: &Edit<'_>) -> Result<(), EditError> {
        let place = place(edit);
        if place < self.place {
            return Err(EditError::Order { index });
        }
        self.place = place.saturating_add(1);
        self.edit(edit)
    }

    #[inline(always)]
    fn edit(&mut self, edit: &Edit<'_>) -> Result<(), EditError> {
        match *edit {
            Edit::Clear => {
                self.next = State::default();
                self.place = u64::MAX;
                Ok(())
            }
            Edit::Tombstone { slot } => self.tombstone(slot),
            Edit::Insert { slot, level } => self.insert(slot, level),
            Edit::List {
                layer,
                slot,
                change,
            } => self.list(layer, slot, change),
            Edit::Entry { slot } => {
                let level = self.level(slot)?;
                self.drop_entry();
                self.next.entry = slot;
                self.next.digest = self.next.digest.wrapping_add(entry_term(slot, level));
                Ok(())
            }
        }
    }

    fn tombstone(&mut self, slot: u32) -> Result<(), EditError> {
        if slot == self.graph.node_count() {
            self.tombstone_first = Some(slot);
        } else {
            self.level(slot)?;
        }
        if self.graph.is_tombstone(slot) {
            return Err(EditError::AlreadyTombstone { slot });
        }
        self.next.tombstone_count += 1;
        self.next.digest = self.next.digest.wrapping_add(tombstone_term(slot));
        Ok(())
    }

    fn insert(&mut self, slot: u32, level: u8) -> Result<(), EditError> {
        let expected = self.graph.node_count();
        if slot != expected {
            return Err(EditError::SlotNotNext { slot, expected });
        }
        if !self.graph.has_room(level) {
            return Err(EditError::Full { slot, level });
        }
        self.level_inserted = Some(level);
        self.next.node_count += 1;
        self.next.upper_blocks += u32::from(level);
        self.next.level_max = self.next.level_max.max(level);
        self.next.digest = self.next.digest.wrapping_add(node_term(slot, level));
        Ok(())
    }

    #[inline(always)]
    fn list(&mut self, layer: u8, slot: u32, change: ListChange<'_>) -> Result<(), EditError> {
        if layer > self.level(slot)? {
            return Err(EditError::MissingLayer { layer, slot });
        }
        let list = List {
            layer,
            slot,
            current: self.graph.neighbours(layer, slot).unwrap_or(&[]),
            key: ListKey::new(layer, slot),
        };
        match change {
            ListChange::Replace(slots) => self.replace(&list, slots),
            ListChange::Patch { removed, added } => self.patch(&list, removed, added),
            ListChange::Link { removed, added } => self.link(&list, removed, added),
        }
    }

    fn replace(&mut self, list: &List<'_>, slots: Slots<'_>) -> Result<(), EditError> {
        let sum = list_sum(list.layer, list.slot, list.current);
        let come = self.added(list, slots, false)?;
        let (gone, sum) = (list.current.len(), come.wrapping_sub(sum));
        self.note(list, gone, slots.len(), sum)
    }

    fn patch(
        &mut self,
        list: &List<'_>,
        removed: Slots<'_>,
        added: Slots<'_>,
    ) -> Result<(), EditError> {
        let gone = list.removed(removed)?;
        let come = self.added(list, added, true)?;
        self.note(list, removed.len(), added.len(), come.wrapping_sub(gone))
    }

    #[inline]
    fn link(&mut self, list: &List<'_>, removed: u64, added: Option<u32>) -> Result<(), EditError> {
        let gone = list.removed_places(removed)?;
        let mut come = 0;
        if let Some(to) = added {
            self.edge(list, to)?;
            list.is_new(to)?;
            come = list.key.edge_term(to);
        }
        let (fewer, more) = (removed.count_ones() as usize, usize::from(added.is_some()));
        self.note(list, fewer, more, come.wrapping_sub(gone))
    }

    /// Takes a list's change into the next state: `gone` edges and `come`, `sum` in the digest.
    #[inline]
    fn note(
        &mut self,
        list: &List<'_>,
        gone: usize,
        come: usize,
        sum: u64,
    ) -> Result<(), EditError> {
        let List { layer, slot, .. } = *list;
        // No more goes than there is: `List` found all of it.
        let degree = list.current.len() - gone + come;
        let degree_max = self.graph.shape().degree_max_of(layer);
        if degree > usize::from(degree_max) {
            return Err(EditError::Degree {
                layer,
                slot,
                degree: u32::try_from(degree).unwrap_or(u32::MAX),
                degree_max,
            });
        }
        self.next.edge_count = self.next.edge_count - gone as u64 + come as u64;
        self.next.digest = self.next.digest.wrapping_add(sum);
        Ok(())
    }

    /// The level of a node that exists or is inserted by this set.
    #[inline]
    fn level(&self, slot: u32) -> Result<u8, EditError> {
        if let Some(level) = self.graph.level(slot) {
            return Ok(level);
        }
        match self.level_inserted {
            Some(level) if slot == self.graph.node_count() => Ok(level),
            _ => Err(EditError::MissingNode { slot }),
        }
    }

    /// Whether an edge of `list` may lead to `to`.
    #[inline]
    fn edge(&self, list: &List<'_>, to: u32) -> Result<(), EditError> {
        let layer = list.layer;
        if to == list.slot {
            return Err(EditError::SelfLink { layer, slot: to });
        }
        if layer > self.level(to)? {
            return Err(EditError::MissingLayer { layer, slot: to });
        }
        Ok(())
    }

    /// The sum of the edges to `slots`, all of which may be.
    #[inline]
    fn added(
        &self,
        list: &List<'_>,
        slots: Slots<'_>,
        must_be_new: bool,
    ) -> Result<u64, EditError> {
        let mut sum = 0_u64;
        let mut least = 0;
        slots.try_each(|to| {
            list.ascends(to, &mut least)?;
            self.edge(list, to)?;
            if must_be_new {
                list.is_new(to)?;
            }
            sum = sum.wrapping_add(list.key.edge_term(to));
            Ok(())
        })?;
        Ok(sum)
    }

    fn drop_entry(&mut self) {
        if let Some(entry) = self.graph.entry() {
            let term = entry_term(entry, self.graph.level_max());
            self.next.digest = self.next.digest.wrapping_sub(term);
        }
    }

    /// The state after the set, if its entry is of the highest level.
    fn entry(self) -> Result<State, EditError> {
        let next = self.next;
        if let (Some(slot), None) = (self.tombstone_first, self.level_inserted) {
            return Err(EditError::MissingNode { slot });
        }
        if next.node_count == 0 {
            return Ok(next);
        }
        // Only an entry edit takes this place; without one, there must have been an entry.
        if self.graph.node_count() == 0 && self.place <= place(&Edit::Entry { slot: 0 }) {
            return Err(EditError::MissingEntry);
        }
        let (slot, level_max) = (next.entry, next.level_max);
        let level = self.level(slot)?;
        if level != level_max {
            return Err(EditError::EntryLevel {
                slot,
                level,
                level_max,
            });
        }
        Ok(next)
    }
}

const _: () = assert!((LAYERS_MAX as u64) << 32 < 1 << 40);
