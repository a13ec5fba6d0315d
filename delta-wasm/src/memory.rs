//! Memory that the host hands to a stage: pieces of the linear memory, checked, then owned.
//!
//! The stages allocate nothing. The host places every ring, row table and buffer and says where it
//! is; what it says is checked against the memory's size, alignment and every other piece before a
//! byte is touched. Addresses are those of the linear memory.
#![expect(
    unsafe_code,
    reason = "the one place that makes slices of the host's addresses, after checking them"
)]

use core::mem::MaybeUninit;
use core::ops::Range;
use core::{ptr, slice};

use crate::error::CallError;

/// Alignment of all pieces but rings, in bytes.
pub(crate) const ALIGN: usize = 16;

/// A piece of the linear memory, wholly inside it, aligned as asked. It may be empty.
/// Pieces that are claimed ask for [`ALIGN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Address of the first byte; not 0 unless the piece is empty.
    address: usize,
    /// Bytes.
    size: usize,
}

impl Extent {
    /// Checks that the `size` bytes at `address` lie in the memory and begin at a multiple of
    /// `align`.
    pub(crate) fn new(address: usize, size: usize, align: usize) -> Result<Self, CallError> {
        if size == 0 {
            return Ok(Self { address: 0, size });
        }
        if address == 0 || !address.is_multiple_of(align) {
            return Err(CallError::Misaligned { address, align });
        }
        let memory_size = memory_size();
        match address.checked_add(size) {
            Some(end) if end <= memory_size => Ok(Self { address, size }),
            _ => Err(CallError::OutOfMemory {
                address,
                size,
                memory_size,
            }),
        }
    }

    /// Address of the first byte.
    pub(crate) const fn address(self) -> usize {
        self.address
    }

    /// The `size` bytes from `offset` on, a multiple of [`ALIGN`]; nothing if not all are inside.
    #[cfg(feature = "apply")]
    pub(crate) fn part(self, offset: usize, size: usize) -> Self {
        let nothing = Self {
            address: 0,
            size: 0,
        };
        match offset.checked_add(size) {
            Some(end) if end <= self.size && size > 0 && offset.is_multiple_of(ALIGN) => Self {
                address: self.address + offset,
                size,
            },
            _ => nothing,
        }
    }

    const fn overlaps(self, other: Self) -> bool {
        // Ends do not overflow: both pieces lie in the memory.
        self.size > 0
            && other.size > 0
            && self.address < other.address + other.size
            && other.address < self.address + self.size
    }
}

/// Refuses pieces of which two overlap.
pub(crate) fn check_disjoint(extents: &[Extent]) -> Result<(), CallError> {
    for (index, extent) in extents.iter().enumerate() {
        let before = extents.iter().take(index);
        if let Some(other) = before.into_iter().find(|other| other.overlaps(*extent)) {
            return Err(CallError::Overlap {
                address: extent.address,
                other: other.address,
            });
        }
    }
    Ok(())
}

/// What fits into a piece of items of one type, each set to its default. O(bytes).
///
/// # Safety
/// Until the stage that asks is given up for good, the host leaves the piece to it: no other code,
/// of this module or another, in this thread or another, reads or writes it while a call of the
/// stage runs, and no other piece of the stage overlaps it.
pub(crate) unsafe fn claim<T: Copy + Default>(extent: Extent) -> &'static mut [T] {
    const { assert!(size_of::<T>() > 0 && align_of::<T>() <= ALIGN) };
    let count = extent.size / size_of::<T>();
    if count == 0 {
        return &mut [];
    }
    let base = ptr::with_exposed_provenance_mut::<MaybeUninit<T>>(extent.address);
    // SAFETY: the items lie in the memory, from an aligned address other than 0 on (`Extent::new`
    // with `ALIGN`; a linear memory never shrinks), nothing else uses it (contract), and any bytes
    // are a `MaybeUninit`.
    let items = unsafe { slice::from_raw_parts_mut(base, count) };
    items.fill(MaybeUninit::new(T::default()));
    let items: *mut [MaybeUninit<T>] = items;
    // SAFETY: the same memory; every item was initialised just now.
    unsafe { &mut *(items as *mut [T]) }
}

/// Bytes of the linear memory.
fn memory_size() -> usize {
    #[cfg(target_arch = "wasm32")]
    {
        const PAGE_SIZE: usize = 65_536;
        core::arch::wasm32::memory_size(0).saturating_mul(PAGE_SIZE)
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        isize::MAX.unsigned_abs()
    }
}

/// The piece through which a host passes rows, ids and frames to a stage, and gets results.
///
/// The host writes to it between calls, never during one. So no reference to it outlives a call:
/// a stage keeps the piece, and borrows its bytes from here.
#[derive(Debug)]
pub(crate) struct Staging {
    extent: Extent,
}

impl Staging {
    /// Takes the piece that arguments must lie in, zeroed. O(bytes).
    ///
    /// # Safety
    /// As [`claim`], but that the host may use the piece between the calls of the stage.
    pub(crate) unsafe fn new(extent: Extent) -> Self {
        // SAFETY: handed on; the slice is given up at once.
        unsafe { claim::<u8>(extent) };
        Self { extent }
    }

    fn all(&self) -> &[u8] {
        let Extent { address, size } = self.extent;
        if size == 0 {
            return &[];
        }
        // SAFETY: the piece lies in the memory, which never shrinks (`Extent::new`), and `new` has
        // initialised it. While the result lives, a call of the stage runs, in which the host
        // leaves the piece alone (contract of `new`); the stage's own writes borrow `self` mutably.
        unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address), size) }
    }

    fn all_mut(&mut self) -> &mut [u8] {
        let Extent { address, size } = self.extent;
        if size == 0 {
            return &mut [];
        }
        // SAFETY: as in `all`; `self` is borrowed mutably, so no other slice of the piece is alive.
        unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(address), size) }
    }

    fn range(&self, address: usize, size: usize) -> Result<Range<usize>, CallError> {
        let inside = || {
            let start = address.checked_sub(self.extent.address)?;
            let end = start.checked_add(size)?;
            (end <= self.extent.size).then_some(start..end)
        };
        let refusal = CallError::OutOfStaging { address, size };
        if size == 0 {
            return Ok(0..0);
        }
        inside().ok_or(refusal)
    }

    /// The `size` bytes at `address`; any address will do for none.
    pub(crate) fn bytes(&self, address: usize, size: usize) -> Result<&[u8], CallError> {
        let refusal = CallError::OutOfStaging { address, size };
        self.all().get(self.range(address, size)?).ok_or(refusal)
    }

    /// The `size` bytes at `address`, to be written.
    pub(crate) fn bytes_mut(
        &mut self,
        address: usize,
        size: usize,
    ) -> Result<&mut [u8], CallError> {
        let refusal = CallError::OutOfStaging { address, size };
        let range = self.range(address, size)?;
        self.all_mut().get_mut(range).ok_or(refusal)
    }

    /// Pieces that do not overlap, `(address, size)` each.
    pub(crate) fn pieces_mut<const N: usize>(
        &mut self,
        pieces: [(usize, usize); N],
    ) -> Result<[&mut [u8]; N], CallError> {
        let mut ranges = [const { 0..0 }; N];
        for (range, (address, size)) in ranges.iter_mut().zip(pieces) {
            *range = self.range(address, size)?;
        }
        let overlap = CallError::Overlap {
            address: pieces.last().map_or(0, |piece| piece.0),
            other: pieces.first().map_or(0, |piece| piece.0),
        };
        self.all_mut().get_disjoint_mut(ranges).map_err(|_| overlap)
    }

    /// `count` components at `address`, a multiple of 16.
    pub(crate) fn components(&self, address: usize, count: usize) -> Result<&[f32], CallError> {
        let size = count.saturating_mul(size_of::<f32>());
        cast(self.bytes(address, size)?, address)
    }

    /// `count` u32 at `address`, a multiple of 16.
    pub(crate) fn words(&self, address: usize, count: usize) -> Result<&[u32], CallError> {
        let size = count.saturating_mul(size_of::<u32>());
        cast(self.bytes(address, size)?, address)
    }

    /// Writes `words`, little-endian, to `address`, at any alignment.
    pub(crate) fn put<const N: usize>(
        &mut self,
        address: usize,
        words: [u64; N],
    ) -> Result<(), CallError> {
        let out = self.bytes_mut(address, N * size_of::<u64>())?;
        for (place, word) in out.chunks_exact_mut(size_of::<u64>()).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }
}

/// Values of four bytes at an address that must be a multiple of 16.
pub(crate) fn cast<T: bytemuck::AnyBitPattern>(
    bytes: &[u8],
    address: usize,
) -> Result<&[T], CallError> {
    check_aligned(bytes, address)?;
    bytemuck::try_cast_slice(bytes).map_err(|_| misaligned(address))
}

/// As [`cast`], to be written.
#[cfg(feature = "capture")]
pub(crate) fn cast_mut<T: bytemuck::Pod>(
    bytes: &mut [u8],
    address: usize,
) -> Result<&mut [T], CallError> {
    check_aligned(bytes, address)?;
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| misaligned(address))
}

const fn check_aligned(bytes: &[u8], address: usize) -> Result<(), CallError> {
    if bytes.is_empty() || address.is_multiple_of(ALIGN) {
        return Ok(());
    }
    Err(misaligned(address))
}

const fn misaligned(address: usize) -> CallError {
    CallError::Misaligned {
        address,
        align: ALIGN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_lies_in_memory_and_is_aligned() {
        let end = memory_size();
        assert_eq!(Extent::new(64, 0, 16).unwrap().size, 0);
        assert!(Extent::new(64, 16, 64).is_ok());
        assert!(Extent::new(end - 16, 16, 1).is_ok());
        assert!(matches!(
            Extent::new(72, 16, 16),
            Err(CallError::Misaligned {
                address: 72,
                align: 16
            })
        ));
        assert!(matches!(
            Extent::new(0, 16, 16),
            Err(CallError::Misaligned { .. })
        ));
        for (address, size) in [(end - 15, 16), (16, usize::MAX), (end, 1)] {
            assert!(matches!(
                Extent::new(address, size, 1),
                Err(CallError::OutOfMemory { .. })
            ));
        }
    }

    #[test]
    fn overlapping_extents_are_refused() {
        let extent = |address, size| Extent::new(address, size, 16).unwrap();
        let overlap = Err(CallError::Overlap {
            address: 48,
            other: 32,
        });
        assert_eq!(check_disjoint(&[extent(16, 16), extent(32, 16)]), Ok(()));
        assert_eq!(check_disjoint(&[extent(32, 17), extent(48, 16)]), overlap);
        assert_eq!(check_disjoint(&[extent(32, 0), extent(32, 16)]), Ok(()));
    }

    #[test]
    fn staging_refuses_what_is_not_wholly_inside() {
        let start = Box::into_raw(Box::new([0_u128; 4])).expose_provenance();
        let extent = Extent::new(start, 64, ALIGN).unwrap();
        // SAFETY: the test's own memory, which lives as long as the program.
        let mut staging = unsafe { Staging::new(extent) };
        assert!(staging.bytes(start, 64).is_ok());
        assert!(staging.bytes(0, 0).is_ok());
        for (address, size) in [
            (start, 65),
            (start - 1, 1),
            (start + 64, 1),
            (start, usize::MAX),
        ] {
            let refusal = CallError::OutOfStaging { address, size };
            assert_eq!(staging.bytes(address, size), Err(refusal));
            assert_eq!(staging.bytes_mut(address, size), Err(refusal));
        }
        assert!(staging.pieces_mut([(start, 8), (start + 8, 8)]).is_ok());
        assert!(matches!(
            staging.pieces_mut([(start, 9), (start + 8, 8)]),
            Err(CallError::Overlap { .. })
        ));
    }
}
