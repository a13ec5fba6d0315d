//! Delta on wasm32: the pipeline's three stages as modules over one memory, with a raw C ABI.
//!
//! Each feature of this crate (`capture`, `process`, `apply`) is a stage; a module is built with
//! one of them. The modules import their memory, allocate nothing and keep nothing in statics: the
//! host lays out every table, ring, buffer and stack, and each stage's state lives in a *context*
//! of the host's. So any number of stages and instances can share one memory, in as many threads.
//! `npm/` holds the JavaScript that does all this.
//!
//! ```text
//! 0         unused: address 0 and the linker's own stack
//! 64 KiB    statics of capture, process (128 KiB) and apply (192 KiB): constants alone
//! 256 KiB   the host's: stacks, contexts, staging areas, rings, rows, slots, ids and metadata
//! ```
//!
//! # The contract with the host
//! - It sets `__stack_pointer` of every instance to the end of a stack that no other has.
//! - It makes each ring: zeroes, and the control block of section 7 of `WIRE.md`.
//! - It writes where the stage's pieces lie to the context's address, then calls `open`. What it
//!   says is checked: in the memory, aligned, disjoint. From then on the pieces are the stage's;
//!   the host writes to the staging area alone, between calls, and reads.
//! - One thread at a time calls with a context; a second one is refused.
//!
//! Rows, ids, frames and results pass through the staging area: each address is checked against it
//! before use. JavaScript must move rows as bytes: a NaN that passes through a JavaScript number
//! may lose its payload.
//!
//! # Codes
//! | code | refused because |
//! |---|---|
//! | -1 | outside the staging area |
//! | -2 | misaligned |
//! | -3 | another thread is inside a call, or one has trapped |
//! | -4 | a frame's size |
//! | -5 | no open stage at the context's address |
//! | -6 | pieces overlap |
//! | -7 | beyond the memory |
//! | -8 | the layout |
//! | -9 | the ring's region or shape |
//! | -10 | no such ring |
//! | -11 | a tensor's dtype, rank or shape |
//! | -12 | too many pairs of metadata |
//! | -13 | the output is too small |
//! | -14 | no such metric |
//! | -15 | no graph |
//! | -16 to -23 | header: version, operation, flags, numbering, unannounced digest, ring fields, |
//! | | payload size, checksum; -31: another |
//! | -32 | payload |
//! | -40 to -54 | stale epoch, unknown epoch, gap, behind, dim, slot count, unknown slot, |
//! | | deleted, conflict, repeated, metadata, store full, base, diverged, graph; -59: |
//! | | another |
//! | -60, -61, -62 | ring full, record too large, ring corrupt |
//! | -70 | the change cannot be written |
//!
//! After a negative code the context holds it (i32 at byte 8) and three numbers about it (u64 at
//! byte 16): of a replica's refusal the sequence, what was expected and what was found; of a size
//! what is needed and what is given; of an address the address and its size. The texts that name
//! the remedy are in `npm/src/errors.js`.
//!
//! The crate builds on hosts too, with all stages, so that its tests run there.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(unsafe_code)]
#![cfg_attr(
    not(all(feature = "capture", feature = "process", feature = "apply")),
    allow(dead_code, reason = "each stage uses its part of what they share")
)]

mod context;
mod error;
pub mod exports;
mod layout;
mod memory;
mod notify;
mod stage;
mod tables;
mod tensor;

pub use error::CallError;
pub use tensor::Tensor;

/// A panic would be a fault of our own: the module traps, and the host sees a `RuntimeError`.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
