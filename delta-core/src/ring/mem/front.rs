//! How far a producer is: its positions, and the payload space that is free.
use super::copy::CopyMem;
use super::recover::Start;
use super::{SharedMem, order};
use crate::ring::cursor::Space;
use crate::ring::error::{Corrupt, ReserveError, SendError};
use crate::ring::layout::{ControlWord, Geometry, HEADER_SIZE, HeaderWords, PAYLOAD_ALIGN};
use crate::ring::notify::Notify;

/// Positions of a writer, and its free space.
///
/// Invariant: `read` - a value that the consumer has stored, so that all before it is released -
/// precedes or equals `head`, that precedes or equals `next`, and `next - read <= slots`; `space`
/// is free of the payloads of `read..next`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    /// First position that is not published.
    pub(super) head: u32,
    /// First position that is not written; above `head` only in a batch.
    pub(super) next: u32,
    /// The consumer's position when the writer last looked; it can be further since.
    pub(super) read: u32,
    space: Space,
}

/// A checked range of the payload area, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u32,
    pub(super) len: u32,
}

impl Front {
    pub(super) const fn new(geometry: Geometry, start: Start) -> Self {
        Self {
            head: start.head,
            next: start.head,
            read: start.read,
            space: Space::with_oldest(geometry.payload_bytes(), start.cursor, start.oldest),
        }
    }

    /// The place of a payload of `len` bytes at `next`, free of unreleased ones; then
    /// `next - read < slots` too.
    #[inline]
    pub(super) fn reserve<M: SharedMem>(
        &mut self,
        mem: &M,
        poison: &mut Option<Corrupt>,
        len: usize,
    ) -> Result<Place, ReserveError> {
        let max = mem.geometry().max_payload();
        let Some(len) = u32::try_from(len).ok().filter(|&len| len <= max) else {
            return Err(ReserveError::TooLarge { len, max });
        };
        match self.place(mem.geometry(), len) {
            Some(place) => Ok(place),
            None => self.refresh(mem, poison, len),
        }
    }

    #[inline]
    fn place(&self, geometry: Geometry, len: u32) -> Option<Place> {
        if self.next.wrapping_sub(self.read) >= geometry.slots() {
            return None;
        }
        let offset = self.space.place(len)?;
        Some(Place { offset, len })
    }

    /// Looks where the consumer is, and tries again.
    #[cold]
    #[inline(never)]
    fn refresh<M: SharedMem>(
        &mut self,
        mem: &M,
        poison: &mut Option<Corrupt>,
        len: u32,
    ) -> Result<Place, ReserveError> {
        if let Some(corrupt) = *poison {
            return Err(ReserveError::Corrupt(corrupt));
        }
        self.observe(mem).map_err(|corrupt| {
            *poison = Some(corrupt);
            ReserveError::Corrupt(corrupt)
        })?;
        let unreleased = self.next.wrapping_sub(self.read);
        self.place(mem.geometry(), len)
            .ok_or(ReserveError::Full { unreleased, len })
    }

    /// Takes over the consumer's position and derives the free space from it.
    fn observe<M: SharedMem>(&mut self, mem: &M) -> Result<(), Corrupt> {
        let (released, published) = (self.read, self.head);
        let found = mem.load(ControlWord::ReadPosition, order::OBSERVE);
        if found.wrapping_sub(released) > published.wrapping_sub(released) {
            return Err(Corrupt::ReadPosition {
                found,
                released,
                published,
            });
        }
        if found == released {
            // Nothing new. (With nothing unreleased the area is empty, and nothing is refused.)
            return Ok(());
        }
        let bytes = mem.geometry().payload_bytes();
        self.space = if found == self.next {
            Space::empty(bytes)
        } else {
            // SAFETY: only this writer writes slots, and it is not doing so now.
            let oldest = unsafe { mem.read_header(found) }.payload_offset();
            let cursor = self.space.cursor();
            if oldest > bytes || !oldest.is_multiple_of(PAYLOAD_ALIGN) {
                return Err(Corrupt::PayloadOffset {
                    position: found,
                    offset: oldest,
                    cursor,
                });
            }
            Space::with_oldest(bytes, cursor, oldest)
        };
        self.read = found;
        Ok(())
    }

    /// Writes the header of the record whose payload lies at `place`, which [`Self::reserve`] gave
    /// last, and moves on; gives its position. The header's payload_size is at most the place's.
    #[inline]
    pub(super) fn write<M: SharedMem>(
        &mut self,
        mem: &M,
        place: Place,
        mut header: HeaderWords,
    ) -> u32 {
        header.set_payload_offset(place.offset);
        // In a local: to the compiler a store to the region may change what `self` holds.
        let position = self.next;
        // SAFETY: next - read < slots (`reserve`), so the slot's last record is released and its
        // next unpublished: the consumer accesses nothing of it but the stamp.
        unsafe { mem.write_header(position, &header) };
        self.space.take(place.offset, header.payload_size());
        self.next = position.wrapping_add(1);
        position
    }

    /// Publishes the record at `position`, the only one that is not.
    #[inline]
    pub(super) fn publish<M: SharedMem, N: Notify<M>>(
        &mut self,
        mem: &M,
        position: u32,
        notify: &N,
    ) {
        let stamp = mem.geometry().ready_stamp(position);
        mem.store_stamp(position, stamp, order::PUBLISH_ONE);
        let head = position.wrapping_add(1);
        self.head = head;
        announce(mem, head, notify);
    }

    /// Copies a record into the region: as many bytes of `payload` as the header says. Gives its
    /// position.
    pub(super) fn copy_in(
        &mut self,
        mem: &CopyMem<'_>,
        poison: &mut Option<Corrupt>,
        header: &[u8; HEADER_SIZE],
        payload: &[u8],
    ) -> Result<u32, SendError> {
        let header = HeaderWords::from_bytes(header);
        let payload_size = header.payload_size();
        let payload = payload
            .get(..payload_size as usize)
            .ok_or(SendError::PayloadSize {
                payload_size,
                len: payload.len(),
            })?;
        let place = self
            .reserve(mem, poison, payload.len())
            .map_err(SendError::Reserve)?;
        mem.copy_in(place.offset, payload);
        Ok(self.write(mem, place, header))
    }
}

/// Tells a consumer that sleeps that all before `head` is published.
#[inline]
pub(super) fn announce<M: SharedMem, N: Notify<M>>(mem: &M, head: u32, notify: &N) {
    if N::SLEEPS {
        mem.store(ControlWord::Published, head, order::ANNOUNCE);
        mem.fence(order::FENCE_PUBLISHED);
        if mem.load(ControlWord::ConsumerWaiting, order::FLAG) != 0 {
            notify.wake(mem.word(ControlWord::Published));
        }
    }
}
