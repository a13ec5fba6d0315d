//! The calling thread of a session: routes, forks, joins, publishes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread::{self, Thread};

use delta_core::header::HEADER_SIZE;
use delta_core::payload::metadata;
use delta_core::pipeline::apply::{Applier, ApplyError, Outcome};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::{Record, RecordError};
use delta_core::ring::{Geometry, Producer, RawMem, Region};

use super::frame::{Frame, forkable};
use super::replica::{ShardedReplica, WorkersError, write};
use super::worker::{Part, Shared, Slate, serve, spin, split};
use crate::region::HeapRegion;

/// Records that a worker's ring takes before the calling thread waits for it.
const RING_SLOTS: u32 = 4_096;
/// Fewer records are applied sooner by one thread than forked.
const FORK_MIN: usize = 8;
/// Offset of payload_size in a header (WIRE.md, section 1).
const PAYLOAD_SIZE_AT: usize = 28;

/// What a batch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Records applied.
    pub applied: u64,
    /// Records skipped because they had been applied before.
    pub duplicates: u64,
    /// Records of it whose rows were changed by forked workers.
    pub forked: u64,
    /// The published position.
    pub position: Position,
}

/// Why a batch stopped. What stands before the refused record's fork has been applied and is
/// published; nothing of the fork has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParallelError {
    /// A frame is broken.
    #[error("byte {offset} of the batch: {error}")]
    Frame {
        /// Where it begins in the batch.
        offset: usize,
        /// What is wrong with it.
        error: RecordError,
    },
    /// The replica refuses a record.
    #[error(transparent)]
    Apply(ApplyError),
}

/// A session over a replica: its thread is the first worker.
#[derive(Debug)]
pub struct Session<'s, 'g> {
    replica: &'s ShardedReplica<'g>,
    shared: &'s Shared,
    /// The workers from the second on.
    others: Vec<Other<'s>>,
    scratch: Vec<u8>,
    /// The frames of the fork under way.
    fork: Vec<Frame>,
}

#[derive(Debug)]
struct Other<'s> {
    ring: Producer<RawMem<'s>>,
    slate: &'s Slate,
    thread: Thread,
    /// Records routed to it in the fork under way.
    routed: u64,
    /// Forks that it took part in.
    forks: u64,
}

/// Runs `work` with a session over `replica`: one thread for each worker but the first, which end
/// when `work` does. Sessions of one replica must not run at the same time.
///
/// # Errors
/// See [`WorkersError`].
pub fn run<'g, T>(
    replica: &ShardedReplica<'g>,
    work: impl FnOnce(&mut Session<'_, 'g>) -> T,
) -> Result<T, WorkersError> {
    let shared = Shared {
        batch: RwLock::default(),
        stop: AtomicBool::new(false),
    };
    let count = replica.workers() as usize - 1;
    let geometry = Geometry::new(RING_SLOTS, RING_SLOTS * 16).unwrap_or(Geometry::DEFAULT);
    let mut regions = Vec::with_capacity(count);
    for _ in 0..count {
        regions.push(HeapRegion::new(geometry.region_size())?);
    }
    let slates: Vec<Slate> = (0..count).map(|_| Slate::default()).collect();
    let scratch_size = 4 * replica.dim() as usize + metadata::SECTION_SIZE_MAX;
    thread::scope(|scope| {
        let mut stop = Stop {
            shared: &shared,
            threads: Vec::with_capacity(count),
        };
        let mut others = Vec::with_capacity(count);
        for ((region, slate), shard) in regions.iter_mut().zip(&slates).zip(1..) {
            let (ring, feed) = Region::create(region.as_mut_slice(), geometry)
                .map_err(WorkersError::Region)?
                .split();
            let Some(shard) = replica.shard(shard) else {
                continue;
            };
            let shared = &shared;
            let thread = scope.spawn(move || serve(feed, shard, shared, slate, scratch_size));
            stop.threads.push(thread.thread().clone());
            others.push(Other {
                ring,
                slate,
                thread: thread.thread().clone(),
                routed: 0,
                forks: 0,
            });
        }
        let mut session = Session {
            replica,
            shared: &shared,
            others,
            scratch: vec![0; scratch_size],
            fork: Vec::new(),
        };
        Ok(work(&mut session))
    })
}

/// Ends the workers, also when the session's thread panics.
struct Stop<'s> {
    shared: &'s Shared,
    threads: Vec<Thread>,
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.threads.iter().for_each(Thread::unpark);
    }
}

impl Session<'_, '_> {
    /// Applies the frames of a batch, one behind the other, and publishes the position at its end.
    /// Readers wait meanwhile. The batch's memory comes back, for the next one.
    ///
    /// # Errors
    /// See [`ParallelError`].
    pub fn apply_batch(&mut self, frames: Vec<u8>) -> (Result<Applied, ParallelError>, Vec<u8>) {
        let span = tracing::info_span!("delta_batch", bytes = frames.len());
        let _entered = span.enter();
        *write(&self.shared.batch) = frames;
        let mut boundary = self.replica.begin();
        let mut applied = Applied {
            applied: 0,
            duplicates: 0,
            forked: 0,
            position: *boundary,
        };
        let mut at = 0;
        let result = loop {
            match self.next(&mut at, &mut applied) {
                Ok(true) => {}
                Ok(false) => break Ok(applied),
                Err(error) => break Err(error),
            }
        };
        *boundary = applied.position;
        drop(boundary);
        (result, std::mem::take(&mut *write(&self.shared.batch)))
    }

    /// Applies what can be forked from `at` on, or one record; `false` at the batch's end.
    fn next(&mut self, at: &mut usize, applied: &mut Applied) -> Result<bool, ParallelError> {
        let batch = self
            .shared
            .batch
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        self.fork.clear();
        let start = *at;
        let mut sequence = applied.position.sequence;
        while let Some((frame, end)) = forkable(&batch, *at, sequence, applied.position.epoch) {
            self.fork.push(frame);
            sequence = frame.sequence;
            *at = end;
        }
        drop(batch);
        let worth_it = !self.others.is_empty() && self.fork.len() >= FORK_MIN;
        if worth_it && self.ends_checked() && self.fork_and_join(applied) {
            return Ok(true);
        }
        // One by one: what was refused is named, and what stands before it applied.
        let serial_end = if self.fork.is_empty() {
            usize::MAX
        } else {
            *at
        };
        *at = start;
        loop {
            let more = self.one(at, applied)?;
            if !more || *at >= serial_end || serial_end == usize::MAX {
                return Ok(more);
            }
        }
    }

    /// Whether the digest at the end of the fork, the only one that is compared, shows a drift that
    /// one within it would.
    fn ends_checked(&self) -> bool {
        let has_digest = |frame: &Frame| frame.state_digest.is_some();
        self.fork.last().is_some_and(has_digest) || !self.fork.iter().any(has_digest)
    }

    /// Applies the record at `at` by this thread alone; `false` at the batch's end.
    fn one(&mut self, at: &mut usize, applied: &mut Applied) -> Result<bool, ParallelError> {
        let batch = self
            .shared
            .batch
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes = batch.get(*at..).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(false);
        }
        let offset = *at;
        let (record, _) =
            Record::split(bytes).map_err(|error| ParallelError::Frame { offset, error })?;
        let mut applier = Applier::new(applied.position, &mut self.scratch)
            .with_counters(self.replica.counters());
        let outcome = applier
            .apply_delta(&record, &mut self.replica.write_all())
            .map_err(ParallelError::Apply)?;
        applied.position = applier.current_position();
        match outcome {
            Outcome::Duplicate => applied.duplicates += 1,
            _ => applied.applied += 1,
        }
        *at += record.size();
        Ok(true)
    }

    /// Forks the collected frames and joins; `false` and nothing changed if any was refused.
    fn fork_and_join(&mut self, applied: &mut Applied) -> bool {
        self.route();
        let own = self.own_part();
        let mut digest_change = own.digest_change;
        let mut refused = own.refused;
        for other in self.others.iter_mut().filter(|other| other.routed > 0) {
            other.forks += 1;
            let mut spins = 0;
            while other.slate.finished.load(Ordering::Acquire) < other.forks {
                spin(&mut spins);
            }
            let part = other.slate.part();
            digest_change = digest_change.wrapping_add(part.digest_change);
            refused |= part.refused;
            other.routed = 0;
        }
        let Some(last) = self.fork.last() else {
            return false;
        };
        let digest = applied.position.digest.wrapping_add(digest_change);
        refused |= last.state_digest.is_some_and(|expected| expected != digest);
        for mut shard in self.replica.shards() {
            if refused {
                shard.roll_back();
            } else {
                shard.commit();
            }
        }
        if refused {
            return false;
        }
        applied.position.sequence = last.sequence;
        applied.position.digest = digest;
        let count = self.fork.len() as u64;
        applied.applied += count;
        applied.forked += count;
        let sum = |part: fn(&Frame) -> u64| self.fork.iter().map(part).sum::<u64>();
        let components = u64::from(self.replica.dim()) * sum(|frame| frame.rows.into());
        let bytes = sum(|frame| frame.size as u64);
        let last = (last.sequence, last.timestamp_us);
        self.replica
            .counters()
            .note_many(count, components, bytes, last);
        true
    }

    /// Sends the other workers' frames to their rings, and the end of the fork.
    fn route(&mut self) {
        let workers = self.replica.workers();
        for frame in &self.fork {
            let owner = frame.slot.map(|slot| slot % workers);
            for (other, number) in self.others.iter_mut().zip(1..) {
                if owner.is_none_or(|owner| owner == number) {
                    other.send(Some(frame.start));
                }
            }
        }
        for other in self.others.iter_mut().filter(|other| other.routed > 0) {
            other.send(None);
            other.thread.unpark();
        }
    }

    /// The first worker's part.
    fn own_part(&mut self) -> Part {
        let mut part = Part::default();
        let batch = self
            .shared
            .batch
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let workers = self.replica.workers();
        let Some(shard) = self.replica.shard(0) else {
            return part;
        };
        let mut shard = write(shard);
        for frame in &self.fork {
            let own = frame.slot.is_none_or(|slot| slot % workers == 0);
            if own && let Some((header, payload)) = split(&batch, frame.start) {
                part.apply(header, payload, &mut shard, &mut self.scratch);
            }
        }
        part
    }
}

impl Other<'_> {
    /// Sends where a frame begins; `None`: the fork's end. Waits while the ring is full.
    fn send(&mut self, start: Option<usize>) {
        let payload = start.map(|start| (start as u64).to_le_bytes());
        let size = payload.map_or(0, |payload| payload.len());
        let mut header = [0; HEADER_SIZE];
        if let Some(place) = header.get_mut(PAYLOAD_SIZE_AT..PAYLOAD_SIZE_AT + 4) {
            place.copy_from_slice(&u32::try_from(size).unwrap_or(0).to_le_bytes());
        }
        if self.routed == 0 {
            self.thread.unpark();
        }
        self.routed += 1;
        loop {
            if let Ok(mut grant) = self.ring.reserve(size) {
                if let Some(payload) = payload {
                    grant.payload_mut().copy_from_slice(&payload);
                }
                if grant.commit(&header).is_ok() {
                    return;
                }
            }
            self.thread.unpark();
            thread::yield_now();
        }
    }
}
