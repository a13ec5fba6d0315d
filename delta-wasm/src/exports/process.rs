//! What the process module exports.
#![expect(unsafe_code, reason = "`no_mangle`; see the folder's module")]

use crate::context;
use crate::stage::process::ProcessStage;

/// Bytes of a context; it begins at a multiple of 128.
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_context_size() -> usize {
    context::size::<ProcessStage>()
}

/// Opens the stage whose layout stands at `context`: staging, the ring that is read, the ring that
/// is written; one of the rings may be missing. O(slots).
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_open(context: usize) -> i32 {
    context::open::<ProcessStage>(context)
}

/// Moves at most `max` records from ring to ring; returns how many. O(bytes).
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_relay(context: usize, max: u32) -> i32 {
    context::call(context, |stage: &mut ProcessStage| stage.relay(max))
}

/// Moves records of the ring that is read to the `size` bytes at `out`, as frames, one behind
/// another; returns the bytes. What is behind a damaged record stays; where others come before it,
/// the next call says so. O(bytes).
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_take(context: usize, out: usize, size: usize) -> i32 {
    context::call(context, |stage: &mut ProcessStage| stage.take(out, size))
}

/// Moves the frames in the `size` bytes at `frames` to the ring that is written; returns the bytes
/// taken: the others wait until there is room. Where a frame behind others is refused, the next
/// call says so. O(bytes).
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_give(context: usize, frames: usize, size: usize) -> i32 {
    context::call(context, |stage: &mut ProcessStage| stage.give(frames, size))
}

/// Waits once: for a record, or if there is one for room to put it. 1 if both are there, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_wait(context: usize) -> i32 {
    context::call(context, |stage: &mut ProcessStage| {
        stage.wait().map(u32::from)
    })
}

/// Checks the frame in the `size` bytes at `frame`, at any alignment: the fields of its header, its
/// payload, that it is as long as they say, and the checksum. O(size).
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_check(context: usize, frame: usize, size: usize) -> i32 {
    context::call(context, |stage: &mut ProcessStage| {
        stage.check(frame, size).map(|()| 0)
    })
}

/// Writes what has passed to `out`, seven u64: records by operation (insert, update, delete,
/// batch-update, reindex-layers, control), and bytes.
#[unsafe(no_mangle)]
pub extern "C" fn delta_process_counters(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut ProcessStage| {
        let words = stage.counters.words();
        Ok(stage.staging.put(out, words).map(|()| 0)?)
    })
}
