//! Following the source, record by record.

use super::{DeriveError, Derived, Entity, Followed, Overflow, Select, Transform};
use crate::{
    header::Operation,
    payload::{
        Payload,
        control::CONTROL_SIZE,
        metadata::{MetadataChanges, MetadataEdit},
        vector::VectorPayload,
    },
    pipeline::sequencer::{PrepareError, Prepared, Sequencer},
    record::Record,
    ring::{Mem, Notify, Producer, ReserveError},
    store::Replica,
};

/// Most metadata pairs that a record may change.
const PAIRS_MAX: usize = 64;

const NO_EDIT: MetadataEdit<'static> = MetadataEdit {
    key: &[],
    old: None,
    new: None,
};

impl<S: Select, T: Transform> Derived<'_, S, T> {
    /// Takes a record of the source, which `source` has just applied, and sends what it leaves to
    /// `target`. O(derived dim + metadata) for each row.
    ///
    /// The entries of a batch become records of their own.
    ///
    /// # Errors
    /// See [`DeriveError`]; offer the record again then.
    pub fn follow<R, M, N>(
        &mut self,
        record: &Record<'_>,
        source: &R,
        target: &mut Producer<M, N>,
    ) -> Result<Followed, DeriveError>
    where
        R: Replica + ?Sized,
        M: Mem,
        N: Notify<M>,
    {
        let header = record.header();
        let (epoch, sequence) = self.source;
        if header.sequence <= sequence && header.epoch <= epoch {
            return Ok(Followed::Duplicate);
        }
        let expected = sequence + 1;
        if header.sequence != expected {
            let found = header.sequence;
            return Err(DeriveError::Gap { expected, found });
        }
        if self.dropped {
            self.source = (header.epoch, header.sequence);
            return Ok(Followed::Dropped);
        }
        let passed = match self.pass(record, source, target) {
            Err(DeriveError::Full(_)) if self.config.overflow == Overflow::DropAndResnapshot => {
                self.dropped = true;
                self.source = (header.epoch, header.sequence);
                return Ok(Followed::Dropped);
            }
            passed => passed?,
        };
        self.source = (header.epoch, header.sequence);
        self.entries_sent = 0;
        if passed {
            self.silent = 0;
            return Ok(Followed::Passed);
        }
        self.silent = self.silent.saturating_add(1);
        if self.silent >= self.config.watermark_every {
            // One that does not fit goes with the next silent record.
            self.watermark(target).or_else(|error| match error {
                DeriveError::Full(_) => Ok(()),
                error => Err(error),
            })?;
        }
        Ok(Followed::Skipped)
    }

    /// Sends how far the source has been followed: for a reader that waits for a position of it.
    ///
    /// # Errors
    /// See [`DeriveError`].
    pub fn watermark<M: Mem, N: Notify<M>>(
        &mut self,
        target: &mut Producer<M, N>,
    ) -> Result<(), DeriveError> {
        let (epoch, sequence) = self.source;
        send(
            &mut self.sequencer,
            target,
            CONTROL_SIZE,
            |sequencer, out| sequencer.prepare_watermark(epoch, sequence, out),
        )?;
        self.silent = 0;
        Ok(())
    }

    /// Whether the record leaves something in the derived stream, where it now is.
    fn pass<R, M, N>(
        &mut self,
        record: &Record<'_>,
        source: &R,
        target: &mut Producer<M, N>,
    ) -> Result<bool, DeriveError>
    where
        R: Replica + ?Sized,
        M: Mem,
        N: Notify<M>,
    {
        self.sequencer
            .set_timestamp_us(record.header().timestamp_us);
        let wanted = self.config.operations;
        match record.payload() {
            Payload::Insert(vector) => {
                let entity = Entity::new(vector.slot(), vector.id());
                let selected = self.config.select.selects(&entity);
                Ok(wanted.has(Operation::Insert)
                    && selected
                    && self.insert(vector, source, target)?)
            }
            Payload::Update(vector) if wanted.has(Operation::Update) => {
                let Some(slot) = self.derived(vector.slot()) else {
                    return Ok(false);
                };
                self.update(slot, vector.slot(), Some(vector), source, target)
            }
            Payload::Batch(batch) if wanted.has(Operation::Update) => {
                let sent = self.entries_sent;
                let mut passed = sent > 0;
                for entry in batch.entries().skip(sent as usize) {
                    if let Some(slot) = self.derived(entry.slot) {
                        passed |= self.update(slot, entry.slot, None, source, target)?;
                    }
                    self.entries_sent += 1;
                }
                Ok(passed)
            }
            Payload::Delete { slot, .. } if wanted.has(Operation::Delete) => {
                let Some(slot) = self.derived(*slot) else {
                    return Ok(false);
                };
                send(&mut self.sequencer, target, 4, |sequencer, out| {
                    sequencer.prepare_delete(slot, out)
                })?;
                self.store.mark_deleted(slot);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The derived slot of a slot of the source.
    fn derived(&self, slot: u32) -> Option<u32> {
        self.map.get(slot as usize)?.checked_sub(1)
    }

    fn insert<R, M, N>(
        &mut self,
        vector: &VectorPayload<'_>,
        source: &R,
        target: &mut Producer<M, N>,
    ) -> Result<bool, DeriveError>
    where
        R: Replica + ?Sized,
        M: Mem,
        N: Notify<M>,
    {
        let (slot, id) = (vector.slot(), vector.id());
        let place = self.map.get_mut(slot as usize);
        let place = place.ok_or(DeriveError::Map { slot })?;
        let (row, config) = (&mut *self.row, &self.config);
        config
            .transform
            .row(source.row(slot).unwrap_or_default(), row);
        let changes = if config.transform.keeps_metadata() {
            vector.metadata().decode(self.scratch)?
        } else {
            MetadataChanges::default()
        };
        self.store.next_row()?;
        let derived = self.store.slot_count();
        self.store.reserve_attributes(derived, id, changes)?;
        let mut edits = [NO_EDIT; PAIRS_MAX];
        let edits = edits_of(changes, &mut edits, |_| None)?;
        let size_max = Sequencer::insert_size_max(id, row, edits);
        send(&mut self.sequencer, target, size_max, |sequencer, out| {
            sequencer.prepare_insert(id, row, edits, out, None)
        })?;
        self.store.push(id, changes);
        self.store.row_mut(derived).copy_from_slice(row);
        *place = derived + 1;
        Ok(true)
    }

    /// Sends how the entity has changed, unless it has not: `vector` says what of its metadata has.
    fn update<R, M, N>(
        &mut self,
        slot: u32,
        source_slot: u32,
        vector: Option<&VectorPayload<'_>>,
        source: &R,
        target: &mut Producer<M, N>,
    ) -> Result<bool, DeriveError>
    where
        R: Replica + ?Sized,
        M: Mem,
        N: Notify<M>,
    {
        let (row, config) = (&mut *self.row, &self.config);
        let source_row = source.row(source_slot).unwrap_or_default();
        config.transform.row(source_row, row);
        let changes = match vector {
            Some(vector) if config.transform.keeps_metadata() => {
                vector.metadata().decode(self.scratch)?
            }
            _ => MetadataChanges::default(),
        };
        self.store.reserve_attributes(slot, &[], changes)?;
        let old = self.store.row(slot).unwrap_or_default();
        let same = old
            .iter()
            .map(|c| c.to_bits())
            .eq(row.iter().map(|c| c.to_bits()));
        if same && changes.is_empty() {
            return Ok(false);
        }
        let mut edits = [NO_EDIT; PAIRS_MAX];
        let edits = edits_of(changes, &mut edits, |key| self.store.metadata(slot, key))?;
        let size_max = Sequencer::update_size_max(row, edits);
        send(&mut self.sequencer, target, size_max, |sequencer, out| {
            sequencer.prepare_update(slot, old, row, edits, out, None)
        })?;
        self.store.row_mut(slot).copy_from_slice(row);
        self.store.change_metadata(slot, changes);
        Ok(true)
    }
}

/// `changes` as edits over the values that `old` knows.
fn edits_of<'e, 'a>(
    changes: MetadataChanges<'a>,
    edits: &'e mut [MetadataEdit<'a>; PAIRS_MAX],
    old: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Result<&'e [MetadataEdit<'a>], DeriveError> {
    let mut count = 0;
    for (key, new) in changes {
        let max = PAIRS_MAX;
        let edit = edits.get_mut(count).ok_or(DeriveError::Pairs { max })?;
        *edit = MetadataEdit {
            key,
            old: old(key),
            new,
        };
        count += 1;
    }
    Ok(edits.get(..count).unwrap_or_default())
}

/// Sends what `prepare` writes.
fn send<'m, M: Mem, N: Notify<M>>(
    sequencer: &mut Sequencer<'m>,
    target: &mut Producer<M, N>,
    size_max: usize,
    prepare: impl FnOnce(&Sequencer<'m>, &mut [u8]) -> Result<Prepared, PrepareError>,
) -> Result<(), DeriveError> {
    let mut grant = target.reserve(size_max).map_err(|error| match error {
        ReserveError::Full { .. } => DeriveError::Full(error),
        error => DeriveError::Ring(error),
    })?;
    let prepared = prepare(sequencer, grant.payload_mut()).map_err(DeriveError::Prepare)?;
    grant
        .commit(&prepared.header.to_bytes())
        .map_err(DeriveError::Commit)?;
    sequencer.commit(prepared);
    Ok(())
}
