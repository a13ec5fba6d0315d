//! Memory that a ring and something hostile share.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// A heap block at a multiple of 128, exactly as long as asked for, so that the address sanitizer
/// sees every access beyond it. It is reached by raw pointers alone.
#[derive(Debug)]
pub struct Memory {
    /// Allocated with `layout`, zeroed, ours alone.
    base: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    /// A copy of `bytes`, which is not empty.
    pub fn new(bytes: &[u8]) -> Self {
        assert!(!bytes.is_empty(), "a region has a control block");
        let layout = Layout::from_size_align(bytes.len(), 128).expect("a small region");
        // SAFETY: the layout's size is not 0: asserted above.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else {
            handle_alloc_error(layout);
        };
        let memory = Self { base, layout };
        for (offset, &byte) in bytes.iter().enumerate() {
            // SAFETY: `offset` is below the allocation's size, which is that of `bytes`.
            let at = unsafe { memory.base.add(offset) };
            // SAFETY: a byte of the allocation, which nobody else reaches yet.
            unsafe { at.write(byte) };
        }
        memory
    }

    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub fn len(&self) -> usize {
        self.layout.size()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The u32 at a multiple of 4, as the other side of a ring would reach it.
    fn word_at(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.len());
        // SAFETY: four bytes from `offset` lie in the allocation: asserted above.
        let word = unsafe { self.base.add(offset) };
        // SAFETY: 4-aligned (the base is 128-aligned), initialised, alive as long as `self`; this
        // program's targets have one thread, so nothing accesses it meanwhile.
        unsafe { AtomicU32::from_ptr(word.cast().as_ptr()) }
    }

    pub fn word(&self, offset: usize) -> u32 {
        self.word_at(offset).load(Ordering::Relaxed)
    }

    pub fn set_word(&self, offset: usize, value: u32) {
        self.word_at(offset).store(value, Ordering::Relaxed);
    }

    /// All bytes, while nothing shares them: a ring's handle borrows this memory.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `len` initialised bytes from `base`, ours alone as long as `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len()) }
    }

    /// A copy of everything.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(0, self.len())
    }

    /// A copy of `len` bytes from `start` on.
    ///
    /// # Panics
    /// If they are not all in the memory.
    pub fn bytes(&self, start: usize, len: usize) -> Vec<u8> {
        assert!(start <= self.len() && len <= self.len() - start);
        (start..start + len)
            .map(|offset| {
                // SAFETY: `offset` is below the allocation's size: asserted above.
                let at = unsafe { self.base.add(offset) };
                // SAFETY: an initialised byte of the allocation, and there is one thread.
                unsafe { at.read() }
            })
            .collect()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed here alone.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}
