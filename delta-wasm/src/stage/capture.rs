//! Capture: the primary's rows, and the write hooks that put their changes into a ring.

use delta_core::kernel::diff;
use delta_core::payload::batch::RowUpdate;
use delta_core::payload::metadata::{MetadataChanges, MetadataEdit, MetadataError};
use delta_core::pipeline::batch::BatchError;
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::pipeline::sequencer::{Position, Sequencer};
use delta_core::ring::RawMem;
use delta_core::store::{Replica, SliceStore, StoreError};

use super::many::{Change, Many, ManyPlaces};
use super::rings;
use crate::context::Stage;
use crate::error::{self, CallError, Details, Fault};
use crate::layout::Layout;
use crate::memory::{Staging, cast, cast_mut};
use crate::notify::HostWait;
use crate::tables;

/// Most pairs of metadata that one call changes.
const PAIRS_MAX: usize = 128;

/// Why a change was not captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaptureFault {
    Call(CallError),
    Metadata(MetadataError),
    Store(StoreError),
    Capture(CaptureError),
    Batch(BatchError),
}

impl Fault for CaptureFault {
    fn code(&self) -> i32 {
        match *self {
            Self::Call(error) => error.code(),
            Self::Metadata(_) => error::METADATA,
            Self::Store(_) => error::STORE_FULL,
            Self::Capture(CaptureError::Ring(error)) => error::reserve_code(error),
            Self::Capture(CaptureError::Prepare(error))
            | Self::Batch(BatchError::Prepare(error)) => error::prepare_code(error),
            Self::Batch(BatchError::Repeated { .. }) => error::REPEATED,
            Self::Capture(_) | Self::Batch(_) => error::CHANGE,
        }
    }

    fn details(&self) -> Details {
        match *self {
            Self::Call(error) => error.details(),
            Self::Store(error) => {
                let (left, needed) = error::store_details(error);
                [0, left, needed]
            }
            Self::Capture(CaptureError::Ring(error)) => error::reserve_details(error),
            Self::Capture(CaptureError::Prepare(error))
            | Self::Batch(BatchError::Prepare(error)) => error::prepare_details(error),
            _ => [0; 3],
        }
    }
}

impl From<CallError> for CaptureFault {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<MetadataError> for CaptureFault {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

impl From<StoreError> for CaptureFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CaptureError> for CaptureFault {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

impl From<BatchError> for CaptureFault {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

/// The primary and its write hooks. A change is in the primary exactly if it is in the stream.
pub(crate) struct CaptureStage {
    pub(crate) staging: Staging,
    pub(crate) primary: SliceStore<'static>,
    capture: Capture<'static, RawMem<'static>, HostWait>,
}

impl Stage for CaptureStage {
    const TAG: u32 = u32::from_le_bytes(*b"DLTc");
    type Fault = CaptureFault;

    fn open(layout: &Layout) -> Result<Self, CaptureFault> {
        let target = rings::target(layout.target.ok_or(CallError::NoRing)?)?;
        let primary = tables::store(layout)?;
        let start = Position {
            epoch: layout.epoch,
            ..Position::START
        };
        let sequencer = Sequencer::new(layout.dim, tables::states(layout), 0, start);
        Ok(Self {
            staging: tables::staging(layout),
            primary,
            capture: Capture::new(target, sequencer),
        })
    }
}

impl CaptureStage {
    /// Captures the start of the stream.
    pub(crate) fn start(&mut self) -> Result<(), CaptureFault> {
        Ok(self.capture.start(&[])?)
    }

    /// Captures the end of the stream of `record_count` records.
    pub(crate) fn end(&mut self, record_count: u64) -> Result<(), CaptureFault> {
        Ok(self.capture.end(record_count)?)
    }

    /// Captures a new entity; returns its slot. `id` and `pairs` are `(address, bytes)`.
    pub(crate) fn insert(
        &mut self,
        row: usize,
        id: (usize, usize),
        pairs: (usize, usize),
    ) -> Result<u32, CaptureFault> {
        let Self {
            staging,
            primary,
            capture,
        } = self;
        let row = staging.components(row, primary.dim() as usize)?;
        let id = staging.bytes(id.0, id.1)?;
        let changes = MetadataChanges::parse(staging.bytes(pairs.0, pairs.1)?)?;
        let slot = primary.slot_count();
        primary.next_row()?;
        primary.reserve_attributes(slot, id, changes)?;
        with_edits(primary, slot, changes, |edits| {
            Ok(capture.insert(id, row, edits)?)
        })?;
        primary.push(id, changes);
        primary.row_mut(slot).copy_from_slice(row);
        Ok(slot)
    }

    /// Captures that the row of `slot` becomes that at `row`, and changes of its metadata.
    pub(crate) fn update(
        &mut self,
        slot: u32,
        row: usize,
        pairs: (usize, usize),
    ) -> Result<(), CaptureFault> {
        let Self {
            staging,
            primary,
            capture,
        } = self;
        let new = staging.components(row, primary.dim() as usize)?;
        let changes = MetadataChanges::parse(staging.bytes(pairs.0, pairs.1)?)?;
        primary.reserve_attributes(slot, &[], changes)?;
        // A slot that does not exist is refused with its number.
        let old = primary.row(slot).unwrap_or(new);
        with_edits(primary, slot, changes, |edits| {
            Ok(capture.update_with_metadata(slot, old, new, edits)?)
        })?;
        primary.row_mut(slot).copy_from_slice(new);
        primary.change_metadata(slot, changes);
        Ok(())
    }

    /// Captures new rows of several slots, and changes of their metadata, as one record. All, or
    /// none.
    pub(crate) fn update_many(&mut self, places: ManyPlaces) -> Result<(), CaptureFault> {
        let Self {
            staging,
            primary,
            capture,
        } = self;
        let many = Many::read(staging, places, primary.dim())?;
        let mut promised = 0;
        for Change { slot, metadata, .. } in many.changes() {
            promised = primary.reserve_more_attributes(slot, metadata, promised)?;
        }
        let mut batch = capture.batch(many.payload_size_max())?;
        for Change {
            slot,
            row,
            metadata,
        } in many.changes()
        {
            let old = primary.row(slot).unwrap_or(row);
            with_edits(primary, slot, metadata, |edits| {
                Ok(batch.update_with_metadata(&RowUpdate {
                    slot,
                    old,
                    new: row,
                    metadata: edits,
                })?)
            })?;
        }
        batch.commit()?;
        for Change {
            slot,
            row,
            metadata,
        } in many.changes()
        {
            primary.row_mut(slot).copy_from_slice(row);
            primary.change_metadata(slot, metadata);
        }
        Ok(())
    }

    /// Captures that the entity of `slot` is deleted.
    pub(crate) fn delete(&mut self, slot: u32) -> Result<(), CaptureFault> {
        self.capture.delete(slot)?;
        self.primary.mark_deleted(slot);
        Ok(())
    }

    /// Lists what differs between two rows; returns how many components.
    pub(crate) fn diff(
        &mut self,
        old: usize,
        new: usize,
        indices: usize,
        values: usize,
    ) -> Result<u32, CaptureFault> {
        let size = size_of::<f32>() * self.primary.dim() as usize;
        let pieces = [(old, size), (new, size), (indices, size), (values, size)];
        let [old_bytes, new_bytes, index_bytes, value_bytes] = self.staging.pieces_mut(pieces)?;
        let count = diff::diff(
            cast(old_bytes, old)?,
            cast(new_bytes, new)?,
            cast_mut(index_bytes, indices)?,
            cast_mut(value_bytes, values)?,
        );
        // Four pieces of one length: neither lengths nor room can be refused.
        Ok(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    /// Waits once for room for `size` payload bytes; whether there is.
    pub(crate) fn wait(&mut self, size: usize) -> Result<bool, CaptureFault> {
        Ok(self.capture.wait_once(size)?)
    }

    /// The time that the following records carry.
    pub(crate) fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.capture.set_timestamp_us(timestamp_us);
    }

    /// Epoch, sequence and digest after the last captured record.
    pub(crate) fn position(&self) -> Position {
        self.capture.position()
    }
}

/// Calls `action` with what `changes` change in the metadata of `slot`.
fn with_edits<T>(
    primary: &SliceStore<'_>,
    slot: u32,
    changes: MetadataChanges<'_>,
    action: impl FnOnce(&[MetadataEdit<'_>]) -> Result<T, CaptureFault>,
) -> Result<T, CaptureFault> {
    const NONE: MetadataEdit<'static> = MetadataEdit {
        key: &[],
        old: None,
        new: None,
    };
    let mut edits = [NONE; PAIRS_MAX];
    let mut count = 0;
    for (key, new) in changes {
        let old = primary.metadata(slot, key);
        let too_many = CallError::TooManyPairs { max: PAIRS_MAX };
        *edits.get_mut(count).ok_or(too_many)? = MetadataEdit { key, old, new };
        count += 1;
    }
    action(edits.get(..count).unwrap_or_default())
}
