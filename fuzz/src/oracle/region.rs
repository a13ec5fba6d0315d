//! Section 7: what a consumer finds in the bytes of a region at rest.

use super::frame::HEADER_SIZE;

/// The shape that both sides have agreed on.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub slots: u32,
    pub payload_bytes: u32,
}

/// Offsets in the control block.
pub const MAGIC: usize = 0;
pub const VERSION: usize = 4;
pub const SLOTS: usize = 8;
pub const PAYLOAD_BYTES: usize = 12;
pub const READY: usize = 16;
pub const READ_POSITION: usize = 256;

/// Offsets in a header slot.
pub const PAYLOAD_OFFSET: usize = 24;
pub const PAYLOAD_SIZE: usize = 28;
pub const STAMP: usize = 48;

impl Shape {
    pub fn payload_area(self) -> usize {
        HEADER_SIZE * self.slots as usize
    }

    pub fn control(self) -> usize {
        (self.payload_area() + self.payload_bytes as usize).next_multiple_of(128)
    }

    pub fn size(self) -> usize {
        self.control() + 640
    }

    /// The largest payload that a producer writes.
    pub fn payload_max(self) -> usize {
        self.payload_bytes as usize / 2
    }

    /// Offset of the slot of a position.
    pub fn slot(self, position: u32) -> usize {
        HEADER_SIZE * (position % self.slots) as usize
    }

    /// The stamp of a record that can be read; one lap less is empty.
    pub fn ready_stamp(self, position: u32) -> u32 {
        position
            .wrapping_sub(position % self.slots)
            .wrapping_add(self.slots)
    }

    pub fn empty_stamp(self, position: u32) -> u32 {
        self.ready_stamp(position).wrapping_sub(self.slots)
    }
}

pub fn word(region: &[u8], offset: usize) -> u32 {
    let bytes = region[offset..offset + 4].try_into().expect("four bytes");
    u32::from_le_bytes(bytes)
}

pub fn set_word(region: &mut [u8], offset: usize, value: u32) {
    region[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

/// Where a record lies: the copy of its header without the ring's fields, and its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub header: Vec<u8>,
    pub payload: Vec<u8>,
    /// Offset after the payload, rounded up to 16.
    pub cursor: u32,
}

/// What stands at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    Record(Found),
    Empty,
    Corrupt,
}

/// As [`look`], for a consumer that trusts no producer: what none would have written is corrupt.
pub fn look_distrustfully(shape: Shape, region: &[u8], position: u32, cursor: Option<u32>) -> Look {
    match look(shape, region, position, cursor) {
        Look::Record(found) if found.payload.len() > shape.payload_max() => Look::Corrupt,
        other => other,
    }
}

/// Looks at a position; `cursor` is the end of the payload before it, if that is known.
pub fn look(shape: Shape, region: &[u8], position: u32, cursor: Option<u32>) -> Look {
    let slot = shape.slot(position);
    let stamp = word(region, slot + STAMP);
    if stamp == shape.empty_stamp(position) {
        return Look::Empty;
    }
    let offset = word(region, slot + PAYLOAD_OFFSET);
    let size = word(region, slot + PAYLOAD_SIZE);
    let end = u64::from(offset) + u64::from(size);
    if stamp != shape.ready_stamp(position)
        || !offset.is_multiple_of(16)
        || (offset != 0 && cursor.is_some_and(|cursor| cursor != offset))
        || end > u64::from(shape.payload_bytes)
    {
        return Look::Corrupt;
    }
    let mut header = region[slot..slot + HEADER_SIZE].to_vec();
    set_word(&mut header, PAYLOAD_OFFSET, 0);
    set_word(&mut header, STAMP, 0);
    let start = shape.payload_area() + offset as usize;
    Look::Record(Found {
        header,
        payload: region[start..start + size as usize].to_vec(),
        cursor: (end as u32).next_multiple_of(16),
    })
}

/// Whether one can attach: the control block is right, every stamp is possible from the read
/// position on, and so is the place of every published record.
pub fn can_attach(shape: Shape, region: &[u8]) -> bool {
    let control = |offset| word(region, shape.control() + offset);
    let is_right = control(MAGIC) == 0x4154_4c44
        && control(VERSION) == 1
        && control(SLOTS) == shape.slots
        && control(PAYLOAD_BYTES) == shape.payload_bytes
        && control(READY) == 1;
    if !is_right {
        return false;
    }
    let read = control(READ_POSITION);
    let mut cursor = None;
    let mut is_published = true;
    for ahead in 0..shape.slots {
        let position = read.wrapping_add(ahead);
        let stamp = word(region, shape.slot(position) + STAMP);
        if stamp == shape.empty_stamp(position) {
            is_published = false;
        } else if stamp != shape.ready_stamp(position) {
            return false;
        } else if is_published {
            match look(shape, region, position, cursor) {
                Look::Record(found) => cursor = Some(found.cursor),
                _ => return false,
            }
        }
    }
    true
}
