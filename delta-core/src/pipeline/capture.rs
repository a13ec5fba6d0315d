//! The first stage of the pipeline: called by a vector store's write hooks, it puts each change
//! into the ring.

use super::{
    batch::{BatchBuilder, BatchError},
    sequencer::{Position, PrepareError, Prepared, Sequencer},
    shadow::Shadow,
};
use crate::{
    codec::lz4::Lz4Scratch,
    header::DeltaHeader,
    payload::{control::CONTROL_SIZE, metadata::MetadataEdit, vector::VectorChange},
    ring::{Grant, Mem, Notify, Polling, Producer},
};
use change::updated;

mod change;
mod check;
mod error;
mod graph;
mod stage;

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

    /// Compresses metadata where that makes it smaller.
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
    /// [`CaptureError::Ring`], but for [`ReserveError::Full`].
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

    /// Begins a batch of row updates that travel under one header and apply together.
    /// `payload_size_max` bytes of the ring are set aside: 8 and, for every entry, 12 and four
    /// times the dim always suffice.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn batch(
        &mut self,
        payload_size_max: usize,
    ) -> Result<CaptureBatch<'_, 'a, M, N>, CaptureError> {
        let grant = self
            .producer
            .reserve(payload_size_max)
            .map_err(CaptureError::Ring)?;
        let builder = BatchBuilder::new(&self.sequencer);
        Ok(CaptureBatch {
            open: Some((grant, builder)),
            sequencer: &mut self.sequencer,
            shadow: self.shadow.as_mut(),
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

/// A batch under construction in the ring. Dropped, it never was; forgotten (as by
/// [`mem::forget`](core::mem::forget)), it leaves slots behind that take no further change.
#[derive(Debug)]
pub struct CaptureBatch<'c, 'a, M: Mem, N: Notify<M> = Polling> {
    /// `None` once sent.
    open: Option<(Grant<'c, M, N>, BatchBuilder)>,
    sequencer: &'c mut Sequencer<'a>,
    shadow: Option<&'c mut Shadow<'a>>,
}

impl<M: Mem, N: Notify<M>> CaptureBatch<'_, '_, M, N> {
    /// Adds the change of one row. O(dim).
    ///
    /// # Errors
    /// See [`BatchError`]; the batch is then as it was.
    pub fn update(&mut self, slot: u32, old: &[f32], new: &[f32]) -> Result<(), BatchError> {
        match &mut self.open {
            Some((grant, builder)) => {
                let shadow = self.shadow.as_deref_mut();
                builder.push(self.sequencer, shadow, grant.payload_mut(), slot, old, new)
            }
            None => Ok(()),
        }
    }

    /// Entries so far.
    pub fn len(&self) -> u32 {
        self.open.as_ref().map_or(0, |(_, builder)| builder.len())
    }

    /// No entry so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends the batch and returns its header; `None` for an empty one, which is not sent.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn commit(mut self) -> Result<Option<DeltaHeader>, CaptureError> {
        let Some((grant, builder)) = &mut self.open else {
            return Ok(None);
        };
        if builder.len() == 0 {
            return Ok(None);
        }
        let header = builder
            .seal(self.sequencer, grant.payload_mut())
            .map_err(CaptureError::Prepare)?;
        if let Some((mut grant, builder)) = self.open.take() {
            builder.commit(
                self.sequencer,
                self.shadow.as_deref_mut(),
                grant.payload_mut(),
            );
            // Succeeds: the header was sealed over bytes of this grant.
            grant
                .commit(&header.to_bytes())
                .map_err(CaptureError::Commit)?;
            self.sequencer.advance(&header, builder.len());
        }
        Ok(Some(header))
    }
}

impl<M: Mem, N: Notify<M>> Drop for CaptureBatch<'_, '_, M, N> {
    fn drop(&mut self) {
        if let Some((mut grant, builder)) = self.open.take() {
            builder.roll_back(self.sequencer, grant.payload_mut());
        }
    }
}
