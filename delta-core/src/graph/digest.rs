//! The graph's terms of the state digest (WIRE.md, section 8).
//!
//! A sum, modulo 2^64, over nodes, edges, tombstones and the entry: what is added twice, or not at
//! all, shows, and a change costs as many terms as it has edges.

use super::{Adjacency, LAYERS_MAX};
use crate::digest::mix;

/// Past the domains of rows and slots, which end below 2^40.
const DOMAIN: u64 = 0x100_0000_0000;
const NODE: u8 = LAYERS_MAX;
const TOMBSTONE: u8 = LAYERS_MAX + 1;
const ENTRY: u8 = LAYERS_MAX + 2;

/// What the edge terms of one list share.
#[derive(Clone, Copy, Debug)]
pub struct ListKey(u64);

impl ListKey {
    /// The key of `slot`'s list on `layer`.
    #[must_use]
    #[inline]
    #[allow(
        clippy::cast_lossless,
        reason = "u64::from cannot be called in a const function"
    )]
    pub const fn new(layer: u8, slot: u32) -> Self {
        Self(mix(DOMAIN * (layer as u64 + 1) + slot as u64))
    }

    /// The term of the edge from the list's node to `to`.
    #[must_use]
    #[inline]
    #[allow(
        clippy::cast_lossless,
        reason = "u64::from cannot be called in a const function"
    )]
    pub const fn edge_term(self, to: u32) -> u64 {
        mix(self.0 ^ to as u64)
    }
}

/// The term of a node.
#[must_use]
#[inline]
pub fn node_term(slot: u32, level: u8) -> u64 {
    ListKey::new(NODE, slot).edge_term(u32::from(level))
}

/// The term of a node's tombstone.
#[must_use]
#[inline]
pub const fn tombstone_term(slot: u32) -> u64 {
    ListKey::new(TOMBSTONE, slot).edge_term(0)
}

/// The term of the entry; a graph without nodes has none.
#[must_use]
#[inline]
pub fn entry_term(slot: u32, level: u8) -> u64 {
    ListKey::new(ENTRY, slot).edge_term(u32::from(level))
}

/// The sum of the edge terms of one list.
#[must_use]
#[inline]
pub fn list_sum(layer: u8, slot: u32, neighbours: &[u32]) -> u64 {
    let key = ListKey::new(layer, slot);
    neighbours
        .iter()
        .fold(0, |sum: u64, &to| sum.wrapping_add(key.edge_term(to)))
}

/// The graph's digest, computed from nothing. It equals [`Adjacency::digest`], or memory was
/// damaged. O(nodes + edges).
#[must_use]
pub fn graph_digest(graph: &Adjacency<'_>) -> u64 {
    let entry = graph
        .entry()
        .map_or(0, |entry| entry_term(entry, graph.level_max()));
    (0..graph.node_count()).fold(entry, |mut sum, slot| {
        let level = graph.level(slot).unwrap_or(0);
        sum = sum.wrapping_add(node_term(slot, level));
        if graph.is_tombstone(slot) {
            sum = sum.wrapping_add(tombstone_term(slot));
        }
        (0..=level).fold(sum, |sum, layer| {
            let neighbours = graph.neighbours(layer, slot).unwrap_or(&[]);
            sum.wrapping_add(list_sum(layer, slot, neighbours))
        })
    })
}
