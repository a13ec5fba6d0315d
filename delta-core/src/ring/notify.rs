//! How a side of the ring waits for the other.
//!
//! A side that sleeps sets its waiting flag, fences, looks again, and waits on the word that the
//! other side changes, as long as it holds the value seen. The other side changes its word, fences,
//! and wakes if the flag is set. Of two sequentially consistent fences one comes first, so either
//! the sleeper sees the change or the other sees the flag: no wake-up is lost. A batch pays for one
//! fence, a ring of pollers for none.
use super::mem::SharedMem;
use super::mem::wait_word::WaitWord;

/// A way to wait for the other side, which both sides of a ring must share.
///
/// It sees the words that it waits on as [`WaitWord`]s, which it can read but not change: the
/// ring's safety rests on who stores to them.
pub trait Notify<M: SharedMem> {
    /// Whether [`wait`](Self::wait) sleeps until [`wake`](Self::wake). If not, `wake` is never
    /// called, and neither flags nor fences cost anything.
    const SLEEPS: bool;

    /// Waits while `word` holds `expected`: compares and goes to sleep in one step that no `wake`
    /// can come between. It may return early for any reason.
    fn wait(&self, word: WaitWord<'_, M>, expected: u32);

    /// Wakes the side that waits on `word`, if one does.
    fn wake(&self, word: WaitWord<'_, M>);
}

/// Waits by looking again and again, with the processor's hint for that. The fastest answer, at the
/// price of a busy core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polling;

impl<M: SharedMem> Notify<M> for Polling {
    const SLEEPS: bool = false;

    #[inline]
    fn wait(&self, _word: WaitWord<'_, M>, _expected: u32) {
        M::pause();
    }

    #[inline]
    fn wake(&self, _word: WaitWord<'_, M>) {}
}
