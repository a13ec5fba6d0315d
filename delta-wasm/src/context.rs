//! A stage's state, in a block of memory that the host gives: modules keep nothing in statics, so
//! that any number of instances of one module can share a memory.
#![expect(
    unsafe_code,
    reason = "the one place that turns a context's address into its state"
)]

use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::{CallError, Details, Fault};
use crate::layout::Layout;
use crate::memory::Extent;

/// Alignment of a context, in bytes.
pub(crate) const CONTEXT_ALIGN: usize = 128;

/// A stage of the pipeline, as a module holds it.
pub(crate) trait Stage: Sized {
    /// Marks a context of this stage; differs between stages.
    const TAG: u32;
    /// Why a call is refused.
    type Fault: Fault;
    /// Opens the stage over the pieces of memory that the host has laid out.
    fn open(layout: &Layout) -> Result<Self, Self::Fault>;
}

/// What stands at a context's address. Hosts read code and details of the last refusal.
#[repr(C, align(128))]
struct Block<S: Stage> {
    /// `S::TAG` once the context was opened, successfully or not.
    tag: AtomicU32,
    /// 1 while a call runs.
    busy: AtomicU32,
    refusal: Refusal,
    /// `None` if opening it failed.
    stage: Option<S>,
}

/// What the last refusal was.
#[repr(C)]
struct Refusal {
    /// Its code; 0: none yet.
    code: i32,
    reserved: u32,
    /// What is known about it beside its code.
    details: Details,
}

/// Bytes of a stage's context.
pub(crate) const fn size<S: Stage>() -> usize {
    size_of::<Block<S>>()
}

/// Opens a stage in the context at `address`, which holds the [`Layout`] that the host wrote.
/// Returns 0, or the fault's code.
pub(crate) fn open<S: Stage>(address: usize) -> i32 {
    const { assert!(size::<S>() >= size_of::<[u64; Layout::WORDS]>()) };
    let Ok(extent) = Extent::new(address, size::<S>(), CONTEXT_ALIGN) else {
        return CallError::NoContext { address }.code();
    };
    let block = ptr::with_exposed_provenance_mut::<Block<S>>(extent.address());
    // SAFETY: the context lies in the memory, aligned for its type (checked above; the memory is
    // initialised) and at least as large as a layout (asserted); its first bytes are plain
    // integers, of which any bits are valid.
    let layout = unsafe { block.cast::<[u64; Layout::WORDS]>().read() };
    let stage = Layout::parse(layout, extent)
        .map_err(S::Fault::from)
        .and_then(|layout| S::open(&layout));
    let (code, details) = match &stage {
        Ok(_) => (0, [0; 3]),
        Err(fault) => (fault.code(), fault.details()),
    };
    let opened = Block {
        tag: AtomicU32::new(S::TAG),
        busy: AtomicU32::new(0),
        refusal: Refusal {
            code,
            reserved: 0,
            details,
        },
        stage: stage.ok(),
    };
    // SAFETY: likewise; the host gives the context to this call alone. What an earlier stage left
    // there is not dropped: its pieces are forgotten, as after a module that was thrown away.
    unsafe { block.write(opened) };
    code
}

/// Calls `action` with the stage of the context at `address`. Returns what it returns, at most
/// `i32::MAX`, or the code of the fault.
pub(crate) fn call<S: Stage>(
    address: usize,
    action: impl FnOnce(&mut S) -> Result<u32, S::Fault>,
) -> i32 {
    enter::<S>(address, |refusal, stage| {
        let no_stage = CallError::NoContext { address };
        let stage = stage.as_mut().ok_or(no_stage.into());
        match stage.and_then(action) {
            Ok(value) => i32::try_from(value).unwrap_or(i32::MAX),
            Err(fault) => refusal.note(fault),
        }
    })
}

impl Refusal {
    /// Notes a refusal, and gives its code. Out of line: there is one a module, not one a call.
    #[cold]
    #[inline(never)]
    fn note(&mut self, fault: impl Fault) -> i32 {
        self.code = fault.code();
        self.details = fault.details();
        self.code
    }
}

fn enter<S: Stage>(
    address: usize,
    action: impl FnOnce(&mut Refusal, &mut Option<S>) -> i32,
) -> i32 {
    let no_context = CallError::NoContext { address }.code();
    let Ok(extent) = Extent::new(address, size::<S>(), CONTEXT_ALIGN) else {
        return no_context;
    };
    let block = ptr::with_exposed_provenance_mut::<Block<S>>(extent.address());
    // SAFETY: the context lies in the memory and is aligned (checked above), and the two words lie
    // in it; they are only accessed atomically once a context was opened.
    let words = unsafe { &*block.cast::<[AtomicU32; 2]>() };
    let [tag, busy] = words;
    if tag.load(Ordering::Acquire) != S::TAG {
        return no_context;
    }
    if busy.swap(1, Ordering::Acquire) != 0 {
        return CallError::Busy.code();
    }
    // SAFETY: the context lies in the memory (checked above); no reference is made to it.
    let refusal = unsafe { &raw mut (*block).refusal };
    // SAFETY: likewise.
    let stage = unsafe { &raw mut (*block).stage };
    // SAFETY: the tag says that `open` has written a `Block<S>` here, and the host leaves the
    // context to this stage. `busy` was 0, is 1 now, and only the end of this call makes it 0: no
    // other call has a reference to this field; they look at tag and flag alone.
    let refusal = unsafe { &mut *refusal };
    // SAFETY: likewise, and it is another field.
    let stage = unsafe { &mut *stage };
    let result = action(refusal, stage);
    busy.store(0, Ordering::Release);
    result
}

/// Where hosts find them: the rest of the block is the module's own.
const _: () = {
    struct None;
    impl Stage for None {
        const TAG: u32 = 0;
        type Fault = CallError;
        fn open(_: &Layout) -> Result<Self, CallError> {
            Err(CallError::Busy)
        }
    }
    assert!(offset_of!(Block<None>, busy) == 4);
    assert!(offset_of!(Block<None>, refusal.code) == 8);
    assert!(offset_of!(Block<None>, refusal.details) == 16);
};

#[cfg(test)]
mod tests;
