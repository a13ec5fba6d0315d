//! What a replay with a graph found out.

use serde::Serialize;

/// The figures of one replayed graph.
#[derive(Clone, Debug, Serialize)]
pub struct GraphReport {
    /// The index.
    pub index: &'static str,
    /// The replica's graph is the primary's shadow in every byte, each of its lists is the index's,
    /// its rows, ids, metadata and tombstones are the primary's, and the digest that travelled is
    /// the replica's.
    pub graph_identical: bool,
    /// What first differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph_difference: Option<String>,
    /// The graph's part of the state digest after the last record, 16 hex digits.
    pub graph_digest: String,
    /// Directed edges that records added.
    pub edges_added: u64,
    /// Directed edges that records removed.
    pub edges_removed: u64,
    /// Mean bytes of an insert's graph change.
    pub graph_bytes_per_insert: f64,
    /// Bytes of the graph for each of its nodes.
    pub graph_bytes_per_node: f64,
    /// Mean nanoseconds in which an insert's record is checked and applied: checksum, row, id,
    /// metadata, links, digest.
    pub apply_ns_per_insert: f64,
    /// Milliseconds in which the index is built anew from the rows that are left, on one thread.
    pub rebuild_ms: f64,
    /// Milliseconds in which all records of the stream are checked and applied, on one thread.
    pub apply_ms: f64,
    /// `rebuild_ms / apply_ms`.
    pub rebuild_ratio: f64,
    /// Milliseconds in which all graph changes alone are checked and made: no rows, no checksums.
    pub links_ms: f64,
    /// `rebuild_ms / links_ms`.
    pub links_rebuild_ratio: f64,
    /// Searches made.
    pub queries: usize,
    /// Every search found the same ids at the same distances, bit for bit, in the primary's shadow
    /// and rows as in the replica's.
    pub search_equal: bool,
    /// Share of the 10 nearest that searches find.
    pub recall_at_10: PerSide,
    /// Mean nanoseconds a search, one after another.
    pub search_ns: PerSide,
}

/// A figure of the primary's index by its own search, and of the replica.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PerSide {
    /// By the search of the primary's index.
    pub primary: f64,
    /// By Delta's search in the replica.
    pub replica: f64,
}

impl GraphReport {
    /// Nothing differs.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.graph_identical && self.search_equal
    }
}
