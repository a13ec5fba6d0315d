//! [`Region`]: a ring in the caller's memory.
use super::access::Words;
use super::raw::{RawMem, is_aligned};
use super::sides::Sides;
use crate::ring::consumer::Consumer;
use crate::ring::error::RegionError;
use crate::ring::layout::{Geometry, REGION_ALIGN};
use crate::ring::notify::{Notify, Polling};
use crate::ring::producer::Producer;
use core::ptr::NonNull;

/// A ring region in memory of the caller's: a heap block, a mapped file, shared memory.
///
/// ```
/// use delta_core::ring::{Geometry, Region};
///
/// #[repr(align(128))]
/// struct Memory([u8; 64 * 8 + 1024 + 640]);
///
/// let mut memory = Memory([0; 64 * 8 + 1024 + 640]);
/// let ring = Region::create(&mut memory.0, Geometry::new(8, 1024)?)?;
/// let (mut producer, mut consumer) = ring.split();
///
/// let mut grant = producer.reserve(5)?;
/// grant.payload_mut().copy_from_slice(b"delta");
/// let mut header = [0; 64];
/// header[28] = 5; // payload_size
/// grant.commit(&header)?;
///
/// let record = consumer.poll()?.ok_or("empty")?;
/// assert_eq!(record.payload(), b"delta");
/// record.done();
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Region<'a> {
    sides: Sides<RawMem<'a>>,
}

impl<'a> Region<'a> {
    /// Makes an empty ring in `memory`, which must begin at a multiple of 128 and have at least
    /// [`Geometry::region_size`] bytes. O(slots): payload bytes keep what they hold.
    ///
    /// # Errors
    /// [`RegionError::Alignment`], [`RegionError::TooSmall`].
    pub fn create(memory: &'a mut [u8], geometry: Geometry) -> Result<Self, RegionError> {
        Self::create_at(memory, geometry, 0)
    }

    /// As [`create`](Self::create), with the first record at `position`: for tests of what happens
    /// when positions wrap.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    #[doc(hidden)]
    pub fn create_at(
        memory: &'a mut [u8],
        geometry: Geometry,
        position: u32,
    ) -> Result<Self, RegionError> {
        let len = memory.len();
        let base = NonNull::from(memory).cast::<u8>();
        check_memory(base, len, geometry)?;
        // SAFETY: `base` is aligned and `region_size` bytes long (checked), initialised, and
        // borrowed mutably for 'a: nothing else reaches it.
        let mem = unsafe { RawMem::from_parts(base, geometry) };
        // SAFETY: likewise nothing else reaches the region.
        let sides = unsafe { Sides::create(mem, position) };
        Ok(Self { sides })
    }

    /// Attaches to a ring that somebody else has created, in the same process or in another.
    ///
    /// The geometry is agreed on beforehand: the control block lies at the end, so it is needed to
    /// find it, and compared with what stands there. Take one side with
    /// [`into_producer`](Self::into_producer) or [`into_consumer`](Self::into_consumer); the ring
    /// goes on where the region says it stands. O(slots).
    ///
    /// # Errors
    /// [`RegionError`]: the memory is no finished ring region of this geometry and version, or a
    /// record in it is impossible.
    ///
    /// # Safety
    /// For `'a`, the `len` bytes at `base` are readable, writable, initialised, and used only as a
    /// ring region by peers that keep this module's rules; over all processes there is at most one
    /// producer and at most one consumer at a time, one in the making included: while this region
    /// is used for a side, no other handle of that side exists.
    pub unsafe fn attach(
        base: NonNull<u8>,
        len: usize,
        geometry: Geometry,
    ) -> Result<Self, RegionError> {
        check_memory(base, len, geometry)?;
        // SAFETY: aligned and long enough (checked); the rest is this function's contract.
        let mem = unsafe { RawMem::from_parts(base, geometry) };
        // SAFETY: this function's contract.
        let sides = unsafe { Sides::attach(mem) }?;
        Ok(Self { sides })
    }

    /// The region's shape.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.sides.mem().geometry()
    }

    /// Both ends of the ring, which poll.
    #[must_use]
    pub fn split(self) -> (Producer<RawMem<'a>>, Consumer<RawMem<'a>>) {
        self.split_with(Polling)
    }

    /// Both ends of the ring, which wait for one another by `notify`.
    #[must_use]
    pub fn split_with<N>(self, notify: N) -> (Producer<RawMem<'a>, N>, Consumer<RawMem<'a>, N>)
    where
        N: Notify<RawMem<'a>> + Clone,
    {
        let (writer, reader) = self.sides.split(&notify);
        (
            Producer::new(writer, notify.clone()),
            Consumer::new(reader, notify),
        )
    }

    /// The producing end alone. In an attached region it finishes what a producer that vanished has
    /// left: it clears the stamps of a batch that was being published, which stays invisible, and
    /// wakes a consumer that was not told of the last record. O(slots).
    #[must_use]
    pub fn into_producer<N: Notify<RawMem<'a>>>(self, notify: N) -> Producer<RawMem<'a>, N> {
        Producer::new(self.sides.writer(&notify), notify)
    }

    /// The consuming end alone. In an attached region it wakes a producer that was not told of a
    /// vanished consumer's last release.
    #[must_use]
    pub fn into_consumer<N: Notify<RawMem<'a>>>(self, notify: N) -> Consumer<RawMem<'a>, N> {
        Consumer::new(self.sides.reader(&notify), notify)
    }
}

pub(super) fn check_memory(
    base: NonNull<u8>,
    len: usize,
    geometry: Geometry,
) -> Result<(), RegionError> {
    if !is_aligned(base) {
        return Err(RegionError::Alignment {
            remainder: base.addr().get() % REGION_ALIGN,
        });
    }
    let needed = geometry.region_size();
    if len < needed {
        return Err(RegionError::TooSmall { len, needed });
    }
    Ok(())
}
