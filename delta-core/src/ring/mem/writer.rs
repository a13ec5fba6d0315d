//! The producer's side of a region: which slots and payload bytes are its own.
//!
//! The writer owns the slot of every position from `head` (the first unpublished) to before
//! `read + slots`, and the payload area apart from the payloads of `read..head`. The consumer
//! touches neither: it reads a slot's header and payload only after it has found the slot's ready
//! stamp, and never again after it has stored a read position beyond it.
use super::Mem;
use super::recover::Start;
use crate::ring::cursor::Space;
use crate::ring::error::{CommitError, Corrupt, ReserveError};
use crate::ring::layout::{ControlWord, Geometry, HEADER_SIZE, HeaderWords, PAYLOAD_ALIGN};
use crate::ring::notify::Notify;

/// The only producer of a region.
///
/// Invariant: no other writer of the region exists while this is in use.
pub(in crate::ring) struct Writer<M> {
    mem: M,
    front: Front,
    poison: Option<Corrupt>,
}

/// Positions of a writer, and its free space.
///
/// Invariant: `read` - a value that the consumer has stored, so that all before it is released -
/// precedes or equals `head`, that precedes or equals `next`, and `next - read <= slots`; `space`
/// is free of the payloads of `read..next`.
#[derive(Clone, Copy, Debug)]
struct Front {
    /// First position that is not published.
    head: u32,
    /// First position that is not written; above `head` only in a batch.
    next: u32,
    /// The consumer's position when the writer last looked; it can be further since.
    read: u32,
    space: Space,
}

impl<M: Mem> Writer<M> {
    /// # Safety
    /// No other writer of the region exists while this is in use; `start` describes the region.
    pub(super) unsafe fn new(mem: M, start: Start) -> Self {
        let space = Space::with_oldest(mem.geometry().payload_bytes(), start.cursor, start.oldest);
        let front = Front {
            head: start.head,
            next: start.head,
            read: start.read,
            space,
        };
        Self {
            mem,
            front,
            poison: None,
        }
    }

    #[inline]
    pub(in crate::ring) fn geometry(&self) -> Geometry {
        self.mem.geometry()
    }

    /// First position that is not published.
    pub(in crate::ring) const fn head(&self) -> u32 {
        self.front.head
    }

    /// Takes the next slot and `len` bytes of payload.
    #[inline]
    pub(in crate::ring) fn lease(&mut self, len: usize) -> Result<Lease<'_, M>, ReserveError> {
        let place = self.front.reserve(&self.mem, &mut self.poison, len)?;
        Ok(Lease::new(&self.mem, &mut self.front, place, true))
    }

    /// Waits until the consumer has moved, or for no reason. Call when a lease was refused as full.
    pub(in crate::ring) fn wait<N: Notify<M>>(&mut self, len: usize, notify: &N) {
        let word = self.mem.word(ControlWord::ReadPosition);
        if !N::SLEEPS {
            return notify.wait(word, self.front.read);
        }
        self.mem.store(ControlWord::ProducerWaiting, 1);
        self.mem.fence();
        // Looks again, which brings `read` up to date.
        let refused = self.front.reserve(&self.mem, &mut self.poison, len);
        if let Err(ReserveError::Full { .. }) = refused {
            notify.wait(word, self.front.read);
        }
        self.mem.store(ControlWord::ProducerWaiting, 0);
    }

    /// Begins a batch.
    #[inline]
    pub(in crate::ring) const fn draft(&mut self) -> Draft<'_, M> {
        Draft {
            front: self.front,
            writer: self,
        }
    }
}

/// A batch: a front that runs ahead of its writer's. Dropped, its records were never written.
pub(in crate::ring) struct Draft<'w, M: Mem> {
    writer: &'w mut Writer<M>,
    front: Front,
}

impl<M: Mem> Draft<'_, M> {
    /// Takes the next slot and `len` bytes of payload.
    #[inline]
    pub(in crate::ring) fn lease(&mut self, len: usize) -> Result<Lease<'_, M>, ReserveError> {
        let Writer { mem, poison, .. } = &mut *self.writer;
        let place = self.front.reserve(mem, poison, len)?;
        Ok(Lease::new(mem, &mut self.front, place, false))
    }

    /// Records written so far.
    pub(in crate::ring) const fn len(&self) -> u32 {
        self.front.next.wrapping_sub(self.front.head)
    }

    /// Publishes the records from the second to the last, then the first: a consumer, which reads
    /// in order, sees all or none.
    #[inline]
    pub(in crate::ring) fn publish<N: Notify<M>>(self, notify: &N) {
        let Self { writer, mut front } = self;
        let geometry = writer.mem.geometry();
        let first = front.head;
        if front.next == first {
            return;
        }
        let mut position = first.wrapping_add(1);
        while position != front.next {
            writer
                .mem
                .store_stamp(position, geometry.ready_stamp(position));
            position = position.wrapping_add(1);
        }
        writer.mem.store_stamp(first, geometry.ready_stamp(first));
        front.head = front.next;
        writer.front = front;
        announce(&writer.mem, front.head, notify);
    }
}

impl Front {
    #[inline]
    fn reserve<M: Mem>(
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
    fn refresh<M: Mem>(
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
    fn observe<M: Mem>(&mut self, mem: &M) -> Result<(), Corrupt> {
        let (released, published) = (self.read, self.head);
        // Acquire: what the consumer read before it released happened before what we write next.
        let found = mem.load(ControlWord::ReadPosition);
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
}

/// Tells a consumer that sleeps that all before `head` is published.
#[inline]
fn announce<M: Mem, N: Notify<M>>(mem: &M, head: u32, notify: &N) {
    if N::SLEEPS {
        mem.store(ControlWord::Published, head);
        mem.fence();
        if mem.load(ControlWord::ConsumerWaiting) != 0 {
            notify.wake(mem.word(ControlWord::Published));
        }
    }
}

/// One slot and its payload bytes, taken from a front. Dropped, nothing was taken.
pub(in crate::ring) struct Lease<'f, M: Mem> {
    mem: &'f M,
    front: &'f mut Front,
    view: M::ViewMut,
    place: Place,
    /// Whether a commit publishes: true in a writer's lease, whose head is its next.
    publishes: bool,
}

/// A checked range of the payload area, in bytes.
#[derive(Clone, Copy)]
struct Place {
    offset: u32,
    len: u32,
}

impl<'f, M: Mem> Lease<'f, M> {
    #[inline]
    fn new(mem: &'f M, front: &'f mut Front, place: Place, publishes: bool) -> Self {
        // SAFETY: `Front::place` found the range free of unreleased payloads in the payload area,
        // so the consumer does not access it; `front` is borrowed, so this side has no other view.
        let view = unsafe { mem.view_mut(place.offset, place.len) };
        Self {
            mem,
            front,
            view,
            place,
            publishes,
        }
    }

    #[inline]
    pub(in crate::ring) fn payload(&self) -> &[u8] {
        &self.view
    }

    #[inline]
    pub(in crate::ring) fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.view
    }

    /// Writes the header, with the payload's offset, and moves the front on. A writer's own lease
    /// publishes the record, a draft's does not.
    #[inline]
    pub(in crate::ring) fn commit<N: Notify<M>>(
        self,
        header: &[u8; HEADER_SIZE],
        notify: &N,
    ) -> Result<(), CommitError> {
        let Self {
            mem,
            front,
            view,
            place,
            publishes,
        } = self;
        let mut words = HeaderWords::from_bytes(header);
        let payload_size = words.payload_size();
        if payload_size > place.len {
            return Err(CommitError::PayloadSize {
                payload_size,
                reserved: place.len,
            });
        }
        words.set_payload_offset(place.offset);
        drop(view);
        // In locals: to the compiler a store to the region may change what `front` holds.
        let (position, after) = (front.next, front.next.wrapping_add(1));
        // SAFETY: next - read < slots (`Front::place` checked it), so the slot's last record is
        // released and its next unpublished: the consumer accesses nothing of it but the stamp.
        unsafe { mem.write_header(position, &words) };
        front.space.take(place.offset, payload_size);
        front.next = after;
        if publishes {
            // Release: header and payload are written before the stamp that lets the consumer read.
            mem.store_stamp(position, mem.geometry().ready_stamp(position));
            front.head = after;
            announce(mem, after, notify);
        }
        Ok(())
    }
}
