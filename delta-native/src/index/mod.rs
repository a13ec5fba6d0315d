//! Real HNSW indexes whose graphs Delta replicates.
//!
//! A primary keeps the index that it has; [`CapturedIndex`] stands around it and turns each insert,
//! update and delete into one record that carries the row and the links. What the index must tell
//! is [`IndexView`]: level and neighbours of a node, and the entry, each in time that does not
//! depend on the size of the index.
//!
//! | feature | index | how it is read |
//! |---|---|---|
//! | `hnsw-stable` (default) | the crate of that name, Rust | `level`, `neighbors`, `entry_key` |
//! | `usearch` | the crate of that name, C++ | `level_of_key`, `neighbors`; entry by the levels |
//!
//! An index of your own needs [`IndexView`] alone; [`VectorIndex`] is what this crate's replays and
//! tests ask of an index beside that. Nodes are slots: the keys that an index is given count up
//! from 0, and a deleted one is never used again.
#![cfg_attr(
    not(any(feature = "hnsw-stable", feature = "usearch")),
    allow(
        dead_code,
        unused_variables,
        unused_imports,
        reason = "a build without an index has nobody that calls this"
    )
)]

mod captured;
#[cfg(feature = "hnsw-stable")]
mod hnsw_stable;
mod memory;
#[cfg(test)]
mod repair_tests;
#[cfg(test)]
mod tests;
#[cfg(feature = "usearch")]
mod usearch;

use std::collections::HashSet;

use delta_core::graph::Shape;
use delta_core::kernel::distance::Metric;

pub use captured::{CapturedIndex, CapturedIndexError, IndexOperation, Parted, Refusal};
pub use delta_core::graph::capture::IndexView;
#[cfg(feature = "hnsw-stable")]
pub use hnsw_stable::HnswStable;
pub use memory::{GraphAllocationError, GraphMemory};
#[cfg(feature = "usearch")]
pub use usearch::Usearch;

/// The most links that an index can be given: layer 0 has twice as many, and a degree fits a byte.
pub const LINKS_MAX: u8 = 127;

/// The indexes that this crate knows, whether or not a build has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexKind {
    /// The crate `hnsw-stable`.
    HnswStable,
    /// The crate `usearch`.
    Usearch,
}

impl IndexKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::HnswStable, Self::Usearch];

    /// The name of the index, and of the feature that it needs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HnswStable => "hnsw-stable",
            Self::Usearch => "usearch",
        }
    }
}

/// How an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexParameters {
    /// Components of a row, at least 1.
    pub dim: u32,
    /// Nodes that the index can take, deleted ones included; at least 1.
    pub nodes_max: u32,
    /// Neighbours of a node on each layer above 0, where it has twice as many: 2..=[`LINKS_MAX`].
    /// The M of the HNSW paper.
    pub links: u8,
    /// Candidates kept while a node is linked and while the index searches: the ef of the HNSW
    /// paper, at least 1.
    pub ef: u32,
    /// What near means.
    pub metric: Metric,
}

impl IndexParameters {
    /// The shape of a graph that has room for the index: its degrees, and upper lists for eight
    /// standard deviations more than the levels of `nodes_max` nodes take on average.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let Self {
            nodes_max, links, ..
        } = *self;
        let below = u32::from(links).saturating_sub(1).max(1);
        let mean = nodes_max / below;
        // A node has k upper layers or more with probability links^-k.
        let variance = u64::from(nodes_max) * u64::from(links) / u64::from(below).pow(2);
        let deviation = u32::try_from(variance.isqrt()).unwrap_or(u32::MAX);
        Shape {
            nodes_max,
            degree0_max: links.saturating_mul(2),
            degree_max: links,
            upper_blocks_max: mean
                .saturating_add(deviation.saturating_mul(8))
                .saturating_add(64),
        }
    }

    fn check(&self) -> Result<(), IndexError> {
        let Self {
            dim,
            nodes_max,
            links,
            ef,
            ..
        } = *self;
        let is_sound = dim > 0
            && nodes_max > 0
            && nodes_max < u32::MAX
            && ef > 0
            && (2..=LINKS_MAX).contains(&links);
        is_sound.then_some(()).ok_or(IndexError::Parameters)
    }
}

/// Why an index did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A parameter is out of its range.
    #[error(
        "no index has such parameters: give a dim, nodes and ef of at least 1, and 2 to \
         {LINKS_MAX} links"
    )]
    Parameters,
    /// A node that exists already, or one that would leave a gap.
    #[error("node {slot} is inserted where {expected} is next: count slots up from 0")]
    SlotNotNext {
        /// The slot given.
        slot: u32,
        /// The slot that is next.
        expected: u32,
    },
    /// A node that does not exist.
    #[error("the index has no node {slot}: insert it first")]
    MissingNode {
        /// The slot given.
        slot: u32,
    },
    /// A node that was deleted.
    #[error("node {slot} of the index was deleted: insert the row again, as a new node")]
    Deleted {
        /// The slot given.
        slot: u32,
    },
    /// A row of another dim than the index's.
    #[error("a row of {found} components in an index of {expected}: give rows of one dim")]
    Dim {
        /// Components of the index's rows.
        expected: u32,
        /// Components found.
        found: usize,
    },
    /// Every node is used.
    #[error("all {nodes_max} nodes of the index are used: give it room for more")]
    Full {
        /// Nodes that the index takes.
        nodes_max: u32,
    },
    /// The library failed at a node, and may have left it half linked. Nothing more is done to the
    /// index.
    #[error("the index failed at node {slot} and is in an unknown state: build it anew")]
    Failed {
        /// The node.
        slot: u32,
    },
    /// The library could not make an index, or search it.
    #[error("the index library refused; it may have no memory")]
    Refused,
}

/// A node that an index found, by its own distances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The node.
    pub slot: u32,
    /// Its distance from the query, as the index computes it.
    pub distance: f32,
}

/// An HNSW index over rows of its own. Its nodes are slots, which count up from 0.
pub trait VectorIndex: IndexView + Sized + Send {
    /// Which index it is.
    const KIND: IndexKind;

    /// An empty index. O(nodes_max).
    ///
    /// # Errors
    /// [`IndexError::Parameters`] and [`IndexError::Refused`].
    fn new(parameters: &IndexParameters) -> Result<Self, IndexError>;

    /// Links `row` as the node `slot`, which is the next.
    ///
    /// # Errors
    /// [`IndexError`]. Of [`IndexError::Failed`] the index does not recover.
    fn insert(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError>;

    /// Links the node `slot`, which is not deleted, anew, as `row`.
    ///
    /// # Errors
    /// [`IndexError`]. Of [`IndexError::Failed`] the index does not recover.
    fn update(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError>;

    /// Notes that `slot` is deleted, once and for good; the index keeps the node and its links.
    ///
    /// # Errors
    /// [`IndexError`]. Of [`IndexError::Failed`] the index does not recover.
    fn delete(&mut self, slot: u32) -> Result<(), IndexError>;

    /// Candidates that searches keep from now on: at least 1.
    fn set_search_ef(&mut self, ef: u32);

    /// The index's own search: at most `count` nodes, nearest first, into `found`. `is_live` keeps
    /// deleted nodes out where the index does not know them; without deleted nodes, give none.
    ///
    /// # Errors
    /// [`IndexError::Dim`] and [`IndexError::Refused`].
    fn search(
        &self,
        query: &[f32],
        count: usize,
        is_live: Option<&dyn Fn(u32) -> bool>,
        found: &mut Vec<Found>,
    ) -> Result<(), IndexError>;
}

/// What an adapter checks before its library sees anything.
#[derive(Clone, Debug)]
struct Gate {
    parameters: IndexParameters,
    /// Nodes inserted.
    node_count: u32,
    /// Which of them are deleted. Libraries bring a node back when it is linked anew.
    deleted: HashSet<u32>,
    /// The library failed at this node.
    failed: Option<u32>,
}

impl Gate {
    fn new(parameters: &IndexParameters) -> Result<Self, IndexError> {
        parameters.check()?;
        Ok(Self {
            parameters: *parameters,
            node_count: 0,
            deleted: HashSet::new(),
            failed: None,
        })
    }

    fn has(&self, slot: u32) -> bool {
        slot < self.node_count
    }

    fn check_row(&self, row: &[f32]) -> Result<(), IndexError> {
        let (expected, found) = (self.parameters.dim, row.len());
        let fits = u32::try_from(found) == Ok(expected);
        fits.then_some(())
            .ok_or(IndexError::Dim { expected, found })
    }

    /// Counts the node in if `link` links it.
    fn insert(
        &mut self,
        slot: u32,
        row: &[f32],
        link: impl FnOnce() -> Option<()>,
    ) -> Result<(), IndexError> {
        let expected = self.node_count;
        self.check_row(row)?;
        if slot != expected {
            return Err(IndexError::SlotNotNext { slot, expected });
        }
        let nodes_max = self.parameters.nodes_max;
        if slot >= nodes_max {
            return Err(IndexError::Full { nodes_max });
        }
        self.run(slot, link)?;
        self.node_count += 1;
        Ok(())
    }

    fn change(&mut self, slot: u32, link: impl FnOnce() -> Option<()>) -> Result<(), IndexError> {
        if !self.has(slot) {
            return Err(IndexError::MissingNode { slot });
        }
        if self.deleted.contains(&slot) {
            return Err(IndexError::Deleted { slot });
        }
        self.run(slot, link)
    }

    /// Counts the node out if `unlink` does.
    fn delete(&mut self, slot: u32, unlink: impl FnOnce() -> Option<()>) -> Result<(), IndexError> {
        self.change(slot, unlink)?;
        self.deleted.insert(slot);
        Ok(())
    }

    fn run(&mut self, slot: u32, link: impl FnOnce() -> Option<()>) -> Result<(), IndexError> {
        if let Some(slot) = self.failed {
            return Err(IndexError::Failed { slot });
        }
        link().ok_or_else(|| {
            self.failed = Some(slot);
            IndexError::Failed { slot }
        })
    }
}
