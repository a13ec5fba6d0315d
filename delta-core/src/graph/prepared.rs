//! Edits that were checked, and are made by whoever holds them.

use super::{Adjacency, Edit, EditError, ListChange, Slots, adjacency::State, encode::Change};
use crate::simd::prefetch;

/// A set of edits that fits a graph, and what the graph is before and after it. Apart from the
/// graph, so that what belongs with it can be checked and made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "nothing changes before it is made"]
pub struct Checked<C> {
    edits: C,
    before: State,
    next: State,
}

/// A checked set of encoded edits: what records carry.
pub type CheckedChange<'a> = Checked<Change<'a>>;

impl<C> Checked<C> {
    /// The edits.
    #[inline]
    pub const fn edits(&self) -> &C {
        &self.edits
    }

    /// The digest that the graph will have.
    #[must_use]
    #[inline]
    pub const fn digest(&self) -> u64 {
        self.next.digest
    }

    /// By how much the digest changes, modulo 2^64.
    #[must_use]
    #[inline]
    pub const fn digest_change(&self) -> u64 {
        self.next.digest.wrapping_sub(self.before.digest)
    }

    /// The nodes that the graph will have.
    #[must_use]
    #[inline]
    pub const fn node_count(&self) -> u32 {
        self.next.node_count
    }
}

/// A set of edits that was checked and can be made: [`Prepared::commit`] cannot fail.
#[derive(Debug)]
#[must_use = "nothing changes before commit"]
pub struct Prepared<'g, 'm, C> {
    graph: &'g mut Adjacency<'m>,
    checked: Checked<C>,
}

impl<'a, C: IntoIterator<Item = Edit<'a>>> Prepared<'_, '_, C> {
    /// The edits, and what they lead to.
    pub const fn checked(&self) -> &Checked<C> {
        &self.checked
    }

    /// The digest that the graph will have.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.checked.digest()
    }

    /// Refuses unless the graph will have the digest that its writer says.
    ///
    /// # Errors
    /// [`EditError::Diverged`].
    pub fn expect_digest(self, expected: u64) -> Result<Self, EditError> {
        let predicted = self.digest();
        if predicted == expected {
            Ok(self)
        } else {
            Err(EditError::Diverged {
                expected,
                predicted,
            })
        }
    }

    /// Makes the edits. O(their lists).
    pub fn commit(self) {
        self.graph.make(self.checked);
    }
}

impl<'m> Adjacency<'m> {
    /// Asks for the lists that an insert links, before it is checked: they lie anywhere, and come
    /// from memory together while something else is done. O(links).
    #[inline]
    pub fn prefetch(&self, change: Change<'_>) {
        let width = usize::from(self.shape().degree0_max);
        for slot in change.linked() {
            let slot = slot as usize;
            // No product of what is not a node: it may not fit this target's words.
            let start = slot.saturating_mul(width);
            let list = self.buffers.neighbours0.get(start..);
            prefetch(list.and_then(|list| list.get(..width)).unwrap_or(&[]));
            prefetch(self.buffers.degrees0.get(slot..=slot).unwrap_or(&[]));
            prefetch(self.buffers.levels.get(slot..=slot).unwrap_or(&[]));
        }
    }

    /// Checks a whole set of edits and predicts the digest after it, without a change. The edits
    /// are read twice, now and by [`make`](Self::make). O(edges that change + lists replaced).
    ///
    /// Symmetric edges are not demanded (indexes prune back-links), nor that all nodes can be
    /// reached.
    ///
    /// # Errors
    /// [`EditError`], naming the first edit that cannot be made.
    pub fn check<'a, C>(&self, edits: C) -> Result<Checked<C>, EditError>
    where
        C: IntoIterator<Item = Edit<'a>> + Clone,
    {
        let next = self.predict(edits.clone().into_iter())?;
        Ok(Checked {
            edits,
            before: self.state,
            next,
        })
    }

    /// Makes edits that were checked against this very graph. O(their lists).
    ///
    /// # Panics
    /// If the graph has changed since the check, or is another one.
    pub fn make<'a, C: IntoIterator<Item = Edit<'a>>>(&mut self, checked: Checked<C>) {
        assert!(
            self.state == checked.before,
            "edits are made on the graph that they were checked against, before it changes"
        );
        self.commit(checked.edits.into_iter(), checked.next);
    }

    /// As [`check`](Self::check), holding on to the graph.
    ///
    /// # Errors
    /// [`EditError`], naming the first edit that cannot be made.
    pub fn prepare<'g, 'a, C>(&'g mut self, edits: C) -> Result<Prepared<'g, 'm, C>, EditError>
    where
        C: IntoIterator<Item = Edit<'a>> + Clone,
    {
        let checked = self.check(edits)?;
        Ok(Prepared {
            graph: self,
            checked,
        })
    }

    /// [`prepare`](Self::prepare) and [`Prepared::commit`]; the digest after them.
    ///
    /// # Errors
    /// [`EditError`]; no byte has changed then.
    pub fn apply<'a, C>(&mut self, edits: C) -> Result<u64, EditError>
    where
        C: IntoIterator<Item = Edit<'a>> + Clone,
    {
        let prepared = self.prepare(edits)?;
        let digest = prepared.digest();
        prepared.commit();
        Ok(digest)
    }

    /// Adds one edge. O(degree).
    ///
    /// # Errors
    /// [`EditError`], as of a [`ListChange::Patch`].
    pub fn add_edge(&mut self, layer: u8, from: u32, to: u32) -> Result<u64, EditError> {
        let change = ListChange::Link {
            removed: 0,
            added: Some(to),
        };
        self.apply(core::iter::once(Edit::List {
            layer,
            slot: from,
            change,
        }))
    }

    /// Removes one edge. O(degree).
    ///
    /// # Errors
    /// [`EditError`], as of a [`ListChange::Patch`].
    pub fn remove_edge(&mut self, layer: u8, from: u32, to: u32) -> Result<u64, EditError> {
        let removed = [to];
        let change = ListChange::Patch {
            removed: Slots::from(&removed),
            added: Slots::EMPTY,
        };
        self.apply(core::iter::once(Edit::List {
            layer,
            slot: from,
            change,
        }))
    }
}
