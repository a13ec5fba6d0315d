//! Start-up, console, exit and stack measurement of the firmware. Everything unsafe is here.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::checks::{self, Memory};

/// What the start-up code fills the stack with.
const PAINT: u32 = 0xc0de_c0de;

// The processor loads the stack pointer from the first word and jumps to the second. The start-up
// code prepares memory before any Rust code runs: zeroes, initial values, and the paint of the
// whole stack, of which nothing is in use yet.
global_asm!(
    ".section .vectors, \"a\"",
    ".word _stack_top",
    ".word reset",
    // NMI, HardFault, MemManage, BusFault, UsageFault.
    ".rept 5",
    ".word fault",
    ".endr",
    // Reserved, SVCall, debug, reserved, PendSV, SysTick: none is ever raised.
    ".rept 9",
    ".word fault",
    ".endr",
    ".section .text.reset, \"ax\"",
    ".global reset",
    ".type reset, %function",
    ".thumb_func",
    "reset:",
    "ldr r0, =_bss_start",
    "ldr r1, =_bss_end",
    "movs r2, #0",
    "1: cmp r0, r1",
    "bhs 2f",
    "str r2, [r0]",
    "adds r0, #4",
    "b 1b",
    "2: ldr r0, =_data_start",
    "ldr r1, =_data_end",
    "ldr r2, =_data_load",
    "3: cmp r0, r1",
    "bhs 4f",
    "ldr r3, [r2]",
    "str r3, [r0]",
    "adds r0, #4",
    "adds r2, #4",
    "b 3b",
    "4: ldr r0, =_stack_bottom",
    "ldr r1, =_stack_top",
    "ldr r2, ={paint}",
    "5: cmp r0, r1",
    "bhs 6f",
    "str r2, [r0]",
    "adds r0, #4",
    "b 5b",
    "6: bl {start}",
    "udf #0",
    ".ltorg",
    ".size reset, . - reset",
    paint = const PAINT,
    start = sym start,
);

unsafe extern "C" {
    /// The stack's lowest word; its address is what counts.
    static _stack_bottom: u32;
    /// The first address above the stack.
    static _stack_top: u32;
}

/// The memory of the checks: a static, so that the stack holds nothing but frames.
struct Statics(UnsafeCell<Memory>);

// SAFETY: the only reference to the content is made by `start`, once (`TAKEN`).
unsafe impl Sync for Statics {}

static STATICS: Statics = Statics(UnsafeCell::new(Memory::new()));
static TAKEN: AtomicBool = AtomicBool::new(false);

extern "C" fn start() -> ! {
    assert!(!TAKEN.swap(true, Ordering::AcqRel), "started once");
    // SAFETY: the pointer is to a live static, and no other reference to it is ever made: `TAKEN`
    // was false, and nothing else in the program names `STATICS`.
    let memory = unsafe { &mut *STATICS.0.get() };
    let result = checks::run(memory);
    // Before anything is printed: formatting is not what is measured.
    let (used, size) = stack_used();
    match result {
        Ok(report) => {
            print(format_args!("{report}\n"));
            print(format_args!("stack: at most {used} of {size} bytes used\n"));
            exit(true)
        }
        Err(failure) => {
            print(format_args!("failed: {failure:?}\n"));
            exit(false)
        }
    }
}

/// Bytes of the stack that were ever used, and its size.
fn stack_used() -> (usize, usize) {
    let (bottom, top) = (&raw const _stack_bottom, &raw const _stack_top);
    let size = top.addr() - bottom.addr();
    let mut unused = 0;
    while unused < size {
        // SAFETY: below `_stack_top` by the loop's condition, and so inside of the RAM.
        let word = unsafe { bottom.byte_add(unused) };
        // SAFETY: a 4-aligned word of the RAM that the start-up code has written. It is below this
        // function's frame, or part of one, whose words are plain memory: a volatile read of
        // whatever they hold.
        if unsafe { word.read_volatile() } != PAINT {
            break;
        }
        unused += 4;
    }
    (size - unused, size)
}

/// Operations of the debugger that runs the firmware ("Semihosting for AArch32 and AArch64", Arm).
const SYS_WRITE0: u32 = 0x04;
const SYS_EXIT: u32 = 0x18;
/// Reasons for the exit.
const APPLICATION_EXIT: usize = 0x2_0026;
const RUN_TIME_ERROR: usize = 0x2_0023;

fn semihost(operation: u32, argument: usize) {
    // SAFETY: the breakpoint hands r0 and r1 to the debugger, which returns a value in r0 and
    // changes no other register; the operations above read the memory that their argument names.
    unsafe {
        asm!(
            "bkpt #0xab",
            inlateout("r0") operation => _,
            in("r1") argument,
            options(nostack),
        );
    }
}

/// Collects text in a small buffer and hands it on when that is full.
struct Console {
    /// Ends in a zero wherever it is handed on.
    buffer: [u8; 64],
    /// Bytes in use, at most one less than the buffer.
    len: usize,
}

impl Console {
    fn flush(&mut self) {
        self.buffer[self.len] = 0;
        semihost(SYS_WRITE0, self.buffer.as_ptr().addr());
        self.len = 0;
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.len + 1 == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

fn print(text: fmt::Arguments<'_>) {
    let mut console = Console {
        buffer: [0; 64],
        len: 0,
    };
    // Writing to the console cannot fail.
    let _ = console.write_fmt(text);
    console.flush();
}

fn exit(is_success: bool) -> ! {
    let reason = if is_success {
        APPLICATION_EXIT
    } else {
        RUN_TIME_ERROR
    };
    loop {
        semihost(SYS_EXIT, reason);
    }
}

/// Every fault and every interrupt: none is expected.
#[unsafe(no_mangle)]
extern "C" fn fault() -> ! {
    print(format_args!("failed: a fault of the processor\n"));
    exit(false)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    print(format_args!("failed: {info}\n"));
    exit(false)
}
