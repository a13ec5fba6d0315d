//! What the apply module exports.
#![expect(unsafe_code, reason = "`no_mangle`; see the folder's module")]

use super::position_words;
use crate::context;
use crate::layout::GraphShape;
use crate::stage::apply::ApplyStage;
use crate::tensor::Tensor;

/// Bytes of a context; it begins at a multiple of 128.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_context_size() -> usize {
    context::size::<ApplyStage>()
}

/// Opens the stage whose layout stands at `context`: rows, slots, attributes, scratch, staging, and
/// the ring that is read; without a ring the stage takes frames. Also memory for searches, and a
/// graph or none. O(memory).
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_open(context: usize) -> i32 {
    context::open::<ApplyStage>(context)
}

/// Applies at most `max` records of the ring; returns how many. A refused record stays in the ring
/// and changes nothing. O(changes).
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_poll(context: usize, max: u32) -> i32 {
    context::call(context, |stage: &mut ApplyStage| stage.poll(max))
}

/// Waits once for a record of the ring; 1 if there is one, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_wait(context: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        stage.wait().map(u32::from)
    })
}

/// Applies the frames in the `size` bytes at `frames`, one behind another; returns how many. Frames
/// before a refused one stay applied, which the position shows. O(changes).
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_frames(context: usize, frames: usize, size: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        stage.apply_frames(frames, size)
    })
}

/// Writes epoch, sequence and digest after the last applied record to `out`: three u64.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_position(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        let words = position_words(stage.position());
        Ok(stage.staging.put(out, words).map(|()| 0)?)
    })
}

/// Writes four u64 to `out`: records applied, duplicates skipped, slots used, bytes of ids and
/// metadata.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_counters(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        let words = stage.counters();
        Ok(stage.staging.put(out, words).map(|()| 0)?)
    })
}

/// Writes the state digest, computed from the whole replica, to `out`: a u64. O(state).
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_digest(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        let digest = stage.digest();
        Ok(stage.staging.put(out, [digest]).map(|()| 0)?)
    })
}

/// Writes the descriptor of the replica's rows, shape (slots used, dim), to `out`. They change when
/// the stage applies.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_rows(context: usize, out: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        let rows = Tensor::of_store(stage.store());
        Ok(rows.write(&mut stage.staging, out).map(|()| 0)?)
    })
}

/// 1 if `slot` was deleted, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_is_deleted(context: usize, slot: u32) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        stage.is_deleted(slot).map(u32::from)
    })
}

/// Copies the id of `slot` to `out`, which has room for 255 bytes; returns its size, 0 of none.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_id(context: usize, slot: u32, out: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| stage.id(slot, out))
}

/// Writes the metadata of `slot` to the `size` bytes at `out`, keys ascending, for each pair: size
/// of the key (u32), key, size of the value (u32), value. Returns the bytes.
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_metadata(context: usize, slot: u32, out: usize, size: usize) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        stage.metadata(slot, out, size)
    })
}

/// Writes the `k` live rows nearest to the query row at `query`, nearest first, to `out`: slot and
/// bits of the distance, u32 both. `metric`: 0 squared L2, 1 dot product, 2 cosine; the distances
/// have the same bits everywhere. Returns how many. By the replica's graph, keeping `ef` nodes on
/// the way; with an `ef` of 0 exactly, O(rows x dim).
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_search(
    context: usize,
    query: usize,
    k: u32,
    metric: u32,
    ef: u32,
    out: usize,
) -> i32 {
    context::call(context, |stage: &mut ApplyStage| {
        stage.search(query, (k, metric, ef), out)
    })
}

/// Bytes of the tables of a graph of at most `nodes` nodes; the other numbers are words 24 and 25
/// of the layout. 0: there is no such graph. O(1).
#[unsafe(no_mangle)]
pub extern "C" fn delta_apply_graph_size(nodes: u32, graph: u32, upper_blocks: u32) -> usize {
    let shape = GraphShape::from_word(graph, nodes, upper_blocks);
    shape
        .and_then(|shape| shape.tables())
        .map_or(0, |(_, size)| size)
}
