//! Every memory ordering of the ring, each named once, with the reason that it is so strong.
//!
//! `cargo xtask loom --mutate` reads the names of this file's mutants, compiles the ring with one
//! of them at a time (`--cfg ring_mutant="..."`), and demands that a loom model fails. An ordering
//! that is not Relaxed must have one for each weaker step; for a fence Relaxed stands for none.
use core::sync::atomic::Ordering;

/// The first ordering, or that of the mutant which is compiled.
macro_rules! order {
    ($right:ident $(, $mutant:literal: $weaker:ident)*) => {{
        let order = Ordering::$right;
        $(let order = if cfg!(ring_mutant = $mutant) { Ordering::$weaker } else { order };)*
        order
    }};
}

// Publishing: the stamps.

/// The stamp of a single record: its header and payload are written before.
pub(super) const PUBLISH_ONE: Ordering = order!(Release, "publish_one_relaxed": Relaxed);
/// The stamp of a batch's first record, stored last: the whole batch is written before.
pub(super) const PUBLISH_BATCH: Ordering = order!(Release, "publish_batch_relaxed": Relaxed);
/// The stamps of a batch's other records: nobody looks at them before the first's was seen, which
/// orders them.
pub(super) const PUBLISH_REST: Ordering = order!(Relaxed);
/// The same stamps, looked at by the producer that has stored them.
pub(super) const OWN_STAMP: Ordering = order!(Relaxed);
/// The consumer's look at a stamp: header and payload are read after.
pub(super) const LOOK: Ordering = order!(Acquire, "look_relaxed": Relaxed);
/// A stamp that a new handle finds: it reads the record's header after.
pub(super) const FIND_STAMP: Ordering = order!(Acquire, "find_stamp_relaxed": Relaxed);
/// The stamps of an unfinished batch, emptied by its producer or a new one. A consumer looks at
/// none of them before it has seen a record that this producer publishes in front of it, which
/// orders them.
pub(super) const CLEAR: Ordering = order!(Relaxed);

// Releasing: the read position.

/// The consumer's position: its reads of all before it are over.
pub(super) const RELEASE: Ordering = order!(Release, "release_relaxed": Relaxed);
/// The producer's look at it: slots and payloads before it are written again after.
pub(super) const OBSERVE: Ordering = order!(Acquire, "observe_relaxed": Relaxed);
/// The same by a new producer, which may write without another look.
pub(super) const FIND_POSITION: Ordering = order!(Acquire, "find_position_relaxed": Relaxed);

// Sleeping: the words that are slept on beside their flags, with a fence between.

/// The count of published records: the stamps of these are stored before.
pub(super) const ANNOUNCE: Ordering = order!(Release, "announce_relaxed": Relaxed);
/// A consumer's look at it before it looks at the stamp: who sees the count of a record and not its
/// stamp would sleep, and the wake-up for this record may be over.
pub(super) const EXPECT: Ordering = order!(Acquire, "expect_relaxed": Relaxed);
/// The waiting flags, stored and loaded: the fences order them.
pub(super) const FLAG: Ordering = order!(Relaxed);
/// A sleeper's comparison with the value that it has seen: nothing else is read on its strength.
pub(super) const COMPARE: Ordering = order!(Relaxed);
/// Between a published record and the look at the consumer's flag.
pub(super) const FENCE_PUBLISHED: Ordering =
    order!(SeqCst, "fence_published_acqrel": AcqRel, "fence_published_none": Relaxed);
/// Between the consumer's flag and its last look for a record.
pub(super) const FENCE_CONSUMER: Ordering =
    order!(SeqCst, "fence_consumer_acqrel": AcqRel, "fence_consumer_none": Relaxed);
/// Between a released position and the look at the producer's flag.
pub(super) const FENCE_RELEASED: Ordering =
    order!(SeqCst, "fence_released_acqrel": AcqRel, "fence_released_none": Relaxed);
/// Between the producer's flag and its last look at the consumer's position.
pub(super) const FENCE_PRODUCER: Ordering =
    order!(SeqCst, "fence_producer_acqrel": AcqRel, "fence_producer_none": Relaxed);

// Creating: the control block.

/// `ready`, stored last: the whole empty region is written before.
pub(super) const READY_STORE: Ordering = order!(Release, "ready_store_relaxed": Relaxed);
/// `ready`, loaded first: the region is read after.
pub(super) const READY_LOAD: Ordering = order!(Acquire, "ready_load_relaxed": Relaxed);
/// All that a creator stores before `ready`, and what is loaded after it.
pub(super) const FORMAT: Ordering = order!(Relaxed);

/// The words of headers and payloads that are copied from or to an untrusted side: the stamps order
/// them if it keeps the rules, and nothing could if it does not.
pub(super) const COPY: Ordering = order!(Relaxed);
