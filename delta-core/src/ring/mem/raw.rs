//! [`RawMem`]: a region in plain or shared memory.
use super::access::{Views, Words};
use crate::ring::layout::{
    ControlWord, Geometry, HEADER_SIZE, HeaderWords, REGION_ALIGN, STAMP_OFFSET,
};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering, fence};

/// A ring region in memory that lives for `'a`.
///
/// Invariant: `base` is 128-aligned and `geometry.region_size()` bytes from it are readable and
/// writable for `'a` and initialised apart from the bytes that no field covers; threads access them
/// only as aligned atomic u32 words, or plainly where the unsafe methods' contracts allow it.
#[derive(Clone)]
pub struct RawMem<'a> {
    base: NonNull<u8>,
    geometry: Geometry,
    region: PhantomData<&'a mut [u8]>,
}

// SAFETY: the region is memory that no thread owns in particular (invariant), its words are atomic,
// and everything else in it is reached by unsafe methods that ask for exclusion across threads.
unsafe impl Send for RawMem<'_> {}

impl RawMem<'_> {
    /// The region at `base`, whatever it holds.
    ///
    /// # Safety
    /// The type's invariant holds for `base`, `geometry` and the chosen lifetime.
    pub(super) const unsafe fn from_parts(base: NonNull<u8>, geometry: Geometry) -> Self {
        Self {
            base,
            geometry,
            region: PhantomData,
        }
    }

    /// The slot of a position: 64-aligned, its 64 bytes are in the region.
    #[inline]
    pub(super) fn slot(&self, position: u32) -> NonNull<u8> {
        let offset = self.geometry.index(position) as usize * HEADER_SIZE;
        // SAFETY: index < slots, so the slot's first byte lies in the region (invariant).
        unsafe { self.base.add(offset) }
    }

    #[inline]
    fn stamp(&self, position: u32) -> &AtomicU32 {
        // SAFETY: a slot has 64 bytes, so offset 48 stays in it.
        let stamp = unsafe { self.slot(position).add(STAMP_OFFSET) };
        // SAFETY: the word is 4-aligned (base 128, slot 64, 48), in the region (invariant) and only
        // accessed atomically, or plainly where `read_header` excludes writers.
        unsafe { AtomicU32::from_ptr(stamp.cast().as_ptr()) }
    }

    /// # Safety
    /// `offset` is at most the payload area's size.
    #[inline]
    pub(super) unsafe fn payload(&self, offset: u32) -> NonNull<u8> {
        let offset = self.geometry.payload_offset() + offset as usize;
        // SAFETY: the offset is in the payload area or its end (contract), which the control block
        // follows: the result stays in the region (invariant).
        unsafe { self.base.add(offset) }
    }
}

impl Words for RawMem<'_> {
    type Word = AtomicU32;

    #[inline]
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    #[inline]
    fn word(&self, word: ControlWord) -> &AtomicU32 {
        let offset = self.geometry.control_offset() + word as usize;
        // SAFETY: a word's offset is below the control block's 640 bytes, which end the region.
        let word = unsafe { self.base.add(offset) };
        // SAFETY: the word is 4-aligned (base and control offset 128, word 4), in the region
        // (invariant), and only accessed atomically.
        unsafe { AtomicU32::from_ptr(word.cast().as_ptr()) }
    }

    #[inline]
    fn load(&self, word: ControlWord, order: Ordering) -> u32 {
        self.word(word).load(order)
    }

    #[inline]
    fn store(&self, word: ControlWord, value: u32, order: Ordering) {
        self.word(word).store(value, order);
    }

    #[inline]
    fn load_stamp(&self, position: u32, order: Ordering) -> u32 {
        self.stamp(position).load(order)
    }

    #[inline]
    fn store_stamp(&self, position: u32, stamp: u32, order: Ordering) {
        self.stamp(position).store(stamp, order);
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        if order != Ordering::Relaxed {
            fence(order);
        }
    }

    #[inline]
    fn pause() {
        core::hint::spin_loop();
    }

    #[inline]
    unsafe fn read_header(&self, position: u32) -> HeaderWords {
        let slot = self.slot(position).cast::<HeaderWords>();
        // SAFETY: the slot is 64-aligned, 64 initialised bytes of the region (invariant) that no
        // thread writes during the call (contract); any bytes are a valid value.
        unsafe { slot.read() }
    }

    #[inline]
    unsafe fn write_header(&self, position: u32, header: &HeaderWords) {
        let slot = self.slot(position);
        let [w0, w1, w2, w3, w4, w5, _, w7] = header.0;
        // SAFETY: bytes 0..48 of the slot, 64-aligned, in the region (invariant), accessed by no
        // other thread (contract).
        unsafe { slot.cast::<[u64; 6]>().write([w0, w1, w2, w3, w4, w5]) };
        // SAFETY: 52 is inside of the slot.
        let after_stamp = unsafe { slot.add(STAMP_OFFSET + 4) };
        // SAFETY: bytes 52..56, 4-aligned, in the region and accessed by no other thread.
        unsafe { after_stamp.cast::<u32>().write(header.after_stamp()) };
        // SAFETY: 56 is inside of the slot.
        let last = unsafe { slot.add(STAMP_OFFSET + 8) };
        // SAFETY: bytes 56..64, 8-aligned, in the region and accessed by no other thread.
        unsafe { last.cast::<u64>().write(w7) };
    }
}

impl<'a> Views for RawMem<'a> {
    type View = RawView<'a>;
    type ViewMut = RawViewMut<'a>;

    #[inline]
    unsafe fn view(&self, offset: u32, size: u32) -> RawView<'a> {
        // SAFETY: the range lies in the payload area (contract), its start as well.
        let start = unsafe { self.payload(offset) };
        RawView {
            start,
            size: size as usize,
            region: PhantomData,
        }
    }

    #[inline]
    unsafe fn view_mut(&self, offset: u32, size: u32) -> RawViewMut<'a> {
        // SAFETY: the range lies in the payload area (contract), its start as well.
        let start = unsafe { self.payload(offset) };
        RawViewMut {
            start,
            size: size as usize,
            region: PhantomData,
        }
    }
}

impl fmt::Debug for RawMem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMem")
            .field("geometry", &self.geometry)
            .finish_non_exhaustive()
    }
}

/// A payload that can be read: `size` initialised bytes from `start`, which nobody writes while
/// this lives (the contract of [`Views::view`]).
///
/// A pointer rather than a slice: a slice passed into the function that ends the view would promise
/// exclusion until that function returns, while the other side may already go on.
#[derive(Debug)]
pub struct RawView<'a> {
    start: NonNull<u8>,
    size: usize,
    region: PhantomData<&'a [u8]>,
}

impl Deref for RawView<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `size` initialised bytes from `start` are readable and not written while `self`
        // lives (the type's description), and the slice borrows `self`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }
}

/// A payload that can be written: `size` initialised bytes from `start`, which nobody else accesses
/// while this lives (the contract of [`Views::view_mut`]). A pointer for the reason that
/// [`RawView`] gives.
#[derive(Debug)]
pub struct RawViewMut<'a> {
    start: NonNull<u8>,
    size: usize,
    region: PhantomData<&'a mut [u8]>,
}

impl Deref for RawViewMut<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `size` initialised bytes from `start` are ours alone while `self` lives (the
        // type's description), and the slice borrows `self`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }
}

impl DerefMut for RawViewMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and the slice borrows `self` mutably: it is the only one.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }
}

/// Whether `base` is where a region may begin.
pub(super) fn is_aligned(base: NonNull<u8>) -> bool {
    base.addr().get().is_multiple_of(REGION_ALIGN)
}
