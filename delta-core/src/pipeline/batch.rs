//! Building one batch-update record, and taking it back if it is not sent.

use super::{
    sequencer::{PrepareError, Sequencer, metadata_change},
    shadow::Shadow,
};
use crate::{
    digest::row_term,
    header::{DeltaHeader, Operation},
    payload::batch::{BatchWriteError, BatchWriter, RowUpdate},
};
use core::fmt;

/// Why a change cannot join a batch. The batch is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// The change is refused as it would be on its own.
    Prepare(PrepareError),
    /// The entry does not fit the batch.
    Write(BatchWriteError),
    /// The slot stands in this batch already: send the batch, then go on.
    Repeated {
        /// The slot.
        slot: u32,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Prepare(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Repeated { slot } => {
                write!(
                    f,
                    "slot {slot} stands in this batch already: send it, start another"
                )
            }
        }
    }
}

impl core::error::Error for BatchError {}

impl BatchError {
    /// Whether the same change can be made in another batch, once this one is sent.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Repeated { .. } | Self::Write(BatchWriteError::Full { .. })
        )
    }
}

/// A batch under construction. The sequencer's slots are marked while it grows, so that a slot
/// cannot stand in it twice; [`roll_back`](Self::roll_back) or the
/// sequencer's `advance` ends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchBuilder {
    writer: BatchWriter,
    /// By how much the batch changes the state digest.
    digest_change: u64,
}

impl BatchBuilder {
    pub(super) fn new(sequencer: &Sequencer<'_>) -> Self {
        Self {
            writer: BatchWriter::new(sequencer.next_sequence(), sequencer.dim()),
            digest_change: 0,
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.writer.len()
    }

    pub(super) fn size(&self) -> usize {
        self.writer.size()
    }

    pub(super) fn push(
        &mut self,
        sequencer: &mut Sequencer<'_>,
        shadow: Option<&mut Shadow<'_>>,
        out: &mut [u8],
        update: &RowUpdate<'_>,
    ) -> Result<(), BatchError> {
        let RowUpdate { slot, old, new, .. } = *update;
        let caller_old = old;
        let sequence = sequencer.next_sequence();
        let state = sequencer.live(slot).map_err(BatchError::Prepare)?;
        if state.last_sequence == sequence {
            return Err(BatchError::Repeated { slot });
        }
        sequencer.check_dim(old).map_err(BatchError::Prepare)?;
        sequencer.check_dim(new).map_err(BatchError::Prepare)?;
        let (old, bound) = match &shadow {
            Some(shadow) => {
                let row = shadow.live_row(slot).map_err(BatchError::Prepare)?;
                (row, Some(shadow.bound()))
            }
            None => (old, None),
        };
        let encoding = sequencer.encoding(state, bound);
        let values = self
            .writer
            .push_as(
                encoding,
                out,
                state.last_sequence,
                &RowUpdate { old, ..*update },
            )
            .map_err(BatchError::Write)?;
        let sum = match shadow {
            Some(shadow) => shadow
                .prepare(slot, false, &values)
                .map_err(BatchError::Prepare)?,
            None => values.exact_change_sum(caller_old, new),
        };
        let change = row_term(slot, sum).wrapping_add(metadata_change(slot, update.metadata));
        self.digest_change = self.digest_change.wrapping_add(change);
        sequencer.mark(slot, sequence);
        Ok(())
    }

    /// Seals the payload of [`Self::size`] bytes at the front of `out`.
    pub(super) fn seal(
        &self,
        sequencer: &Sequencer<'_>,
        out: &mut [u8],
    ) -> Result<DeltaHeader, PrepareError> {
        self.writer.finish(out);
        let (needed, given) = (self.size(), out.len());
        let payload = out
            .get(..needed)
            .ok_or(PrepareError::OutputTooSmall { needed, given })?;
        let header = DeltaHeader {
            lossy: self.writer.is_lossy(),
            relative: self.writer.is_relative(),
            ..sequencer.header(Operation::BatchUpdate, self.digest_change)
        };
        Ok(header.seal(payload)?)
    }

    /// Makes the changes of the entries in the shadow and notes that they were made. `out` holds
    /// the entries as they were pushed.
    pub(super) fn commit(
        &self,
        sequencer: &mut Sequencer<'_>,
        shadow: Option<&mut Shadow<'_>>,
        out: &[u8],
    ) {
        sequencer.fulfil(self.writer.entries(out).map(|entry| entry.slot));
        let Some(shadow) = shadow else { return };
        for entry in self.writer.entries(out) {
            shadow.apply(entry.slot, &entry.values);
        }
    }

    /// Takes all marks back. `out` holds the entries as they were pushed.
    pub(super) fn roll_back(self, sequencer: &mut Sequencer<'_>, out: &[u8]) {
        for entry in self.writer.entries(out) {
            sequencer.mark(entry.slot, entry.prev_sequence);
        }
    }
}
