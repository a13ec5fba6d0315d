//! The consuming side: poll, read in place, done; released lazily.
use super::error::{CopyError, Corrupt};
use super::layout::{Geometry, HEADER_SIZE};
use super::mem::copy::CopyMem;
use super::mem::reader::{CopiedOut, Lent, Reader};
use super::mem::{Mem, SharedMem};
use super::notify::{Notify, Polling};
use core::fmt;

/// The consuming end of a ring.
///
/// Consumed records are given back to the producer when they make up an eighth of the slots or of
/// the payload area, when the ring is found empty, when the producer sleeps until there is room, by
/// [`release`](Self::release), and on drop.
/// Delivery is at least once: records that were consumed and not released are read again by a
/// consumer that is attached later.
///
/// Alone on its cache lines, so that neighbours in memory do not slow it down.
#[repr(align(128))]
pub struct Consumer<M: SharedMem, N: Notify<M> = Polling> {
    reader: Reader<M>,
    notify: N,
    backlog: Backlog,
    /// Set once the region was found corrupt.
    poison: Option<Corrupt>,
}

/// How much is consumed and not released, beside the reader's count of records.
#[derive(Debug)]
struct Backlog {
    /// Payload bytes held back; padding at the end of the area is not counted.
    bytes: u32,
    /// Release from so many bytes on; at least 1.
    bytes_max: u32,
    /// Release from so many records on; at least 1.
    records_max: u32,
}

impl Backlog {
    /// Adds a consumed record of `bytes` payload bytes, and releases if it is much or awaited.
    #[inline]
    fn add<M: SharedMem, N: Notify<M>>(&mut self, bytes: u32, reader: &mut Reader<M>, notify: &N) {
        self.bytes += bytes;
        let is_much = reader.held() >= self.records_max || self.bytes >= self.bytes_max;
        if is_much || reader.is_awaited::<N>() {
            self.bytes = 0;
            reader.release(notify);
        }
    }
}

impl<M: SharedMem, N: Notify<M>> Consumer<M, N> {
    pub(super) fn new(reader: Reader<M>, notify: N) -> Self {
        let geometry = reader.geometry();
        let records_max = (geometry.slots() / 8).max(1);
        let bytes_max = (geometry.payload_bytes() / 8).max(1);
        let backlog = Backlog {
            bytes: 0,
            bytes_max,
            records_max,
        };
        Self {
            reader,
            notify,
            backlog,
            poison: None,
        }
    }

    /// Whether there is a record; releases all before it if not.
    #[inline]
    fn look(&mut self) -> Result<bool, Corrupt> {
        if let Some(corrupt) = self.poison {
            return Err(corrupt);
        }
        match self.reader.look() {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.release();
                Ok(false)
            }
            Err(corrupt) => {
                self.poison = Some(corrupt);
                Err(corrupt)
            }
        }
    }

    /// Releases, and waits until there is a record: the next poll gives it.
    ///
    /// # Errors
    /// As a poll.
    pub fn wait(&mut self) -> Result<(), Corrupt> {
        while !self.wait_once()? {}
        Ok(())
    }

    /// As [`wait`](Self::wait), but waits at most once and says whether there is a record: for a
    /// caller that has other things to look after.
    ///
    /// # Errors
    /// As a poll.
    pub fn wait_once(&mut self) -> Result<bool, Corrupt> {
        if self.look()? {
            return Ok(true);
        }
        self.reader.wait(&self.notify);
        self.look()
    }

    /// Gives all consumed records back to the producer now, as one should before blocking on
    /// something else than this ring. Writes nothing if nothing is held back.
    #[inline]
    pub fn release(&mut self) {
        if self.reader.held() != 0 {
            self.backlog.bytes = 0;
            self.reader.release(&self.notify);
        }
    }

    /// The ring's shape.
    #[inline]
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.reader.geometry()
    }
}

impl<M: Mem, N: Notify<M>> Consumer<M, N> {
    /// The next record; `None` if there is none yet. O(1).
    ///
    /// # Errors
    /// [`Corrupt`]: something other than the ring has written to the region. The consumer is
    /// poisoned: every later poll gives the same error.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Received<'_, M, N>>, Corrupt> {
        if !self.look()? {
            return Ok(None);
        }
        let (backlog, notify) = (&mut self.backlog, &self.notify);
        Ok(self.reader.lend().map(|lent| Received {
            lent,
            backlog,
            notify,
        }))
    }
}

impl<'a, N: Notify<CopyMem<'a>>> Consumer<CopyMem<'a>, N> {
    /// The next record, its payload copied to the front of `payload`; `None` if there is none yet.
    ///
    /// A buffer of [`Geometry::max_payload`] bytes holds any record that a producer can send.
    /// O(payload), whatever the producer does: the record's size is bounded by the ring's geometry.
    ///
    /// # Errors
    /// [`CopyError::TooSmall`]: the record stays, to be polled again with a larger buffer.
    /// [`CopyError::Corrupt`]: the producer broke the rules; the consumer is poisoned.
    pub fn poll_into<'c>(
        &'c mut self,
        payload: &'c mut [u8],
    ) -> Result<Option<Copied<'c, 'a, N>>, CopyError> {
        if !self.look().map_err(CopyError::Corrupt)? {
            return Ok(None);
        }
        let (backlog, notify, poison) = (&mut self.backlog, &self.notify, &mut self.poison);
        let copied = self.reader.copy(payload).inspect_err(|error| {
            if let CopyError::Corrupt(corrupt) = *error {
                *poison = Some(corrupt);
            }
        })?;
        Ok(copied.map(|copied| Copied {
            copied,
            backlog,
            notify,
        }))
    }
}

impl<M: SharedMem, N: Notify<M>> Drop for Consumer<M, N> {
    fn drop(&mut self) {
        if !M::is_dead() {
            self.release();
        }
    }
}

impl<M: SharedMem, N: Notify<M>> fmt::Debug for Consumer<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("geometry", &self.geometry())
            .field("position", &self.reader.position())
            .field("held", &self.reader.held())
            .field("poison", &self.poison)
            .finish_non_exhaustive()
    }
}

/// A record, read in place. Dropped without [`done`](Self::done) it stays unread: the next poll
/// gives it again.
#[must_use = "a record that is not `done` stays unread"]
pub struct Received<'c, M: Mem, N: Notify<M> = Polling> {
    lent: Lent<'c, M>,
    backlog: &'c mut Backlog,
    notify: &'c N,
}

impl<M: Mem, N: Notify<M>> Received<'_, M, N> {
    /// The header, copied once; its payload_offset and stamp are zeroed, as they are outside of a
    /// ring.
    #[inline]
    #[must_use]
    pub fn header(&self) -> &[u8; HEADER_SIZE] {
        self.lent.header()
    }

    /// The payload: as many bytes as the header's payload_size says, beginning at a multiple of 16.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.lent.payload()
    }

    /// Marks the record as consumed; the ring gives its space back when it pays.
    #[inline]
    pub fn done(self) {
        let Self {
            lent,
            backlog,
            notify,
        } = self;
        let (reader, bytes) = lent.consume();
        backlog.add(bytes, reader, notify);
    }
}

impl<M: Mem, N: Notify<M>> fmt::Debug for Received<'_, M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("header", self.header())
            .finish_non_exhaustive()
    }
}

/// A record, copied out of a ring whose producer is not trusted: neither header nor payload can
/// change any more. Dropped without [`done`](Self::done) it stays unread: the next poll copies it
/// again.
#[must_use = "a record that is not `done` stays unread"]
pub struct Copied<'c, 'a, N: Notify<CopyMem<'a>> = Polling> {
    copied: CopiedOut<'c, 'a>,
    backlog: &'c mut Backlog,
    notify: &'c N,
}

impl<'a, N: Notify<CopyMem<'a>>> Copied<'_, 'a, N> {
    /// The header, as [`Received::header`] gives it.
    #[must_use]
    pub fn header(&self) -> &[u8; HEADER_SIZE] {
        self.copied.header()
    }

    /// The payload: as many bytes as the header's payload_size says.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.copied.payload()
    }

    /// Marks the record as consumed; the ring gives its space back when it pays.
    pub fn done(self) {
        let Self {
            copied,
            backlog,
            notify,
        } = self;
        let (reader, bytes) = copied.consume();
        backlog.add(bytes, reader, notify);
    }
}

impl<'a, N: Notify<CopyMem<'a>>> fmt::Debug for Copied<'_, 'a, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copied")
            .field("header", self.copied.header())
            .finish_non_exhaustive()
    }
}
