//! The main job: a whole update stream, primary -> capture thread -> ring -> apply thread ->
//! replica, and a comparison bit for bit at the end.
//!
//! Every stream is replayed twice: as fast as it goes, with batches where updates come without
//! metadata, and with one delta in flight, which gives latencies.
//!
//! ```
//! let stream = &delta_native::sample::streams()?[1];
//! let report = delta_native::replay::replay(stream, &Default::default())?;
//! assert!(report.replica_identical);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod export;
mod graph;
mod meter;
mod pass;
mod primary;
mod report;
pub mod stages;
mod synthetic;
mod writer;

use delta_core::codec::Encoding;
use delta_core::graph::{EditError, search::SearchError};
use delta_core::pipeline::{apply::PollError, batch::BatchError, capture::CaptureError};
use delta_core::ring;

use crate::index::{CapturedIndexError, GraphAllocationError, IndexError, IndexKind};
use crate::memory::OutOfMemory;
use crate::region::RegionError;
use crate::stream::Stream;
use pass::Mode;

pub use export::{ExportError, Exported, export, export_with_graph};
pub use graph::{GraphOptions, GraphReport, PerSide};
pub use report::{Memory, Report};
pub use synthetic::{Synthetic, SyntheticError, SyntheticReport, replay_synthetic};

/// How to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most updates that share a record, at least 1: those of one time that follow one another.
    pub batch: u32,
    /// Replay once more, with an index whose graph travels too.
    pub graph: Option<GraphOptions>,
    /// How rows are encoded. With a bound, rows of the replica differ from those of the primary by
    /// no more than that, and are those of the primary's shadow, bit for bit.
    pub encoding: Encoding,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch: 32,
            graph: None,
            encoding: Encoding::EXACT,
        }
    }
}

/// Why a stream could not be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no memory for the ring.
    #[error(transparent)]
    Memory(#[from] RegionError),
    /// There is no memory for primary or replica.
    #[error(transparent)]
    Rows(#[from] OutOfMemory),
    /// The ring's region is refused.
    #[error("the ring cannot be made: {0}")]
    Region(ring::RegionError),
    /// A change was not captured.
    #[error("event {event}: {error}")]
    Capture {
        /// Number of the event, from 0.
        event: usize,
        /// Why.
        error: CaptureError,
    },
    /// A change was not taken into a batch.
    #[error("event {event}: {error}")]
    Batch {
        /// Number of the event, from 0.
        event: usize,
        /// Why.
        error: BatchError,
    },
    /// The replica refused a record.
    #[error("the replica stopped: {0}")]
    Apply(PollError),
    /// This build has no such index.
    #[error(
        "this build has no {name}: build it with `--features {name}`, or choose another index",
        name = index.name()
    )]
    IndexMissing {
        /// The index.
        index: IndexKind,
    },
    /// There is no memory for a graph.
    #[error(transparent)]
    Graph(#[from] GraphAllocationError),
    /// The index cannot be made, or built anew.
    #[error(transparent)]
    Index(IndexError),
    /// An operation on the index did not become a record.
    #[error("event {event}: {error}")]
    CapturedIndex {
        /// Number of the event, from 0.
        event: usize,
        /// Why.
        error: CapturedIndexError<IndexError>,
    },
    /// A graph change that was applied once was refused when applied alone.
    #[error(transparent)]
    Links(EditError),
    /// The index cannot be searched.
    #[error("the index cannot be searched: {0}")]
    SearchIndex(IndexError),
    /// A graph cannot be searched.
    #[error(transparent)]
    Search(SearchError),
    /// The other thread ended early.
    #[error("one side of the ring stopped before the stream ended")]
    Stopped,
}

/// Replays `stream` and reports sizes, speed and whether the replica is identical. O(stream).
///
/// # Errors
/// See [`ReplayError`]. A replica that differs is not an error but a finding of the report.
pub fn replay(stream: &Stream, options: &Options) -> Result<Report, ReplayError> {
    let graph = options.graph.map(|options| graph::run(stream, &options));
    let graph = graph.transpose()?;
    let throughput = pass::run(
        stream,
        Mode::Throughput {
            batch: options.batch.max(1),
        },
        options.encoding,
    )?;
    let latency = pass::run(stream, Mode::OneInFlight, options.encoding)?;
    Ok(Report::new(stream, throughput, latency, graph))
}

#[cfg(test)]
mod tests;
