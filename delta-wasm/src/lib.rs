//! Delta on wasm32.
#![cfg_attr(target_arch = "wasm32", no_std)]
#[cfg(all(target_arch = "wasm32", not(test)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
