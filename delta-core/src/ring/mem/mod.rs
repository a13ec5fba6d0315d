//! The memory under a ring: the only place of the ring with unsafe code, and the only one that
//! names loom.
//!
//! [`Words`] is raw access to one region, [`Views`] adds slices of its payload area. [`writer`] and
//! [`reader`] wrap them, know which bytes their side owns at every moment, and are safe to use:
//! whatever the rest of the ring does with them, no two threads touch the same bytes at once. That
//! is the ring's safety argument, and it needs these modules alone. [`copy`] gives the same access
//! where the other side may not keep the rules.
//!
//! [`Words`]: access::Words
//! [`Views`]: access::Views
#![allow(
    unsafe_code,
    reason = "shared memory is reached through raw pointers, proved here alone"
)]

pub(super) mod copy;
mod front;
#[cfg(loom)]
pub(super) mod loom;
mod order;
pub(super) mod raw;
pub(super) mod reader;
pub(super) mod recover;
pub(super) mod region;
mod sides;
pub(super) mod static_ring;
pub(super) mod untrusted;
pub(super) mod wait_word;
pub(super) mod writer;

#[cfg(test)]
mod tests;

/// Memory that a ring can live in: that of a trusted peer ([`Mem`]), or [`CopyMem`] for others.
///
/// Sealed: the ring's safety rests on how it is implemented.
///
/// [`CopyMem`]: super::CopyMem
pub trait SharedMem: access::Words {}
impl<T: access::Words> SharedMem for T {}

/// Memory whose payloads are read and written in place: [`RawMem`](super::RawMem), or under
/// `cfg(loom)` `LoomMem`, which checks every access against every interleaving.
///
/// Sealed: the ring's safety rests on how it is implemented.
pub trait Mem: SharedMem + access::Views {}
impl<T: access::Views> Mem for T {}

pub(super) mod access {
    use crate::ring::layout::{ControlWord, Geometry, HeaderWords};
    use core::ops::{Deref, DerefMut};
    use core::sync::atomic::Ordering;

    /// Access to one region. Positions are reduced to slots here, so any position is in bounds.
    ///
    /// The words are shared: every load may see any value that the other side has stored, at the
    /// latest the newest one that happened before. The orderings are those of [`order`], each named
    /// where it is used. Everything else is owned by one side at a time, which is what the unsafe
    /// methods ask for.
    ///
    /// [`order`]: super::order
    pub trait Words: Clone {
        /// The u32 words of the control block, atomic.
        type Word;

        /// The region's shape; never changes.
        fn geometry(&self) -> Geometry;
        /// A word of the control block.
        fn word(&self, word: ControlWord) -> &Self::Word;
        /// Loads a word of the control block.
        fn load(&self, word: ControlWord, order: Ordering) -> u32;
        /// Stores a word of the control block.
        fn store(&self, word: ControlWord, value: u32, order: Ordering);
        /// Loads the stamp of the slot of `position`.
        fn load_stamp(&self, position: u32, order: Ordering) -> u32;
        /// Stores the stamp of the slot of `position`.
        fn store_stamp(&self, position: u32, stamp: u32, order: Ordering);
        /// A fence; none if Relaxed.
        fn fence(&self, order: Ordering);
        /// Whether the memory must not be accessed any more: in a loom model that has failed.
        fn is_dead() -> bool {
            false
        }
        /// Lets the other side run, for loops that wait for it.
        fn pause();

        /// Copies the header in the slot of `position`; the stamp in the copy has no meaning.
        ///
        /// # Safety
        /// If the region's peers are trusted, no other thread may write the slot during the call,
        /// its stamp included.
        unsafe fn read_header(&self, position: u32) -> HeaderWords;
        /// Writes the header into the slot of `position`, all but the stamp, which is unchanged.
        ///
        /// # Safety
        /// If the region's peers are trusted, no other thread may access the slot during the call,
        /// except for its stamp.
        unsafe fn write_header(&self, position: u32, header: &HeaderWords);
    }

    /// Payloads in place. Implemented where the region's peers are trusted.
    pub trait Views: Words {
        /// A payload that can be read. Holding it is a read access.
        type View: Deref<Target = [u8]>;
        /// A payload that can be written. Holding it is a write access.
        type ViewMut: DerefMut<Target = [u8]>;

        /// The payload bytes `offset..offset + size`.
        ///
        /// # Safety
        /// The range lies in the payload area and nobody writes to it while the view lives.
        unsafe fn view(&self, offset: u32, size: u32) -> Self::View;
        /// The payload bytes `offset..offset + size`, for writing.
        ///
        /// # Safety
        /// The range lies in the payload area and nobody else accesses it while the view lives.
        unsafe fn view_mut(&self, offset: u32, size: u32) -> Self::ViewMut;
    }
}
