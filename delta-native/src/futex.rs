//! Sleeping on a word of a ring, across processes.
#![expect(
    unsafe_code,
    reason = "the system's call takes an atomic, which a `WaitWord` hides"
)]

use std::sync::atomic::AtomicU32;

use delta_core::ring::{Notify, SharedMem, WaitWord};
use rustix::thread::futex::{self, Flags, Timespec};

/// Waits by the system's futex, which works between processes that share the word's memory.
///
/// Both ends of a ring must use it. A sleeper looks again every 100 ms without being woken, so that
/// a peer that was killed before it could wake, and is never attached again, costs no more.
///
/// ```
/// use delta_core::ring::{Geometry, Region};
/// use delta_native::{futex::Futex, region::HeapRegion};
///
/// let geometry = Geometry::new(8, 1024)?;
/// let mut memory = HeapRegion::new(geometry.region_size())?;
/// let (mut producer, mut consumer) =
///     Region::create(memory.as_mut_slice(), geometry)?.split_with(Futex);
/// std::thread::scope(|scope| {
///     scope.spawn(move || producer.reserve(0).unwrap().commit(&[0; 64]));
///     consumer.wait()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Futex;

const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

fn atomic<'a, M: SharedMem<Word = AtomicU32>>(word: &'a WaitWord<'_, M>) -> &'a AtomicU32 {
    // SAFETY: the address is that of an `AtomicU32` which outlives `word`, as `as_ptr` says, and
    // the callers hand it to calls of the system that only load from it.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast_mut()) }
}

impl<M: SharedMem<Word = AtomicU32>> Notify<M> for Futex {
    const SLEEPS: bool = true;

    fn wait(&self, word: WaitWord<'_, M>, expected: u32) {
        // Another value, a signal, the time: all are reasons to look again, as every return is.
        let _ = futex::wait(atomic(&word), Flags::empty(), expected, Some(&PATIENCE));
    }

    fn wake(&self, word: WaitWord<'_, M>) {
        // At most one side waits on a word. The call fails only for an address that is not mapped.
        let _ = futex::wake(atomic(&word), Flags::empty(), 1);
    }
}
