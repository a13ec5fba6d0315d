//! The graph of a replica.

use crate::graph::search::{Neighbour, Rows, SearchError, SearchScratch};
use crate::graph::{Adjacency, CheckedChange, EditError, GraphParameters, SavedGraph};
use crate::kernel::distance::{Metric, Query};

/// A graph over the rows of a store, and the metric that it links by.
#[derive(Debug, PartialEq, Eq)]
pub struct ReplicaGraph<'a> {
    adjacency: Adjacency<'a>,
    metric: Metric,
}

impl<'a> ReplicaGraph<'a> {
    /// `adjacency` is empty, or loaded with the base of a stream.
    #[must_use]
    pub const fn new(adjacency: Adjacency<'a>, metric: Metric) -> Self {
        Self { adjacency, metric }
    }

    /// The nodes and edges.
    #[must_use]
    #[inline]
    pub const fn adjacency(&self) -> &Adjacency<'a> {
        &self.adjacency
    }

    /// The metric that the index links by and that searches use.
    #[must_use]
    #[inline]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// What a stream of this graph declares.
    #[must_use]
    pub const fn parameters(&self) -> GraphParameters {
        GraphParameters::new(self.adjacency.shape(), self.metric)
    }

    /// Makes a change that was checked against this graph.
    ///
    /// # Panics
    /// As [`Adjacency::make`].
    pub fn make(&mut self, checked: CheckedChange<'_>) {
        self.adjacency.make(checked);
    }

    /// Puts back what the last change took: [`Adjacency::restore`].
    pub fn restore(&mut self, saved: SavedGraph<'_>) {
        self.adjacency.restore(saved);
    }

    /// Fills this empty graph with the nodes of `source` that live, `rows` by the new slots:
    /// [`Adjacency::renumber`].
    ///
    /// # Errors
    /// [`EditError`].
    pub(super) fn renumber(
        &mut self,
        source: &ReplicaGraph<'_>,
        rows: &impl Rows,
        map: &[u32],
    ) -> Result<(), EditError> {
        let metric = self.metric;
        self.adjacency
            .renumber(&source.adjacency, rows, metric, map)
    }

    /// The nearest rows to `query`: [`Adjacency::search`] by this graph's metric. `rows` are those
    /// of the store that the graph belongs to.
    ///
    /// # Errors
    /// [`SearchError::Scratch`].
    pub fn search(
        &self,
        rows: &(impl Rows + ?Sized),
        query: &[f32],
        ef: usize,
        scratch: &mut SearchScratch<'_>,
        out: &mut [Neighbour],
    ) -> Result<usize, SearchError> {
        let query = Query::new(self.metric, query);
        self.adjacency.search(rows, &query, ef, scratch, out)
    }
}
