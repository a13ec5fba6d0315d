//! Between capture and apply: a stage that sees every record, and a relay between rings.

use crate::{
    record::{Record, RecordError},
    ring::{CommitError, Consumer, Corrupt, Mem, Notify, Producer, ReserveError},
};
use core::fmt;

/// Sees every checked record on its way.
///
/// A process keeps a stream's bytes. Whatever drops or changes records ends the stream and
/// originates another.
pub trait Process {
    /// Looks at one record that is passed on. It comes again if the next stage could not take it.
    fn process(&mut self, record: &Record<'_>);
}

/// Passes every record on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassThrough;

impl Process for PassThrough {
    #[inline]
    fn process(&mut self, _: &Record<'_>) {}
}

/// Why [`relay`] did not pass a record on. The record stays unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayError {
    /// The source ring is corrupt.
    Source(Corrupt),
    /// The record is broken.
    Record(RecordError),
    /// The target ring has no room, now or ever.
    Target(ReserveError),
    /// The target ring did not take the record.
    Commit(CommitError),
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Source(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
            Self::Target(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RelayError {}

/// Moves the next record from one ring to another by way of `process`; `false` if the source is
/// empty. Neither payload nor checksum is written anew.
///
/// # Errors
/// See [`RelayError`]; [`ReserveError::Full`] means: call again later.
pub fn relay<S, SN, T, TN, P>(
    source: &mut Consumer<S, SN>,
    process: &mut P,
    target: &mut Producer<T, TN>,
) -> Result<bool, RelayError>
where
    S: Mem,
    SN: Notify<S>,
    T: Mem,
    TN: Notify<T>,
    P: Process,
{
    let Some(received) = source.poll().map_err(RelayError::Source)? else {
        return Ok(false);
    };
    let mut grant = target
        .reserve(received.payload().len())
        .map_err(RelayError::Target)?;
    let record =
        Record::from_parts(received.header(), received.payload()).map_err(RelayError::Record)?;
    process.process(&record);
    grant.payload_mut().copy_from_slice(record.payload_bytes());
    grant
        .commit(received.header())
        .map_err(RelayError::Commit)?;
    received.done();
    Ok(true)
}
