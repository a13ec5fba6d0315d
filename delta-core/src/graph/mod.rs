//! Graphs: a replica of an HNSW index (Malkov and Yashunin, 2016) whose bytes equal those of the
//! primary's shadow, so that both answer a search with the same ids and the same distance bits.
//!
//! | module | what it holds |
//! |---|---|
//! | [`adjacency`] | [`Adjacency`]: levels, lists, tombstones and entry over the caller's slices |
//! | [`edit`] | [`Edit`]: what changes a graph; checked whole before a byte of it changes |
//! | [`encode`] | [`Change`](encode::Change): edits as bytes, and back without a panic |
//! | [`digest`] | the graph's terms of the state digest |
//! | [`search`] | nearest neighbours, the same in every place |
//! | [`renumber`] | a graph without its tombstones, in new memory |
//! | [`capture`] | what an insert, update or delete did to an index, found by its touched set |
//!
//! ```
//! use delta_core::graph::{Adjacency, Edit, GraphBuffers, ListChange, Shape, Slots};
//!
//! let shape = Shape { nodes_max: 4, degree0_max: 2, degree_max: 1, upper_blocks_max: 2 };
//! let (mut neighbours0, mut upper_base) = ([0; 8], [0; 4]);
//! let (mut degrees0, mut levels) = ([0; 4], [0; 4]);
//! let (mut tombstones, mut upper) = ([0; 1], [0; 4]);
//! let mut graph = Adjacency::new(shape, GraphBuffers {
//!     neighbours0: &mut neighbours0,
//!     degrees0: &mut degrees0,
//!     levels: &mut levels,
//!     tombstones: &mut tombstones,
//!     upper_base: &mut upper_base,
//!     upper: &mut upper,
//! })?;
//! graph.apply([Edit::Insert { slot: 0, level: 0 }, Edit::Entry { slot: 0 }])?;
//! graph.apply([
//!     Edit::Insert { slot: 1, level: 0 },
//!     Edit::List { layer: 0, slot: 0, change: ListChange::Replace(Slots::from(&[1])) },
//!     Edit::List { layer: 0, slot: 1, change: ListChange::Replace(Slots::from(&[0])) },
//! ])?;
//! assert_eq!(graph.neighbours(0, 1), Some(&[0][..]));
//!
//! // A refused edit names its reason and changes nothing.
//! let before = graph.digest();
//! assert!(graph.add_edge(0, 1, 1).is_err());
//! assert_eq!(graph.digest(), before);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

pub mod adjacency;
pub mod capture;
mod check;
mod commit;
pub mod digest;
pub mod edit;
pub mod encode;
mod parameters;
mod prepared;
pub mod renumber;
pub mod search;
mod slots;
#[cfg(test)]
pub(crate) mod tests;
mod undo;

pub use adjacency::{Adjacency, GraphBuffers, GraphMemoryError, Shape};
pub use edit::{Edit, EditError, ListChange, Slots};
pub use parameters::GraphParameters;
pub use prepared::{Checked, CheckedChange, Prepared};
pub use undo::SavedGraph;

/// Layers that a graph may have: levels are `0..LAYERS_MAX`.
pub const LAYERS_MAX: u8 = 32;
