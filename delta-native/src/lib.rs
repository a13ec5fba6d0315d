//! Delta on hosts: what `delta-core` leaves to its surroundings.
//!
//! - [`region`], [`clock`]: memory for a ring, of one process or shared by two, and time for
//!   records, which the core is given and never takes. On Linux `futex`: sleeping on a ring.
//! - [`cpu`]: the widest vector unit of this processor, for the core's searches.
//! - [`npy`]: arrays from `.npy` files, checked so that a damaged file is an error and never a
//!   large allocation.
//! - [`stream`]: update streams on disk (four shapes) as one list of insert, update and delete
//!   events.
//! - [`replay`]: the main job, a stream through the whole pipeline and a comparison at its end.
//! - [`index`]: real HNSW indexes, whose graphs travel with their rows.
//! - [`array_delta`], [`inspect`]: the change between two arrays as a `.delta` file, and what
//!   such a file holds.
//! - [`serve`]: a stream over HTTP, followed by readers that resume where they were cut off.
//! - [`search`]: searches of the replica that a stream makes.
//! - [`sample`]: small real streams that travel inside this crate.
//! - [`synthetic`]: rows and changes that are made up as they are needed.
//! - [`workers`]: applying batches in parallel; [`telemetry`]: counters for the `metrics` facade.
//! - [`memory`]: large allocations that fail with an error.
//! - [`output`]: files that are there completely or not at all.
//! - [`source`]: where input comes from, a file or bytes in memory.
//!
//! ```
//! use delta_native::{sample, stream::Operation};
//!
//! for stream in sample::streams()? {
//!     let inserts = stream.iter().filter(|event| event.operation == Operation::Insert).count();
//!     assert_eq!(stream.slots() as usize, inserts);
//! }
//! # Ok::<(), delta_native::stream::StreamError>(())
//! ```
#![deny(unsafe_code)]

pub mod array_delta;
pub mod clock;
pub mod cpu;
#[cfg(test)]
mod fixtures;
#[cfg(target_os = "linux")]
pub mod futex;
pub mod index;
pub mod inspect;
pub mod memory;
pub mod npy;
pub mod output;
pub mod region;
pub mod replay;
pub mod sample;
pub mod search;
pub mod serve;
pub mod source;
pub mod stream;
pub mod synthetic;
pub mod telemetry;
pub mod workers;
