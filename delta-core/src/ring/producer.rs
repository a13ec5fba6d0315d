//! The producing side: reserve, fill in place, commit; singly or in batches.
use super::error::{CommitError, ReserveError, SendError};
use super::layout::{Geometry, HEADER_SIZE};
use super::mem::copy::CopyMem;
use super::mem::writer::{Draft, Lease, Writer};
use super::mem::{Mem, SharedMem};
use super::notify::{Notify, Polling};
use core::fmt;

/// The producing end of a ring.
///
/// Alone on its cache lines, so that neighbours in memory do not slow it down.
#[repr(align(128))]
pub struct Producer<M: SharedMem, N: Notify<M> = Polling> {
    writer: Writer<M>,
    notify: N,
}

impl<M: SharedMem, N: Notify<M>> Producer<M, N> {
    pub(super) const fn new(writer: Writer<M>, notify: N) -> Self {
        Self { writer, notify }
    }

    /// Waits until a record with `len` payload bytes fits: the next reservation of as many
    /// succeeds. It waits for ever if the consumer neither goes on nor releases.
    ///
    /// # Errors
    /// [`ReserveError`], but for [`ReserveError::Full`].
    pub fn wait(&mut self, len: usize) -> Result<(), ReserveError> {
        while !self.wait_once(len)? {}
        Ok(())
    }

    /// As [`wait`](Self::wait), but waits at most once and says whether the record fits: for a
    /// caller that has other things to look after.
    ///
    /// # Errors
    /// [`ReserveError`], but for [`ReserveError::Full`].
    pub fn wait_once(&mut self, len: usize) -> Result<bool, ReserveError> {
        if self.fits(len)? {
            return Ok(true);
        }
        self.writer.wait(len, &self.notify);
        self.fits(len)
    }

    fn fits(&mut self, len: usize) -> Result<bool, ReserveError> {
        match self.writer.probe(len) {
            Ok(()) => Ok(true),
            Err(ReserveError::Full { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins a batch: records that the consumer sees all at once or not at all.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_, M, N> {
        Batch {
            draft: self.writer.draft(),
            notify: &self.notify,
        }
    }

    /// The ring's shape.
    #[inline]
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.writer.geometry()
    }
}

impl<M: Mem, N: Notify<M>> Producer<M, N> {
    /// Reserves a record with room for `len` payload bytes.
    ///
    /// Nothing shared is written, and nothing shared is read unless the ring looks full from what
    /// is known of the consumer. O(1).
    ///
    /// # Errors
    /// [`ReserveError::Full`]: try again later; [`ReserveError::TooLarge`]: `len` is more than
    /// [`Geometry::max_payload`] and never fits; [`ReserveError::Corrupt`]: the region is damaged,
    /// and every later reservation that needs to look at it says the same.
    #[inline]
    pub fn reserve(&mut self, len: usize) -> Result<Grant<'_, M, N>, ReserveError> {
        let notify = &self.notify;
        self.writer.lease(len).map(|lease| Grant { lease, notify })
    }
}

impl<'a, N: Notify<CopyMem<'a>>> Producer<CopyMem<'a>, N> {
    /// Copies a record into the ring and makes it visible to the consumer. O(payload).
    ///
    /// The header's payload_size (bytes 28..32) says how many of `payload`'s bytes are sent. Its
    /// payload_offset and stamp are the ring's to write: what stands there is ignored.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent.
    pub fn send(&mut self, header: &[u8; HEADER_SIZE], payload: &[u8]) -> Result<(), SendError> {
        self.writer.send(header, payload, &self.notify)
    }
}

impl<M: SharedMem, N: Notify<M>> fmt::Debug for Producer<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("geometry", &self.geometry())
            .field("position", &self.writer.head())
            .finish_non_exhaustive()
    }
}

/// A reserved record. Fill [`payload_mut`](Self::payload_mut), then [`commit`](Self::commit);
/// dropped without a commit it leaves no trace.
#[must_use = "a grant that is dropped is aborted"]
pub struct Grant<'p, M: Mem, N: Notify<M> = Polling> {
    lease: Lease<'p, M>,
    notify: &'p N,
}

impl<M: Mem, N: Notify<M>> Grant<'_, M, N> {
    /// The payload: exactly as many bytes as were reserved, beginning at a multiple of 16. They
    /// hold whatever older payload lay there.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.lease.payload_mut()
    }

    /// Writes the record's header and makes the record visible to the consumer; in a batch,
    /// [`Batch::publish`] does the latter.
    ///
    /// The header's payload_size (bytes 28..32) says how many of the reserved bytes are used. Its
    /// payload_offset and stamp are the ring's to write: what stands there is ignored.
    ///
    /// # Errors
    /// [`CommitError::PayloadSize`]: the header claims more than was reserved; the record is
    /// aborted.
    #[inline]
    pub fn commit(self, header: &[u8; HEADER_SIZE]) -> Result<(), CommitError> {
        self.lease.commit(header, self.notify)
    }
}

impl<M: Mem, N: Notify<M>> fmt::Debug for Grant<'_, M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("len", &self.lease.payload().len())
            .finish_non_exhaustive()
    }
}

/// Records that are published together. Dropped without [`publish`](Self::publish), all of them are
/// aborted.
#[must_use = "a batch that is dropped is aborted"]
pub struct Batch<'p, M: SharedMem, N: Notify<M> = Polling> {
    draft: Draft<'p, M>,
    notify: &'p N,
}

impl<M: SharedMem, N: Notify<M>> Batch<'_, M, N> {
    /// Records committed to the batch so far.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.draft.len()
    }

    /// Whether no record was committed yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes the batch visible to the consumer, by its first record, for which the consumer waits.
    /// O(1).
    #[inline]
    pub fn publish(self) {
        self.draft.publish(self.notify);
    }
}

impl<M: Mem, N: Notify<M>> Batch<'_, M, N> {
    /// Reserves the batch's next record with room for `len` payload bytes. Its commit writes the
    /// record but does not publish it.
    ///
    /// # Errors
    /// As [`Producer::reserve`]. A batch fills the ring too: on [`ReserveError::Full`] publish what
    /// it has, or it may wait for ever.
    #[inline]
    pub fn reserve(&mut self, len: usize) -> Result<Grant<'_, M, N>, ReserveError> {
        let notify = self.notify;
        self.draft.lease(len).map(|lease| Grant { lease, notify })
    }
}

impl<'a, N: Notify<CopyMem<'a>>> Batch<'_, CopyMem<'a>, N> {
    /// Copies the batch's next record into the ring, as [`Producer::send`] does, but does not
    /// publish it.
    ///
    /// # Errors
    /// As [`Producer::send`]; the batch is as before. On a full ring publish what it has, or it may
    /// wait for ever.
    pub fn send(&mut self, header: &[u8; HEADER_SIZE], payload: &[u8]) -> Result<(), SendError> {
        self.draft.send(header, payload)
    }
}

impl<M: SharedMem, N: Notify<M>> fmt::Debug for Batch<'_, M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
