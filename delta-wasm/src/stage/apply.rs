//! Apply: a replica, fed by a ring or by frames, and what can be asked of it.

use delta_core::graph::search::{Neighbour, SearchError, SearchScratch};
use delta_core::kernel::distance::{Metric, Query};
use delta_core::pipeline::apply::{Applier, Apply, ApplyError, PollError};
use delta_core::pipeline::process::PassThrough;
use delta_core::pipeline::sequencer::Position;
use delta_core::record::{Record, RecordError};
use delta_core::ring::{Corrupt, RawMem};
use delta_core::store::{Replica, SliceStore, nearest, state_digest};

use super::rings;
use crate::context::Stage;
use crate::error::{self, CallError, Details, Fault};
use crate::layout::Layout;
use crate::memory::Staging;
use crate::notify::HostWait;
use crate::tables;

/// Why a record was not applied, or a question not answered. The replica is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplyFault {
    Call(CallError),
    Ring(Corrupt),
    Record(RecordError),
    Apply(ApplyError),
}

impl Fault for ApplyFault {
    fn code(&self) -> i32 {
        match *self {
            Self::Call(error) => error.code(),
            Self::Ring(_) => error::RING_CORRUPT,
            Self::Record(error) => error::record_code(error),
            Self::Apply(error) => error::apply_code(error),
        }
    }

    fn details(&self) -> Details {
        match *self {
            Self::Call(error) => error.details(),
            Self::Ring(_) => [0; 3],
            Self::Record(error) => error::record_details(error),
            Self::Apply(error) => error::apply_details(error),
        }
    }
}

impl From<CallError> for ApplyFault {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Where the records come from.
#[expect(
    clippy::large_enum_variant,
    reason = "one a replica, and there is no allocator to box it"
)]
enum Feed {
    Ring(Apply<'static, RawMem<'static>, PassThrough, HostWait>),
    Frames(Applier<'static>),
}

impl Feed {
    fn applier(&self) -> &Applier<'static> {
        match self {
            Self::Ring(apply) => apply.applier(),
            Self::Frames(applier) => applier,
        }
    }
}

/// A replica and its feed.
pub(crate) struct ApplyStage {
    pub(crate) staging: Staging,
    feed: Feed,
    store: SliceStore<'static>,
    /// What the latest search found.
    found: &'static mut [Neighbour],
    search: SearchScratch<'static>,
}

impl Stage for ApplyStage {
    const TAG: u32 = u32::from_le_bytes(*b"DLTa");
    type Fault = ApplyFault;

    fn open(layout: &Layout) -> Result<Self, ApplyFault> {
        let source = layout.source.map(rings::source).transpose()?;
        let mut store = tables::store(layout)?;
        if let Some(graph) = tables::graph(layout)? {
            store = store.with_graph(graph);
        }
        let (found, search) = tables::search(layout);
        let start = Position {
            epoch: layout.epoch,
            ..Position::START
        };
        let applier = Applier::new(start, tables::scratch(layout));
        Ok(Self {
            staging: tables::staging(layout),
            feed: match source {
                Some(source) => Feed::Ring(Apply::new(source, applier)),
                None => Feed::Frames(applier),
            },
            store,
            found,
            search,
        })
    }
}

impl ApplyStage {
    /// Applies at most `max` records of the ring; returns how many.
    pub(crate) fn poll(&mut self, max: u32) -> Result<u32, ApplyFault> {
        let Feed::Ring(apply) = &mut self.feed else {
            return Err(CallError::NoRing.into());
        };
        for applied in 0..max {
            match apply.poll(&mut self.store) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(applied),
                Err(PollError::Record(error)) => return Err(ApplyFault::Record(error)),
                Err(PollError::Apply(error)) => return Err(ApplyFault::Apply(error)),
                Err(PollError::Ring(error)) => return Err(ApplyFault::Ring(error)),
                // The core has no other error; a new one stops here as a ring that cannot be used.
                Err(_) => return Err(CallError::NoRing.into()),
            }
        }
        Ok(max)
    }

    /// Waits once for a record of the ring; whether there is one.
    pub(crate) fn wait(&mut self) -> Result<bool, ApplyFault> {
        match &mut self.feed {
            Feed::Ring(apply) => apply.wait_once().map_err(|error| match error {
                PollError::Ring(error) => ApplyFault::Ring(error),
                _ => CallError::NoRing.into(),
            }),
            Feed::Frames(_) => Err(CallError::NoRing.into()),
        }
    }

    /// Applies the frames in the staging area, one behind another; returns how many there were.
    /// Those before a refused one stay applied.
    pub(crate) fn apply_frames(&mut self, address: usize, size: usize) -> Result<u32, ApplyFault> {
        let Feed::Frames(applier) = &mut self.feed else {
            return Err(CallError::NoRing.into());
        };
        let mut rest = self.staging.bytes(address, size)?;
        let mut frames = 0;
        while !rest.is_empty() {
            let (record, behind) = Record::split(rest).map_err(ApplyFault::Record)?;
            applier
                .apply_delta(&record, &mut self.store)
                .map_err(ApplyFault::Apply)?;
            frames += 1;
            rest = behind;
        }
        Ok(frames)
    }

    /// Epoch, sequence and digest after the last applied record.
    pub(crate) fn position(&self) -> Position {
        self.feed.applier().current_position()
    }

    /// Records applied, duplicates skipped, slots used, bytes of ids and metadata.
    pub(crate) fn counters(&self) -> [u64; 4] {
        let applier = self.feed.applier();
        [
            applier.applied(),
            applier.duplicates(),
            u64::from(self.store.slot_count()),
            self.store.attributes_size() as u64,
        ]
    }

    /// The state digest, computed from the whole replica.
    pub(crate) fn digest(&self) -> u64 {
        state_digest(&self.store)
    }

    /// The replica's store.
    pub(crate) const fn store(&self) -> &SliceStore<'static> {
        &self.store
    }

    /// Whether an existing slot was deleted.
    pub(crate) fn is_deleted(&self, slot: u32) -> Result<bool, ApplyFault> {
        self.check_slot(slot)?;
        Ok(self.store.is_deleted(slot))
    }

    /// Copies the id of `slot` to `out`; returns its size.
    pub(crate) fn id(&mut self, slot: u32, out: usize) -> Result<u32, ApplyFault> {
        self.check_slot(slot)?;
        let id = self.store.id(slot).unwrap_or_default();
        self.staging.bytes_mut(out, id.len())?.copy_from_slice(id);
        Ok(u32::try_from(id.len()).unwrap_or(u32::MAX))
    }

    /// Writes the pairs of `slot` to `out`; returns the bytes.
    pub(crate) fn metadata(
        &mut self,
        slot: u32,
        out: usize,
        size: usize,
    ) -> Result<u32, ApplyFault> {
        self.check_slot(slot)?;
        let out = self.staging.bytes_mut(out, size)?;
        let mut written = 0;
        self.store.visit_metadata(slot, &mut |key, value| {
            for part in [key, value] {
                let part_size = u32::try_from(part.len()).unwrap_or(u32::MAX);
                for bytes in [&part_size.to_le_bytes()[..], part] {
                    let end = written + bytes.len();
                    if let Some(place) = out.get_mut(written..end) {
                        place.copy_from_slice(bytes);
                    }
                    written = end;
                }
            }
        });
        if written > size {
            let (needed, given) = (written, size);
            return Err(CallError::OutputTooSmall { needed, given }.into());
        }
        Ok(u32::try_from(written).unwrap_or(u32::MAX))
    }

    fn check_slot(&self, slot: u32) -> Result<(), CallError> {
        if slot < self.store.slot_count() {
            return Ok(());
        }
        Err(CallError::UnknownSlot { slot })
    }

    /// Writes the `k` live rows nearest to the query at `query`, nearest first, to `out`: for each
    /// the slot and the bits of its distance, u32 both. Returns how many. By the graph, keeping
    /// `ef` nodes; with an `ef` of 0 by comparing all, O(rows x dim).
    pub(crate) fn search(
        &mut self,
        query: usize,
        (k, metric, ef): (u32, u32, u32),
        out: usize,
    ) -> Result<u32, ApplyFault> {
        const PAIR_SIZE: usize = 8;
        let Self { staging, store, .. } = self;
        let row = staging.components(query, store.dim() as usize)?;
        let query = Query::new(metric_of(metric)?, row);
        let (needed, given) = (k as usize, self.found.len());
        let found = self.found.get_mut(..needed);
        let found = found.ok_or(CallError::OutputTooSmall { needed, given })?;
        let count = match (ef, store.graph()) {
            (0, _) => nearest(store, &query, found),
            (_, None) => return Err(CallError::NoGraph.into()),
            (ef, Some(graph)) => {
                let graph = graph.adjacency();
                let count = graph.search(store, &query, ef as usize, &mut self.search, found);
                count.map_err(|error| match error {
                    SearchError::Scratch { candidates, .. } => CallError::OutputTooSmall {
                        needed: candidates,
                        given: 0,
                    },
                    _ => CallError::NoGraph,
                })?
            }
        };
        let found = found.get(..count).unwrap_or_default();
        let out = staging.bytes_mut(out, PAIR_SIZE * count)?;
        let pairs = out.as_chunks_mut::<PAIR_SIZE>().0;
        for (pair, near) in pairs.iter_mut().zip(found) {
            *pair = bytemuck::cast([near.slot.to_le_bytes(), near.distance.to_le_bytes()]);
        }
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

const fn metric_of(metric: u32) -> Result<Metric, CallError> {
    match metric {
        0 => Ok(Metric::SquaredL2),
        1 => Ok(Metric::Dot),
        2 => Ok(Metric::Cosine),
        _ => Err(CallError::Metric { metric }),
    }
}
