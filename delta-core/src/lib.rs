//! Delta keeps every replica of a vector index bit-identical to its primary, microseconds behind
//! it, by streaming small deltas instead of rebuilding or downloading again.
//!
//! This crate is the core: `no_std`, no allocator, no I/O, no clock. All memory is the caller's.
//!
//! | module | what it holds |
//! |---|---|
//! | [`header`], [`record`], [`stream`] | the 64-byte header, checked records, framing |
//! | [`payload`], [`codec`] | what a record says; how the change of a row becomes bytes |
//! | [`kernel`], [`digest`] | diff, apply and digest of rows, by SIMD where the target has it |
//! | [`graph`] | a replica of an HNSW index: adjacency, edits, their encodings, search, capture |
//! | [`ring`] | a lock-free ring for one producer and one consumer, in plain or shared memory |
//! | [`store`], [`tensor`] | what deltas are applied to: rows, and tensors of any shape |
//! | [`compact`] | many records of a log as one segment |
//! | [`checkpoint`], [`retain`] | where a stream is; its last records |
//! | [`pipeline`] | capture -> ring -> process -> apply, and [counters](pipeline::counters) |
//!
//! The byte format is specified in `WIRE.md` beside this crate's manifest.
//!
//! # From a write hook to a replica
//!
//! ```
//! use delta_core::pipeline::{apply::{Applier, Apply}, capture::Capture};
//! use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
//! use delta_core::ring::StaticRing;
//! use delta_core::store::{Replica, SliceMemory, SliceStore, Slot};
//!
//! let mut ring = StaticRing::<64, 8192>::new();
//! let (tx, rx) = ring.split();
//!
//! // The writing side, called by the store's write hooks.
//! let mut slots = [SlotState::default(); 16];
//! let mut capture = Capture::new(tx, Sequencer::new(4, &mut slots, 0, Position::START));
//! let old = [1.0, 2.0, 3.0, 4.0];
//! let new = [1.0, 2.0, -0.0, 4.0];
//! let slot = capture.insert(b"doc-1", &old, &[])?;
//! capture.update(slot, &old, &new)?;
//!
//! // The replica's side.
//! let (mut rows, mut slots, mut attributes) = ([0.0; 64], [Slot::default(); 16], [0; 1024]);
//! let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut attributes };
//! let mut store = SliceStore::new(4, memory);
//! let mut scratch = [0; Applier::scratch_size_max(4)];
//! let mut apply = Apply::new(rx, Applier::new(Position::START, &mut scratch));
//! while apply.poll(&mut store)?.is_some() {}
//!
//! assert_eq!(store.row(slot).map(|row| row[2].to_bits()), Some((-0.0_f32).to_bits()));
//! assert_eq!(apply.applier().current_position(), capture.position());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("Delta's records are little-endian and read in place: no big-endian targets");
#[cfg(target_pointer_width = "16")]
compile_error!("Delta's sizes are u32: no 16-bit targets");

pub mod checkpoint;
pub mod codec;
pub mod compact;
pub mod digest;
pub mod graph;
pub mod header;
pub mod kernel;
pub mod payload;
pub mod pipeline;
pub mod record;
pub mod retain;
pub mod ring;
mod simd;
pub mod store;
pub mod stream;
pub mod tensor;
#[cfg(test)]
mod testing;
