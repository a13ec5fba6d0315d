//! One worker: takes records from its ring and changes the rows of its shard.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;

use delta_core::header::DeltaHeader;
use delta_core::pipeline::apply::apply_rows;
use delta_core::record::Record;
use delta_core::ring::{Consumer, Mem};

use super::replica::write;
use super::shard::Shard;

/// Looks at an empty ring before the thread sleeps.
const SPINS: u32 = 4_096;

/// What the threads of a session share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The bytes of the batch under way.
    pub(super) batch: RwLock<Vec<u8>>,
    pub(super) stop: AtomicBool,
}

/// Where a worker leaves what its part of a fork came to.
#[derive(Debug, Default)]
pub(super) struct Slate {
    /// Forks that the worker has finished.
    pub(super) finished: AtomicU64,
    outcome: Mutex<Part>,
}

/// What a worker's part of a fork came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// By how much it changes the digest, mod 2^64.
    pub(super) digest_change: u64,
    /// A record was refused: the whole fork is taken back, then gone through one by one.
    pub(super) refused: bool,
}

impl Part {
    /// Applies the rows of one record, unless one before it was refused.
    pub(super) fn apply(
        &mut self,
        header: DeltaHeader,
        payload: &[u8],
        shard: &mut Shard,
        scratch: &mut [u8],
    ) {
        if self.refused {
            return;
        }
        let Ok(record) = Record::with_header(header, payload) else {
            self.refused = true;
            return;
        };
        let mut undo = shard.take_undo();
        let owned = shard.ownership();
        let keep = |slot, last, row: &[f32]| Shard::keep(&mut undo, slot, last, row);
        match apply_rows(&record, shard, owned, scratch, keep) {
            Ok(change) => self.digest_change = self.digest_change.wrapping_add(change),
            Err(_) => self.refused = true,
        }
        shard.set_undo(undo);
    }
}

impl Slate {
    pub(super) fn part(&self) -> Part {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, part: Part) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = part;
        self.finished.fetch_add(1, Ordering::Release);
    }
}

/// The worker's thread: until the session ends.
///
/// A record in the ring is a header of the batch and, as payload, where its payload begins in the
/// batch; one without payload ends the fork.
pub(super) fn serve<M: Mem>(
    mut ring: Consumer<M>,
    shard: &RwLock<Shard>,
    shared: &Shared,
    slate: &Slate,
    scratch_size: usize,
) {
    let mut scratch = vec![0; scratch_size];
    let mut spins = 0_u32;
    while !shared.stop.load(Ordering::Acquire) {
        // Nothing but this process's own threads writes to the ring.
        let waiting = matches!(ring.poll(), Ok(None) | Err(_));
        if waiting {
            spins = spins.saturating_add(1);
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                thread::park();
            }
            continue;
        }
        spins = 0;
        let mut part = Part::default();
        {
            let batch = shared.batch.read().unwrap_or_else(PoisonError::into_inner);
            let mut shard = write(shard);
            while fork_goes_on(
                &mut ring,
                &batch,
                &mut shard,
                &mut part,
                &mut scratch,
                &mut spins,
            ) {}
        }
        slate.finish(part);
    }
}

/// Takes one record of a fork; `false` after its last.
fn fork_goes_on<M: Mem>(
    ring: &mut Consumer<M>,
    batch: &[u8],
    shard: &mut Shard,
    part: &mut Part,
    scratch: &mut [u8],
    spins: &mut u32,
) -> bool {
    let received = match ring.poll() {
        Ok(Some(received)) => received,
        // The calling thread is still routing.
        Ok(None) => {
            spin(spins);
            return true;
        }
        Err(_) => return false,
    };
    let Some(start) = received.payload().first_chunk() else {
        received.done();
        return false;
    };
    let start = usize::try_from(u64::from_le_bytes(*start)).unwrap_or(usize::MAX);
    if let Some((header, payload)) = split(batch, start) {
        part.apply(header, payload, shard, scratch);
    }
    received.done();
    true
}

/// Waits a moment: a few nanoseconds at first, then gives the core away now and then.
pub(super) fn spin(spins: &mut u32) {
    *spins = spins.wrapping_add(1);
    if spins.is_multiple_of(1_024) {
        thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

/// Header and payload of the frame at `start` of a batch that was looked through before.
pub(super) fn split(batch: &[u8], start: usize) -> Option<(DeltaHeader, &[u8])> {
    let (header, rest) = batch.get(start..)?.split_first_chunk()?;
    let header = DeltaHeader::parse(header).ok()?;
    Some((header, rest.get(..header.payload_size as usize)?))
}
