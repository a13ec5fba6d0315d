//! What an operation did to an index, found by its touched set and told as a change.
//!
//! An HNSW index that inserts a node changes the lists of that node and of its new neighbours, and
//! no other. So the capture re-reads those, compares them with its shadow (what replicas have), and
//! writes the difference. It needs the index to itself from the operation to the capture.
//!
//! The loop is closed: the shadow takes the very bytes that are sent, and only when they are
//! committed. An abandoned change leaves it as it was.

pub(super) mod lists;

use core::fmt;

use super::{
    Adjacency, CheckedChange, Edit, EditError, ListChange, Prepared, Slots,
    encode::{Change, EditsWriter, InsertWriter, Link},
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

/// Why a change was not captured. The shadow is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphCaptureError {
    /// The index has no such node, or another level for it than before.
    Node {
        /// The node.
        slot: u32,
    },
    /// A list of the index is longer than the shadow's shape allows.
    ListTooLong {
        /// The layer.
        layer: u8,
        /// The node.
        slot: u32,
        /// Neighbours that a list may have.
        degree_max: u8,
    },
    /// The buffer for the change is too small.
    BufferFull {
        /// Its bytes.
        size: usize,
    },
    /// The index changed in a way that no graph has.
    Refused(EditError),
}

impl fmt::Display for GraphCaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Node { slot } => write!(
                f,
                "the index has no node {slot} of the level it had: capture each operation once, \
                 right after it"
            ),
            Self::ListTooLong {
                layer,
                slot,
                degree_max,
            } => write!(
                f,
                "node {slot} has more than {degree_max} neighbours on layer {layer}: give the \
                 shadow the degrees of the index"
            ),
            Self::BufferFull { size } => {
                write!(f, "{size} bytes do not hold the graph change: give it more")
            }
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for GraphCaptureError {}

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
        let size = match self.short_insert(index, slot, level, out)? {
            Some(size) => size,
            None => self.touched(index, slot, Touch::Inserted(level), out)?,
        };
        self.pending(size, out)
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
        self.pending(size, out)
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
        self.pending(size, out)
    }

    /// The first list, as (layer, slot), that differs between index and shadow. O(all lists).
    ///
    /// # Errors
    /// [`GraphCaptureError::Node`] and [`GraphCaptureError::ListTooLong`].
    pub fn first_difference(
        &self,
        index: &dyn IndexView,
    ) -> Result<Option<(u8, u32)>, GraphCaptureError> {
        for slot in 0..self.shadow.node_count() {
            let level = self.shadow.level(slot);
            if index.level(slot) != level {
                return Err(GraphCaptureError::Node { slot });
            }
            for layer in 0..=level.unwrap_or(0) {
                let now = self.read(index, layer, slot)?;
                if self.before(layer, slot) != now.as_slice() {
                    return Ok(Some((layer, slot)));
                }
            }
        }
        Ok(None)
    }

    fn pending<'o>(
        &mut self,
        size: usize,
        out: &'o mut [u8],
    ) -> Result<PendingChange<'_, 'm, 'o>, GraphCaptureError> {
        let full = GraphCaptureError::BufferFull { size: out.len() };
        let bytes = &*out.get_mut(..size).ok_or(full)?;
        // What was just written is a change, unless the buffer was too small for it.
        let change = Change::parse(bytes).map_err(|_| full)?;
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
        let full = |_| GraphCaptureError::BufferFull { size };
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
        Ok(list)
    }
}

#[derive(Clone, Copy)]
enum Touch {
    Inserted(u8),
    Linked,
    Deleted,
}
