//! Delta core.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("Delta's records are little-endian and read in place: big-endian targets are not supported");
#[cfg(target_pointer_width = "16")]
compile_error!("Delta's sizes are u32: 16-bit targets are not supported");

pub mod digest;
pub mod kernel;
pub mod ring;
mod simd;
