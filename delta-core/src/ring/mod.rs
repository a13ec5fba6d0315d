//! The ring: records from one producer to one consumer, through plain or shared memory, without
//! locks, allocation or system calls.
//!
//! A record is a 64-byte header and a payload. The ring carries bytes: of a header it knows only
//! payload_offset (bytes 24..28), payload_size (28..32) and the stamp (48..52); it writes the first
//! and the last, and the consumer gets both as zero. The region's layout is section 7 of `WIRE.md`:
//! offsets only, the same on every target, so that two processes or two WebAssembly modules can
//! share one.
//!
//! ```
//! use delta_core::ring::StaticRing;
//!
//! let mut ring = StaticRing::<64, 4096>::new();
//! let (mut producer, mut consumer) = ring.split();
//!
//! let mut grant = producer.reserve(100)?; // room for as much as the record may need
//! grant.payload_mut()[..3].copy_from_slice(b"abc");
//! let mut header = [0; 64];
//! header[28] = 3; // payload_size: what it needed
//! grant.commit(&header)?;
//!
//! while let Some(record) = consumer.poll()? {
//!     assert_eq!(record.payload(), b"abc");
//!     record.done();
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Which memory
//! [`StaticRing`] owns its memory, [`Region`] uses the caller's, and [`Region::attach`] joins one
//! that another process has made, [`UntrustedRegion::attach`] without trust in it. The same
//! producer and consumer run on `LoomMem` under `cfg(loom)`, where loom tries every interleaving of
//! them, or of a program that uses them.
//!
//! # Why it is right: positions and stamps
//! Positions count records and wrap at 2^32; position p uses slot p mod slots, a power of two. Each
//! slot holds a *stamp*, the only word by which a record is handed over: `p - index + slots` says
//! that the record of position p can be read, one lap less that it cannot yet, anything else that
//! the region is damaged. A stamp grows by one lap a record (mod 2^32), and zeroed memory is a
//! valid empty ring. There is no shared write position: the consumer looks at the slot that it
//! will read next, so that readiness and header arrive in one cache line.
//!
//! # Why it is right: ordering
//! Two chains of happens-before, in opposite directions, are all there is:
//!
//! 1. *Publishing.* The producer writes the payload and the header's other bytes, then stores the
//!    stamp with Release. The consumer loads the stamp with Acquire and only then reads. Whoever
//!    sees a ready stamp sees the whole record.
//! 2. *Releasing.* The consumer finishes its reads, then stores `read_position` with Release. The
//!    producer loads it with Acquire and only then writes again to the slots and payload bytes
//!    before it. Whoever sees a position sees that nobody reads below it.
//!
//! In between, bytes have one owner: from its release to its publication a slot with its payload is
//! the producer's, from publication to release the consumer's. Only stamps and control words are
//! touched by both, and these are atomic. Reserving changes nothing shared, so a grant that is
//! dropped, and a producer that dies before it commits, leave no trace.
//!
//! A *batch* writes its second to last record with their stamps, which nobody looks at, and in the
//! end stores the first record's. By chain 1 whoever sees the first sees all. A batch that is
//! dropped empties the stamps again, one that is leaked has it done before the next record.
//!
//! The producer looks at `read_position` only when the ring looks full from what it last saw; as
//! positions only grow, an old value is a safe one. The free payload space is then derived from the
//! oldest unreleased record's header, which the producer itself wrote. The consumer stores
//! `read_position` rarely for the same reason: a late release costs room, never safety.
//!
//! *Sleeping* needs a third argument, made where it is used: see [`Notify`]. Nothing else in the
//! ring needs sequential consistency.
//!
//! # When a side vanishes
//! A process can be killed between any two stores, and another can take its side. A new producer
//! finds the last published record by the stamps, empties those of a batch that was never finished,
//! and goes on behind it; a new consumer starts at `read_position` and reads again what was not
//! released. Each wakes a peer that its predecessor may have left asleep. Every committed record
//! arrives at least once, in order, and no other does.
//!
//! # What is checked
//! What comes from the other side is checked against this side's own geometry and state before it
//! is used: stamps, payload offsets (the cursor or 0) and ends, read positions (never back, never
//! beyond what was published). A handle that finds damage is poisoned and says so from then on.
//! The payload views of a [`Region`] are plain slices all the same: processes that share it trust
//! each other, as [`Region::attach`] demands. [`UntrustedRegion`] is for those that do not: it
//! copies by atomics, and what it accepts cannot change any more.
//!
//! # Cost
//! A single record costs one cache line and, with a payload, its bytes; reserve, commit, poll and
//! done are O(1) and touch no other shared line, but for one load when the ring looks full and one
//! store for an eighth of it.
mod consumer;
mod cursor;
mod error;
mod layout;
mod mem;
mod notify;
mod producer;
#[cfg(test)]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;

pub use consumer::{Consumer, Copied, Received};
pub use error::{CommitError, CopyError, Corrupt, RegionError, ReserveError, SendError};
pub use layout::{CONTROL_SIZE, Geometry, GeometryError, HEADER_SIZE, REGION_ALIGN};
pub use mem::copy::CopyMem;
#[cfg(loom)]
pub use mem::loom::{Fault, LoomMem};
pub use mem::raw::RawMem;
pub use mem::region::Region;
pub use mem::static_ring::StaticRing;
pub use mem::untrusted::UntrustedRegion;
pub use mem::wait_word::WaitWord;
pub use mem::{Mem, SharedMem};
pub use notify::{Notify, Polling};
pub use producer::{Batch, Grant, Producer};
