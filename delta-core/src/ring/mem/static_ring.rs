//! [`StaticRing`]: a ring that owns its memory, of a size known when compiling.
use super::raw::RawMem;
use super::sides::Sides;
use crate::ring::consumer::Consumer;
use crate::ring::layout::{CONTROL_SIZE, Geometry, HEADER_SIZE};
use crate::ring::notify::{Notify, Polling};
use crate::ring::producer::Producer;
use core::fmt;
use core::mem::{offset_of, size_of};
use core::ptr::NonNull;

/// A ring in a value of its own: `SLOTS` records, `BYTES` of payload area. A wrong size does not
/// compile; see [`Geometry::new`] for what is right.
///
/// It can be a local, a boxed value or a static. Nothing in it is shared before
/// [`split`](Self::split) borrows it mutably, so it is `Send` and `Sync` like any plain value; as a
/// static it needs one of the usual cells that hand out a single `&'static mut`. All bytes are zero
/// before the split: a static takes no room in the image.
///
/// ```
/// use delta_core::ring::StaticRing;
///
/// let mut ring = StaticRing::<16, 1024>::new();
/// let (mut producer, mut consumer) = ring.split();
///
/// producer.reserve(0)?.commit(&[0; 64])?;
/// assert!(consumer.poll()?.is_some());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// ```compile_fail
/// // 12 is not a power of two.
/// let ring = delta_core::ring::StaticRing::<12, 1024>::new();
/// ```
#[repr(C, align(128))]
pub struct StaticRing<const SLOTS: usize, const BYTES: usize> {
    slots: [Slot; SLOTS],
    payload: [u8; BYTES],
    control: Control,
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Slot([u8; HEADER_SIZE]);

#[repr(C, align(128))]
struct Control([u8; CONTROL_SIZE]);

impl<const SLOTS: usize, const BYTES: usize> StaticRing<SLOTS, BYTES> {
    /// The ring's shape.
    pub const GEOMETRY: Geometry = {
        assert!(SLOTS <= 1 << 24, "at most 2^24 slots");
        assert!(BYTES <= 1 << 30, "at most 2^30 payload bytes");
        #[expect(
            clippy::cast_possible_truncation,
            reason = "both are below 2^32: asserted"
        )]
        let geometry = match Geometry::new(SLOTS as u32, BYTES as u32) {
            Ok(geometry) => geometry,
            Err(_) => panic!("SLOTS: a power of two >= 2; BYTES: a multiple of 16"),
        };
        assert!(offset_of!(Self, payload) == geometry.payload_offset());
        assert!(offset_of!(Self, control) == geometry.control_offset());
        assert!(size_of::<Self>() == geometry.region_size());
        geometry
    };

    /// A ring, all zero. It is moved by value: put large ones in a static, or use
    /// [`Region`](super::super::Region) on memory from an allocator.
    #[must_use]
    pub const fn new() -> Self {
        // Evaluates the checks.
        let _ = Self::GEOMETRY;
        Self {
            slots: [Slot([0; HEADER_SIZE]); SLOTS],
            payload: [0; BYTES],
            control: Control([0; CONTROL_SIZE]),
        }
    }

    /// Empties the ring and gives both its ends, which poll. O(SLOTS).
    #[must_use]
    pub fn split(&mut self) -> (Producer<RawMem<'_>>, Consumer<RawMem<'_>>) {
        self.split_with(Polling)
    }

    /// Empties the ring and gives both its ends, which wait for one another by `notify`. O(SLOTS).
    #[must_use]
    pub fn split_with<'a, N>(
        &'a mut self,
        notify: N,
    ) -> (Producer<RawMem<'a>, N>, Consumer<RawMem<'a>, N>)
    where
        N: Notify<RawMem<'a>> + Clone,
    {
        let base = NonNull::from(self).cast::<u8>();
        // SAFETY: `self` is 128-aligned, has the geometry's layout and size (asserted when
        // compiling), is initialised where the layout has fields, and is borrowed mutably for as
        // long as the ends live.
        let mem = unsafe { RawMem::from_parts(base, Self::GEOMETRY) };
        // SAFETY: the borrow is exclusive: nothing else reaches the region.
        let sides = unsafe { Sides::create(mem, 0) };
        let (writer, reader) = sides.split(&notify);
        (
            Producer::new(writer, notify.clone()),
            Consumer::new(reader, notify),
        )
    }
}

impl<const SLOTS: usize, const BYTES: usize> Default for StaticRing<SLOTS, BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SLOTS: usize, const BYTES: usize> fmt::Debug for StaticRing<SLOTS, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticRing")
            .field("geometry", &Self::GEOMETRY)
            .finish_non_exhaustive()
    }
}
