//! The stages of a replay beyond capture and apply: workers, derived streams, a gate, compaction,
//! chaos. Each takes the stream's log, does its work on it, and holds the result against the
//! primary's digest.

mod chaos;
mod compact;
mod derived;
mod filter;
mod log;

pub use filter::{Filter, FilterError};
use log::Log;

use std::time::Instant;

use delta_core::pipeline::apply::Applier;
use delta_core::pipeline::gate::{Gate, GateConfig, GatedError, GatedOutcome};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

use crate::memory::{OutOfMemory, filled};
use crate::stream::Stream;
use crate::workers::{ShardedReplica, WorkersError, run};

/// What a route goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteBy {
    /// The slot: parts of equal size.
    #[default]
    Slot,
    /// The hash of the id: an id that comes back is in the same part again.
    Hash,
}

/// Which stages to run.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// Apply by so many workers.
    pub workers: Option<u32>,
    /// Derive what this selects.
    pub filter: Option<Filter>,
    /// Derive the first so many components.
    pub project: Option<u32>,
    /// Split into so many derived streams.
    pub route: Option<u32>,
    /// What decides which of them an entity belongs to.
    pub route_by: RouteBy,
    /// Apply behind a gate.
    pub gate: Option<GateConfig>,
    /// Compact the log and replay the segments.
    pub compact: bool,
    /// Damage, drop, repeat and reorder records, by this seed.
    pub chaos: Option<u64>,
}

/// Why a stage could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// There is no memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// There are no workers.
    #[error(transparent)]
    Workers(#[from] WorkersError),
    /// A step that must succeed was refused.
    #[error("{stage}: {error}")]
    Refused {
        /// The stage.
        stage: &'static str,
        /// Why.
        error: String,
    },
}

impl StageError {
    fn refused(stage: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |error| Self::Refused {
            stage,
            error: error.to_string(),
        }
    }
}

/// What a stage came to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct StageReport {
    /// The stage.
    pub stage: &'static str,
    /// Whether its result is what the primary (or the projection of it) has.
    pub identical: bool,
    /// What is worth knowing, for people.
    pub summary: String,
}

/// Runs the stages that are asked for over `stream`. O(stream) each.
///
/// # Errors
/// See [`StageError`]. A result that differs is not an error but a finding.
pub fn run_stages(stream: &Stream, stages: &Stages) -> Result<Vec<StageReport>, StageError> {
    let mut reports = Vec::new();
    let wants_derived =
        stages.filter.is_some() || stages.project.is_some() || stages.route.is_some();
    let wants = stages.workers.is_some()
        || wants_derived
        || stages.gate.is_some()
        || stages.compact
        || stages.chaos.is_some();
    if !wants {
        return Ok(reports);
    }
    let log = Log::capture(stream)?;
    if let Some(workers) = stages.workers {
        reports.push(parallel(stream, &log, workers)?);
    }
    if wants_derived {
        reports.push(derived::derive(stream, &log, stages)?);
    }
    if let Some(config) = stages.gate {
        reports.push(gated(stream, &log, config)?);
    }
    if stages.compact {
        reports.push(compact::compacted(stream, &log)?);
    }
    if let Some(seed) = stages.chaos {
        reports.push(chaos::chaos(stream, &log, seed)?);
    }
    Ok(reports)
}

/// The memory of a replica of `stream`.
struct ReplicaMemory {
    rows: Vec<f32>,
    slots: Vec<Slot>,
    attributes: Vec<u8>,
    scratch: Vec<u8>,
}

impl ReplicaMemory {
    fn new(stream: &Stream, dim: u32) -> Result<Self, OutOfMemory> {
        let slots = stream.slots() as usize;
        Ok(Self {
            rows: filled(slots, dim as usize, 0.0)?,
            slots: filled(slots, 1, Slot::default())?,
            attributes: filled(super::pass::attributes_size(stream), 1, 0)?,
            scratch: filled(log::scratch_size(dim), 1, 0)?,
        })
    }

    fn store(&mut self, dim: u32) -> (SliceStore<'_>, &mut [u8]) {
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut self.attributes,
        };
        (SliceStore::new(dim, memory), &mut self.scratch)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(records: u64, start: Instant) -> f64 {
    records as f64 / start.elapsed().as_secs_f64().max(1e-9)
}

/// Records of a batch that is handed to the workers.
const BATCH: usize = 1_024;

fn parallel(stream: &Stream, log: &Log, workers: u32) -> Result<StageReport, StageError> {
    let replica = ShardedReplica::new(stream.dim(), stream.slots(), workers, Position::START)?;
    let start = Instant::now();
    let result = run(&replica, |session| {
        let (mut memory, mut forked) = (Vec::new(), 0);
        for batch in log.frames.chunks(BATCH) {
            memory.clear();
            for frame in batch {
                memory.extend_from_slice(log.bytes.get(frame.clone()).unwrap_or_default());
            }
            let (result, back) = session.apply_batch(memory);
            forked += result
                .map_err(|error| StageError::refused("workers")(&error))?
                .forked;
            memory = back;
        }
        Ok::<_, StageError>(forked)
    })?;
    let forked = result?;
    let rate = per_second(log.frames.len() as u64, start);
    Ok(StageReport {
        stage: "workers",
        identical: replica.read().position() == log.position,
        summary: format!("{workers} workers, {rate:.0} records/s, {forked} records forked"),
    })
}

fn gated(stream: &Stream, log: &Log, config: GateConfig) -> Result<StageReport, StageError> {
    let refused = StageError::refused("gate");
    let mut memory = ReplicaMemory::new(stream, stream.dim())?;
    let (mut store, scratch) = memory.store(stream.dim());
    let mut applier = Applier::new(Position::START, scratch);
    let mut gate = Gate::new(config).map_err(|error| refused(&error))?;
    // Time passes only while a record is held: what the log's pace would be is unknown.
    let (mut now_us, mut quarantine) = (0, None);
    let tick_us = u64::from(config.resistance.tick_us);
    gate.advance(now_us);
    'log: for record in log.records() {
        loop {
            match applier.apply_gated(&record, &mut store, &mut gate) {
                Ok(GatedOutcome::Passed(_)) => break,
                Ok(GatedOutcome::Held(_)) => {
                    now_us += tick_us;
                    gate.advance(now_us);
                }
                Err(GatedError::Quarantined(reason)) => {
                    quarantine = Some((record.header().sequence, reason));
                    break 'log;
                }
                Err(error) => return Err(refused(&error)),
            }
        }
    }
    let counts = gate.counts();
    let position = applier.current_position();
    let consistent = position.digest == state_digest(&store);
    let end = match quarantine {
        None => format!("coherence {:.2} at the end", gate.coherence()),
        Some((sequence, reason)) => {
            format!("a snapshot is needed at record {sequence}: {reason:?}")
        }
    };
    Ok(StageReport {
        stage: "gate",
        identical: consistent && (quarantine.is_some() || position == log.position),
        summary: format!(
            "{} applied, {} throttled, held {} times for {} ms in all; {end}",
            counts.applied,
            counts.throttled,
            counts.held,
            now_us / 1_000
        ),
    })
}

/// Applies `record`, which must be taken.
fn apply<R: Replica>(
    applier: &mut Applier<'_>,
    record: &Record<'_>,
    replica: &mut R,
    stage: &'static str,
) -> Result<(), StageError> {
    applier
        .apply_delta(record, replica)
        .map(|_| ())
        .map_err(|error| StageError::refused(stage)(&error))
}

#[cfg(test)]
mod tests;
