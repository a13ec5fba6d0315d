//! What the capture of a graph finds wrong.

use core::fmt;

use crate::graph::{EditError, LAYERS_MAX};

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
    /// The index tells of the node what no bytes say: a level that no graph has, a neighbour twice,
    /// or other lists whenever it is asked.
    Unencodable {
        /// The node.
        slot: u32,
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
            Self::Unencodable { slot } => write!(
                f,
                "the index tells no graph of node {slot}: name each neighbour once, and levels \
                 below {LAYERS_MAX}"
            ),
            Self::BufferFull { size } => {
                write!(f, "{size} bytes do not hold the graph change: give it more")
            }
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for GraphCaptureError {}

/// Where an index and the shadow of its graph differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// One of them has no such node, or they have it on different levels.
    Node {
        /// The node.
        slot: u32,
    },
    /// A list of neighbours.
    List {
        /// The layer.
        layer: u8,
        /// The node.
        slot: u32,
    },
    /// Where searches start.
    Entry {
        /// The index's.
        index: Option<u32>,
        /// The shadow's.
        shadow: Option<u32>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Node { slot } => write!(f, "node {slot}"),
            Self::List { layer, slot } => write!(f, "the list of node {slot} on layer {layer}"),
            Self::Entry { index, shadow } => {
                write!(
                    f,
                    "the entry: {index:?} in the index, {shadow:?} in the shadow"
                )
            }
        }
    }
}
