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
mod writer;

use std::thread;
use std::time::{Duration, Instant};

use delta_core::codec::lz4::Lz4Scratch;
use delta_core::graph::encode::Change;
use delta_core::graph::search::SliceRows;
use delta_core::graph::{Adjacency, GraphParameters};
use delta_core::header::Operation;
use delta_core::kernel::distance::Metric;
use delta_core::pipeline::apply::{Applier, Apply, PollError};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
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
    match options.index {
        #[cfg(feature = "hnsw-stable")]
        IndexKind::HnswStable => run_with::<crate::index::HnswStable>(stream, options),
        #[cfg(feature = "usearch")]
        IndexKind::Usearch => run_with::<crate::index::Usearch>(stream, options),
        #[cfg(not(all(feature = "hnsw-stable", feature = "usearch")))]
        index => Err(ReplayError::IndexMissing { index }),
    }
}

fn run_with<I: VectorIndex>(
    stream: &Stream,
    options: &GraphOptions,
) -> Result<GraphReport, ReplayError> {
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

    let timing = Timing::of(stream, &parameters, &recorder)?;
    Findings {
        parameters: &parameters,
        written: &written,
        store: &store,
        recorder: &recorder,
    }
    .report(stream, applied, &timing)
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

/// Times each is measured; the median counts.
const PASSES: usize = 3;

struct Timing {
    apply_ms: f64,
    insert_ns: f64,
    links_ms: f64,
}

impl Timing {
    /// What travelled, applied again on this thread alone, whole and then its links alone.
    fn of(
        stream: &Stream,
        parameters: &IndexParameters,
        recorder: &Recorder,
    ) -> Result<Self, ReplayError> {
        let mut memory = ReplicaMemory::new(stream, parameters)?;
        let mut records = [[0.0; 2]; PASSES];
        for pass in &mut records {
            *pass = apply_records(&mut memory.store(), recorder)?;
        }
        let mut links = [[0.0]; PASSES];
        for pass in &mut links {
            *pass = [apply_links(memory.empty_graph(), recorder)?];
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let inserts = recorder.inserts.max(1) as f64;
        let [apply_ms, insert_ms] = median(records);
        let [links_ms] = median(links);
        Ok(Self {
            apply_ms,
            insert_ns: insert_ms * 1e6 / inserts,
            links_ms,
        })
    }
}

/// The median of each figure.
fn median<const N: usize>(passes: [[f64; N]; PASSES]) -> [f64; N] {
    std::array::from_fn(|figure| {
        let mut values = passes.map(|pass| pass.get(figure).copied().unwrap_or_default());
        values.sort_unstable_by(f64::total_cmp);
        values.get(PASSES / 2).copied().unwrap_or_default()
    })
}

/// Checks and applies all records; milliseconds of all, and of the inserts.
fn apply_records(store: &mut SliceStore<'_>, recorder: &Recorder) -> Result<[f64; 2], ReplayError> {
    let mut scratch = vec![0; Applier::scratch_size_max(store.dim())];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut rest = recorder.stream.as_slice();
    let start = Instant::now();
    let (mut inserts, mut run) = (Duration::ZERO, None);
    while !rest.is_empty() {
        let (record, after) =
            Record::split(rest).map_err(|error| ReplayError::Apply(PollError::Record(error)))?;
        // The clock is read where a run of inserts begins and where it ends.
        match (record.header().operation == Operation::Insert, run) {
            (true, None) => run = Some(Instant::now()),
            (false, Some(since)) => {
                inserts += Instant::elapsed(&since);
                run = None;
            }
            _ => {}
        }
        applier
            .apply_delta(&record, store)
            .map_err(|error| ReplayError::Apply(PollError::Apply(error)))?;
        rest = after;
    }
    Ok([start.elapsed(), inserts].map(|time| time.as_secs_f64() * 1e3))
}

/// Checks and makes the graph changes alone; milliseconds of all.
fn apply_links(mut graph: Adjacency<'_>, recorder: &Recorder) -> Result<f64, ReplayError> {
    let start = Instant::now();
    let mut rest = recorder.changes.as_slice();
    while let Some((size, after)) = rest.split_first_chunk() {
        let size = u32::from_le_bytes(*size) as usize;
        let (change, after) = after.split_at_checked(size).unwrap_or_default();
        // It was checked when its record was.
        if let Ok(change) = Change::parse(change) {
            graph.prefetch(change);
            graph.apply(change).map_err(ReplayError::Links)?;
        }
        rest = after;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Both sides at the end of the stream.
struct Findings<'f, 'm, 's, I, M: Mem> {
    parameters: &'f IndexParameters,
    written: &'f Written<'m, 's, I, M>,
    store: &'f SliceStore<'f>,
    recorder: &'f Recorder,
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
        } = *self.recorder;
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
            Ok(Some((layer, slot))) => Some(format!("the index's list of {slot} on layer {layer}")),
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
