//! Capturing updates that travel under one header.

use super::{Capture, CaptureError};
use crate::{
    codec::lz4::Lz4Scratch,
    header::DeltaHeader,
    payload::batch::RowUpdate,
    pipeline::{
        batch::{BatchBuilder, BatchError},
        sequencer::Sequencer,
        shadow::Shadow,
    },
    ring::{Grant, Mem, Notify, Polling},
};

impl<'a, M: Mem, N: Notify<M>> Capture<'a, M, N> {
    /// Begins a batch of row updates that travel under one header and apply together.
    /// `payload_size_max` bytes of the ring are set aside: 8 and, for every entry, its
    /// [`entry_size_max`](RowUpdate::entry_size_max), 12 and four times the dim without metadata,
    /// always suffice. To compress metadata, the room that is left holds them once more.
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
            lz4: self.lz4.as_deref_mut(),
        })
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
    lz4: Option<&'c mut Lz4Scratch>,
}

impl<M: Mem, N: Notify<M>> CaptureBatch<'_, '_, M, N> {
    /// Adds the change of one row. O(dim).
    ///
    /// # Errors
    /// See [`BatchError`]; the batch is then as it was.
    pub fn update(&mut self, slot: u32, old: &[f32], new: &[f32]) -> Result<(), BatchError> {
        self.update_with_metadata(&RowUpdate {
            slot,
            old,
            new,
            metadata: &[],
        })
    }

    /// As [`update`](Self::update), with changes of the entity's metadata.
    ///
    /// # Errors
    /// See [`BatchError`]; the batch is then as it was.
    pub fn update_with_metadata(&mut self, update: &RowUpdate<'_>) -> Result<(), BatchError> {
        match &mut self.open {
            Some((grant, builder)) => {
                let shadow = self.shadow.as_deref_mut();
                builder.push(self.sequencer, shadow, grant.payload_mut(), update)
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

    /// Sends the batch and returns its header; `None` for an empty one, which is not sent. The
    /// metadata of all its entries are compressed together, if that is smaller, by a capture with
    /// [`with_lz4`](Capture::with_lz4).
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn commit(mut self) -> Result<Option<DeltaHeader>, CaptureError> {
        let Some((mut grant, builder)) = self.open.take() else {
            return Ok(None);
        };
        let rows = builder.len();
        if rows == 0 {
            return Ok(None);
        }
        let (shadow, lz4) = (self.shadow.as_deref_mut(), self.lz4.as_deref_mut());
        let header = builder
            .finish(self.sequencer, shadow, grant.payload_mut(), lz4)
            .map_err(CaptureError::Prepare)?;
        // Succeeds: the header was sealed over bytes of this grant.
        grant
            .commit(&header.to_bytes())
            .map_err(CaptureError::Commit)?;
        self.sequencer.advance(&header, rows);
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
