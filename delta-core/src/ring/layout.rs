//! Where everything lies in a ring region: sizes, stamps and the header fields the ring knows.
//!
//! ```text
//! 0              header slots    64 x slots
//! 64 x slots     payload area    payload_bytes
//! next 128       control block   640
//! ```
use core::fmt;

/// Bytes of a record's header, which is also the size of a header slot.
pub const HEADER_SIZE: usize = 64;
/// Bytes of the control block at the end of a region.
pub const CONTROL_SIZE: usize = 640;
/// Alignment of a region and spacing of the words that different threads write, in bytes: two
/// cache lines, since the adjacent-line prefetcher of many processors moves lines in pairs.
pub const REGION_ALIGN: usize = 128;
/// Payloads begin at multiples of this many bytes.
pub(super) const PAYLOAD_ALIGN: u32 = 16;

/// Byte offset of the stamp in a header slot.
pub(super) const STAMP_OFFSET: usize = 48;

pub(super) const MAGIC: u32 = 0x4154_4c44;
pub(super) const REGION_VERSION: u32 = 1;
pub(super) const READY: u32 = 1;

const SLOTS_MIN: u32 = 2;
const SLOTS_MAX: u32 = 1 << 24;
const PAYLOAD_MAX: u32 = 1 << 30;
const HEADER_SIZE_U32: u32 = 64;
const CONTROL_SIZE_U32: u32 = 640;
const REGION_ALIGN_U32: u32 = 128;

/// A u32 word of the control block; the value is its byte offset there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ControlWord {
    Magic = 0,
    Version = 4,
    Slots = 8,
    PayloadBytes = 12,
    Ready = 16,
    Published = 128,
    ReadPosition = 256,
    ConsumerWaiting = 384,
    ProducerWaiting = 512,
}

#[cfg(loom)]
impl ControlWord {
    pub(super) const ALL: [Self; 9] = [
        Self::Magic,
        Self::Version,
        Self::Slots,
        Self::PayloadBytes,
        Self::Ready,
        Self::Published,
        Self::ReadPosition,
        Self::ConsumerWaiting,
        Self::ProducerWaiting,
    ];
}

/// The checked shape of a ring region: both sides of a ring must use the same.
///
/// ```
/// use delta_core::ring::Geometry;
/// let geometry = Geometry::new(1024, 65536)?;
/// assert_eq!(geometry.max_payload(), 32768);
/// assert_eq!(geometry.region_size(), 1024 * 64 + 65536 + 640);
/// # Ok::<(), delta_core::ring::GeometryError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Slots - 1; slots is a power of two, 2 ..= 2^24.
    mask: u32,
    /// Bytes of the payload area: a multiple of 16, 16 ..= 2^30.
    payload_bytes: u32,
}

impl Geometry {
    /// 4,096 slots and eleven payload pages of 64 KiB: with a control page, 1 MiB.
    pub const DEFAULT: Self = Self {
        mask: 4096 - 1,
        payload_bytes: 11 * 65_536,
    };

    /// Checks and makes a geometry of `slots` header slots and `payload_bytes` bytes of payload.
    ///
    /// # Errors
    /// [`GeometryError::Slots`] unless `slots` is a power of two in 2 ..= 2^24;
    /// [`GeometryError::PayloadBytes`] unless `payload_bytes` is a multiple of 16 in 16 ..= 2^30.
    pub const fn new(slots: u32, payload_bytes: u32) -> Result<Self, GeometryError> {
        if !slots.is_power_of_two() || slots < SLOTS_MIN || slots > SLOTS_MAX {
            return Err(GeometryError::Slots { slots });
        }
        let whole = payload_bytes.is_multiple_of(PAYLOAD_ALIGN);
        if !whole || payload_bytes == 0 || payload_bytes > PAYLOAD_MAX {
            return Err(GeometryError::PayloadBytes { payload_bytes });
        }
        Ok(Self {
            mask: slots - 1,
            payload_bytes,
        })
    }

    /// Header slots: a power of two, 2 ..= 2^24; as many records can be unreleased at once.
    #[inline]
    #[must_use]
    pub const fn slots(self) -> u32 {
        self.mask + 1
    }

    /// Bytes of the payload area: a multiple of 16, 16 ..= 2^30.
    #[inline]
    #[must_use]
    pub const fn payload_bytes(self) -> u32 {
        self.payload_bytes
    }

    /// The largest payload of one record, in bytes: half of the payload area.
    #[inline]
    #[must_use]
    pub const fn max_payload(self) -> u32 {
        self.payload_bytes / 2
    }

    /// Byte offset of the payload area in the region.
    #[inline]
    #[must_use]
    pub const fn payload_offset(self) -> usize {
        (self.slots() * HEADER_SIZE_U32) as usize
    }

    /// Byte offset of the control block in the region: a multiple of 128.
    #[inline]
    #[must_use]
    pub const fn control_offset(self) -> usize {
        // At most 2^30 + 2^30: no overflow.
        let end = self.slots() * HEADER_SIZE_U32 + self.payload_bytes;
        end.next_multiple_of(REGION_ALIGN_U32) as usize
    }

    /// Bytes of the whole region, control block included: at most 2^31 + 640.
    #[inline]
    #[must_use]
    pub const fn region_size(self) -> usize {
        self.control_offset() + CONTROL_SIZE_U32 as usize
    }

    /// What stands at [`Self::control_offset`] in an empty ring, for one who makes a region without
    /// mapping it: [`Self::region_size`] zero bytes but for these, all there before a peer looks.
    ///
    /// ```
    /// use delta_core::ring::Geometry;
    /// let block = Geometry::new(8, 1024)?.control_block();
    /// assert_eq!(block[..20], *b"DLTA\x01\0\0\0\x08\0\0\0\0\x04\0\0\x01\0\0\0");
    /// # Ok::<(), delta_core::ring::GeometryError>(())
    /// ```
    #[must_use]
    pub fn control_block(self) -> [u8; CONTROL_SIZE] {
        let mut block = [0; CONTROL_SIZE];
        for (word, value) in [
            (ControlWord::Magic, MAGIC),
            (ControlWord::Version, REGION_VERSION),
            (ControlWord::Slots, self.slots()),
            (ControlWord::PayloadBytes, self.payload_bytes),
            (ControlWord::Ready, READY),
        ] {
            let bytes = block.iter_mut().skip(word as usize);
            for (byte, value) in bytes.zip(value.to_le_bytes()) {
                *byte = value;
            }
        }
        block
    }

    /// The slot of a position: below [`Self::slots`].
    #[inline]
    pub(super) const fn index(self, position: u32) -> u32 {
        position & self.mask
    }

    /// The stamp of the slot of `position` once the record of that position can be read.
    #[inline]
    pub(super) const fn ready_stamp(self, position: u32) -> u32 {
        // position - index + slots; position - index clears the bits below the lap.
        (position | self.mask).wrapping_add(1)
    }

    /// The stamp of the slot of `position` before its record: one lap less.
    #[inline]
    pub(super) const fn empty_stamp(self, position: u32) -> u32 {
        position & !self.mask
    }
}

impl Default for Geometry {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Debug for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geometry")
            .field("slots", &self.slots())
            .field("payload_bytes", &self.payload_bytes)
            .finish()
    }
}

/// Bytes that a payload of `size` occupies: `size` rounded up to 16. `size` is at most 2^30.
#[inline]
pub(super) const fn padded(size: u32) -> u32 {
    (size + (PAYLOAD_ALIGN - 1)) & !(PAYLOAD_ALIGN - 1)
}

/// A record's header as eight little-endian words; words 3 and 6 hold what the ring knows.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct HeaderWords(pub(super) [u64; 8]);

impl HeaderWords {
    pub(super) const ZERO: Self = Self([0; 8]);

    #[inline]
    pub(super) fn from_bytes(bytes: &[u8; HEADER_SIZE]) -> Self {
        Self(bytemuck::pod_read_unaligned(bytes))
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8; HEADER_SIZE] {
        bytemuck::cast_ref(&self.0)
    }

    /// Bytes 24..28: where the payload begins in the payload area.
    #[inline]
    pub(super) const fn payload_offset(&self) -> u32 {
        (self.0[3] & 0xffff_ffff) as u32
    }

    /// Bytes 28..32: the payload's size without padding.
    #[inline]
    pub(super) const fn payload_size(&self) -> u32 {
        (self.0[3] >> 32) as u32
    }

    #[inline]
    pub(super) const fn set_payload_offset(&mut self, offset: u32) {
        self.0[3] = self.0[3] & !0xffff_ffff | offset as u64;
    }

    /// Bytes 52..56: what shares a word with the stamp.
    #[inline]
    pub(super) const fn after_stamp(&self) -> u32 {
        (self.0[6] >> 32) as u32
    }

    /// Zeroes the two fields that have a meaning in a ring only: payload_offset and stamp.
    #[inline]
    pub(super) const fn clear_ring_fields(&mut self) {
        self.0[3] &= !0xffff_ffff;
        self.0[6] &= !0xffff_ffff;
    }
}

/// Why a [`Geometry`] was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryError {
    /// The number of slots is no power of two in 2 ..= 2^24.
    Slots {
        /// As given.
        slots: u32,
    },
    /// The size of the payload area is no multiple of 16 in 16 ..= 2^30.
    PayloadBytes {
        /// As given.
        payload_bytes: u32,
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Slots { slots } => {
                write!(f, "{slots} slots: choose a power of two from 2 to 16777216")
            }
            Self::PayloadBytes { payload_bytes } => {
                write!(
                    f,
                    "{payload_bytes} payload bytes: choose a multiple of 16 from 16 to 2^30"
                )
            }
        }
    }
}

impl core::error::Error for GeometryError {}
