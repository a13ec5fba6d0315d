//! `--filter`, `--project` and `--route`: derived streams, each with a reader.

use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::derive::{
    Derived, DerivedConfig, DerivedMemory, Entity, IdShard, Project, Select, SlotShard,
};
use delta_core::pipeline::sequencer::{Position, SlotState};
use delta_core::ring::{Geometry, Region};
use delta_core::store::{Replica, SliceMemory, state_digest};

use super::log::{Log, scratch_size};
use super::{Filter, ReplicaMemory, RouteBy, StageError, StageReport, Stages, apply};
use crate::memory::filled;
use crate::region::HeapRegion;
use crate::stream::Stream;

const STAGE: &str = "derived";

/// What the filter selects, of one part.
struct Part<'f> {
    filter: &'f Filter,
    by: RouteBy,
    shard: u32,
    count: u32,
}

impl Select for Part<'_> {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        let (shard, count) = (self.shard, self.count);
        let routed = match self.by {
            RouteBy::Slot => SlotShard { shard, count }.selects(entity),
            RouteBy::Hash => IdShard { shard, count }.selects(entity),
        };
        routed && self.filter.selects(entity)
    }
}

/// Derives one stream a part and compares what its reader has with what it should have.
pub(super) fn derive(
    stream: &Stream,
    log: &Log,
    stages: &Stages,
) -> Result<StageReport, StageError> {
    let filter = stages.filter.clone().unwrap_or_default();
    let dim = stages.project.unwrap_or(u32::MAX).clamp(1, stream.dim());
    let dims: Vec<u32> = (0..dim).collect();
    let count = stages.route.unwrap_or(1).max(1);
    let (mut identical, mut parts) = (true, Vec::new());
    for shard in 0..count {
        let part = Part {
            filter: &filter,
            by: stages.route_by,
            shard,
            count,
        };
        let (same, records, entities) = one(stream, log, part, &dims)?;
        identical &= same;
        parts.push(format!("{records} records of {entities} entities"));
    }
    Ok(StageReport {
        stage: STAGE,
        identical,
        summary: format!("{dim} of {} components; {}", stream.dim(), parts.join(", ")),
    })
}

/// Whether the reader is identical, the derived records and the entities.
fn one(
    stream: &Stream,
    log: &Log,
    part: Part<'_>,
    dims: &[u32],
) -> Result<(bool, u64, u32), StageError> {
    let refused = StageError::refused(STAGE);
    let dim = u32::try_from(dims.len()).unwrap_or(u32::MAX);
    let slots = stream.slots() as usize;
    let mut source_memory = ReplicaMemory::new(stream, stream.dim())?;
    let (mut source, source_scratch) = source_memory.store(stream.dim());
    let mut applier = Applier::new(Position::START, source_scratch);
    let mut derived_memory = ReplicaMemory::new(stream, dim)?;
    let mut states = filled(slots, 1, SlotState::default())?;
    let mut map = filled(slots, 1, 0_u32)?;
    let mut row = filled(dims.len(), 1, 0.0_f32)?;
    let config = DerivedConfig {
        operations: part.filter.operations,
        ..DerivedConfig::new(part, Project { dims })
    };
    let memory = DerivedMemory {
        store: SliceMemory {
            rows: &mut derived_memory.rows,
            slots: &mut derived_memory.slots,
            attributes: &mut derived_memory.attributes,
        },
        states: &mut states,
        map: &mut map,
        row: &mut row,
        scratch: &mut derived_memory.scratch,
    };
    let mut derived =
        Derived::new(config, &source, Position::START, memory).map_err(|error| refused(&error))?;
    let geometry = Geometry::new(
        64,
        (8 * scratch_size(dim))
            .next_multiple_of(16)
            .try_into()
            .unwrap_or(u32::MAX),
    )
    .map_err(|error| refused(&error))?;
    let mut region = HeapRegion::new(geometry.region_size()).map_err(|error| refused(&error))?;
    let (mut target, reader_ring) = Region::create(region.as_mut_slice(), geometry)
        .map_err(|error| refused(&error))?
        .split();
    let mut reader_memory = ReplicaMemory::new(stream, dim)?;
    let (mut reader, reader_scratch) = reader_memory.store(dim);
    let reader_applier = Applier::new(derived.position(), reader_scratch);
    let mut reading = Apply::new(reader_ring, reader_applier);
    for record in log.records() {
        apply(&mut applier, &record, &mut source, STAGE)?;
        derived
            .follow(&record, &source, &mut target)
            .map_err(|error| refused(&error))?;
        while reading
            .poll(&mut reader)
            .map_err(|error| refused(&error))?
            .is_some()
        {}
    }
    let end = reading.applier().current_position();
    let same = end == derived.position() && end.digest == state_digest(&reader);
    Ok((same, end.sequence, reader.slot_count()))
}
