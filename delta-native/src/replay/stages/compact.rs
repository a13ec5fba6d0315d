//! `--compact`: the log as range segments, and a replica that takes them.

use std::time::{Duration, Instant};

use delta_core::compact::{CompactError, CompactMemory, Compactor, RangeSegment, Touched};
use delta_core::pipeline::apply::{Applier, Undo};
use delta_core::pipeline::sequencer::Position;
use delta_core::store::{SliceStore, state_digest};

use super::log::{self, Log};
use super::{ReplicaMemory, StageError, StageReport};
use crate::memory::filled;
use crate::replay::pass::attributes_size;
use crate::stream::Stream;

const STAGE: &str = "compact";
/// Entities of a range, at most: memory that does not grow with the stream.
const ENTITIES: usize = 16_384;

/// A replica that moves from segment to segment.
struct Follower<'m> {
    applier: Applier<'m>,
    undo: Undo<'m>,
    segments: u32,
    /// Bytes of all segments.
    size: usize,
    out: Vec<u8>,
}

impl Follower<'_> {
    /// Ends the compactor's range and brings its base to the range's end; how long the former took.
    fn step(
        &mut self,
        compactor: &mut Compactor<'_, SliceStore<'_>>,
    ) -> Result<Duration, StageError> {
        let refused = StageError::refused(STAGE);
        self.out.resize(compactor.size_max(), 0);
        let start = Instant::now();
        let finished = compactor.finish(&mut self.out);
        let elapsed = start.elapsed();
        let size = finished.map_err(|error| refused(&error))?;
        let segment = RangeSegment::parse(self.out.get(..size).unwrap_or_default());
        let segment = segment.map_err(|error| refused(&error))?;
        self.applier
            .apply_range(&segment, compactor.base_mut(), &mut self.undo)
            .map_err(|error| refused(&error))?;
        self.segments += 1;
        self.size += size;
        Ok(elapsed)
    }
}

pub(super) fn compacted(stream: &Stream, log: &Log) -> Result<StageReport, StageError> {
    let refused = StageError::refused(STAGE);
    let dim = stream.dim() as usize;
    let entities = ENTITIES.min(stream.slots() as usize).max(1);
    let mut touched = filled(entities, 1, Touched::default())?;
    let mut index = filled((2 * entities).next_power_of_two(), 1, 0_u32)?;
    let mut rows = filled(entities, dim, 0.0_f32)?;
    let mut changed = filled(entities, dim.div_ceil(64), 0_u64)?;
    let mut text = filled(attributes_size(stream) * 2, 1, 0_u8)?;
    let mut work_scratch = filled(log::scratch_size(stream.dim()), 1, 0_u8)?;
    let memory = CompactMemory {
        touched: &mut touched,
        index: &mut index,
        rows: &mut rows,
        changed: &mut changed,
        text: &mut text,
        scratch: &mut work_scratch,
    };
    let mut base_memory = ReplicaMemory::new(stream, stream.dim())?;
    let (base, scratch) = base_memory.store(stream.dim());
    let entity_undo = 300 + 4 * dim;
    let mut undo = filled(2 * text_size(stream) + entity_undo * entities, 1, 0_u8)?;
    let mut follower = Follower {
        applier: Applier::new(Position::START, scratch),
        undo: Undo::new(&mut undo),
        segments: 0,
        size: 0,
        out: Vec::new(),
    };
    let mut compactor = Compactor::with_base(stream.dim(), Position::START, memory, base)
        .on(crate::cpu::vector_unit());
    let mut elapsed = Duration::ZERO;
    for record in log.records() {
        let start = Instant::now();
        let mut pushed = compactor.push(&record);
        elapsed += start.elapsed();
        if matches!(pushed, Err(CompactError::Full { .. })) {
            elapsed += follower.step(&mut compactor)?;
            pushed = compactor.push(&record);
        }
        pushed.map_err(|error| refused(&error))?;
    }
    if !compactor.is_empty() {
        elapsed += follower.step(&mut compactor)?;
    }
    let position = follower.applier.current_position();
    let digest = state_digest(compactor.base_mut());
    Ok(StageReport {
        stage: STAGE,
        identical: position == log.position && digest == position.digest,
        summary: summary(log, &follower, elapsed),
    })
}

/// Bytes of old and new metadata of a whole range.
fn text_size(stream: &Stream) -> usize {
    2 * attributes_size(stream)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn summary(log: &Log, follower: &Follower<'_>, elapsed: Duration) -> String {
    let rate = log.bytes.len() as f64 / elapsed.as_secs_f64().max(1e-9);
    format!(
        "{} bytes of {} records to {} bytes in {} segments, {:.2} GB/s",
        log.bytes.len(),
        log.frames.len(),
        follower.size,
        follower.segments,
        rate / 1e9
    )
}
