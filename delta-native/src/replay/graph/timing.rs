//! What a replica pays: the records of a replay applied again.

use std::time::{Duration, Instant};

use delta_core::graph::Adjacency;
use delta_core::graph::encode::Change;
use delta_core::header::Operation;
use delta_core::pipeline::apply::{Applier, PollError};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::{Replica, SliceStore};

use super::super::ReplayError;
use super::memory::ReplicaMemory;
use super::recorder::Recorder;
use crate::index::IndexParameters;
use crate::stream::Stream;

/// Times each is measured; the median counts.
const PASSES: usize = 3;

pub(super) struct Timing {
    /// Of all records.
    pub(super) apply_ms: f64,
    /// Of an insert, whole.
    pub(super) insert_ns: f64,
    /// Of all graph changes alone.
    pub(super) links_ms: f64,
}

impl Timing {
    /// What travelled, applied again on this thread alone, whole and then its links alone.
    pub(super) fn of(
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
