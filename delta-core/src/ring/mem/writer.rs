//! The producer's side of a region: which slots and payload bytes are its own.
//!
//! The writer owns the slot of every position from `head` (the first unpublished) to before
//! `read + slots`, and the payload area apart from the payloads of `read..head`. The consumer
//! touches neither: it reads a slot's header and payload only after it has found the slot's ready
//! stamp, and never again after it has stored a read position beyond it.
use super::copy::CopyMem;
use super::front::{Front, Place, announce};
use super::recover::Start;
use super::{Mem, SharedMem, order};
use crate::ring::error::{CommitError, Corrupt, ReserveError, SendError};
use crate::ring::layout::{ControlWord, Geometry, HEADER_SIZE, HeaderWords};
use crate::ring::notify::Notify;

/// The only producer of a region.
///
/// Invariant: no other writer of the region exists while this is in use.
pub(in crate::ring) struct Writer<M> {
    mem: M,
    front: Front,
    poison: Option<Corrupt>,
}

impl<M: SharedMem> Writer<M> {
    /// # Safety
    /// No other writer of the region exists while this is in use; `start` describes the region.
    pub(super) unsafe fn new(mem: M, start: Start) -> Self {
        let front = Front::new(mem.geometry(), start);
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

    /// Waits until the consumer has moved, or for no reason. Call when a lease was refused as full.
    pub(in crate::ring) fn wait<N: Notify<M>>(&mut self, len: usize, notify: &N) {
        let word = self.mem.word(ControlWord::ReadPosition);
        if !N::SLEEPS {
            return notify.wait(word, self.front.read);
        }
        self.mem.store(ControlWord::ProducerWaiting, 1, order::FLAG);
        self.mem.fence(order::FENCE_PRODUCER);
        // Looks again, which brings `read` up to date.
        let refused = self.front.reserve(&self.mem, &mut self.poison, len);
        if let Err(ReserveError::Full { .. }) = refused {
            notify.wait(word, self.front.read);
        }
        self.mem.store(ControlWord::ProducerWaiting, 0, order::FLAG);
    }

    /// Whether a record of `len` bytes fits now.
    pub(in crate::ring) fn probe(&mut self, len: usize) -> Result<(), ReserveError> {
        self.front
            .reserve(&self.mem, &mut self.poison, len)
            .map(drop)
    }

    /// Goes on for a producer that vanished: it may have slept, or published and told nobody.
    pub(super) fn resume<N: Notify<M>>(&self, notify: &N) {
        self.mem.store(ControlWord::ProducerWaiting, 0, order::FLAG);
        announce(&self.mem, self.front.head, notify);
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

impl<M: Mem> Writer<M> {
    /// Takes the next slot and `len` bytes of payload.
    #[inline]
    pub(in crate::ring) fn lease(&mut self, len: usize) -> Result<Lease<'_, M>, ReserveError> {
        let place = self.front.reserve(&self.mem, &mut self.poison, len)?;
        Ok(Lease::new(&self.mem, &mut self.front, place, true))
    }
}

impl<'a> Writer<CopyMem<'a>> {
    /// Copies a record into the region and publishes it.
    pub(in crate::ring) fn send<N: Notify<CopyMem<'a>>>(
        &mut self,
        header: &[u8; HEADER_SIZE],
        payload: &[u8],
        notify: &N,
    ) -> Result<(), SendError> {
        let Self { mem, front, poison } = self;
        let position = front.copy_in(mem, poison, header, payload)?;
        front.publish(mem, position, notify);
        Ok(())
    }
}

/// A batch: a front that runs ahead of its writer's. Dropped, its records were never written.
pub(in crate::ring) struct Draft<'w, M: SharedMem> {
    writer: &'w mut Writer<M>,
    front: Front,
}

impl<M: SharedMem> Draft<'_, M> {
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
            let stamp = geometry.ready_stamp(position);
            writer.mem.store_stamp(position, stamp, order::PUBLISH_REST);
            position = position.wrapping_add(1);
        }
        let stamp = geometry.ready_stamp(first);
        writer.mem.store_stamp(first, stamp, order::PUBLISH_BATCH);
        front.head = front.next;
        writer.front = front;
        announce(&writer.mem, front.head, notify);
    }
}

impl<M: Mem> Draft<'_, M> {
    /// Takes the next slot and `len` bytes of payload.
    #[inline]
    pub(in crate::ring) fn lease(&mut self, len: usize) -> Result<Lease<'_, M>, ReserveError> {
        let Writer { mem, poison, .. } = &mut *self.writer;
        let place = self.front.reserve(mem, poison, len)?;
        Ok(Lease::new(mem, &mut self.front, place, false))
    }
}

impl Draft<'_, CopyMem<'_>> {
    /// Copies a record into the region.
    pub(in crate::ring) fn send(
        &mut self,
        header: &[u8; HEADER_SIZE],
        payload: &[u8],
    ) -> Result<(), SendError> {
        let Writer { mem, poison, .. } = &mut *self.writer;
        self.front
            .copy_in(mem, poison, header, payload)
            .map(|_position| ())
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

impl<'f, M: Mem> Lease<'f, M> {
    #[inline]
    fn new(mem: &'f M, front: &'f mut Front, place: Place, publishes: bool) -> Self {
        // SAFETY: `Front::reserve` found the range free of unreleased payloads in the payload area,
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
        let header = HeaderWords::from_bytes(header);
        let payload_size = header.payload_size();
        if payload_size > place.len {
            return Err(CommitError::PayloadSize {
                payload_size,
                reserved: place.len,
            });
        }
        drop(view);
        let position = front.write(mem, place, header);
        if publishes {
            front.publish(mem, position, notify);
        }
        Ok(())
    }
}
