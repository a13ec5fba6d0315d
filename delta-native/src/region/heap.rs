//! Memory for a ring inside one process.

use bytemuck::{Pod, Zeroable};

/// Bytes between two words of a ring that different threads write, and the alignment of a region.
const ALIGNMENT: usize = 128;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(128))]
struct Line([u8; ALIGNMENT]);

/// Zeroed heap memory that begins at a multiple of 128, as a ring's region must.
///
/// ```
/// let mut region = delta_native::region::HeapRegion::new(1000)?;
/// let memory = region.as_mut_slice();
/// assert_eq!(memory.len(), 1000);
/// assert_eq!(memory.as_ptr() as usize % 128, 0);
/// # Ok::<(), delta_native::region::RegionError>(())
/// ```
pub struct HeapRegion {
    lines: Box<[Line]>,
    size_bytes: usize,
}

impl HeapRegion {
    /// A zeroed region of exactly `size_bytes` bytes (0 is allowed).
    ///
    /// The pages are taken from the system zeroed, so the memory that is never touched costs
    /// nothing.
    ///
    /// # Errors
    /// [`RegionError`] if the allocator has no such amount.
    pub fn new(size_bytes: usize) -> Result<Self, RegionError> {
        bytemuck::allocation::try_zeroed_slice_box(size_bytes.div_ceil(ALIGNMENT))
            .map(|lines| Self { lines, size_bytes })
            .map_err(|()| RegionError { size_bytes })
    }

    /// Bytes of the region.
    #[must_use]
    pub fn len(&self) -> usize {
        self.size_bytes
    }

    /// Whether the region has no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size_bytes == 0
    }

    /// The whole region, 128-byte aligned.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let bytes = bytemuck::must_cast_slice_mut::<Line, u8>(&mut self.lines);
        // The lines hold at least `size_bytes` bytes by construction.
        bytes.get_mut(..self.size_bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for HeapRegion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeapRegion")
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// The allocator refused a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory for a region of {size_bytes} bytes; use fewer slots or payload bytes")]
pub struct RegionError {
    /// The size that was asked for.
    pub size_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_zeroed_aligned_and_of_the_exact_size() {
        for size_bytes in [0, 1, 127, 128, 129, 1 << 20] {
            let mut region = HeapRegion::new(size_bytes).unwrap();
            assert_eq!(region.len(), size_bytes);
            assert_eq!(region.is_empty(), size_bytes == 0);
            let memory = region.as_mut_slice();
            assert_eq!(memory.len(), size_bytes);
            assert!(memory.iter().all(|byte| *byte == 0));
            assert!(memory.as_ptr().addr().is_multiple_of(128));
        }
    }

    #[test]
    fn an_impossible_size_is_an_error() {
        let size_bytes = usize::MAX / 2;
        assert_eq!(
            HeapRegion::new(size_bytes).unwrap_err(),
            RegionError { size_bytes }
        );
    }
}
