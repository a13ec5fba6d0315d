//! The part of a record that changes the graph.

use super::Refusal;
use crate::{
    graph::{CheckedChange, encode::Change},
    pipeline::graph::RowsAfter,
    store::{Replica, ReplicaGraph},
};

/// Checks the graph change of a record that leads to the rows `after`; a replica without a graph
/// takes records without one.
#[inline]
pub(super) fn check_graph<'a, R: Replica + ?Sized>(
    replica: &R,
    change: Option<Change<'a>>,
    after: RowsAfter,
) -> Result<Option<CheckedChange<'a>>, Refusal> {
    match (replica.graph(), change) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Refusal::NoGraph),
        (Some(graph), change) => check_change(replica, graph, change, after),
    }
}

fn check_change<'a, R: Replica + ?Sized>(
    replica: &R,
    graph: &ReplicaGraph<'_>,
    change: Option<Change<'a>>,
    after: RowsAfter,
) -> Result<Option<CheckedChange<'a>>, Refusal> {
    let adjacency = graph.adjacency();
    let checked = change.map(|change| adjacency.check(change)).transpose()?;
    after.check(adjacency.node_count(), checked.as_ref(), |slot| {
        replica.is_deleted(slot)
    })?;
    Ok(checked)
}
