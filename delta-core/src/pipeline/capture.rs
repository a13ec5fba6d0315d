//! The first stage of the pipeline: called by a vector store's write hooks, it puts each change
//! into the ring.

use super::{
    sequencer::{Position, PrepareError, Prepared, Sequencer},
    shadow::Shadow,
};
use crate::{
    codec::lz4::Lz4Scratch,
    payload::{control::CONTROL_SIZE, metadata::MetadataEdit, vector::VectorChange},
    ring::{Mem, Notify, Polling, Producer},
};
use change::updated;

mod batch;
mod change;
mod check;
mod error;
mod graph;
mod stage;

pub use batch::CaptureBatch;
pub use error::CaptureError;
use stage::Stage;

/// Puts changes into a ring, in the order in which it is called.
///
/// A change is part of the stream when the call returns `Ok`; acknowledge the write after that.
/// When the ring is full the call returns at once and the caller decides: wait, shed, or let the
/// reader start from a snapshot. The ring must have room for the row, the id and the metadata as
/// they are, even where the record will be smaller.
#[derive(Debug)]
pub struct Capture<'a, M: Mem, N: Notify<M> = Polling> {
    producer: Producer<M, N>,
    sequencer: Sequencer<'a>,
    shadow: Option<Shadow<'a>>,
    lz4: Option<&'a mut Lz4Scratch>,
    stage: Stage<'a>,
}

impl<'a, M: Mem, N: Notify<M>> Capture<'a, M, N> {
    /// Captures into `producer` what `sequencer` numbers.
    pub fn new(producer: Producer<M, N>, sequencer: Sequencer<'a>) -> Self {
        Self {
            producer,
            sequencer,
            shadow: None,
            lz4: None,
            stage: Stage::default(),
        }
    }

    /// Puts the payloads of rows together in `stage`, where they fit it, and then copies them into
    /// the ring: for a reader on another core, which would take a ring's cache lines away while
    /// values are written there piece by piece and read again for the checksum.
    /// [`Sequencer::row_size_max`] bytes hold every update of rows alone; an eighth of it those
    /// that change few components.
    #[must_use]
    pub fn with_stage(mut self, stage: &'a mut [u8]) -> Self {
        self.stage = Stage::new(stage);
        self
    }

    /// Makes the stream lossy: rows within the shadow's bound of those captured, which differ from
    /// them by no more after any number of updates. What readers have is the shadow's rows; old
    /// rows that the caller passes are not looked at.
    #[must_use]
    pub fn with_shadow(mut self, shadow: Shadow<'a>) -> Self {
        self.shadow = Some(shadow);
        self
    }

    /// The rows as the readers of a lossy stream have them.
    pub fn shadow(&self) -> Option<&Shadow<'a>> {
        self.shadow.as_ref()
    }

    /// Makes the next record of `slot` set its whole row, as a reader asks for that has refused a
    /// relative one with `NeedsAbsolute`.
    ///
    /// # Errors
    /// [`CaptureError::Prepare`].
    pub fn request_absolute(&mut self, slot: u32) -> Result<(), CaptureError> {
        let requested = self.sequencer.request_absolute(slot);
        requested.map_err(CaptureError::Prepare)
    }

    /// Captures the whole `row` of `slot` at once, which has not changed since it was captured.
    /// O(dim).
    ///
    /// # Errors
    /// See [`CaptureError`]; the next record of the slot will set its whole row then.
    pub fn refresh(&mut self, slot: u32, row: &[f32]) -> Result<(), CaptureError> {
        self.request_absolute(slot)?;
        self.update(slot, row, row)
    }

    /// Compresses metadata where that makes it smaller, those of a batch together.
    #[must_use]
    pub fn with_lz4(mut self, lz4: &'a mut Lz4Scratch) -> Self {
        self.lz4 = Some(lz4);
        self
    }

    /// The time that the following records carry, microseconds since the Unix epoch.
    pub fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.sequencer.set_timestamp_us(timestamp_us);
    }

    /// Epoch, sequence and digest after the last captured record.
    pub fn position(&self) -> Position {
        self.sequencer.position()
    }

    /// Waits once for room for a record of `payload_size_max` bytes, and says whether there is.
    /// It may return early, without room, for any reason that the producer's [`Notify`] has.
    ///
    /// # Errors
    /// [`CaptureError::Ring`], but for [`ReserveError::Full`](crate::ring::ReserveError::Full).
    pub fn wait_once(&mut self, payload_size_max: usize) -> Result<bool, CaptureError> {
        self.producer
            .wait_once(payload_size_max)
            .map_err(CaptureError::Ring)
    }

    /// Captures a new entity and returns its slot. O(dim + metadata).
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn insert(
        &mut self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
    ) -> Result<u32, CaptureError> {
        let change = self.inserted(id, row, metadata)?;
        self.send_vector(&change)?;
        Ok(change.slot)
    }

    /// Captures that the row of `slot` changes from `old` to `new`. Equal rows are a record too.
    /// O(dim).
    ///
    /// `old` must be the row that was captured last, in every bit: replicas refuse the record as
    /// diverged otherwise.
    ///
    /// # Errors
    /// See [`CaptureError`].
    #[inline]
    pub fn update(&mut self, slot: u32, old: &[f32], new: &[f32]) -> Result<(), CaptureError> {
        self.update_with_metadata(slot, old, new, &[])
    }

    /// As [`update`](Self::update), with changes of the entity's metadata, keys ascending.
    ///
    /// # Errors
    /// See [`CaptureError`].
    #[inline]
    pub fn update_with_metadata(
        &mut self,
        slot: u32,
        old: &[f32],
        new: &[f32],
        metadata: &[MetadataEdit<'_>],
    ) -> Result<(), CaptureError> {
        self.send_vector(&updated(slot, [old, new], metadata))
    }

    /// Captures that the entity of `slot` is deleted. O(1).
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn delete(&mut self, slot: u32) -> Result<(), CaptureError> {
        self.send(Sequencer::delete_size(None), |sequencer, out, _| {
            sequencer.prepare_delete(slot, out)
        })
    }

    /// Captures the start of the stream, with bytes of the caller's own. A replica that meets it
    /// checks that dim, slot count and digest are its own.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn start(&mut self, consumer_bytes: &[u8]) -> Result<(), CaptureError> {
        self.send(CONTROL_SIZE + consumer_bytes.len(), |sequencer, out, _| {
            sequencer.prepare_start(consumer_bytes, out)
        })
    }

    /// Captures the end of the stream, which had `record_count` records after its start.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn end(&mut self, record_count: u64) -> Result<(), CaptureError> {
        self.send(CONTROL_SIZE, |sequencer, out, _| {
            sequencer.prepare_end(record_count, out)
        })
    }

    /// Captures that this writer goes on under a new, greater epoch.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn resync(&mut self, epoch: u32) -> Result<(), CaptureError> {
        self.send(CONTROL_SIZE, |sequencer, out, _| {
            sequencer.prepare_resync(epoch, out)
        })
    }

    /// Captures how far the source of this derived stream has been read.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn watermark(
        &mut self,
        source_epoch: u32,
        source_sequence: u64,
    ) -> Result<(), CaptureError> {
        self.send(CONTROL_SIZE, |sequencer, out, _| {
            sequencer.prepare_watermark(source_epoch, source_sequence, out)
        })
    }

    #[inline]
    fn send_vector(&mut self, change: &VectorChange<'_>) -> Result<(), CaptureError> {
        let mut grant = self
            .producer
            .reserve(change.payload_size_max())
            .map_err(CaptureError::Ring)?;
        let payload = grant.payload_mut();
        let (shadow, lz4) = (self.shadow.as_mut(), self.lz4.as_deref_mut());
        let prepared = self
            .stage
            .prepare(&self.sequencer, change, (shadow, lz4), payload)
            .map_err(CaptureError::Prepare)?;
        grant
            .commit(&prepared.header.to_bytes())
            .map_err(CaptureError::Commit)?;
        self.sequencer.commit(prepared);
        if let Some(shadow) = &mut self.shadow {
            shadow.commit(change.slot);
        }
        Ok(())
    }

    #[inline]
    fn send(
        &mut self,
        size_max: usize,
        prepare: impl FnOnce(
            &Sequencer<'a>,
            &mut [u8],
            Option<&mut Lz4Scratch>,
        ) -> Result<Prepared, PrepareError>,
    ) -> Result<(), CaptureError> {
        let mut grant = self
            .producer
            .reserve(size_max)
            .map_err(CaptureError::Ring)?;
        let lz4 = self.lz4.as_deref_mut();
        let prepared =
            prepare(&self.sequencer, grant.payload_mut(), lz4).map_err(CaptureError::Prepare)?;
        grant
            .commit(&prepared.header.to_bytes())
            .map_err(CaptureError::Commit)?;
        self.sequencer.commit(prepared);
        Ok(())
    }
}
