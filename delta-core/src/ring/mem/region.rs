//! [`Region`]: a ring in the caller's memory.
use super::raw::{RawMem, is_aligned};
use super::reader::Reader;
use super::recover::Start;
use super::writer::Writer;
use crate::ring::consumer::Consumer;
use crate::ring::error::RegionError;
use crate::ring::layout::{ControlWord, Geometry, MAGIC, READY, REGION_ALIGN, REGION_VERSION};
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
    /// Invariant: no other handle of the region exists in this process, but after an attach, whose
    /// caller answers for that.
    mem: RawMem<'a>,
    start: Start,
    /// Whether the region was in use before, so that it can hold an unfinished batch.
    is_attached: bool,
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
        let mem = unsafe { RawMem::create(base, geometry, position) };
        Ok(Self {
            mem,
            start: Start::empty(position),
            is_attached: false,
        })
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
        check_control(&mem)?;
        let start = Start::find(&mem).map_err(RegionError::Corrupt)?;
        Ok(Self {
            mem,
            start,
            is_attached: true,
        })
    }

    /// The region's shape.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        use super::access::Access;
        self.mem.geometry()
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
        let consumer = Self {
            mem: self.mem.clone(),
            ..self
        };
        (
            self.into_producer(notify.clone()),
            consumer.into_consumer(notify),
        )
    }

    /// The producing end alone. An attached one clears what is left of an unfinished batch.
    #[must_use]
    pub fn into_producer<N: Notify<RawMem<'a>>>(self, notify: N) -> Producer<RawMem<'a>, N> {
        if self.is_attached {
            self.start.clear_unpublished(&self.mem);
        }
        // SAFETY: `self` is the region's only handle that makes a producer (invariant) and gone
        // now, so this is its only writer; `start` describes it.
        Producer::new(unsafe { Writer::new(self.mem, self.start) }, notify)
    }

    /// The consuming end alone.
    #[must_use]
    pub fn into_consumer<N: Notify<RawMem<'a>>>(self, notify: N) -> Consumer<RawMem<'a>, N> {
        // SAFETY: `self` is the region's only handle that makes a consumer (invariant) and gone
        // now, so this is its only reader; `start` describes it.
        Consumer::new(unsafe { Reader::new(self.mem, self.start) }, notify)
    }
}

fn check_memory(base: NonNull<u8>, len: usize, geometry: Geometry) -> Result<(), RegionError> {
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

fn check_control(mem: &RawMem<'_>) -> Result<(), RegionError> {
    use super::access::Access;
    let geometry = mem.geometry();
    // Ready first (Acquire): the creator wrote the other words before it.
    let is_ready = mem.load(ControlWord::Ready) == READY;
    let magic = mem.load(ControlWord::Magic);
    if !is_ready && magic == 0 {
        return Err(RegionError::NotReady);
    }
    if magic != MAGIC {
        return Err(RegionError::Magic { found: magic });
    }
    let version = mem.load(ControlWord::Version);
    if version != REGION_VERSION {
        return Err(RegionError::Version { found: version });
    }
    let slots = mem.load(ControlWord::Slots);
    let payload_bytes = mem.load(ControlWord::PayloadBytes);
    if slots != geometry.slots() || payload_bytes != geometry.payload_bytes() {
        return Err(RegionError::Geometry {
            slots,
            payload_bytes,
        });
    }
    if is_ready {
        Ok(())
    } else {
        Err(RegionError::NotReady)
    }
}
