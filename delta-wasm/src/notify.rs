//! How a stage sleeps: the host waits for it.
//!
//! wasm's own wait instruction is not stable in Rust, and a browser's main thread may not use it;
//! the host has `Atomics.wait` and `Atomics.notify`, and knows where it may block.

use delta_core::ring::{Notify, RawMem, WaitWord};

/// Sleeps in the host's `wait` import, and wakes by its `wake`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostWait;

#[cfg(target_arch = "wasm32")]
#[expect(
    unsafe_code,
    reason = "the host's two imports, which touch no memory of ours"
)]
mod host {
    // SAFETY: the host provides both with these signatures, or the module cannot be instantiated.
    // They block or wake, and write to no memory: any arguments are safe.
    #[link(wasm_import_module = "delta")]
    unsafe extern "C" {
        /// Waits while the word at `address` holds `expected`; may return at any time.
        pub(super) safe fn wait(address: usize, expected: u32);
        /// Wakes whoever waits on the word at `address`.
        pub(super) safe fn wake(address: usize);
    }
}

/// Off wasm there is no host: a test's waits return at once.
#[cfg(not(target_arch = "wasm32"))]
mod host {
    pub(super) fn wait(_address: usize, _expected: u32) {
        core::hint::spin_loop();
    }

    pub(super) fn wake(_address: usize) {}
}

impl Notify<RawMem<'_>> for HostWait {
    const SLEEPS: bool = true;

    fn wait(&self, word: WaitWord<'_, RawMem<'_>>, expected: u32) {
        host::wait(word.as_ptr().addr(), expected);
    }

    fn wake(&self, word: WaitWord<'_, RawMem<'_>>) {
        host::wake(word.as_ptr().addr());
    }
}
