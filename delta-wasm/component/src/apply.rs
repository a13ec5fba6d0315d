//! The consuming end: a replica.

use delta_core::header::DeltaHeader;
use delta_core::kernel::diff;
use delta_core::payload::Payload;
use delta_core::payload::control::Control;
use delta_core::payload::metadata::SECTION_SIZE_MAX;
use delta_core::pipeline::apply::Applier;
use delta_core::pipeline::sequencer::Position;
use delta_core::pipeline::session::{ApplyMemory, ApplySession};
use delta_core::record::Record;
use delta_core::retain::Place;
use delta_core::store::{Replica as _, SliceMemory, SliceStore, state_digest};

use crate::bindings::ruvector::delta::types;
use crate::projection::{check, marker, operation_of};
use crate::{DeltaError, error, memory};

/// A replica of the stream that has its id.
pub(crate) struct Replica {
    db_id: String,
    session: ApplySession<'static, SliceStore<'static>>,
}

type Deltas = [(types::DeltaHeader, Vec<u8>)];

impl Replica {
    pub(crate) fn new(db_id: String, config: &types::ApplyConfig) -> Result<Self, DeltaError> {
        error::check_store(config.dimensions, config.capacity, config.epoch)?;
        let slots = config.capacity as usize;
        let store = SliceMemory {
            rows: memory(slots.saturating_mul(config.dimensions as usize))?,
            slots: memory(slots)?,
            attributes: memory(config.attribute_bytes as usize)?,
        };
        let session = ApplyMemory {
            scratch: memory(Applier::scratch_size_max(config.dimensions))?,
            undo: memory(config.undo_bytes as usize)?,
            bytes: memory(config.retained_bytes as usize)?,
            places: memory::<Place>(config.retained_deltas as usize)?,
        };
        let start = Position {
            epoch: config.epoch,
            ..Position::START
        };
        let store = SliceStore::new(config.dimensions, store);
        Ok(Self {
            db_id,
            session: ApplySession::init_apply(store, start, session),
        })
    }

    /// Applies deltas with the control records in front of them, all or none.
    pub(crate) fn apply(&mut self, deltas: &Deltas) -> Result<types::BatchResult, DeltaError> {
        let mut records = Vec::new();
        for (header, payload) in deltas {
            self.read(header, payload, &mut records)?;
        }
        let applied = match records[..] {
            // One alone may need more than the undo memory has: it then cannot be taken back.
            [(header, payload)] => {
                let before = self.position().sequence;
                let sequence = self.session.apply_delta(header, payload);
                let sequence = sequence.map_err(error::of_apply)?;
                let applied = u32::from(sequence > before);
                (applied, 1 - applied)
            }
            _ => {
                let result = self.session.apply_batch(&records);
                let result = result.map_err(error::of_apply)?;
                (result.applied, result.duplicates)
            }
        };
        Ok(types::BatchResult {
            applied: applied.0,
            duplicates: applied.1,
            last_sequence: self.position().sequence,
        })
    }

    /// Cuts a delta's payload into records and checks them: control records of this stream, then
    /// the one that `header` repeats.
    fn read<'p>(
        &self,
        header: &types::DeltaHeader,
        payload: &'p [u8],
        records: &mut Vec<(DeltaHeader, &'p [u8])>,
    ) -> Result<(), DeltaError> {
        let mut rest = payload;
        loop {
            let (record, behind) = Record::split(rest).map_err(error::of_record)?;
            let is_control = operation_of(record.header().operation).is_none();
            if is_control == behind.is_empty() {
                let text = "a payload is control records, then one delta";
                return Err(DeltaError::Malformed(text.to_owned()));
            }
            if let Payload::Control(Control::Start { consumer_bytes, .. }) = record.payload() {
                self.check_stream(consumer_bytes)?;
            }
            records.push((*record.header(), record.payload_bytes()));
            if behind.is_empty() {
                return check(header, &record, self.session.replica());
            }
            rest = behind;
        }
    }

    fn check_stream(&self, consumer_bytes: &[u8]) -> Result<(), DeltaError> {
        if consumer_bytes == self.db_id.as_bytes() {
            return Ok(());
        }
        let found = String::from_utf8_lossy(consumer_bytes);
        let text = format!(
            "the stream is of {found:?}, the replica of {:?}",
            self.db_id
        );
        Err(DeltaError::Refused(text))
    }

    pub(crate) fn position(&self) -> Position {
        self.session.current_position()
    }

    pub(crate) fn seek(&mut self, sequence: u64) -> Result<(), DeltaError> {
        self.session.seek(sequence).map_err(error::of_apply)
    }

    pub(crate) fn state(&self) -> types::CheckpointMarker {
        types::CheckpointMarker {
            state_hash: state_digest(self.session.replica()),
            ..marker(self.session.checkpoint())
        }
    }

    pub(crate) fn row(&self, slot: u32) -> Result<Vec<u8>, DeltaError> {
        let row = self.session.replica().row(slot);
        let row = row.ok_or(DeltaError::UnknownSlot(slot))?;
        Ok(row
            .iter()
            .flat_map(|component| component.to_le_bytes())
            .collect())
    }

    pub(crate) fn id(&self, slot: u32) -> Result<Vec<u8>, DeltaError> {
        let id = self.session.replica().id(slot);
        id.map(<[u8]>::to_vec).ok_or(DeltaError::UnknownSlot(slot))
    }

    pub(crate) fn is_deleted(&self, slot: u32) -> Result<bool, DeltaError> {
        let replica = self.session.replica();
        replica.row(slot).ok_or(DeltaError::UnknownSlot(slot))?;
        Ok(replica.is_deleted(slot))
    }

    pub(crate) fn metadata(&self, slot: u32) -> Result<Vec<(String, Vec<u8>)>, DeltaError> {
        let replica = self.session.replica();
        replica.row(slot).ok_or(DeltaError::UnknownSlot(slot))?;
        let mut pairs = Vec::new();
        replica.visit_metadata(slot, &mut |key, value| {
            pairs.push((text_of(key), value.to_vec()));
        });
        Ok(pairs)
    }

    /// What the last frame of `payload` changes in a row, against what the replica has.
    pub(crate) fn vector(&self, payload: &[u8]) -> Result<types::VectorDelta, DeltaError> {
        let mut rest = payload;
        let record = loop {
            let (record, behind) = Record::split(rest).map_err(error::of_record)?;
            if behind.is_empty() {
                break record;
            }
            rest = behind;
        };
        let (Payload::Insert(vector) | Payload::Update(vector)) = record.payload() else {
            let text = "the frame changes no row, or several";
            return Err(DeltaError::InvalidArgument(text.to_owned()));
        };
        let replica = self.session.replica();
        let old = match record.payload() {
            Payload::Insert(_) => vec![0.0; vector.dim() as usize],
            _ => {
                let row = replica.row(vector.slot());
                row.ok_or(DeltaError::UnknownSlot(vector.slot()))?.to_vec()
            }
        };
        if old.len() != vector.dim() as usize {
            let text = "the frame is of another stream: its rows have another length";
            return Err(DeltaError::InvalidArgument(text.to_owned()));
        }
        let mut new = old.clone();
        let mut scratch = vec![0; vector.values().scratch_size()];
        let change = vector.values().decode(&old, &mut scratch);
        let change = change.map_err(|error| DeltaError::Malformed(error.to_string()))?;
        change.apply(&mut new);
        let (mut dims, mut values) = (vec![0; old.len()], vec![0.0; old.len()]);
        // Four slices of one length: nothing can be refused.
        let count = diff::diff(&old, &new, &mut dims, &mut values).unwrap_or(0);
        dims.truncate(count);
        values.truncate(count);
        let mut scratch = vec![0; SECTION_SIZE_MAX];
        let changes = vector.metadata().decode(&mut scratch);
        let changes = changes.map_err(error::of_metadata)?;
        let pair = |(key, value): (&[u8], Option<&[u8]>)| {
            (text_of(key), text_of(value.unwrap_or_default()))
        };
        Ok(types::VectorDelta {
            id: text_of(vector.id()),
            changed_dims: dims,
            new_values: values,
            metadata_delta: changes.into_iter().map(pair).collect(),
        })
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
