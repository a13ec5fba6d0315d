//! A stream through a real index: its graph travels with the rows, and at the end the replica's is
//! compared with the index, searched beside it, and timed against building the index again.
#![cfg_attr(
    not(any(feature = "hnsw-stable", feature = "usearch")),
    allow(
        dead_code,
        unused_variables,
        unused_imports,
        reason = "a build without an index has nobody that calls this"
    )
)]

mod memory;
mod recorder;
mod report;
mod search;
#[cfg(test)]
mod tests;
mod timing;
mod writer;

use std::thread;
use std::time::Instant;

use delta_core::codec::lz4::Lz4Scratch;
use delta_core::graph::search::SliceRows;
use delta_core::graph::{Adjacency, GraphParameters};
use delta_core::kernel::distance::Metric;
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::{Consumer, Mem, Region};
use delta_core::store::{Replica, ReplicaGraph, SliceStore};

use super::ReplayError;
use super::pass::{self, Mode, Shared, follow};
use crate::index::{GraphMemory, IndexKind, IndexParameters, VectorIndex};
use crate::memory::filled;
use crate::region::HeapRegion;
use crate::stream::Stream;
use memory::ReplicaMemory;
use recorder::Recorder;
use search::{Side, by_graph, by_index, exact, queries, recall};
use timing::Timing;
use writer::{Written, write_all};

pub use report::{GraphReport, PerSide};

/// How the index of a replay is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphOptions {
    /// Which index.
    pub index: IndexKind,
    /// See [`IndexParameters::links`].
    pub links: u8,
    /// See [`IndexParameters::ef`].
    pub ef: u32,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            index: IndexKind::HnswStable,
            links: 16,
            ef: 100,
        }
    }
}

/// Replays `stream` with the index that `options` name.
pub(super) fn run(stream: &Stream, options: &GraphOptions) -> Result<GraphReport, ReplayError> {
    with_index(stream, options, Reporting)
}

/// The frames that `stream` becomes with the index that `options` name, and where they end.
pub(super) fn frames(
    stream: &Stream,
    options: &GraphOptions,
) -> Result<(Vec<u8>, Position), ReplayError> {
    with_index(stream, options, Framing)
}

/// What is made of a stream that was replicated with its graph.
trait Outcome {
    type Output;

    fn of<I: VectorIndex, M: Mem>(
        self,
        stream: &Stream,
        applied: Position,
        findings: Findings<'_, '_, '_, I, M>,
    ) -> Result<Self::Output, ReplayError>;
}

struct Reporting;

impl Outcome for Reporting {
    type Output = GraphReport;

    fn of<I: VectorIndex, M: Mem>(
        self,
        stream: &Stream,
        applied: Position,
        findings: Findings<'_, '_, '_, I, M>,
    ) -> Result<GraphReport, ReplayError> {
        let timing = Timing::of(stream, findings.parameters, &findings.recorder)?;
        findings.report(stream, applied, &timing)
    }
}

struct Framing;

impl Outcome for Framing {
    type Output = (Vec<u8>, Position);

    fn of<I: VectorIndex, M: Mem>(
        self,
        _: &Stream,
        applied: Position,
        findings: Findings<'_, '_, '_, I, M>,
    ) -> Result<Self::Output, ReplayError> {
        Ok((findings.recorder.stream, applied))
    }
}

fn with_index<O: Outcome>(
    stream: &Stream,
    options: &GraphOptions,
    outcome: O,
) -> Result<O::Output, ReplayError> {
    match options.index {
        #[cfg(feature = "hnsw-stable")]
        IndexKind::HnswStable => run_with::<crate::index::HnswStable, O>(stream, options, outcome),
        #[cfg(feature = "usearch")]
        IndexKind::Usearch => run_with::<crate::index::Usearch, O>(stream, options, outcome),
        #[cfg(not(all(feature = "hnsw-stable", feature = "usearch")))]
        index => Err(ReplayError::IndexMissing { index }),
    }
}

fn run_with<I: VectorIndex, O: Outcome>(
    stream: &Stream,
    options: &GraphOptions,
    outcome: O,
) -> Result<O::Output, ReplayError> {
    let parameters = IndexParameters {
        dim: stream.dim(),
        nodes_max: stream.slots(),
        links: options.links,
        ef: options.ef,
        metric: Metric::SquaredL2,
    };
    let index = I::new(&parameters).map_err(ReplayError::Index)?;
    let mut shadow = GraphMemory::new(parameters.shape())?;
    let mut slot_states = filled(stream.slots() as usize, 1, SlotState::default())?;
    let mut replica = ReplicaMemory::new(stream, &parameters)?;
    let geometry = pass::geometry(stream);
    let mut region = HeapRegion::new(geometry.region_size())?;
    let (producer, consumer) = Region::create(region.as_mut_slice(), geometry)
        .map_err(ReplayError::Region)?
        .split();
    let declared = GraphParameters::new(parameters.shape(), parameters.metric);
    let sequencer = Sequencer::new(stream.dim(), &mut slot_states, 0, Position::START);
    let mut lz4 = Box::<Lz4Scratch>::default();
    let capture = Capture::new(producer, sequencer.with_graph(declared, 0)).with_lz4(&mut lz4);
    let mut store = replica.store();
    let (written, (recorder, applied)) = replicate(
        stream,
        (index, shadow.empty_graph(), capture),
        consumer,
        &mut store,
    )?;

    let findings = Findings {
        parameters: &parameters,
        written: &written,
        store: &store,
        recorder,
    };
    outcome.of(stream, applied, findings)
}

/// What the writer has at the end, what the replica's side counted, and where that ended.
type Replicated<'m, 's, I, M> = (Written<'m, 's, I, M>, (Recorder, Position));

/// The stream through the ring, on two threads.
fn replicate<'m, 's, I: VectorIndex, M: Mem + Send>(
    stream: &'s Stream,
    (index, shadow, capture): (I, Adjacency<'m>, Capture<'m, M>),
    consumer: Consumer<M>,
    store: &mut SliceStore<'_>,
) -> Result<Replicated<'m, 's, I, M>, ReplayError> {
    let shared = Shared::new(Mode::Throughput { batch: 1 });
    let mut scratch = vec![0; Applier::scratch_size_max(stream.dim())];
    let (written, applied) = thread::scope(|scope| {
        let written = scope.spawn(|| write_all(stream, index, shadow, capture, &shared));
        let applier = Applier::new(Position::START, &mut scratch);
        let mut apply = Apply::with_process(consumer, applier, Recorder::default());
        let applied = follow(
            &mut apply,
            store,
            &shared,
            |recorder| recorder.ended,
            |_| (),
        );
        let (_, applier, recorder) = apply.into_parts();
        let applied = applied.map(|()| (recorder, applier.current_position()));
        (written.join().unwrap_or(Err(ReplayError::Stopped)), applied)
    });
    pass::both(written, applied)
}

/// Both sides at the end of the stream.
struct Findings<'f, 'm, 's, I, M: Mem> {
    parameters: &'f IndexParameters,
    written: &'f Written<'m, 's, I, M>,
    store: &'f SliceStore<'f>,
    recorder: Recorder,
}

impl<I: VectorIndex, M: Mem> Findings<'_, '_, '_, I, M> {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn report(
        &self,
        stream: &Stream,
        applied: Position,
        timing: &Timing,
    ) -> Result<GraphReport, ReplayError> {
        let IndexParameters { metric, ef, .. } = *self.parameters;
        let (shadow, index) = (
            self.written.captured.graph().shadow(),
            self.written.captured.index(),
        );
        let Some(graph) = self.store.graph().map(ReplicaGraph::adjacency) else {
            unreachable!("the replica was made with a graph");
        };
        let rebuild_ms = self.rebuild_ms()?;
        let queries = queries(stream);
        let rows = |values| SliceRows {
            dim: stream.dim() as usize,
            values,
        };
        let primary = Side {
            graph: shadow,
            rows: rows(self.written.primary.rows()),
        };
        let replica = Side {
            graph,
            rows: rows(self.store.rows()),
        };
        let expected = by_graph(&primary, metric, &queries, ef as usize)?;
        let answers = by_graph(&replica, metric, &queries, ef as usize)?;
        let own = by_index(index, shadow, &queries)?;
        let exact = exact(&replica, metric, &queries);
        let recall = |answers| recall(&replica, metric, &queries, &exact, answers);
        let difference = self.difference(graph, applied);
        let Recorder {
            inserts,
            insert_change_bytes,
            edges_removed,
            ..
        } = self.recorder;
        let memory_bytes = graph.shape().memory_bytes().unwrap_or(0);
        Ok(GraphReport {
            index: I::KIND.name(),
            graph_identical: difference.is_none(),
            graph_difference: difference,
            graph_digest: format!("{:016x}", graph.digest()),
            // Of all that were added, those are left that were not removed.
            edges_added: graph.edge_count() + edges_removed,
            edges_removed,
            graph_bytes_per_insert: insert_change_bytes as f64 / inserts.max(1) as f64,
            graph_bytes_per_node: memory_bytes as f64 / f64::from(graph.node_count().max(1)),
            apply_ns_per_insert: timing.insert_ns,
            rebuild_ms,
            apply_ms: timing.apply_ms,
            rebuild_ratio: rebuild_ms / timing.apply_ms.max(1e-6),
            links_ms: timing.links_ms,
            links_rebuild_ratio: rebuild_ms / timing.links_ms.max(1e-6),
            queries: queries.len(),
            search_equal: expected.equal(&answers),
            recall_at_10: PerSide {
                primary: recall(&own),
                replica: recall(&answers),
            },
            search_ns: PerSide {
                primary: own.search_ns,
                replica: answers.search_ns,
            },
        })
    }

    /// Where the replica first differs from the primary and its index.
    fn difference(&self, graph: &Adjacency<'_>, applied: Position) -> Option<String> {
        let Written {
            primary,
            captured,
            position,
        } = self.written;
        if graph != captured.graph().shadow() {
            return Some("the graph's bytes".to_owned());
        }
        match captured.graph().first_difference(captured.index()) {
            Ok(None) => pass::difference(primary, self.store, None, *position, applied),
            Ok(Some(difference)) => Some(format!("index and shadow differ in {difference}")),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Builds the index anew from the rows that are not deleted.
    fn rebuild_ms(&self) -> Result<f64, ReplayError> {
        let start = Instant::now();
        let mut index = I::new(self.parameters).map_err(ReplayError::Index)?;
        let live = (0..self.store.slot_count()).filter(|&slot| !self.store.is_deleted(slot));
        for (node, slot) in (0..).zip(live) {
            let row = self.written.primary.row(slot);
            index.insert(node, row).map_err(ReplayError::Index)?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}
