//! Parallel apply: a batch is forked over workers that own disjoint slots and joined before its
//! position is published.
//!
//! [`ShardedReplica`] holds the rows, one shard a worker; [`run`] gives a [`Session`] whose calling
//! thread is the first worker and routes records to the others, each by a ring of its own. What
//! changes more than rows (inserts, metadata, deletes, control) is applied by the calling thread
//! between two forks. Readers see the state at the ends of batches alone.
//!
//! ```
//! use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
//! use delta_native::workers::{ShardedReplica, run};
//!
//! // A writer's batch of frames.
//! let mut slots = [SlotState::default(); 8];
//! let mut sequencer = Sequencer::new(2, &mut slots, 0, Position::START);
//! let (mut frames, mut out) = (Vec::new(), [0; 128]);
//! for id in [b"a", b"b", b"c"] {
//!     let prepared = sequencer.prepare_insert(id, &[1.0, 2.0], &[], &mut out, None)?;
//!     frames.extend(prepared.header.to_bytes());
//!     frames.extend(&out[..prepared.header.payload_size as usize]);
//!     sequencer.commit(prepared);
//! }
//!
//! let replica = ShardedReplica::new(2, 8, 2, Position::START)?;
//! let (applied, _frames) = run(&replica, |session| session.apply_batch(frames))?;
//! assert_eq!(applied?.position, sequencer.position());
//! assert_eq!(replica.read().row(2), Some(&[1.0, 2.0][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod frame;
pub mod plan;
mod replica;
mod session;
mod shard;
mod worker;

pub use replica::{ReadView, ShardedReplica, WorkersError};
pub use session::{Applied, ParallelError, Session, run};

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod tests;
