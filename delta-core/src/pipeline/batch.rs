//! Building one batch-update record, and taking it back if it is not sent.

use super::sequencer::{PrepareError, Sequencer};
use crate::{
    digest::row_term,
    header::{DeltaHeader, Operation},
    payload::batch::{BatchWriteError, BatchWriter},
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
        out: &mut [u8],
        slot: u32,
        old: &[f32],
        new: &[f32],
    ) -> Result<(), BatchError> {
        let sequence = sequencer.next_sequence();
        let state = sequencer.live(slot).map_err(BatchError::Prepare)?;
        if state.last_sequence == sequence {
            return Err(BatchError::Repeated { slot });
        }
        sequencer.check_dim(old).map_err(BatchError::Prepare)?;
        sequencer.check_dim(new).map_err(BatchError::Prepare)?;
        let values = self
            .writer
            .push(out, slot, state.last_sequence, old, new)
            .map_err(BatchError::Write)?;
        let change = row_term(slot, values.change_sum(old));
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
        Ok(sequencer
            .header(Operation::BatchUpdate, self.digest_change)
            .seal(payload)?)
    }

    /// Takes all marks back. `out` holds the entries as they were pushed.
    pub(super) fn roll_back(self, sequencer: &mut Sequencer<'_>, out: &[u8]) {
        for entry in self.writer.entries(out) {
            sequencer.mark(entry.slot, entry.prev_sequence);
        }
    }
}
