//! Building one batch-update record, and taking it back if it is not sent.

use super::{
    sequencer::{PrepareError, Sequencer, metadata_change},
    shadow::Shadow,
};
use crate::{
    codec::lz4::Lz4Scratch,
    digest::row_term,
    header::{DeltaHeader, Operation},
    payload::batch::{BatchEntries, BatchWriteError, BatchWriter, RowUpdate, WrittenBatch},
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
/// cannot stand in it twice; [`roll_back`](Self::roll_back) or
/// [`finish`](Self::finish) ends it.
#[derive(Clone, Debug)]
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

    /// Writes the payload to the front of `out`, which holds the entries as they were pushed, and
    /// seals it. Makes the changes of the entries in the shadow; the sequencer is ready to advance
    /// behind the header. On an error all marks are taken back.
    pub(super) fn finish(
        self,
        sequencer: &mut Sequencer<'_>,
        shadow: Option<&mut Shadow<'_>>,
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<DeltaHeader, PrepareError> {
        let (needed, given) = (self.writer.size(), out.len());
        let Ok(written) = self.writer.clone().finish(out, lz4) else {
            self.roll_back(sequencer, out);
            return Err(PrepareError::OutputTooSmall { needed, given });
        };
        let WrittenBatch {
            payload,
            compressed,
            lossy,
            relative,
            entries,
        } = written;
        let header = DeltaHeader {
            compressed,
            lossy,
            relative,
            ..sequencer.header(Operation::BatchUpdate, self.digest_change)
        };
        let header = match header.seal(payload) {
            Ok(header) => header,
            Err(error) => {
                take_back(sequencer, entries);
                return Err(error.into());
            }
        };
        sequencer.fulfil(entries.clone().map(|entry| entry.slot));
        if let Some(shadow) = shadow {
            for entry in entries {
                shadow.apply(entry.slot, &entry.values);
            }
        }
        Ok(header)
    }

    /// Takes all marks back. `out` holds the entries as they were pushed.
    pub(super) fn roll_back(self, sequencer: &mut Sequencer<'_>, out: &[u8]) {
        take_back(sequencer, self.writer.entries(out));
    }
}

/// Marks the slots of entries as they were before.
fn take_back(sequencer: &mut Sequencer<'_>, entries: BatchEntries<'_>) {
    for entry in entries {
        sequencer.mark(entry.slot, entry.prev_sequence);
    }
}
