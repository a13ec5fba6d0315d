//! The core without an operating system: kernels, a ring in a 4 KiB region, capture and apply, with
//! neither an allocator nor a standard library.
//!
//! | target | how it runs |
//! |---|---|
//! | thumbv7m-none-eabi | firmware for `qemu-system-arm -machine lm3s6965evb`, a Cortex-M3 with 64
//! KiB: `cargo xtask thumbv7m` |
//! | wasm32-unknown-unknown, with and without simd128 | a module that Node calls: `cargo xtask
//! test wasm` |
//! | hosts | a command |
//!
//! The checks themselves know no target.
#![cfg_attr(any(target_arch = "arm", target_family = "wasm"), no_std, no_main)]

#[cfg(target_arch = "arm")]
mod board;
mod checks;
#[cfg(target_family = "wasm")]
mod module;

#[cfg(not(any(target_arch = "arm", target_family = "wasm")))]
fn main() -> Result<(), checks::Failure> {
    let report = checks::run(&mut Box::new(checks::Memory::new()))?;
    println!("{report}");
    Ok(())
}
