//! The wasm module: one exported call runs the checks and prints through the host.

use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::checks::{self, Memory};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Shows `size` bytes of UTF-8 at `text`.
    fn print(text: *const u8, size: usize);
}

/// The memory of the checks.
struct Statics(UnsafeCell<Memory>);

// SAFETY: the only reference to the content is made by `delta_checks`, once (`TAKEN`).
unsafe impl Sync for Statics {}

static STATICS: Statics = Statics(UnsafeCell::new(Memory::new()));
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Runs the checks: 1 if all hold, else 0. To be called once: a second call traps.
// SAFETY: this is the module's only function of that name.
#[unsafe(no_mangle)]
pub extern "C" fn delta_checks() -> u32 {
    assert!(!TAKEN.swap(true, Ordering::AcqRel), "called once");
    // SAFETY: the pointer is to a live static, and no other reference to it is ever made: `TAKEN`
    // was false, and nothing else in the program names `STATICS`.
    let memory = unsafe { &mut *STATICS.0.get() };
    let result = checks::run(memory);
    // Writing to the console cannot fail.
    let _ = match &result {
        Ok(report) => writeln!(Console, "{report}"),
        Err(failure) => writeln!(Console, "failed: {failure:?}"),
    };
    u32::from(result.is_ok())
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the host reads the bytes of a live string, and keeps nothing.
        unsafe { print(text.as_ptr(), text.len()) };
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // Writing to the console cannot fail.
    let _ = writeln!(Console, "failed: {info}");
    core::arch::wasm32::unreachable()
}
