//! Where a region's two sides stand, found in the region itself.
use super::{SharedMem, order};
use crate::ring::error::Corrupt;
use crate::ring::layout::{ControlWord, PAYLOAD_ALIGN, padded};

/// Where a region's two sides begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ring) struct Start {
    /// The consumer's position: all before it is released.
    pub(super) read: u32,
    /// The producer's position: `read..head` is published.
    pub(super) head: u32,
    /// Offset after the last payload.
    pub(super) cursor: u32,
    /// Offset of the payload at `read`; the cursor if nothing is unreleased.
    pub(super) oldest: u32,
    /// The cursor before the record at `read`; `None` if the region does not tell.
    pub(super) read_cursor: Option<u32>,
}

impl Start {
    /// Both sides of a new, empty region.
    pub(super) const fn empty(position: u32) -> Self {
        Self {
            read: position,
            head: position,
            cursor: 0,
            oldest: 0,
            read_cursor: Some(0),
        }
    }

    /// Finds the sides of a region that has been used: from the read position on, the records up to
    /// the first that is not ready are published. Ready ones after it belong to a batch whose first
    /// was never published. O(slots).
    ///
    /// # Errors
    /// [`Corrupt`] if a stamp or a payload's place is impossible.
    pub(super) fn find<M: SharedMem>(mem: &M) -> Result<Self, Corrupt> {
        let geometry = mem.geometry();
        let read = mem.load(ControlWord::ReadPosition, order::FIND_POSITION);
        let mut start = Self {
            read_cursor: None,
            ..Self::empty(read)
        };
        let mut is_published = true;
        for ahead in 0..geometry.slots() {
            let position = read.wrapping_add(ahead);
            let found = mem.load_stamp(position, order::FIND_STAMP);
            let ready = geometry.ready_stamp(position);
            if found == ready {
                if is_published {
                    start.follow(mem, position)?;
                }
            } else if found == geometry.empty_stamp(position) {
                is_published = false;
            } else {
                return Err(Corrupt::Stamp {
                    position,
                    found,
                    ready,
                });
            }
        }
        Ok(start)
    }

    /// Adds the published record at `position`, the next after those found.
    fn follow<M: SharedMem>(&mut self, mem: &M, position: u32) -> Result<(), Corrupt> {
        // SAFETY: its stamp was loaded as ready, and a producer writes a ready slot only once it is
        // released. Either the producer is the side in the making, or the consumer is: nobody else
        // releases then (`Sides::attach`). Of peers that are not trusted nothing is demanded.
        let header = unsafe { mem.read_header(position) };
        let (offset, size) = (header.payload_offset(), header.payload_size());
        if position == self.read {
            self.oldest = offset;
        } else if offset != self.cursor && offset != 0 {
            return Err(Corrupt::PayloadOffset {
                position,
                offset,
                cursor: self.cursor,
            });
        }
        check_place(mem.geometry().payload_bytes(), position, offset, size)?;
        self.cursor = offset + padded(size);
        self.head = position.wrapping_add(1);
        Ok(())
    }

    /// Empties the slots of an unfinished batch, which a new producer writes again. O(slots).
    pub(super) fn clear_unpublished<M: SharedMem>(&self, mem: &M) {
        let geometry = mem.geometry();
        let published = self.head.wrapping_sub(self.read);
        for ahead in published..geometry.slots() {
            let position = self.read.wrapping_add(ahead);
            mem.store_stamp(position, geometry.empty_stamp(position), order::CLEAR);
        }
    }
}

/// Checks that a payload is aligned and lies in the payload area.
#[inline]
pub(super) fn check_place(area: u32, position: u32, offset: u32, size: u32) -> Result<(), Corrupt> {
    if !offset.is_multiple_of(PAYLOAD_ALIGN) {
        return Err(Corrupt::PayloadOffset {
            position,
            offset,
            cursor: 0,
        });
    }
    if u64::from(offset) + u64::from(size) > u64::from(area) {
        return Err(Corrupt::PayloadEnd {
            position,
            offset,
            size,
        });
    }
    Ok(())
}
