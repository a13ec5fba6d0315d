//! The C ABI. Addresses are of the module's linear memory; see the crate's documentation.
#![expect(
    unsafe_code,
    reason = "`no_mangle`: every exported name begins with `delta_` and is defined once, here"
)]

use delta_core::header::{DeltaHeader, HEADER_SIZE, VERSION};
use delta_core::kernel::{diff, digest};

use crate::arena::{self, ARENA_BYTES, Access};
use crate::error::CallError;

/// Address of the arena; 16-aligned.
#[unsafe(no_mangle)]
pub extern "C" fn delta_arena() -> usize {
    arena::address()
}

/// Bytes of the arena.
#[unsafe(no_mangle)]
pub extern "C" fn delta_arena_size() -> usize {
    ARENA_BYTES
}

/// Version of the wire format that this module reads.
#[unsafe(no_mangle)]
pub extern "C" fn delta_version() -> u32 {
    u32::from(VERSION)
}

/// 1 if the module was built with simd128, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn delta_simd() -> u32 {
    u32::from(cfg!(all(
        target_arch = "wasm32",
        target_feature = "simd128"
    )))
}

/// How many of `dim` components have other bits in the row at `new` than in the row at `old`; the
/// two may overlap. Negative: a [`CallError::code`]. O(dim).
#[unsafe(no_mangle)]
pub extern "C" fn delta_count_changed(old: usize, new: usize, dim: usize) -> i32 {
    count_changed(old, new, dim).unwrap_or_else(CallError::code)
}

/// Writes the digest sum of the row of `dim` components at `row` to `sum_out`: 8 bytes,
/// little-endian, at any alignment. Returns 0, or a negative [`CallError::code`]. O(dim).
#[unsafe(no_mangle)]
pub extern "C" fn delta_row_digest(row: usize, dim: usize, sum_out: usize) -> i32 {
    row_digest(row, dim, sum_out).map_or_else(CallError::code, |()| 0)
}

/// Checks the frame of `size` bytes at `frame`, at any alignment: the fields of its header, that it
/// is as long as they say, and the checksum over header and payload. Returns 0, or a negative
/// [`CallError::code`]. O(size).
#[unsafe(no_mangle)]
pub extern "C" fn delta_header_check(frame: usize, size: usize) -> i32 {
    header_check(frame, size).map_or_else(CallError::code, |()| 0)
}

fn count_changed(old: usize, new: usize, dim: usize) -> Result<i32, CallError> {
    let arena = Access::lock()?;
    let too_long = CallError::OutOfArena {
        address: new,
        size: dim,
    };
    let count = diff::count_changed(arena.row(old, dim)?, arena.row(new, dim)?);
    // Both rows have `dim` components and lie in the arena, whose size fits an i32.
    count
        .ok()
        .and_then(|count| i32::try_from(count).ok())
        .ok_or(too_long)
}

fn row_digest(row: usize, dim: usize, sum_out: usize) -> Result<(), CallError> {
    let mut arena = Access::lock()?;
    let sum = digest::row_sum(arena.row(row, dim)?).to_le_bytes();
    arena.bytes_mut(sum_out, sum.len())?.copy_from_slice(&sum);
    Ok(())
}

fn header_check(frame: usize, size: usize) -> Result<(), CallError> {
    let arena = Access::lock()?;
    let bytes = arena.bytes(frame, size)?;
    let (head, payload) = bytes
        .split_first_chunk::<HEADER_SIZE>()
        .ok_or(CallError::FrameSize {
            size,
            needed: HEADER_SIZE as u64,
        })?;
    let header = DeltaHeader::parse(head)?;
    let needed = HEADER_SIZE as u64 + u64::from(header.payload_size);
    if size as u64 != needed {
        return Err(CallError::FrameSize { size, needed });
    }
    Ok(header.verify(payload)?)
}

#[cfg(test)]
mod tests;
