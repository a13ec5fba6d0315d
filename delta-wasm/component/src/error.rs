//! The core's errors as the WIT has them: what a caller acts on as cases, the rest as text.

use delta_core::header::HeaderError;
use delta_core::payload::metadata::MetadataError;
use delta_core::payload::vector::DIM_MAX;
use delta_core::pipeline::apply::{ApplyError, BatchApplyError, Refusal};
use delta_core::pipeline::sequencer::PrepareError;
use delta_core::pipeline::session::{SessionApplyError, SessionError};
use delta_core::record::RecordError;
use delta_core::retain::SeekError;
use delta_core::store::StoreError;

use crate::DeltaError;

/// What no store can be opened with.
pub(crate) fn check_store(dim: u32, capacity: u32, epoch: u32) -> Result<(), DeltaError> {
    let text = match (dim, capacity, epoch) {
        (0, ..) => "dimensions is 0: a row has at least one component".to_owned(),
        (dim, ..) if dim > DIM_MAX => format!("dimensions is {dim}: at most {DIM_MAX} are taken"),
        (_, 0, _) => "capacity is 0: give a slot to every insert".to_owned(),
        (.., 0) => "epoch is 0: epochs count from 1".to_owned(),
        _ => return Ok(()),
    };
    Err(DeltaError::Config(text))
}

pub(crate) fn of_seek(error: SeekError) -> DeltaError {
    match error {
        SeekError::TooOld { oldest } => DeltaError::TooOld(oldest),
        SeekError::NotYet { newest } => DeltaError::NotYet(newest),
        other => DeltaError::Refused(other.to_string()),
    }
}

pub(crate) fn of_store(error: StoreError) -> DeltaError {
    DeltaError::Full(error.to_string())
}

pub(crate) fn of_metadata(error: MetadataError) -> DeltaError {
    DeltaError::InvalidArgument(error.to_string())
}

pub(crate) fn of_session(error: SessionError) -> DeltaError {
    match error {
        SessionError::Started { started: true } => DeltaError::Started,
        SessionError::Started { started: false } => DeltaError::NotStarted,
        SessionError::FrameTooLarge { .. } => DeltaError::Full(error.to_string()),
        SessionError::Prepare(PrepareError::UnknownSlot { slot, .. }) => {
            DeltaError::UnknownSlot(slot)
        }
        other => DeltaError::InvalidArgument(other.to_string()),
    }
}

pub(crate) fn of_record(error: RecordError) -> DeltaError {
    match error {
        RecordError::Header(HeaderError::Checksum { .. }) => DeltaError::ChecksumMismatch,
        other => DeltaError::Malformed(other.to_string()),
    }
}

pub(crate) fn of_apply(error: SessionApplyError) -> DeltaError {
    match error {
        SessionApplyError::Record(error) => of_record(error),
        SessionApplyError::Seek(error) => of_seek(error),
        SessionApplyError::Apply(BatchApplyError::Apply(error)) => of_refusal(error),
        SessionApplyError::Apply(error @ BatchApplyError::UndoTooSmall { .. }) => {
            DeltaError::Full(error.to_string())
        }
        other => DeltaError::Refused(other.to_string()),
    }
}

fn of_refusal(error: ApplyError) -> DeltaError {
    match error.reason {
        Refusal::Gap { expected } => DeltaError::Gap((expected, error.sequence)),
        Refusal::UnknownSlot { slot, .. } => DeltaError::UnknownSlot(slot),
        Refusal::Conflict { slot, .. } => DeltaError::Conflict(slot),
        Refusal::Diverged { .. } => DeltaError::Diverged,
        Refusal::Store(error) => of_store(error),
        _ => DeltaError::Refused(error.to_string()),
    }
}
