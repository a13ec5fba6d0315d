//! The memory that the host writes its rows and records into.
//!
//! One static block, so the module needs no allocator and every address that comes in can be
//! checked against it. Addresses are those of the module's linear memory.
#![expect(
    unsafe_code,
    reason = "the static block: the one place that makes references to it, one at a time"
)]

use core::cell::UnsafeCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::error::CallError;

/// Bytes of the arena: two rows of 32,768 components.
pub const ARENA_BYTES: usize = 256 * 1024;

#[repr(C, align(16))]
struct Block(UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: the only references to the block's bytes are made in `Access::lock` and live in its one
// `Access`: `BUSY` lets a second lock fail until the first has been dropped.
unsafe impl Sync for Block {}

static BLOCK: Block = Block(UnsafeCell::new([0; ARENA_BYTES]));
static BUSY: AtomicBool = AtomicBool::new(false);

/// Address of the arena's first byte; 16-aligned.
pub(crate) fn address() -> usize {
    BLOCK.0.get().expose_provenance()
}

/// Exclusive access to the arena's bytes while an exported call runs.
///
/// The host may write to the arena between calls, never during one.
#[derive(Debug)]
pub(crate) struct Access {
    bytes: &'static mut [u8; ARENA_BYTES],
}

impl Access {
    /// Takes the arena; `Busy` while another thread's call has it.
    pub(crate) fn lock() -> Result<Self, CallError> {
        if BUSY.swap(true, Ordering::Acquire) {
            return Err(CallError::Busy);
        }
        // SAFETY: `BUSY` was false, is true now, and only dropping an `Access` makes it false: no
        // other `Access`, hence no other reference to these bytes, exists until this one is dropped
        // (Acquire here pairs with Release there). The pointer is to a live static of this type.
        let bytes = unsafe { &mut *BLOCK.0.get() };
        Ok(Self { bytes })
    }

    /// The `size` bytes at `address`.
    pub(crate) fn bytes(&self, address: usize, size: usize) -> Result<&[u8], CallError> {
        let range = range(self.bytes.as_ptr().addr(), address, size);
        let refusal = CallError::OutOfArena { address, size };
        range.and_then(|range| self.bytes.get(range)).ok_or(refusal)
    }

    /// The `size` bytes at `address`, to be written.
    pub(crate) fn bytes_mut(
        &mut self,
        address: usize,
        size: usize,
    ) -> Result<&mut [u8], CallError> {
        let range = range(self.bytes.as_ptr().addr(), address, size);
        let refusal = CallError::OutOfArena { address, size };
        range
            .and_then(|range| self.bytes.get_mut(range))
            .ok_or(refusal)
    }

    /// The row of `dim` components at `address`, which must be 4-aligned.
    pub(crate) fn row(&self, address: usize, dim: usize) -> Result<&[f32], CallError> {
        let bytes = self.bytes(address, dim.saturating_mul(size_of::<f32>()))?;
        bytemuck::try_cast_slice(bytes).map_err(|_| CallError::Misaligned { address })
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// Where `size` bytes at `address` lie in the arena that begins at `base`; `None` if not inside it.
fn range(base: usize, address: usize, size: usize) -> Option<Range<usize>> {
    let start = address.checked_sub(base)?;
    let end = start.checked_add(size)?;
    (end <= ARENA_BYTES).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_inside_or_refused() {
        assert_eq!(range(4096, 4096, 0), Some(0..0));
        assert_eq!(range(4096, 4100, 8), Some(4..12));
        assert_eq!(range(4096, 4096, ARENA_BYTES), Some(0..ARENA_BYTES));
        assert_eq!(range(4096, 4095, 1), None);
        assert_eq!(range(4096, 4097, ARENA_BYTES), None);
        assert_eq!(range(4096, usize::MAX, 2), None);
        assert_eq!(range(4096, 4100, usize::MAX), None);
    }
}
