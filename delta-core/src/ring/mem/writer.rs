//! The producer's side of a region: which slots and payload bytes are its own.
//!
//! The writer owns the slot of every position from `next` (the first unpublished) to before
//! `read + slots`, and the payload area apart from the payloads of `read..next`. The consumer
//! touches neither: it reads a slot's header and payload only after it has found the slot's ready
//! stamp, and never again after it has stored a read position beyond it.
use super::copy::CopyMem;
use super::front::{Front, Place, Publishing, announce};
use super::recover::Start;
use super::wait_word::WaitWord;
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
    /// Whether a batch is in the making, or was leaked: slots behind the front may be stamped.
    in_batch: bool,
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
            in_batch: false,
        }
    }

    #[inline]
    pub(in crate::ring) fn geometry(&self) -> Geometry {
        self.mem.geometry()
    }

    /// First position that is not published.
    pub(in crate::ring) const fn head(&self) -> u32 {
        self.front.next
    }

    /// Waits until the consumer has moved, or for no reason. Call when a lease was refused as full.
    pub(in crate::ring) fn wait<N: Notify<M>>(&mut self, len: usize, notify: &N) {
        if !N::SLEEPS {
            return self.sleep(notify);
        }
        self.mem.store(ControlWord::ProducerWaiting, 1, order::FLAG);
        self.mem.fence(order::FENCE_PRODUCER);
        // Looks again, which brings `read` up to date.
        let refused = self.reserve(len);
        if let Err(ReserveError::Full { .. }) = refused {
            self.sleep(notify);
        }
        self.mem.store(ControlWord::ProducerWaiting, 0, order::FLAG);
    }

    fn sleep<N: Notify<M>>(&self, notify: &N) {
        let word = WaitWord::new(&self.mem, ControlWord::ReadPosition);
        notify.wait(word, self.front.read);
    }

    /// Whether a record of `len` bytes fits now.
    pub(in crate::ring) fn probe(&mut self, len: usize) -> Result<(), ReserveError> {
        self.reserve(len).map(drop)
    }

    /// A place at the front for a payload of `len` bytes.
    #[inline]
    fn reserve(&mut self, len: usize) -> Result<Place, ReserveError> {
        if !self.in_batch
            && let Some(place) = self.front.reserve(self.mem.geometry(), len)?
        {
            return Ok(place);
        }
        self.reserve_slowly(len)
    }

    /// Not in line: what the caller keeps on its stack meanwhile costs as any other store.
    #[cold]
    #[inline(never)]
    fn reserve_slowly(&mut self, len: usize) -> Result<Place, ReserveError> {
        if self.in_batch {
            self.abort_batch();
        }
        let Self {
            mem, front, poison, ..
        } = self;
        front.reserve_or_refresh(mem, poison, front.next, len)
    }

    /// Takes back a batch that is not published: empties the slots behind its first, which were
    /// stamped in advance. O(records).
    #[cold]
    #[inline(never)]
    fn abort_batch(&mut self) {
        self.in_batch = false;
        let geometry = self.mem.geometry();
        for ahead in 1..geometry.slots() {
            let position = self.front.next.wrapping_add(ahead);
            let found = self.mem.load_stamp(position, order::OWN_STAMP);
            if found != geometry.ready_stamp(position) {
                return;
            }
            let stamp = geometry.empty_stamp(position);
            self.mem.store_stamp(position, stamp, order::CLEAR);
        }
    }

    /// Goes on for a producer that vanished: it may have slept, or published and told nobody.
    pub(super) fn resume<N: Notify<M>>(&self, notify: &N) {
        self.mem.store(ControlWord::ProducerWaiting, 0, order::FLAG);
        announce(&self.mem, self.front.next, notify);
    }

    /// Begins a batch.
    #[inline]
    pub(in crate::ring) fn draft(&mut self) -> Draft<'_, M> {
        if self.in_batch {
            self.abort_batch();
        }
        self.in_batch = true;
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
        let place = self.reserve(len)?;
        let Self { mem, front, .. } = self;
        Ok(Lease::new(mem, front, place, Publishing::Now))
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
        let (header, payload) = parts(header, payload)?;
        let place = self.reserve(payload.len()).map_err(SendError::Reserve)?;
        let Self { mem, front, .. } = self;
        mem.copy_in(place.offset, payload);
        front.write(mem, place, header, Publishing::Now);
        announce(mem, front.next, notify);
        Ok(())
    }
}

/// The header, and as many bytes of `payload` as it says.
fn parts<'p>(
    header: &[u8; HEADER_SIZE],
    payload: &'p [u8],
) -> Result<(HeaderWords, &'p [u8]), SendError> {
    let header = HeaderWords::from_bytes(header);
    let payload_size = header.payload_size();
    match payload.get(..payload_size as usize) {
        Some(payload) => Ok((header, payload)),
        None => Err(SendError::PayloadSize {
            payload_size,
            len: payload.len(),
        }),
    }
}

/// A batch: a front that runs ahead of its writer's. Its records are written with their stamps, but
/// for the first: a consumer, which reads in order, does not look beyond that. Dropped, all are
/// taken back.
///
/// The front's address is never handed on, so that it can live in registers: stores of this side's
/// own between those to the slots cost a fifth of the throughput.
pub(in crate::ring) struct Draft<'w, M: SharedMem> {
    writer: &'w mut Writer<M>,
    front: Front,
}

impl<M: SharedMem> Draft<'_, M> {
    /// Records written so far.
    #[inline]
    pub(in crate::ring) const fn len(&self) -> u32 {
        self.front.next.wrapping_sub(self.writer.front.next)
    }

    /// Publishes the first record, and with it the others.
    #[inline]
    pub(in crate::ring) fn publish<N: Notify<M>>(self, notify: &N) {
        let front = self.front;
        let writer = &mut *self.writer;
        let first = writer.front.next;
        if front.next == first {
            return;
        }
        let stamp = writer.mem.geometry().ready_stamp(first);
        writer.mem.store_stamp(first, stamp, order::PUBLISH_BATCH);
        writer.in_batch = false;
        writer.front = front;
        announce(&writer.mem, front.next, notify);
    }

    #[inline]
    fn reserve(&mut self, len: usize) -> Result<Place, ReserveError> {
        let Writer {
            mem, front, poison, ..
        } = &mut *self.writer;
        self.front.reserve_or_refresh(mem, poison, front.next, len)
    }

    /// How the next record is published.
    #[inline]
    const fn publishing(&self) -> Publishing {
        if self.len() == 0 {
            Publishing::First
        } else {
            Publishing::AfterFirst
        }
    }
}

impl<M: SharedMem> Drop for Draft<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if self.writer.in_batch && !M::is_dead() {
            self.writer.abort_batch();
        }
    }
}

impl<M: Mem> Draft<'_, M> {
    /// Takes the next slot and `len` bytes of payload.
    #[inline]
    pub(in crate::ring) fn lease(&mut self, len: usize) -> Result<Lease<'_, M>, ReserveError> {
        let place = self.reserve(len)?;
        let publishing = self.publishing();
        let Self { writer, front } = self;
        Ok(Lease::new(&writer.mem, front, place, publishing))
    }
}

impl Draft<'_, CopyMem<'_>> {
    /// Copies a record into the region.
    pub(in crate::ring) fn send(
        &mut self,
        header: &[u8; HEADER_SIZE],
        payload: &[u8],
    ) -> Result<(), SendError> {
        let (header, payload) = parts(header, payload)?;
        let place = self.reserve(payload.len()).map_err(SendError::Reserve)?;
        let publishing = self.publishing();
        let mem = &self.writer.mem;
        mem.copy_in(place.offset, payload);
        self.front.write(mem, place, header, publishing);
        Ok(())
    }
}

/// One slot and its payload bytes, taken from a front. Dropped, nothing was taken.
pub(in crate::ring) struct Lease<'f, M: Mem> {
    mem: &'f M,
    front: &'f mut Front,
    view: M::ViewMut,
    place: Place,
    publishing: Publishing,
}

impl<'f, M: Mem> Lease<'f, M> {
    #[inline]
    fn new(mem: &'f M, front: &'f mut Front, place: Place, publishing: Publishing) -> Self {
        // SAFETY: `Front::reserve` found the range free of unreleased payloads in the payload area,
        // so the consumer does not access it; `front` is borrowed, so this side has no other view.
        let view = unsafe { mem.view_mut(place.offset, place.len) };
        Self {
            mem,
            front,
            view,
            place,
            publishing,
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
            publishing,
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
        front.write(mem, place, header, publishing);
        if publishing == Publishing::Now {
            announce(mem, front.next, notify);
        }
        Ok(())
    }
}
