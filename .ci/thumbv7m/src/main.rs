//! The core on bare metal: a ring in a 4 KiB region, the diff, capture and apply, on a Cortex-M3
//! with 64 KiB of memory and neither an operating system nor an allocator.
//!
//! As firmware it runs in `qemu-system-arm -machine lm3s6965evb`, prints through semihosting and
//! ends with an exit code (`cargo xtask thumbv7m`). The checks themselves know no target: on a host
//! the same program runs them as a command.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod board;
mod checks;

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), checks::Failure> {
    let report = checks::run(&mut Box::new(checks::Memory::new()))?;
    println!("{report}");
    Ok(())
}
