//! [`UntrustedRegion`]: a ring shared with a peer that may break its rules.
use super::access::Words;
use super::copy::CopyMem;
use super::raw::RawMem;
use super::region::check_memory;
use super::sides::Sides;
use crate::ring::consumer::Consumer;
use crate::ring::error::RegionError;
use crate::ring::layout::Geometry;
use crate::ring::notify::Notify;
use crate::ring::producer::Producer;
use core::ptr::NonNull;

/// A ring region whose other side is not trusted to keep the rules: records are copied in and out
/// by relaxed atomics, and no slice of shared memory is ever formed.
///
/// The region's bytes are those of [`Region`](super::super::Region), and a peer may use either. A
/// hostile peer can withhold records, send wrong ones, and change them while they are copied; it
/// can cause neither undefined behaviour, nor a panic, nor an unbounded call (but for `wait`). What
/// it can make of a record's bytes is the checksum's to find: pass what was copied to
/// [`Record::from_parts`](crate::record::Record::from_parts), and mind that XXH3 detects faults,
/// not a peer that computes it.
#[derive(Debug)]
pub struct UntrustedRegion<'a> {
    sides: Sides<CopyMem<'a>>,
}

impl<'a> UntrustedRegion<'a> {
    /// Attaches to a ring, as [`Region::attach`](super::super::Region::attach) does.
    ///
    /// # Errors
    /// [`RegionError`]: as there. What is refused now can be right a moment later, if the peer is
    /// changing it.
    ///
    /// # Safety
    /// For `'a`, the `len` bytes at `base` are readable, writable and initialised. Threads of this
    /// program access them only through handles of rings that keep to one handle of each side at a
    /// time, or atomically as aligned u32 words. What other processes do with them is free.
    pub unsafe fn attach(
        base: NonNull<u8>,
        len: usize,
        geometry: Geometry,
    ) -> Result<Self, RegionError> {
        check_memory(base, len, geometry)?;
        // SAFETY: aligned and long enough (checked); the rest is this function's contract.
        let mem = unsafe { RawMem::from_parts(base, geometry) };
        // SAFETY: this function's contract.
        let mem = unsafe { CopyMem::new(mem) };
        // SAFETY: this function's contract; the peers are not trusted.
        let sides = unsafe { Sides::attach(mem) }?;
        Ok(Self { sides })
    }

    /// The region's shape.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.sides.mem().geometry()
    }

    /// The producing end: it has `send` in place of `reserve`. O(slots).
    #[must_use]
    pub fn into_producer<N: Notify<CopyMem<'a>>>(self, notify: N) -> Producer<CopyMem<'a>, N> {
        Producer::new(self.sides.writer(&notify), notify)
    }

    /// The consuming end: it has `poll_into` in place of `poll`.
    #[must_use]
    pub fn into_consumer<N: Notify<CopyMem<'a>>>(self, notify: N) -> Consumer<CopyMem<'a>, N> {
        Consumer::new(self.sides.reader(&notify), notify)
    }
}
