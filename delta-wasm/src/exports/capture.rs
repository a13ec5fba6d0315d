//! What the capture module exports.
#![expect(unsafe_code, reason = "`no_mangle`; see the folder's module")]

use super::position_words;
use crate::context;
use crate::stage::capture::CaptureStage;
use crate::stage::many::ManyPlaces;
use crate::tensor::Tensor;

/// Bytes of a context; it begins at a multiple of 128.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_context_size() -> usize {
    context::size::<CaptureStage>()
}

/// Opens the stage whose layout stands at `context`: rows, slots, states, attributes, staging and
/// the ring that is written. O(memory).
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_open(context: usize) -> i32 {
    context::open::<CaptureStage>(context)
}

/// Captures the start of the stream.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_start(context: usize) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.start().map(|()| 0)
    })
}

/// Captures the end of the stream, which had `record_count` records after its start.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_end(context: usize, record_count: u64) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.end(record_count).map(|()| 0)
    })
}

/// Captures a new entity with the row at `row`, the `id_size` bytes of id at `id`, and the
/// `pairs_size` bytes of a plain metadata section at `pairs`. Returns its slot. O(dim).
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_insert(
    context: usize,
    row: usize,
    id: usize,
    id_size: usize,
    pairs: usize,
    pairs_size: usize,
) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.insert(row, (id, id_size), (pairs, pairs_size))
    })
}

/// Captures that `slot` gets the row at `row`, and the changes of metadata at `pairs`. O(dim).
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_update(
    context: usize,
    slot: u32,
    row: usize,
    pairs: usize,
    pairs_size: usize,
) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.update(slot, row, (pairs, pairs_size)).map(|()| 0)
    })
}

/// Captures new rows of the `count` slots whose numbers (u32) stand at `slots` as one record; the
/// descriptor at `tensor` says where the rows are. The `sections_size` bytes at `sections` are
/// changes of metadata: of each row the size (u32) of a plain section, and the section; no bytes:
/// of none. All of them, or none. O(count x dim + metadata).
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_update_many(
    context: usize,
    slots: usize,
    count: usize,
    tensor: usize,
    sections: usize,
    sections_size: usize,
) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        let places = ManyPlaces {
            slots,
            count,
            tensor,
            sections: (sections, sections_size),
        };
        stage.update_many(places).map(|()| 0)
    })
}

/// Captures that the entity of `slot` is deleted. O(1).
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_delete(context: usize, slot: u32) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.delete(slot).map(|()| 0)
    })
}

/// Waits once for room for a record of `payload_size` bytes; 1 if there is, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_wait(context: usize, payload_size: usize) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.wait(payload_size).map(u32::from)
    })
}

/// The time that the following records carry, microseconds since the Unix epoch.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_set_time(context: usize, timestamp_us: u64) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.set_timestamp_us(timestamp_us);
        Ok(0)
    })
}

/// Writes epoch, sequence and digest after the last captured record to `out`: three u64.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_position(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        let words = position_words(stage.position());
        Ok(stage.staging.put(out, words).map(|()| 0)?)
    })
}

/// Writes the descriptor of the primary's rows, shape (slots used, dim), to `out`. They may change
/// in the next call.
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_rows(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        let rows = Tensor::of_store(&stage.primary);
        Ok(rows.write(&mut stage.staging, out).map(|()| 0)?)
    })
}

/// Lists the components of the row at `new` whose bits differ from those of the row at `old`: their
/// indices (u32) to `indices` and their new values to `values`, each of which has room for a whole
/// row. Returns how many. O(dim).
#[unsafe(no_mangle)]
pub extern "C" fn delta_capture_diff(
    context: usize,
    old: usize,
    new: usize,
    indices: usize,
    values: usize,
) -> i32 {
    context::call(context, |stage: &mut CaptureStage| {
        stage.diff(old, new, indices, values)
    })
}
