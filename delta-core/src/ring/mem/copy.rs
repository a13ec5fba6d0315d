//! [`CopyMem`]: a region whose other side may write anything to it, at any time.
//!
//! Every byte is moved by relaxed atomic operations of aligned u32 words, so that a peer that
//! breaks the rules causes wrong bytes and no undefined behaviour. What is copied is checked
//! afterwards.
use super::access::Words;
use super::order;
use super::raw::RawMem;
use crate::ring::layout::{ControlWord, Geometry, HEADER_SIZE, HeaderWords, STAMP_OFFSET};
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

/// Bytes of a word.
const WORD: usize = size_of::<u32>();
/// The word of a header slot that is the stamp.
const STAMP_WORD: usize = STAMP_OFFSET / WORD;

/// A ring region in memory that lives for `'a`, copied from and to.
///
/// Invariant: as [`RawMem`]'s; and while this lives, no thread of this program accesses the region
/// plainly but as a trusted handle that owns what it accesses.
#[derive(Clone)]
pub struct CopyMem<'a>(RawMem<'a>);

impl<'a> CopyMem<'a> {
    /// # Safety
    /// The type's invariant holds for `mem`.
    pub(super) const unsafe fn new(mem: RawMem<'a>) -> Self {
        Self(mem)
    }

    /// The word `index` of the region from `start` on.
    ///
    /// # Safety
    /// `start` is 4-aligned in the region, and so many words from it are in the region too.
    #[inline]
    unsafe fn word_at(&self, start: NonNull<u8>, index: usize) -> &AtomicU32 {
        // SAFETY: the word is in the region (contract), which is one block of memory (invariant).
        let word = unsafe { start.add(index * WORD) };
        // SAFETY: the word is 4-aligned and in the region (contract); it is accessed atomically as
        // a u32, or plainly by its owner alone (invariant).
        unsafe { AtomicU32::from_ptr(word.cast().as_ptr()) }
    }

    /// Copies the payload bytes from `offset` on, as many as `out` has. What the other side writes
    /// meanwhile may be seen in part. O(n).
    ///
    /// # Panics
    /// If the range does not lie in the payload area, or `offset` is no multiple of 4: the caller
    /// has checked it.
    pub(super) fn copy_out(&self, offset: u32, out: &mut [u8]) {
        let start = self.payload(offset, out.len());
        for (index, bytes) in out.chunks_mut(WORD).enumerate() {
            // SAFETY: `payload` has checked that so many words are in the payload area, 4-aligned.
            let word = unsafe { self.word_at(start, index) };
            let value = word.load(order::COPY).to_le_bytes();
            for (byte, value) in bytes.iter_mut().zip(value) {
                *byte = value;
            }
        }
    }

    /// Copies `from` to the payload area from `offset` on; up to three bytes after it become zero.
    /// O(n).
    ///
    /// # Panics
    /// As [`copy_out`](Self::copy_out).
    pub(super) fn copy_in(&self, offset: u32, from: &[u8]) {
        let start = self.payload(offset, from.len());
        for (index, bytes) in from.chunks(WORD).enumerate() {
            let mut value = [0; WORD];
            for (value, byte) in value.iter_mut().zip(bytes) {
                *value = *byte;
            }
            // SAFETY: `payload` has checked that so many words are in the payload area, 4-aligned.
            let word = unsafe { self.word_at(start, index) };
            word.store(u32::from_le_bytes(value), order::COPY);
        }
    }

    /// The first of `len` payload bytes: 4-aligned, and as many whole words as hold them are in the
    /// payload area.
    fn payload(&self, offset: u32, len: usize) -> NonNull<u8> {
        let area = self.geometry().payload_bytes() as usize;
        assert!(offset.is_multiple_of(4) && (offset as usize) <= area);
        // The area has a multiple of 16 bytes, so words that begin in it end in it.
        assert!(len <= area - offset as usize);
        // SAFETY: at most the area's size.
        unsafe { self.0.payload(offset) }
    }
}

impl Words for CopyMem<'_> {
    type Word = AtomicU32;

    #[inline]
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    #[inline]
    fn word(&self, word: ControlWord) -> &AtomicU32 {
        self.0.word(word)
    }

    #[inline]
    fn load(&self, word: ControlWord, order: Ordering) -> u32 {
        self.0.load(word, order)
    }

    #[inline]
    fn store(&self, word: ControlWord, value: u32, order: Ordering) {
        self.0.store(word, value, order);
    }

    #[inline]
    fn load_stamp(&self, position: u32, order: Ordering) -> u32 {
        self.0.load_stamp(position, order)
    }

    #[inline]
    fn store_stamp(&self, position: u32, stamp: u32, order: Ordering) {
        self.0.store_stamp(position, stamp, order);
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        self.0.fence(order);
    }

    #[inline]
    fn pause() {
        RawMem::pause();
    }

    unsafe fn read_header(&self, position: u32) -> HeaderWords {
        let slot = self.0.slot(position);
        let mut bytes = [0; HEADER_SIZE];
        for (index, bytes) in bytes.as_chunks_mut::<WORD>().0.iter_mut().enumerate() {
            // SAFETY: the slot is 64-aligned and 64 bytes of the region; the index is below 16.
            let word = unsafe { self.word_at(slot, index) };
            *bytes = word.load(order::COPY).to_le_bytes();
        }
        HeaderWords::from_bytes(&bytes)
    }

    unsafe fn write_header(&self, position: u32, header: &HeaderWords) {
        let slot = self.0.slot(position);
        for (index, bytes) in header.as_bytes().as_chunks::<WORD>().0.iter().enumerate() {
            if index != STAMP_WORD {
                // SAFETY: the slot is 64-aligned and 64 bytes of the region; the index is below 16.
                let word = unsafe { self.word_at(slot, index) };
                word.store(u32::from_le_bytes(*bytes), order::COPY);
            }
        }
    }
}

impl fmt::Debug for CopyMem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyMem")
            .field("geometry", &self.geometry())
            .finish_non_exhaustive()
    }
}
