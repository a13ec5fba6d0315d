//! From changes to records: sequence numbers, chains, digest.
//!
//! Sans-io and closed-loop: `prepare_*` writes a payload into the caller's bytes and returns what
//! *would* happen; [`Sequencer::commit`] makes it so. A record that could not be sent is simply
//! not committed, and the stream goes on as if it had never been prepared.

use crate::{
    codec::{Base, Values, lz4::Lz4Scratch},
    digest::{id_term, pair_term, slot_key, tombstone_term},
    header::{DeltaHeader, HeaderError, Operation, vector_id_hash},
    kernel::digest::row_sum,
    payload::{
        control::Control,
        metadata::MetadataEdit,
        vector::{self, VectorChange, VectorWriteError},
    },
};
use core::fmt;

/// What a [`Sequencer`] keeps of a slot: 16 bytes. Opaque; zeroed is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SlotState {
    /// Sequence of the slot's last record, 0: none.
    pub(super) last_sequence: u64,
    /// Hash of the id, as headers carry it.
    id_hash: u32,
    deleted: bool,
}

/// Why a change cannot become a record. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrepareError {
    /// The row has another length than the stream's dim.
    Dim {
        /// The stream's dim.
        expected: u32,
        /// Components of the row.
        found: usize,
    },
    /// The slot does not exist.
    UnknownSlot {
        /// The slot.
        slot: u32,
        /// Slots that exist.
        slot_count: u32,
    },
    /// The slot was deleted; an id that comes back is a new insert.
    Deleted {
        /// The slot.
        slot: u32,
    },
    /// All slots are used.
    SlotsFull {
        /// Slots that the sequencer's memory holds.
        capacity: usize,
    },
    /// A resync must raise the epoch.
    Epoch {
        /// The epoch so far.
        current: u32,
        /// The epoch asked for.
        found: u32,
    },
    /// The payload cannot be written.
    Payload(VectorWriteError),
    /// The header cannot be written.
    Header(HeaderError),
    /// The output cannot hold the payload.
    OutputTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dim { expected, found } => write!(
                f,
                "a row of {found} components in a stream of dim {expected}: pass rows of its dim"
            ),
            Self::UnknownSlot { slot, slot_count } => write!(
                f,
                "slot {slot} does not exist, {slot_count} do: insert the entity first"
            ),
            Self::Deleted { slot } => {
                write!(
                    f,
                    "slot {slot} was deleted: insert the entity again, as a new slot"
                )
            }
            Self::SlotsFull { capacity } => {
                write!(
                    f,
                    "all {capacity} slots are used: give the sequencer more memory"
                )
            }
            Self::Epoch { current, found } => {
                write!(
                    f,
                    "epoch {found} does not follow {current}: allocate a greater one"
                )
            }
            Self::Payload(error) => error.fmt(f),
            Self::Header(error) => error.fmt(f),
            Self::OutputTooSmall { needed, given } => {
                write!(
                    f,
                    "{given} bytes of output, {needed} needed: pass a larger buffer"
                )
            }
        }
    }
}

impl core::error::Error for PrepareError {}

impl From<HeaderError> for PrepareError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// A record that has been written but not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "commit it once the record is sent, or drop it if it is not"]
pub struct Prepared {
    /// The sealed header.
    pub header: DeltaHeader,
    /// The entity's slot; of a control record meaningless.
    slot: u32,
}

/// Where a stream begins or goes on: `(epoch, position, digest)` of writer or reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Epoch of the writer, from 1.
    pub epoch: u32,
    /// Sequence of the last record, 0 before the first.
    pub sequence: u64,
    /// Digest of the state after it.
    pub digest: u64,
}

impl Position {
    /// Before the first record, over an empty state, in epoch 1.
    pub const START: Self = Self {
        epoch: 1,
        sequence: 0,
        digest: 0,
    };
}

/// Numbers, chains and digests the records of one stream.
#[derive(Debug)]
pub struct Sequencer<'a> {
    dim: u32,
    /// Slots in use; at most `slots.len()`.
    slot_count: u32,
    slots: &'a mut [SlotState],
    position: Position,
    timestamp_us: u64,
}

impl<'a> Sequencer<'a> {
    /// A sequencer at `position` over a state of `slot_count` slots that none of its records has
    /// touched yet. `slots` limits how many slots the stream can use. O(slots), which it clears.
    ///
    /// # Panics
    /// If `dim` or the epoch is 0, or `slot_count` exceeds `slots`.
    pub fn new(dim: u32, slots: &'a mut [SlotState], slot_count: u32, position: Position) -> Self {
        slots.fill(SlotState::default());
        Self::resume(dim, slots, slot_count, position)
    }

    /// A sequencer that goes on where an earlier one over the same `slots` stopped. Its first
    /// record is a resync with a new epoch, unless it is certain that the earlier one is gone.
    ///
    /// # Panics
    /// As [`Sequencer::new`].
    pub fn resume(
        dim: u32,
        slots: &'a mut [SlotState],
        slot_count: u32,
        position: Position,
    ) -> Self {
        assert!(dim > 0, "a row has at least one component");
        assert!(position.epoch > 0, "epochs start at 1");
        assert!(
            slot_count as usize <= slots.len(),
            "the base has more slots than the memory"
        );
        Self {
            dim,
            slot_count,
            slots,
            position,
            timestamp_us: 0,
        }
    }

    /// Components of every row.
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// Slots in use, deleted ones included: the slot that the next insert gets.
    pub fn slot_count(&self) -> u32 {
        self.slot_count
    }

    /// Epoch, sequence and digest after the last committed record.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The time that the following records carry, microseconds since the Unix epoch.
    pub fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.timestamp_us = timestamp_us;
    }

    /// Writes an insert into `out`, which must hold
    /// [`insert_size_max`](Self::insert_size_max) bytes. O(dim + metadata).
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_insert(
        &self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Prepared, PrepareError> {
        let slot = self.slot_count;
        if slot as usize >= self.slots.len() {
            return Err(PrepareError::SlotsFull {
                capacity: self.slots.len(),
            });
        }
        if id.is_empty() {
            return Err(PrepareError::Payload(VectorWriteError::IdSize { size: 0 }));
        }
        self.check_dim(row)?;
        let change = VectorChange {
            slot,
            base: Base::Zero,
            new: row,
            id,
            metadata,
        };
        let (size, compressed) = change.write(out, lz4).map_err(PrepareError::Payload)?;
        let digest = slot_key(slot)
            .wrapping_mul(row_sum(row))
            .wrapping_add(id_term(slot, id))
            .wrapping_add(metadata_change(slot, metadata));
        let mut header = self.header(Operation::Insert, digest);
        header.compressed = compressed;
        header.vector_id_hash = vector_id_hash(id);
        Ok(Prepared {
            header: header.seal(written(out, size)?)?,
            slot,
        })
    }

    /// Writes an update of `slot` from `old` to `new` into `out`, which must hold
    /// [`update_size_max`](Self::update_size_max) bytes. O(dim + metadata).
    ///
    /// # Errors
    /// See [`PrepareError`].
    #[inline]
    pub fn prepare_update(
        &self,
        slot: u32,
        old: &[f32],
        new: &[f32],
        metadata: &[MetadataEdit<'_>],
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Prepared, PrepareError> {
        let state = self.live(slot)?;
        self.check_dim(old)?;
        self.check_dim(new)?;
        let change = VectorChange {
            slot,
            base: Base::Row(old),
            new,
            id: &[],
            metadata,
        };
        let (size, compressed) = change.write(out, lz4).map_err(PrepareError::Payload)?;
        let payload = written(out, size)?;
        let sum = row_change_sum(payload, old, self.dim);
        let digest = slot_key(slot)
            .wrapping_mul(sum)
            .wrapping_add(metadata_change(slot, metadata));
        let mut header = self.header(Operation::Update, digest);
        header.compressed = compressed;
        header.vector_id_hash = state.id_hash;
        header.prev_sequence = state.last_sequence;
        Ok(Prepared {
            header: header.seal(payload)?,
            slot,
        })
    }

    /// Writes a delete of `slot` into `out`: 4 bytes.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_delete(&self, slot: u32, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        let state = self.live(slot)?;
        let given = out.len();
        let payload = out
            .first_chunk_mut()
            .ok_or(PrepareError::OutputTooSmall { needed: 4, given })?;
        *payload = slot.to_le_bytes();
        let mut header = self.header(Operation::Delete, tombstone_term(slot));
        header.vector_id_hash = state.id_hash;
        header.prev_sequence = state.last_sequence;
        Ok(Prepared {
            header: header.seal(payload)?,
            slot,
        })
    }

    /// Writes the start of the stream into `out`, with `consumer_bytes` of the caller's own.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_start(
        &self,
        consumer_bytes: &[u8],
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        let (dim, slot_count) = (self.dim, self.slot_count);
        self.prepare_control(
            &Control::Start {
                dim,
                slot_count,
                consumer_bytes,
            },
            out,
        )
    }

    /// Writes the end of the stream, which had `record_count` records after its start, into `out`.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_end(&self, record_count: u64, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        self.prepare_control(&Control::End { record_count }, out)
    }

    /// Writes a resync into `out`, by which a restarted writer announces its new epoch: greater
    /// than any before, allocated durably.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_resync(&self, epoch: u32, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        let current = self.position.epoch;
        if epoch <= current {
            return Err(PrepareError::Epoch {
                current,
                found: epoch,
            });
        }
        let header = DeltaHeader {
            epoch,
            ..self.header(Operation::Control, 0)
        };
        write_control(
            header,
            &Control::Resync {
                position: self.position.sequence,
            },
            out,
        )
    }

    /// Writes a watermark into `out`: the source of this derived stream has been read up to
    /// `source_sequence` of `source_epoch`.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_watermark(
        &self,
        source_epoch: u32,
        source_sequence: u64,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        self.prepare_control(
            &Control::Watermark {
                source_epoch,
                source_sequence,
            },
            out,
        )
    }

    fn prepare_control(
        &self,
        control: &Control<'_>,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        write_control(self.header(Operation::Control, 0), control, out)
    }

    /// Makes a prepared record part of the stream. It must have been prepared after the last
    /// commit.
    ///
    /// # Panics
    /// If it was prepared before another commit.
    #[inline]
    pub fn commit(&mut self, prepared: Prepared) {
        let header = prepared.header;
        assert!(
            header.sequence == self.position.sequence + 1,
            "records are committed in the order of their preparation, each once"
        );
        self.advance(&header);
        if header.operation == Operation::Insert {
            self.slot_count += 1;
        }
        if let Some(state) = self.slots.get_mut(prepared.slot as usize) {
            state.last_sequence = header.sequence;
            match header.operation {
                Operation::Insert => state.id_hash = header.vector_id_hash,
                Operation::Delete => state.deleted = true,
                _ => {}
            }
        }
    }

    /// Most bytes of an insert's payload.
    pub fn insert_size_max(id: &[u8], row: &[f32], metadata: &[MetadataEdit<'_>]) -> usize {
        VectorChange {
            slot: 0,
            base: Base::Zero,
            new: row,
            id,
            metadata,
        }
        .payload_size_max()
    }

    /// Most bytes of an update's payload.
    #[inline]
    pub fn update_size_max(new: &[f32], metadata: &[MetadataEdit<'_>]) -> usize {
        Self::insert_size_max(&[], new, metadata)
    }

    /// The state of a slot that can be changed.
    #[inline]
    pub(super) fn live(&self, slot: u32) -> Result<SlotState, PrepareError> {
        let slot_count = self.slot_count;
        match self.slots.get(slot as usize) {
            Some(state) if slot < slot_count && !state.deleted => Ok(*state),
            Some(_) if slot < slot_count => Err(PrepareError::Deleted { slot }),
            _ => Err(PrepareError::UnknownSlot { slot, slot_count }),
        }
    }

    #[inline]
    pub(super) fn check_dim(&self, row: &[f32]) -> Result<(), PrepareError> {
        if row.len() != self.dim as usize {
            return Err(PrepareError::Dim {
                expected: self.dim,
                found: row.len(),
            });
        }
        Ok(())
    }

    /// The next header, for a record that changes the digest by `change`.
    #[inline]
    pub(super) fn header(&self, operation: Operation, change: u64) -> DeltaHeader {
        let Position {
            epoch,
            sequence,
            digest,
        } = self.position;
        DeltaHeader {
            timestamp_us: self.timestamp_us,
            state_digest: Some(digest.wrapping_add(change)),
            ..DeltaHeader::new(operation, sequence + 1, epoch)
        }
    }

    /// Notes the last sequence of a slot that exists: entries of a batch before its commit.
    pub(super) fn mark(&mut self, slot: u32, last_sequence: u64) {
        if let Some(state) = self.slots.get_mut(slot as usize) {
            state.last_sequence = last_sequence;
        }
    }

    /// Moves the position behind a record.
    pub(super) fn advance(&mut self, header: &DeltaHeader) {
        self.position = Position {
            epoch: header.epoch,
            sequence: header.sequence,
            digest: header.state_digest.unwrap_or(self.position.digest),
        };
    }
}

fn write_control(
    header: DeltaHeader,
    control: &Control<'_>,
    out: &mut [u8],
) -> Result<Prepared, PrepareError> {
    let (needed, given) = (control.size(), out.len());
    let size = control
        .write(out)
        .ok_or(PrepareError::OutputTooSmall { needed, given })?;
    Ok(Prepared {
        header: header.seal(written(out, size)?)?,
        slot: u32::MAX,
    })
}

/// Change of the row's sum by the encoded values that a vector payload carries.
#[inline]
fn row_change_sum(payload: &[u8], old: &[f32], dim: u32) -> u64 {
    let size_field = payload.get(8..).and_then(|tail| tail.first_chunk());
    let size = size_field.map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let tag = payload.get(vector::PREFIX_SIZE - 1).copied().unwrap_or(0);
    let values = payload
        .get(vector::PREFIX_SIZE..)
        .and_then(|tail| tail.get(..size));
    Values::parse(tag, values.unwrap_or_default(), dim).map_or(0, |values| values.change_sum(old))
}

/// What `edits` change in the digest.
fn metadata_change(slot: u32, edits: &[MetadataEdit<'_>]) -> u64 {
    edits.iter().fold(0, |sum: u64, edit| {
        let term = |value: Option<&[u8]>| value.map_or(0, |value| pair_term(slot, edit.key, value));
        sum.wrapping_add(term(edit.new))
            .wrapping_sub(term(edit.old))
    })
}

fn written(out: &[u8], size: usize) -> Result<&[u8], PrepareError> {
    out.get(..size).ok_or(PrepareError::OutputTooSmall {
        needed: size,
        given: out.len(),
    })
}
