//! Compaction of a state with many deleted rows: what lives, renumbered, in new memory.

use super::{Replica, ReplicaGraph, SliceStore, StoreError, state_digest};
use crate::{
    graph::{EditError, GraphParameters, renumber::GONE},
    payload::metadata::{self, MetadataChanges, MetadataEdit, MetadataError},
};
use core::fmt;

/// Why a state was not renumbered. The target holds no valid state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenumberError {
    /// The map has fewer words than the source has slots.
    Map {
        /// Words needed.
        needed: usize,
        /// Words given.
        given: usize,
    },
    /// The target is not empty, or its rows have another dim.
    Target {
        /// Dim of the source.
        dim: u32,
    },
    /// One graph is missing, or is of other parameters than the other.
    Graph {
        /// That of the source.
        source: Option<GraphParameters>,
        /// That of the target.
        target: Option<GraphParameters>,
    },
    /// A metadata pair does not fit the scratch.
    Metadata(MetadataError),
    /// The target has no room.
    Store(StoreError),
    /// The target's graph has no room.
    Edit(EditError),
}

impl fmt::Display for RenumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Map { needed, given } => write!(
                f,
                "a map of {given} words for {needed} slots: give a word a slot"
            ),
            Self::Target { dim } => write!(
                f,
                "the target is no empty store of dim {dim}: renumber into new memory"
            ),
            Self::Graph { source, target } => write!(
                f,
                "the source has graph {source:?}, the target {target:?}: give it one of the same \
                 degrees and metric"
            ),
            Self::Metadata(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Edit(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RenumberError {}

impl From<MetadataError> for RenumberError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

impl From<StoreError> for RenumberError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<EditError> for RenumberError {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

/// Copies what lives in `source` into the empty `target`: rows, ids and metadata under new, dense
/// slots in their order, and the graph without its tombstones, its lists repaired and every node
/// within reach of the entry. Returns the state digest of `target`; `map` then gives each old slot
/// its new one, or [`GONE`].
///
/// The result depends on the state alone: a primary and its replicas that renumber at the same
/// position have equal bytes afterwards. Slots are numbers of one epoch, so a new one begins: the
/// old stream ends, and the next starts over the renumbered base, with this digest and a greater
/// epoch. `scratch` takes the metadata of one slot in parts: its largest pair and 7 bytes.
/// O(state).
///
/// # Errors
/// See [`RenumberError`].
pub fn renumber<R: Replica + ?Sized>(
    source: &R,
    target: &mut SliceStore<'_>,
    map: &mut [u32],
    scratch: &mut [u8],
) -> Result<u64, RenumberError> {
    let (needed, given) = (source.slot_count() as usize, map.len());
    let map = map
        .get_mut(..needed)
        .ok_or(RenumberError::Map { needed, given })?;
    let dim = source.dim();
    if target.dim() != dim || target.slot_count() != 0 {
        return Err(RenumberError::Target { dim });
    }
    let parameters = (
        source.graph().map(ReplicaGraph::parameters),
        target.graph().map(ReplicaGraph::parameters),
    );
    if parameters.0 != parameters.1 {
        return Err(RenumberError::Graph {
            source: parameters.0,
            target: parameters.1,
        });
    }
    for (old, new) in (0..).zip(map.iter_mut()) {
        *new = GONE;
        if !source.is_deleted(old) {
            *new = target.slot_count();
            copy_row(source, old, target, scratch)?;
        }
    }
    if let (Some(source_graph), (Some(graph), rows)) = (source.graph(), target.graph_and_rows()) {
        graph.renumber(source_graph, &rows, map)?;
    }
    Ok(state_digest(target))
}

fn copy_row<R: Replica + ?Sized>(
    source: &R,
    old: u32,
    target: &mut SliceStore<'_>,
    scratch: &mut [u8],
) -> Result<(), RenumberError> {
    let slot = target.slot_count();
    target.next_row()?;
    let id = source.id(old).unwrap_or_default();
    target.reserve_attributes(slot, id, MetadataChanges::default())?;
    target.push(id, MetadataChanges::default());
    target
        .row_mut(slot)
        .copy_from_slice(source.row(old).unwrap_or_default());
    let mut copied = Ok(());
    source.visit_metadata(old, &mut |key, value| {
        if copied.is_ok() {
            copied = copy_pair(target, slot, key, value, scratch);
        }
    });
    copied
}

fn copy_pair(
    target: &mut SliceStore<'_>,
    slot: u32,
    key: &[u8],
    value: &[u8],
    scratch: &mut [u8],
) -> Result<(), RenumberError> {
    let pair = MetadataEdit {
        key,
        old: None,
        new: Some(value),
    };
    let (size, _) = metadata::write_section(&[pair], scratch, None)?;
    let changes = MetadataChanges::parse(scratch.get(..size).unwrap_or_default())?;
    target.reserve_attributes(slot, &[], changes)?;
    target.change_metadata(slot, changes);
    Ok(())
}
