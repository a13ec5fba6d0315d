//! Delta on wasm32: the kernels and checks of `delta-core` over a raw C ABI, for hosts such as
//! browsers and Node.
//!
//! The module imports nothing, allocates nothing and owns one block of memory, the *arena*
//! ([`exports::delta_arena`], [`exports::delta_arena_size`]). The host writes rows and records into
//! it, passes their addresses, and reads results from it. Every pointer that comes in is checked
//! against the arena; a refused call returns a negative [`CallError::code`] and changes nothing.
//! JavaScript must move rows as bytes: a NaN that passes through a JavaScript number may lose its
//! payload.
//!
//! The crate builds on hosts too, so that its tests run there.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(unsafe_code)]

mod arena;
mod error;
pub mod exports;

pub use arena::ARENA_BYTES;
pub use error::CallError;

/// A panic would be a fault of our own: the module traps, and the host sees a `RuntimeError`.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
