//! The C ABI. Addresses are of the module's linear memory; see the crate's documentation.
//!
//! Every call takes the address of its stage's context first and returns a number from 0 on, or a
//! negative code. The host keeps the crate's contract: it leaves each piece of a layout to the
//! stage that it was given to.
#![expect(
    unsafe_code,
    reason = "`no_mangle`: every exported name begins with `delta_` and is defined once, here"
)]

#[cfg(feature = "apply")]
pub mod apply;
#[cfg(feature = "capture")]
pub mod capture;
#[cfg(feature = "process")]
pub mod process;

use delta_core::header::VERSION;
use delta_core::pipeline::sequencer::Position;

/// Version of the wire format that this module reads and writes.
#[unsafe(no_mangle)]
pub extern "C" fn delta_version() -> u32 {
    u32::from(VERSION)
}

/// What the module was built with: bit 0 simd128, bit 1 atomics (for a shared memory).
#[unsafe(no_mangle)]
pub extern "C" fn delta_features() -> u32 {
    let simd128 = u32::from(cfg!(target_feature = "simd128"));
    let atomics = u32::from(cfg!(target_feature = "atomics"));
    simd128 | atomics << 1
}

/// A position as hosts get it: epoch, sequence, digest.
const fn position_words(position: Position) -> [u64; 3] {
    [position.epoch as u64, position.sequence, position.digest]
}

#[cfg(all(test, feature = "capture", feature = "process", feature = "apply"))]
mod tests;
