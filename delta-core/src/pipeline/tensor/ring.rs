//! Tensor streams through a ring.

use super::{PreparedTensor, TensorPrepareError, TensorStream};
use crate::{
    header::DeltaHeader,
    pipeline::apply::{Outcome, PollError},
    record::Record,
    ring::{CommitError, Consumer, Mem, Producer, ReserveError},
    tensor::TensorEdit,
};
use core::fmt;

/// Why an edit did not enter the ring. Nothing has changed: try again, or report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorSendError {
    /// The edit is refused.
    Prepare(TensorPrepareError),
    /// The ring has no room, now (`Full`) or ever (`TooLarge`).
    Ring(ReserveError),
    /// The ring did not take the record.
    Commit(CommitError),
}

impl fmt::Display for TensorSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Prepare(error) => error.fmt(f),
            Self::Ring(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TensorSendError {}

impl TensorSendError {
    /// Whether the same call can succeed once the consumer has caught up.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Ring(ReserveError::Full { .. }))
    }

    /// Whether the edit changes nothing, so that there is nothing to send.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        matches!(self, Self::Prepare(TensorPrepareError::Unchanged))
    }
}

impl TensorStream<'_, '_> {
    /// Makes an edit and puts its record into the ring, written in place; returns its header. The
    /// ring must have room for the elements as they are. Time as [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// See [`TensorSendError`]; the tensor is then as it was.
    pub fn send<M: Mem>(
        &mut self,
        producer: &mut Producer<M>,
        slot: u32,
        edit: TensorEdit<'_>,
    ) -> Result<DeltaHeader, TensorSendError> {
        let size_max = self.payload_size_max(slot, &edit);
        let mut grant = producer.reserve(size_max).map_err(TensorSendError::Ring)?;
        let (prepared, _): (PreparedTensor<'_>, _) = self
            .prepare(slot, edit, grant.payload_mut())
            .map_err(TensorSendError::Prepare)?;
        let header = prepared.header;
        grant
            .commit(&header.to_bytes())
            .map_err(TensorSendError::Commit)?;
        self.commit(prepared);
        Ok(header)
    }

    /// Applies the next record of the ring; `None` if the ring is empty. Never blocks.
    ///
    /// # Errors
    /// See [`PollError`]. A refused record stays in the ring: the next poll meets it again.
    pub fn poll<M: Mem>(
        &mut self,
        consumer: &mut Consumer<M>,
    ) -> Result<Option<Outcome>, PollError> {
        let Some(received) = consumer.poll().map_err(PollError::Ring)? else {
            return Ok(None);
        };
        let record =
            Record::from_parts(received.header(), received.payload()).map_err(PollError::Record)?;
        let outcome = self.apply_delta(&record).map_err(PollError::Apply)?;
        received.done();
        Ok(Some(outcome))
    }
}
