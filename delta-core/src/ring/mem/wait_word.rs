//! What sleepers may know of the words that they wait on.
use core::fmt;
use core::sync::atomic::AtomicU32;

use super::{SharedMem, order};
use crate::ring::layout::ControlWord;

/// A u32 word of a ring's control block that a side waits on.
pub struct WaitWord<'a, M> {
    mem: &'a M,
    word: ControlWord,
}

impl<'a, M: SharedMem> WaitWord<'a, M> {
    pub(in crate::ring) const fn new(mem: &'a M, word: ControlWord) -> Self {
        Self { mem, word }
    }

    /// What the word holds. The other side can change it at any time.
    pub fn load(&self) -> u32 {
        self.mem.load(self.word, order::COMPARE)
    }
}

impl<M: SharedMem<Word = AtomicU32>> WaitWord<'_, M> {
    /// The address, for an operating system or a host that waits on it. It is valid, and aligned,
    /// as long as the ring's handle lives. Nothing but the ring may store there.
    pub fn as_ptr(&self) -> *const u32 {
        self.mem.word(self.word).as_ptr()
    }
}

impl<M> fmt::Debug for WaitWord<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitWord").field(&self.word).finish()
    }
}
