//! A stream of tensor changes, for its writer and for its replicas (WIRE.md, section 9).

use super::{
    apply::{ApplyError, Outcome, Refusal, agreed, is_duplicate},
    sequencer::Position,
};
use crate::{
    header::{DeltaHeader, Operation},
    payload::{
        Payload,
        control::Control,
        tensor::{self, PREFIX_SIZE, TensorChange, TensorPayload},
    },
    record::Record,
    tensor::{Tensor, TensorEdit},
};

mod error;
mod ring;
mod write;

pub use error::TensorPrepareError;
pub use ring::TensorSendError;
use write::write;

/// A record that has been written but not committed. It holds on to its edit, not to its bytes.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "commit it once the record is sent, or drop it if it is not"]
pub struct PreparedTensor<'e> {
    /// The sealed header.
    pub header: DeltaHeader,
    /// Slot and edit; none of a control record.
    edit: Option<(u32, TensorEdit<'e>)>,
}

/// The tensors of a writer or replica, and how far their stream has come.
///
/// Both sides declare the same tensors, in the same order, with the same element types and shapes:
/// their places are the slots of the records.
///
/// ```
/// use delta_core::payload::tensor::{DType, Shape, Slab};
/// use delta_core::pipeline::tensor::TensorStream;
/// use delta_core::record::Record;
/// use delta_core::tensor::{Tensor, TensorEdit};
///
/// // Keys of a cache: 2 heads, no token yet, 4 components, for up to 8 tokens.
/// let shape = Shape::new(&[2, 0, 4])?;
/// let (mut memory, mut other_memory) = ([0; 32], [0; 32]);
/// let mut written = [Tensor::new(DType::F16, shape, &mut memory)?];
/// let mut replicated = [Tensor::new(DType::F16, shape, &mut other_memory)?];
/// let mut writer = TensorStream::new(&mut written);
/// let mut replica = TensorStream::new(&mut replicated);
///
/// // A token is appended on axis 1.
/// let slab = Slab { axis: 1, start: 0, count: 1 };
/// let edit = TensorEdit::Put { slab, elements: &[7; 16] };
/// let mut payload = [0; 64];
/// let (prepared, size) = writer.prepare(0, edit, &mut payload)?;
/// let header = prepared.header;
/// writer.commit(prepared);
///
/// replica.apply_delta(&Record::with_header(header, &payload[..size])?)?;
/// assert_eq!(replica.tensors()[0].shape().extents(), [2, 1, 4]);
/// assert_eq!(replica.tensors()[0].as_bytes(), writer.tensors()[0].as_bytes());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TensorStream<'s, 'm> {
    tensors: &'s mut [Tensor<'m>],
    position: Position,
    timestamp_us: u64,
}

impl<'s, 'm> TensorStream<'s, 'm> {
    /// A stream in epoch 1, before its first record, over the tensors as they are. O(elements).
    pub fn new(tensors: &'s mut [Tensor<'m>]) -> Self {
        let position = Position {
            digest: digest(tensors),
            ..Position::START
        };
        Self::resume(tensors, position)
    }

    /// A stream that goes on at `position`, whose digest is that of the tensors.
    pub fn resume(tensors: &'s mut [Tensor<'m>], position: Position) -> Self {
        Self {
            tensors,
            position,
            timestamp_us: 0,
        }
    }

    /// The tensors; a tensor's place is its slot.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor<'m>] {
        self.tensors
    }

    /// Epoch, sequence and digest after the last record.
    #[must_use]
    pub fn current_position(&self) -> Position {
        self.position
    }

    /// The time that the following records carry, microseconds since the Unix epoch.
    pub fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.timestamp_us = timestamp_us;
    }

    /// Most bytes of the payload of `edit`.
    #[must_use]
    pub fn payload_size_max(&self, slot: u32, edit: &TensorEdit<'_>) -> usize {
        let tensor = self.tensors.get(slot as usize);
        match (edit, tensor) {
            (TensorEdit::Rows { elements, .. }, Some(tensor)) => {
                tensor::rows_size_max(tensor.row_size(), elements.len())
            }
            (TensorEdit::Dense { shape, elements }, _) => {
                PREFIX_SIZE + size_of_val(shape.extents()) + elements.len()
            }
            (TensorEdit::Put { elements, .. }, _) => PREFIX_SIZE + elements.len(),
            _ => PREFIX_SIZE,
        }
    }

    /// Writes the record of `edit` and returns it with the payload's size in `out`, which must hold
    /// [`payload_size_max`](Self::payload_size_max) bytes. O(edit); edits that move
    /// elements: O(elements).
    ///
    /// # Errors
    /// See [`TensorPrepareError`].
    pub fn prepare<'e>(
        &self,
        slot: u32,
        edit: TensorEdit<'e>,
        out: &mut [u8],
    ) -> Result<(PreparedTensor<'e>, usize), TensorPrepareError> {
        let unknown = TensorPrepareError::UnknownSlot {
            slot,
            slot_count: self.tensors.len(),
        };
        let tensor = self.tensors.get(slot as usize).ok_or(unknown)?;
        let (size, relative) = write(tensor, slot, edit, out)?;
        let header = DeltaHeader {
            tensor: true,
            relative,
            prev_sequence: tensor.last_sequence(),
            ..self.header(Operation::Update)
        };
        // Read back: what a replica would refuse is never sent.
        let bytes = out.get(..size).unwrap_or_default();
        let payload = TensorPayload::parse(&header, bytes).map_err(TensorPrepareError::Payload)?;
        let change = tensor.check(&payload)?;
        let header = DeltaHeader {
            state_digest: Some(self.position.digest.wrapping_add(change)),
            ..header
        };
        seal(header, Some((slot, edit)), out, size)
    }

    /// Writes the start of the stream into `out`, with `consumer_bytes` of the caller's own, such
    /// as the names of the tensors; returns it with the payload's size.
    ///
    /// # Errors
    /// See [`TensorPrepareError`].
    pub fn prepare_start(
        &self,
        consumer_bytes: &[u8],
        out: &mut [u8],
    ) -> Result<(PreparedTensor<'static>, usize), TensorPrepareError> {
        let start = Control::Start {
            dim: 1,
            slot_count: self.slot_count(),
            graph: None,
            consumer_bytes,
        };
        prepare_control(self.header(Operation::Control), &start, out)
    }

    /// Writes the end of the stream, which had `record_count` records after its start, into `out`.
    ///
    /// # Errors
    /// See [`TensorPrepareError`].
    pub fn prepare_end(
        &self,
        record_count: u64,
        out: &mut [u8],
    ) -> Result<(PreparedTensor<'static>, usize), TensorPrepareError> {
        let end = Control::End { record_count };
        prepare_control(self.header(Operation::Control), &end, out)
    }

    /// Writes a resync into `out`, by which a restarted writer announces its new epoch: greater
    /// than any before, allocated durably.
    ///
    /// # Errors
    /// See [`TensorPrepareError`].
    pub fn prepare_resync(
        &self,
        epoch: u32,
        out: &mut [u8],
    ) -> Result<(PreparedTensor<'static>, usize), TensorPrepareError> {
        let current = self.position.epoch;
        if epoch <= current {
            return Err(TensorPrepareError::Epoch {
                current,
                found: epoch,
            });
        }
        let header = DeltaHeader {
            epoch,
            ..self.header(Operation::Control)
        };
        let position = self.position.sequence;
        prepare_control(header, &Control::Resync { position }, out)
    }

    /// The next header, of a record that changes nothing.
    fn header(&self, operation: Operation) -> DeltaHeader {
        let Position {
            epoch,
            sequence,
            digest,
        } = self.position;
        DeltaHeader {
            timestamp_us: self.timestamp_us,
            state_digest: Some(digest),
            ..DeltaHeader::new(operation, sequence.wrapping_add(1), epoch)
        }
    }

    fn slot_count(&self) -> u32 {
        u32::try_from(self.tensors.len()).unwrap_or(u32::MAX)
    }

    /// Makes a prepared record part of the stream, and its edit in the writer's tensor. It must
    /// have been prepared after the last commit. O(edit), or O(elements) where elements move.
    ///
    /// # Panics
    /// If it was prepared before another commit.
    pub fn commit(&mut self, prepared: PreparedTensor<'_>) {
        let PreparedTensor { header, edit } = prepared;
        assert!(
            header.sequence == self.position.sequence.wrapping_add(1),
            "records are committed in the order of their preparation, each once"
        );
        let tensor =
            edit.and_then(|(slot, edit)| Some((self.tensors.get_mut(slot as usize)?, edit)));
        if let Some((tensor, edit)) = tensor {
            match edit {
                TensorEdit::Rows { start, elements } => tensor.set_rows(start, elements),
                TensorEdit::Dense { shape, elements } => {
                    tensor.make(&TensorChange::Dense { shape, elements });
                }
                TensorEdit::Put { slab, elements } => {
                    tensor.make(&TensorChange::Put { slab, elements });
                }
                TensorEdit::Clear { slab } => tensor.make(&TensorChange::Clear { slab }),
                TensorEdit::Evict { slab } => tensor.make(&TensorChange::Evict { slab }),
            }
            tensor.set_last_sequence(header.sequence);
        }
        let digest = header.state_digest.unwrap_or(self.position.digest);
        self.advance(&header, digest);
    }

    /// Applies one record, wholly or not at all. O(change), or O(elements) where elements move.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn apply_delta(&mut self, record: &Record<'_>) -> Result<Outcome, ApplyError> {
        let header = record.header();
        let refuse = |reason| ApplyError {
            sequence: header.sequence,
            reason,
        };
        if is_duplicate(self.position, record).map_err(refuse)? {
            return Ok(Outcome::Duplicate);
        }
        match record.payload() {
            Payload::Tensor(payload) => self.change(header, payload),
            Payload::Control(control) => self.control(header, control),
            _ => Err(Refusal::RowRecord),
        }
        .map(|digest| self.advance(header, digest))
        .map_err(refuse)?;
        Ok(Outcome::Applied)
    }

    fn change(
        &mut self,
        header: &DeltaHeader,
        payload: &TensorPayload<'_>,
    ) -> Result<u64, Refusal> {
        let slot = payload.slot;
        let slot_count = self.slot_count();
        let position = self.position;
        let tensor = self
            .tensors
            .get_mut(slot as usize)
            .ok_or(Refusal::UnknownSlot { slot, slot_count })?;
        let (last_sequence, prev_sequence) = (tensor.last_sequence(), header.prev_sequence);
        if last_sequence != prev_sequence {
            return Err(Refusal::Conflict {
                slot,
                last_sequence,
                prev_sequence,
            });
        }
        let change = tensor.check(payload)?;
        let digest = agreed(position, header, change, None)?;
        tensor.make(&payload.change);
        tensor.set_last_sequence(header.sequence);
        Ok(digest)
    }

    fn control(&self, header: &DeltaHeader, control: &Control<'_>) -> Result<u64, Refusal> {
        let Control::Start {
            slot_count, graph, ..
        } = *control
        else {
            return agreed(self.position, header, 0, None);
        };
        if graph.is_some() {
            return Err(Refusal::RowRecord);
        }
        let expected = self.slot_count();
        if expected != slot_count {
            return Err(Refusal::SlotCount {
                expected,
                found: slot_count,
            });
        }
        let found = self.position.digest;
        match header.state_digest {
            Some(expected) if expected != found => Err(Refusal::Base { expected, found }),
            _ => Ok(found),
        }
    }

    fn advance(&mut self, header: &DeltaHeader, digest: u64) {
        self.position = Position {
            epoch: header.epoch,
            sequence: header.sequence,
            digest,
        };
    }
}

fn prepare_control(
    header: DeltaHeader,
    control: &Control<'_>,
    out: &mut [u8],
) -> Result<(PreparedTensor<'static>, usize), TensorPrepareError> {
    let (needed, given) = (control.size(), out.len());
    let size = control
        .write(out)
        .ok_or(TensorPrepareError::OutputTooSmall { needed, given })?;
    seal(header, None, out, size)
}

/// Seals the payload of `size` bytes at the front of `out`.
fn seal<'e>(
    header: DeltaHeader,
    edit: Option<(u32, TensorEdit<'e>)>,
    out: &[u8],
    size: usize,
) -> Result<(PreparedTensor<'e>, usize), TensorPrepareError> {
    let payload = out.get(..size).unwrap_or_default();
    let header = header.seal(payload).map_err(TensorPrepareError::Header)?;
    Ok((PreparedTensor { header, edit }, size))
}

/// The state digest of tensors: the sum of their terms. O(elements).
#[must_use]
pub fn digest(tensors: &[Tensor<'_>]) -> u64 {
    let terms = (0..).zip(tensors).map(|(slot, tensor)| tensor.digest(slot));
    terms.fold(0, u64::wrapping_add)
}
