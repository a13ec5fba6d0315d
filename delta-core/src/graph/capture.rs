//! What an operation did to an index, found by its touched set and told as a change.
//!
//! An HNSW index that inserts a node changes the lists of that node and of its new neighbours, and
//! no other. So the capture re-reads those, compares them with its shadow (what replicas have), and
//! writes the difference. It needs the index to itself from the operation to the capture.
//!
//! The loop is closed: the shadow takes the very bytes that are sent, and only when they are
//! committed. An abandoned change leaves it as it was.

mod error;
pub(super) mod lists;

pub use error::{Difference, GraphCaptureError};

use super::{
    Adjacency, CheckedChange, Edit, EditError, LAYERS_MAX, ListChange, Prepared, Slots,
    encode::{Change, EditsWriter, Fault, InsertWriter, Link},
};
use lists::{LIST_MAX, List, Touched, between, link_between};

/// What a capture reads of an index.
pub trait IndexView {
    /// Level of a node; `None` if there is none.
    fn level(&self, slot: u32) -> Option<u8>;
    /// Calls `visit` for every neighbour of `slot` on `layer`, in any order, each once.
    fn visit_neighbours(&self, layer: u8, slot: u32, visit: &mut dyn FnMut(u32));
    /// Where the index starts its searches; `None` if it is empty.
    fn entry(&self) -> Option<u32>;
    /// Calls `visit` for nodes whose lists on `layer`, which is above the level of `slot`, may have
    /// changed when `slot` was linked anew: at most as many as a list of the layer holds; none,
    /// unless an update can link beyond the level that a node was inserted with.
    fn visit_touched_above(&self, _layer: u8, _slot: u32, _visit: &mut dyn FnMut(u32)) {}
}

/// A change that was captured and is not yet part of the shadow.
#[derive(Debug)]
#[must_use = "the shadow follows on commit"]
pub struct PendingChange<'c, 'm, 'o> {
    prepared: Prepared<'c, 'm, Change<'o>>,
}

impl<'o> PendingChange<'_, '_, 'o> {
    /// The encoded [`Change`].
    #[must_use]
    pub const fn bytes(&self) -> &'o [u8] {
        self.prepared.checked().edits().as_bytes()
    }

    /// The change, for a record that carries it.
    pub const fn checked(&self) -> CheckedChange<'o> {
        *self.prepared.checked()
    }

    /// The digest of the graph after the change.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.prepared.digest()
    }

    /// Takes the change into the shadow, once it is on its way.
    pub fn commit(self) {
        self.prepared.commit();
    }
}

/// Follows an index: turns each operation on it into a change.
#[derive(Debug)]
pub struct GraphCapture<'m> {
    shadow: Adjacency<'m>,
}

impl<'m> GraphCapture<'m> {
    /// `shadow` is the graph that replicas have: empty, or loaded from a snapshot.
    #[must_use]
    pub const fn new(shadow: Adjacency<'m>) -> Self {
        Self { shadow }
    }

    /// The graph that replicas have.
    #[must_use]
    pub const fn shadow(&self) -> &Adjacency<'m> {
        &self.shadow
    }

    /// After the index inserted `slot`: writes the change to the front of `out`.
    /// O(neighbours * degree).
    ///
    /// # Errors
    /// [`GraphCaptureError`].
    pub fn insert<'o>(
        &mut self,
        index: &dyn IndexView,
        slot: u32,
        out: &'o mut [u8],
    ) -> Result<PendingChange<'_, 'm, 'o>, GraphCaptureError> {
        let level = index.level(slot).ok_or(GraphCaptureError::Node { slot })?;
        if level >= LAYERS_MAX {
            return Err(GraphCaptureError::Unencodable { slot });
        }
        let size = match self.short_insert(index, slot, level, out)? {
            Some(size) => size,
            None => self.touched(index, slot, Touch::Inserted(level), out)?,
        };
        self.pending(slot, size, out)
    }

    /// After the index linked `slot` anew, as it does where a row is updated in place: compares the
    /// lists of the node, of its neighbours before and of those after. O(neighbours * degree).
    ///
    /// # Errors
    /// [`GraphCaptureError`].
    pub fn update<'o>(
        &mut self,
        index: &dyn IndexView,
        slot: u32,
        out: &'o mut [u8],
    ) -> Result<PendingChange<'_, 'm, 'o>, GraphCaptureError> {
        let size = self.touched(index, slot, Touch::Linked, out)?;
        self.pending(slot, size, out)
    }

    /// Makes `slot` a tombstone, and, as [`update`](Self::update), tells what the index repaired
    /// around it. The index keeps the node. O(neighbours * degree).
    ///
    /// # Errors
    /// [`GraphCaptureError`].
    pub fn delete<'o>(
        &mut self,
        index: &dyn IndexView,
        slot: u32,
        out: &'o mut [u8],
    ) -> Result<PendingChange<'_, 'm, 'o>, GraphCaptureError> {
        let size = self.touched(index, slot, Touch::Deleted, out)?;
        self.pending(slot, size, out)
    }

    /// Whether `slot` is the node that an insert would be captured as, before the index makes it.
    /// O(1).
    ///
    /// # Errors
    /// [`GraphCaptureError::Refused`].
    pub const fn check_insert(&self, slot: u32) -> Result<(), GraphCaptureError> {
        let expected = self.shadow.node_count();
        let error = if slot != expected {
            EditError::SlotNotNext { slot, expected }
        } else if slot >= self.shadow.shape().nodes_max {
            EditError::Full { slot, level: 0 }
        } else {
            return Ok(());
        };
        Err(GraphCaptureError::Refused(error))
    }

    /// Whether `slot` is a node that lives, as updates and deletes need it, before the index makes
    /// them. O(1).
    ///
    /// # Errors
    /// [`GraphCaptureError::Refused`].
    pub fn check_live(&self, slot: u32) -> Result<(), GraphCaptureError> {
        let error = if self.shadow.level(slot).is_none() {
            EditError::MissingNode { slot }
        } else if self.shadow.is_tombstone(slot) {
            EditError::AlreadyTombstone { slot }
        } else {
            return Ok(());
        };
        Err(GraphCaptureError::Refused(error))
    }

    /// The first difference between index and shadow: in the nodes and their lists, then in the
    /// entry. O(all lists).
    ///
    /// # Errors
    /// [`GraphCaptureError::ListTooLong`] and [`GraphCaptureError::Unencodable`].
    pub fn first_difference(
        &self,
        index: &dyn IndexView,
    ) -> Result<Option<Difference>, GraphCaptureError> {
        let node_count = self.shadow.node_count();
        // The node behind the last: neither has it.
        for slot in 0..node_count.saturating_add(1) {
            let level = self.shadow.level(slot);
            if index.level(slot) != level {
                return Ok(Some(Difference::Node { slot }));
            }
            for layer in 0..level.map_or(0, |level| level + 1) {
                let now = self.read(index, layer, slot)?;
                if self.before(layer, slot) != now.as_slice() {
                    return Ok(Some(Difference::List { layer, slot }));
                }
            }
        }
        let (index, shadow) = (index.entry(), self.shadow.entry());
        Ok((index != shadow).then_some(Difference::Entry { index, shadow }))
    }

    fn pending<'o>(
        &mut self,
        slot: u32,
        size: usize,
        out: &'o mut [u8],
    ) -> Result<PendingChange<'_, 'm, 'o>, GraphCaptureError> {
        let full = GraphCaptureError::BufferFull { size: out.len() };
        let bytes = &*out.get_mut(..size).ok_or(full)?;
        // What was just written is a change, unless the index told two stories while it was read.
        let change = Change::parse(bytes).map_err(|_| GraphCaptureError::Unencodable { slot })?;
        let prepared = self.shadow.prepare(change);
        let prepared = prepared.map_err(GraphCaptureError::Refused)?;
        Ok(PendingChange { prepared })
    }

    /// The insert form; `None` if lists changed in ways that it does not tell.
    fn short_insert(
        &self,
        index: &dyn IndexView,
        slot: u32,
        level: u8,
        out: &mut [u8],
    ) -> Result<Option<usize>, GraphCaptureError> {
        let becomes_entry = index.entry() == Some(slot);
        if !becomes_entry && index.entry() != self.shadow.entry() {
            return Ok(None);
        }
        let full = GraphCaptureError::BufferFull { size: out.len() };
        let mut writer = InsertWriter::new(out, slot, level, becomes_entry).ok_or(full)?;
        for layer in 0..=level {
            let own = self.read(index, layer, slot)?;
            let mut links = [Link::default(); LIST_MAX];
            for (link, &neighbour) in links.iter_mut().zip(own.as_slice()) {
                let now = self.read(index, layer, neighbour)?;
                let before = self.before(layer, neighbour);
                match link_between(before, now.as_slice(), slot) {
                    Some(found) => *link = found,
                    None => return Ok(None),
                }
            }
            let own = own.as_slice();
            let links = links.get(..own.len()).unwrap_or(&[]);
            writer.layer(own, links).ok_or(full)?;
        }
        Ok(writer.finish())
    }

    /// Any difference in the lists of `slot` and of its neighbours before and after.
    fn touched(
        &self,
        index: &dyn IndexView,
        slot: u32,
        touch: Touch,
        out: &mut [u8],
    ) -> Result<usize, GraphCaptureError> {
        let size = out.len();
        let full = |fault| match fault {
            Fault::Full => GraphCaptureError::BufferFull { size },
            Fault::Unencodable => GraphCaptureError::Unencodable { slot },
        };
        let level = index.level(slot).ok_or(GraphCaptureError::Node { slot })?;
        let is_insert = matches!(touch, Touch::Inserted(_));
        if !is_insert && self.shadow.level(slot) != Some(level) {
            return Err(GraphCaptureError::Node { slot });
        }
        let mut writer = EditsWriter::new(out).map_err(full)?;
        match touch {
            Touch::Inserted(level) => writer.edit(&Edit::Insert { slot, level }),
            Touch::Deleted => writer.edit(&Edit::Tombstone { slot }),
            Touch::Linked => Ok(()),
        }
        .map_err(full)?;
        for layer in 0..=level.max(self.shadow.level_max()) {
            let mut touched = Touched::new();
            if layer <= level {
                touched.add(&[slot]);
                touched.add(self.before(layer, slot));
                touched.add(self.read(index, layer, slot)?.as_slice());
            } else {
                let above = self.list(layer, slot, |visit| {
                    index.visit_touched_above(layer, slot, visit);
                })?;
                touched.add(above.as_slice());
            }
            let touched = touched.sorted();
            let mut changed = 0;
            for &slot in touched {
                let now = self.read(index, layer, slot)?;
                changed += u32::from(self.before(layer, slot) != now.as_slice());
            }
            writer.group(layer, changed).map_err(full)?;
            for &slot in touched {
                let now = self.read(index, layer, slot)?;
                if let Some((removed, added)) = between(self.before(layer, slot), now.as_slice()) {
                    let change = ListChange::Patch {
                        removed: Slots::from(removed.as_slice()),
                        added: Slots::from(added.as_slice()),
                    };
                    writer.list(slot, change).map_err(full)?;
                }
            }
        }
        match index.entry() {
            Some(slot) if self.shadow.entry() != Some(slot) => {
                writer.edit(&Edit::Entry { slot }).map_err(full)?;
            }
            _ => {}
        }
        Ok(writer.size())
    }

    fn before(&self, layer: u8, slot: u32) -> &[u32] {
        self.shadow.neighbours(layer, slot).unwrap_or(&[])
    }

    /// The index's list, ascending.
    fn read(&self, index: &dyn IndexView, layer: u8, slot: u32) -> Result<List, GraphCaptureError> {
        self.list(layer, slot, |visit| {
            index.visit_neighbours(layer, slot, visit);
        })
    }

    /// What `visit` is called with, ascending.
    fn list(
        &self,
        layer: u8,
        slot: u32,
        visit_all: impl FnOnce(&mut dyn FnMut(u32)),
    ) -> Result<List, GraphCaptureError> {
        let degree_max = self.shadow.shape().degree_max_of(layer);
        let mut list = List::new();
        let mut found = 0_usize;
        visit_all(&mut |neighbour| {
            list.push(neighbour);
            found += 1;
        });
        if found > usize::from(degree_max) {
            return Err(GraphCaptureError::ListTooLong {
                layer,
                slot,
                degree_max,
            });
        }
        list.as_mut_slice().sort_unstable();
        // The buffer is then all that a writer can find fault with.
        let is_each_once = list.as_slice().is_sorted_by(|a, b| a < b);
        if !is_each_once || list.as_slice().last() == Some(&u32::MAX) {
            return Err(GraphCaptureError::Unencodable { slot });
        }
        Ok(list)
    }
}

#[derive(Clone, Copy)]
enum Touch {
    Inserted(u8),
    Linked,
    Deleted,
}
