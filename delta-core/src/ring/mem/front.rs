//! How far a producer is: its positions, and the payload space that is free.
use super::recover::Start;
use super::wait_word::WaitWord;
use super::{SharedMem, order};
use crate::ring::cursor::Space;
use crate::ring::error::{Corrupt, ReserveError};
use crate::ring::layout::{ControlWord, Geometry, HeaderWords, PAYLOAD_ALIGN};
use crate::ring::notify::Notify;

/// Positions of a writer, and its free space.
///
/// Invariant: `read` - a value that the consumer has stored, so that all before it is released -
/// precedes or equals `next`, and `next - read <= slots`; `space` is free of the payloads of
/// `read..next`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    /// First position that is not written. What precedes it is published, but for the records of a
    /// batch in the making, whose front runs ahead of its writer's.
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

/// When the consumer may see a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publishing {
    /// At once.
    Now,
    /// With the batch that it begins, when that is published.
    First,
    /// Once it has seen the first record of the batch.
    AfterFirst,
}

impl Front {
    pub(super) const fn new(geometry: Geometry, start: Start) -> Self {
        Self {
            next: start.head,
            read: start.read,
            space: Space::with_oldest(geometry.payload_bytes(), start.cursor, start.oldest),
        }
    }

    /// The place of a payload of `len` bytes at `next`, free of unreleased ones; then
    /// `next - read < slots` too. `None` if it looks full.
    #[inline]
    pub(super) fn reserve(
        &self,
        geometry: Geometry,
        len: usize,
    ) -> Result<Option<Place>, ReserveError> {
        let max = geometry.max_payload();
        match u32::try_from(len) {
            Ok(len) if len <= max => Ok(self.place(geometry, len)),
            _ => Err(ReserveError::TooLarge { len, max }),
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

    /// As [`Self::reserve`]; looks where the consumer is if it looks full. All before `published`
    /// is.
    #[inline]
    pub(super) fn reserve_or_refresh<M: SharedMem>(
        &mut self,
        mem: &M,
        poison: &mut Option<Corrupt>,
        published: u32,
        len: usize,
    ) -> Result<Place, ReserveError> {
        if let Some(place) = self.reserve(mem.geometry(), len)? {
            return Ok(place);
        }
        let freed = observe(
            mem,
            poison,
            self.next,
            published,
            self.read,
            self.space.cursor(),
        )?;
        if let Some(Freed { read, space }) = freed {
            self.read = read;
            self.space = space;
        }
        match self.reserve(mem.geometry(), len)? {
            Some(place) => Ok(place),
            None => Err(full(self.next.wrapping_sub(self.read), len)),
        }
    }

    /// Writes the header of the record whose payload lies at `place`, which [`Self::reserve`] gave
    /// last, with the stamp that `publishing` wants, and moves on. The header's payload_size is at
    /// most the place's.
    ///
    /// The slot is written first and as a whole: a store of this side's own between two to one
    /// line costs a fifth of the throughput.
    #[inline]
    pub(super) fn write<M: SharedMem>(
        &mut self,
        mem: &M,
        place: Place,
        mut header: HeaderWords,
        publishing: Publishing,
    ) {
        header.set_payload_offset(place.offset);
        // In a local: to the compiler a store to the region may change what `self` holds.
        let position = self.next;
        // SAFETY: next - read < slots (`reserve`), so the slot's last record is released and its
        // next unpublished: a trusted consumer accesses nothing of it but the stamp, and of others
        // nothing is demanded.
        unsafe { mem.write_header(position, &header) };
        let stamp = mem.geometry().ready_stamp(position);
        match publishing {
            Publishing::Now => mem.store_stamp(position, stamp, order::PUBLISH_ONE),
            Publishing::First => {}
            Publishing::AfterFirst => mem.store_stamp(position, stamp, order::PUBLISH_REST),
        }
        self.space.take(place.offset, header.payload_size());
        self.next = position.wrapping_add(1);
    }
}

/// What the consumer has given back.
struct Freed {
    /// Its position.
    read: u32,
    space: Space,
}

#[cold]
fn full(unreleased: u32, len: usize) -> ReserveError {
    ReserveError::Full {
        unreleased,
        len: u32::try_from(len).unwrap_or(u32::MAX),
    }
}

/// Looks at the consumer's position, which was `released`, and derives the free space from it;
/// `None` if nothing is new. All before `published` is, `next` is the first position that is not
/// written, and the last payload ends at `cursor`.
///
/// Not a method: a batch's front lives in registers.
#[cold]
#[inline(never)]
fn observe<M: SharedMem>(
    mem: &M,
    poison: &mut Option<Corrupt>,
    next: u32,
    published: u32,
    released: u32,
    cursor: u32,
) -> Result<Option<Freed>, ReserveError> {
    if let Some(corrupt) = *poison {
        return Err(ReserveError::Corrupt(corrupt));
    }
    let mut refuse = |corrupt| {
        *poison = Some(corrupt);
        Err(ReserveError::Corrupt(corrupt))
    };
    let read = mem.load(ControlWord::ReadPosition, order::OBSERVE);
    if read.wrapping_sub(released) > published.wrapping_sub(released) {
        return refuse(Corrupt::ReadPosition {
            found: read,
            released,
            published,
        });
    }
    if read == released {
        // With nothing unreleased the area is empty, and nothing is refused.
        return Ok(None);
    }
    let bytes = mem.geometry().payload_bytes();
    if read == next {
        let space = Space::empty(bytes);
        return Ok(Some(Freed { read, space }));
    }
    // SAFETY: of a trusted region only this writer writes slots, and it is not doing so now. Of
    // others nothing is demanded.
    let oldest = unsafe { mem.read_header(read) }.payload_offset();
    if oldest > bytes || !oldest.is_multiple_of(PAYLOAD_ALIGN) {
        return refuse(Corrupt::PayloadOffset {
            position: read,
            offset: oldest,
            cursor,
        });
    }
    let space = Space::with_oldest(bytes, cursor, oldest);
    Ok(Some(Freed { read, space }))
}

/// Tells a consumer that sleeps that all before `head` is published.
#[inline]
pub(super) fn announce<M: SharedMem, N: Notify<M>>(mem: &M, head: u32, notify: &N) {
    if N::SLEEPS {
        mem.store(ControlWord::Published, head, order::ANNOUNCE);
        mem.fence(order::FENCE_PUBLISHED);
        if mem.load(ControlWord::ConsumerWaiting, order::FLAG) != 0 {
            notify.wake(WaitWord::new(mem, ControlWord::Published));
        }
    }
}
