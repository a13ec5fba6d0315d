//! The consumer's side of a region: which record it may read.
//!
//! The reader owns nothing until it finds a ready stamp (Acquire) at its position; then the slot
//! and its payload are its own, for reading, until it stores a read position beyond them (Release).
use super::copy::CopyMem;
use super::recover::{Start, check_place};
use super::wait_word::WaitWord;
use super::{Mem, SharedMem, order};
use crate::ring::error::{CopyError, Corrupt};
use crate::ring::layout::{ControlWord, Geometry, HEADER_SIZE, HeaderWords, padded};
use crate::ring::notify::Notify;

/// No cursor is known: the first record can lie anywhere. No offset has this value.
const UNKNOWN: u32 = u32::MAX;

/// The only consumer of a region.
///
/// Invariant: no other reader of the region exists while this is in use.
pub(in crate::ring) struct Reader<M> {
    mem: M,
    /// Position of the next record to consume; `released..=position` are all this side's.
    position: u32,
    /// The read position that this side has stored: all before it is the producer's.
    released: u32,
    /// Where the next payload begins if not at 0; [`UNKNOWN`] before the first.
    cursor: u32,
    /// The payload of the record at `position`: set once it was found ready and sound.
    place: Option<Place>,
    /// The header of that record, its ring fields zeroed.
    header: HeaderWords,
}

/// A checked range of the payload area, in bytes.
#[derive(Clone, Copy)]
struct Place {
    offset: u32,
    size: u32,
}

impl<M: SharedMem> Reader<M> {
    /// # Safety
    /// No other reader of the region exists while this is in use; `start` describes the region.
    pub(super) const unsafe fn new(mem: M, start: Start) -> Self {
        let cursor = match start.read_cursor {
            Some(cursor) => cursor,
            None => UNKNOWN,
        };
        let (position, released) = (start.read, start.read);
        Self {
            mem,
            position,
            released,
            cursor,
            place: None,
            header: HeaderWords::ZERO,
        }
    }

    #[inline]
    pub(in crate::ring) fn geometry(&self) -> Geometry {
        self.mem.geometry()
    }

    /// Position of the next record to consume.
    pub(in crate::ring) const fn position(&self) -> u32 {
        self.position
    }

    /// Records that were consumed and are not released.
    #[inline]
    pub(in crate::ring) const fn held(&self) -> u32 {
        self.position.wrapping_sub(self.released)
    }

    /// Whether the next record is ready; copies its header if so.
    #[inline]
    pub(in crate::ring) fn look(&mut self) -> Result<bool, Corrupt> {
        let (position, geometry) = (self.position, self.mem.geometry());
        let ready = geometry.ready_stamp(position);
        let found = self.mem.load_stamp(position, order::LOOK);
        if found != ready {
            if found == geometry.empty_stamp(position) {
                return Ok(false);
            }
            return Err(Corrupt::Stamp {
                position,
                found,
                ready,
            });
        }
        // SAFETY: the stamp was ready, so a trusted producer has written the slot for the last time
        // until this side releases it, which needs `&mut self`. Of others nothing is demanded.
        self.header = unsafe { self.mem.read_header(position) };
        let (offset, size) = (self.header.payload_offset(), self.header.payload_size());
        self.header.clear_ring_fields();
        if offset != self.cursor && offset != 0 && self.cursor != UNKNOWN {
            return Err(Corrupt::PayloadOffset {
                position,
                offset,
                cursor: self.cursor,
            });
        }
        check_place(geometry.payload_bytes(), position, offset, size)?;
        self.place = Some(Place { offset, size });
        Ok(true)
    }

    /// Gives everything before the position back to the producer.
    #[inline]
    pub(in crate::ring) fn release<N: Notify<M>>(&mut self, notify: &N) {
        self.released = self.position;
        let word = ControlWord::ReadPosition;
        self.mem.store(word, self.position, order::RELEASE);
        self.wake_producer(notify);
    }

    /// Whether the producer sleeps until something is released.
    #[inline]
    pub(in crate::ring) fn is_awaited<N: Notify<M>>(&self) -> bool {
        N::SLEEPS && self.mem.load(ControlWord::ProducerWaiting, order::FLAG) != 0
    }

    /// Wakes the producer if it sleeps, after a release.
    #[inline]
    fn wake_producer<N: Notify<M>>(&self, notify: &N) {
        if N::SLEEPS {
            self.mem.fence(order::FENCE_RELEASED);
            if self.is_awaited::<N>() {
                notify.wake(WaitWord::new(&self.mem, ControlWord::ReadPosition));
            }
        }
    }

    /// Goes on for a consumer that vanished: it may have slept, or released and woken nobody.
    pub(super) fn resume<N: Notify<M>>(&self, notify: &N) {
        self.mem.store(ControlWord::ConsumerWaiting, 0, order::FLAG);
        self.wake_producer(notify);
    }

    /// Waits until the producer has published something, or for no reason. Call when there was
    /// nothing to read and everything is released.
    pub(in crate::ring) fn wait<N: Notify<M>>(&mut self, notify: &N) {
        if !N::SLEEPS {
            let word = WaitWord::new(&self.mem, ControlWord::Published);
            return notify.wait(word, self.position);
        }
        self.mem.store(ControlWord::ConsumerWaiting, 1, order::FLAG);
        self.mem.fence(order::FENCE_CONSUMER);
        let published = self.mem.load(ControlWord::Published, order::EXPECT);
        if let Ok(false) = self.look() {
            let word = WaitWord::new(&self.mem, ControlWord::Published);
            notify.wait(word, published);
        }
        self.mem.store(ControlWord::ConsumerWaiting, 0, order::FLAG);
    }

    /// Moves past the record at `place`; gives the bytes that its payload took.
    #[inline]
    fn consume(&mut self, place: Place) -> u32 {
        let size = padded(place.size);
        self.place = None;
        self.cursor = place.offset + size;
        self.position = self.position.wrapping_add(1);
        size
    }
}

impl<M: Mem> Reader<M> {
    /// The record that [`Self::look`] has found; `None` without one.
    #[inline]
    pub(in crate::ring) fn lend(&mut self) -> Option<Lent<'_, M>> {
        let place = self.place?;
        // SAFETY: `place` belongs to the record at `position`, which `look` found ready and
        // checked; the producer does not write its payload until it is released, which
        // needs `&mut self`.
        let view = unsafe { self.mem.view(place.offset, place.size) };
        Some(Lent {
            reader: self,
            view,
            place,
        })
    }
}

impl<'a> Reader<CopyMem<'a>> {
    /// Copies the payload of the record that [`Self::look`] has found to the front of `out`; `None`
    /// without one.
    pub(in crate::ring) fn copy<'r>(
        &'r mut self,
        out: &'r mut [u8],
    ) -> Result<Option<CopiedOut<'r, 'a>>, CopyError> {
        let Some(place) = self.place else {
            return Ok(None);
        };
        let max = self.geometry().max_payload();
        if place.size > max {
            return Err(CopyError::Corrupt(Corrupt::PayloadSize {
                position: self.position,
                size: place.size,
                max,
            }));
        }
        let len = out.len();
        let payload = out
            .get_mut(..place.size as usize)
            .ok_or(CopyError::TooSmall {
                needed: place.size,
                len,
            })?;
        self.mem.copy_out(place.offset, payload);
        Ok(Some(CopiedOut {
            reader: self,
            payload,
            place,
        }))
    }
}

/// The record at a reader's position. Dropped, it stays unread.
pub(in crate::ring) struct Lent<'r, M: Mem> {
    reader: &'r mut Reader<M>,
    view: M::View,
    place: Place,
}

impl<'r, M: Mem> Lent<'r, M> {
    #[inline]
    pub(in crate::ring) fn header(&self) -> &[u8; HEADER_SIZE] {
        self.reader.header.as_bytes()
    }

    #[inline]
    pub(in crate::ring) fn payload(&self) -> &[u8] {
        &self.view
    }

    /// Moves the reader past the record; gives the reader, and the bytes that the payload took.
    #[inline]
    pub(in crate::ring) fn consume(self) -> (&'r mut Reader<M>, u32) {
        let Self {
            reader,
            view,
            place,
        } = self;
        drop(view);
        let size = reader.consume(place);
        (reader, size)
    }
}

/// The record at a reader's position, its payload copied. Dropped, it stays unread.
pub(in crate::ring) struct CopiedOut<'r, 'a> {
    reader: &'r mut Reader<CopyMem<'a>>,
    payload: &'r [u8],
    place: Place,
}

impl<'r, 'a> CopiedOut<'r, 'a> {
    pub(in crate::ring) fn header(&self) -> &[u8; HEADER_SIZE] {
        self.reader.header.as_bytes()
    }

    pub(in crate::ring) const fn payload(&self) -> &'r [u8] {
        self.payload
    }

    /// As [`Lent::consume`].
    pub(in crate::ring) fn consume(self) -> (&'r mut Reader<CopyMem<'a>>, u32) {
        let size = self.reader.consume(self.place);
        (self.reader, size)
    }
}
