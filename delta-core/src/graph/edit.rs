//! What changes a graph.

use core::fmt;

pub use super::slots::{Slots, SlotsIter};

/// One change of a graph.
///
/// Edits are made in sets, whole or not at all. In a set they stand in this order: tombstones in
/// ascending order of their slots, at most one insert, lists in ascending order of (layer, slot),
/// each at most once, then the entry. [`Edit::Clear`] stands alone. That order is what lets a whole
/// set be checked against the unchanged graph, without memory for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Removes everything.
    Clear,
    /// Marks a node: searches pass through it and never return it.
    Tombstone {
        /// A node that is no tombstone, or the one that this set inserts.
        slot: u32,
    },
    /// Adds a node whose lists are empty.
    Insert {
        /// The graph's node count.
        slot: u32,
        /// Its layers are `0..=level`, below [`LAYERS_MAX`](super::LAYERS_MAX).
        level: u8,
    },
    /// Changes the neighbours of one node on one layer.
    List {
        /// A layer of the node.
        layer: u8,
        /// The node.
        slot: u32,
        /// How its neighbours change.
        change: ListChange<'a>,
    },
    /// Makes a node of the highest level the entry.
    Entry {
        /// The node.
        slot: u32,
    },
}

/// How one list changes. The lists given are strictly ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListChange<'a> {
    /// All neighbours, whatever they were.
    Replace(Slots<'a>),
    /// Some go, then others come.
    Patch {
        /// Neighbours before the change.
        removed: Slots<'a>,
        /// None of the neighbours before the change.
        added: Slots<'a>,
    },
    /// What an insert does to a list: some neighbours go, named by their places, then one may come.
    Link {
        /// Bit `i`: the neighbour at place `i` of the list goes.
        removed: u64,
        /// None of the neighbours before the change.
        added: Option<u32>,
    },
}

/// Why edits were refused. No byte of the graph has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// An edit stands where the order of a set does not allow it.
    Order {
        /// Number of the edit in its set, from 0.
        index: u32,
    },
    /// An insert out of order, or a second one of the same node.
    SlotNotNext {
        /// The slot given.
        slot: u32,
        /// The graph's node count.
        expected: u32,
    },
    /// No slot, or not enough upper lists, are left for a node; or no graph has such a level.
    Full {
        /// The node.
        slot: u32,
        /// Its level.
        level: u8,
    },
    /// A node that does not exist.
    MissingNode {
        /// Its slot.
        slot: u32,
    },
    /// A node that does not have the layer of the edge or list.
    MissingLayer {
        /// The layer.
        layer: u8,
        /// The node.
        slot: u32,
    },
    /// A list of neighbours that is not strictly ascending.
    Unsorted {
        /// The layer.
        layer: u8,
        /// The list's node.
        slot: u32,
        /// The neighbour that is not above the one before it.
        neighbour: u32,
    },
    /// A node as its own neighbour.
    SelfLink {
        /// The layer.
        layer: u8,
        /// The node.
        slot: u32,
    },
    /// An edge that the list already has.
    DuplicateEdge {
        /// The layer.
        layer: u8,
        /// The list's node.
        from: u32,
        /// The neighbour.
        to: u32,
    },
    /// An edge to remove that the list does not have.
    MissingEdge {
        /// The layer.
        layer: u8,
        /// The list's node.
        from: u32,
        /// The neighbour.
        to: u32,
    },
    /// A place to remove that the list does not have.
    MissingPlace {
        /// The layer.
        layer: u8,
        /// The list's node.
        slot: u32,
        /// The place.
        place: u32,
    },
    /// More neighbours than a list of the layer holds.
    Degree {
        /// The layer.
        layer: u8,
        /// The list's node.
        slot: u32,
        /// Neighbours that the list would have.
        degree: u32,
        /// Neighbours that it may have.
        degree_max: u8,
    },
    /// A tombstone that is already one.
    AlreadyTombstone {
        /// The node.
        slot: u32,
    },
    /// The entry is not of the highest level.
    EntryLevel {
        /// The entry.
        slot: u32,
        /// Its level.
        level: u8,
        /// The highest level of any node.
        level_max: u8,
    },
    /// A first node that is not made the entry.
    MissingEntry,
    /// The graph would have another digest than its writer says.
    Diverged {
        /// The digest that the writer says.
        expected: u64,
        /// The digest that the graph would have.
        predicted: u64,
    },
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Order { index } => write!(
                f,
                "edit {index} is out of its place: write tombstones, an insert, lists by layer and \
                 slot, the entry; clear alone"
            ),
            Self::SlotNotNext { slot, expected } => write!(
                f,
                "node {slot} is inserted where {expected} is next: apply changes once, in order"
            ),
            Self::Full { slot, level } => write!(
                f,
                "no room for node {slot} of level {level}: give the graph a larger shape"
            ),
            Self::MissingNode { slot } => write!(
                f,
                "node {slot} does not exist: apply the changes before this one, or take a snapshot"
            ),
            Self::MissingLayer { layer, slot } => write!(
                f,
                "node {slot} has no layer {layer}: apply the changes before this one, or take a \
                 snapshot"
            ),
            Self::Unsorted {
                layer,
                slot,
                neighbour,
            } => write!(
                f,
                "neighbour {neighbour} in a list of node {slot} on layer {layer} is not above the \
                 one before it: sort lists and name nobody twice"
            ),
            Self::SelfLink { layer, slot } => write!(
                f,
                "node {slot} is its own neighbour on layer {layer}: leave that edge out"
            ),
            Self::DuplicateEdge { layer, from, to } => write!(
                f,
                "{from} is already linked to {to} on layer {layer}: apply each change once"
            ),
            Self::MissingEdge { layer, from, to } => write!(
                f,
                "{from} is not linked to {to} on layer {layer}: apply each change once, in order"
            ),
            Self::MissingPlace { layer, slot, place } => write!(
                f,
                "node {slot} has no neighbour at place {place} on layer {layer}: apply each change \
                 once, in order"
            ),
            Self::Degree {
                layer,
                slot,
                degree,
                degree_max,
            } => write!(
                f,
                "{degree} neighbours of node {slot} on layer {layer}, where {degree_max} fit: give \
                 both sides the shape of the index"
            ),
            Self::AlreadyTombstone { slot } => {
                write!(f, "node {slot} is already deleted: apply each change once")
            }
            Self::EntryLevel {
                slot,
                level,
                level_max,
            } => write!(
                f,
                "entry {slot} is of level {level}, the highest is {level_max}: set the entry to a \
                 node of that level"
            ),
            Self::MissingEntry => {
                write!(f, "the first node is not the entry: set it with the insert")
            }
            Self::Diverged {
                expected,
                predicted,
            } => write!(
                f,
                "the graph would have digest {predicted:016x} instead of {expected:016x}: take a \
                 snapshot"
            ),
        }
    }
}

impl core::error::Error for EditError {}
