//! The apply stage behind a ring.

use super::{Applier, ApplyError, Outcome};
use crate::{
    pipeline::process::{PassThrough, Process},
    record::{Record, RecordError},
    ring::{Consumer, Corrupt, Mem, Notify, Polling},
    store::Replica,
};
use core::fmt;

/// Why [`Apply::poll`] did not apply a record. The record stays unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PollError {
    /// The ring is corrupt; the consumer has given up on it.
    Ring(Corrupt),
    /// The ring's record is broken.
    Record(RecordError),
    /// The replica refuses the record.
    Apply(ApplyError),
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ring(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
            Self::Apply(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PollError {}

/// The last stage of the pipeline: takes records from a ring, shows them to a [`Process`], and
/// applies them.
#[derive(Debug)]
pub struct Apply<'s, M: Mem, P: Process = PassThrough, N: Notify<M> = Polling> {
    consumer: Consumer<M, N>,
    applier: Applier<'s>,
    process: P,
}

impl<'s, M: Mem, N: Notify<M>> Apply<'s, M, PassThrough, N> {
    /// Applies what `consumer` delivers by `applier`'s rules.
    pub fn new(consumer: Consumer<M, N>, applier: Applier<'s>) -> Self {
        Self::with_process(consumer, applier, PassThrough)
    }
}

impl<'s, M: Mem, P: Process, N: Notify<M>> Apply<'s, M, P, N> {
    /// As [`Apply::new`], with a process stage that runs inline.
    pub fn with_process(consumer: Consumer<M, N>, applier: Applier<'s>, process: P) -> Self {
        Self {
            consumer,
            applier,
            process,
        }
    }

    /// Applies the next record of the ring; `None` if the ring is empty. Never blocks.
    ///
    /// # Errors
    /// See [`PollError`]. A refused record stays in the ring: the next poll meets it again, and
    /// nothing behind it is applied.
    #[inline]
    pub fn poll<R: Replica + ?Sized>(
        &mut self,
        replica: &mut R,
    ) -> Result<Option<Outcome>, PollError> {
        let Some(received) = self.consumer.poll().map_err(PollError::Ring)? else {
            return Ok(None);
        };
        let record =
            Record::from_parts(received.header(), received.payload()).map_err(PollError::Record)?;
        self.process.process(&record);
        let outcome = self
            .applier
            .apply_delta(&record, replica)
            .map_err(PollError::Apply)?;
        received.done();
        Ok(Some(outcome))
    }

    /// Waits once for a record, and says whether there is one. It may return early, without one,
    /// for any reason that the consumer's [`Notify`] has.
    ///
    /// # Errors
    /// [`PollError::Ring`].
    pub fn wait_once(&mut self) -> Result<bool, PollError> {
        self.consumer.wait_once().map_err(PollError::Ring)
    }

    /// The position and the counters.
    pub fn applier(&self) -> &Applier<'s> {
        &self.applier
    }

    /// The process stage.
    pub fn process(&self) -> &P {
        &self.process
    }

    /// Takes the stages apart, to replace one of them.
    pub fn into_parts(self) -> (Consumer<M, N>, Applier<'s>, P) {
        (self.consumer, self.applier, self.process)
    }
}
