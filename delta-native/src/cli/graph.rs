//! What an index is built with, for the commands that build one.

use delta_native::index::{IndexKind, LINKS_MAX};
use delta_native::replay::GraphOptions;

/// An index whose graph travels with the rows.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Graph")]
pub(crate) struct GraphArgs {
    /// Build a real index from the stream and let its graph travel with the rows; `replay` compares
    /// both sides edge for edge, and searches them
    #[arg(long)]
    graph: bool,
    /// The index
    #[arg(long, requires = "graph", value_parser = IndexKind::ALL.map(IndexKind::name))]
    index: Option<String>,
    /// Neighbours of a node; layer 0 has twice as many
    #[arg(long, requires = "graph", value_name = "LINKS",
          value_parser = clap::value_parser!(u8).range(2..=i64::from(LINKS_MAX)))]
    m: Option<u8>,
    /// Candidates kept while a node is linked, and while searching
    #[arg(long, requires = "graph", value_name = "CANDIDATES",
          value_parser = clap::value_parser!(u32).range(1..))]
    ef: Option<u32>,
}

impl GraphArgs {
    pub(crate) fn options(&self) -> Option<GraphOptions> {
        let default = GraphOptions::default();
        let named = |kind: &IndexKind| self.index.as_deref() == Some(kind.name());
        self.graph.then(|| GraphOptions {
            index: IndexKind::ALL
                .into_iter()
                .find(named)
                .unwrap_or(default.index),
            links: self.m.unwrap_or(default.links),
            ef: self.ef.unwrap_or(default.ef),
        })
    }
}
