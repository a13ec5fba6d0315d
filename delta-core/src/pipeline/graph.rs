//! What rows and nodes owe each other: every node has a row, and both are deleted together. Writer
//! and reader of a stream check it alike.

use crate::graph::{CheckedChange, Edit};
use core::fmt;

/// A graph change that does not fit the rows around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphRowsError {
    /// The graph would have nodes without rows.
    NodeWithoutRow {
        /// Nodes that it would have.
        node_count: u32,
        /// Rows that there would be.
        slot_count: u32,
    },
    /// The node of a deleted row would live: a delete leaves it, or it is inserted.
    NodeLeft {
        /// The slot.
        slot: u32,
    },
    /// The node of a row that lives is made a tombstone.
    RowLeft {
        /// The slot.
        slot: u32,
    },
}

impl fmt::Display for GraphRowsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NodeWithoutRow {
                node_count,
                slot_count,
            } => write!(
                f,
                "the graph would have {node_count} nodes over {slot_count} rows: insert a row with \
                 or before its node"
            ),
            Self::NodeLeft { slot } => write!(
                f,
                "row {slot} is deleted, its node would not be: make it a tombstone in the same \
                 record"
            ),
            Self::RowLeft { slot } => write!(
                f,
                "node {slot} would be a tombstone, its row lives: delete both in one record"
            ),
        }
    }
}

impl core::error::Error for GraphRowsError {}

/// The rows that a record leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowsAfter {
    slot_count: u32,
    /// The slot that the record deletes.
    deleted: Option<u32>,
}

impl RowsAfter {
    /// A record that deletes none.
    pub(super) const fn of(slot_count: u32) -> Self {
        Self {
            slot_count,
            deleted: None,
        }
    }

    /// A record that deletes `slot`.
    pub(super) const fn without(slot_count: u32, slot: u32) -> Self {
        Self {
            slot_count,
            deleted: Some(slot),
        }
    }

    /// Checks what a record does to a graph of `node_count` nodes. `is_deleted` tells of rows
    /// before it. O(tombstones).
    #[inline]
    pub(super) fn check(
        self,
        node_count: u32,
        change: Option<&CheckedChange<'_>>,
        is_deleted: impl Fn(u32) -> bool,
    ) -> Result<(), GraphRowsError> {
        let nodes_after = change.map_or(node_count, CheckedChange::node_count);
        if nodes_after > self.slot_count {
            return Err(GraphRowsError::NodeWithoutRow {
                node_count: nodes_after,
                slot_count: self.slot_count,
            });
        }
        let inserted = (node_count < nodes_after).then_some(node_count);
        let mut nodes_left = [
            self.deleted.filter(|&slot| slot < nodes_after),
            inserted.filter(|&slot| is_deleted(slot)),
        ];
        let edits = change.into_iter().flat_map(|change| change.edits().edits());
        for edit in edits {
            // They stand in front of all others.
            let Edit::Tombstone { slot } = edit else {
                break;
            };
            if self.deleted != Some(slot) && !is_deleted(slot) {
                return Err(GraphRowsError::RowLeft { slot });
            }
            for left in &mut nodes_left {
                *left = left.filter(|&left| left != slot);
            }
        }
        match nodes_left {
            [None, None] => Ok(()),
            [Some(slot), _] | [None, Some(slot)] => Err(GraphRowsError::NodeLeft { slot }),
        }
    }
}
