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
        let mut following = Following {
            to: &mut *self,
            source,
            target: &mut *target,
        };
        let passed = match following.pass(record) {
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

    /// The derived slot of a slot of the source.
    fn derived(&self, slot: u32) -> Option<u32> {
        self.map.get(slot as usize)?.checked_sub(1)
    }
}

/// A derived stream, the source beside it, and the ring that it goes into.
struct Following<'f, 'm, S, T, R: ?Sized, M: Mem, N: Notify<M>> {
    to: &'f mut Derived<'m, S, T>,
    source: &'f R,
    target: &'f mut Producer<M, N>,
}

impl<S, T, R, M, N> Following<'_, '_, S, T, R, M, N>
where
    S: Select,
    T: Transform,
    R: Replica + ?Sized,
    M: Mem,
    N: Notify<M>,
{
    /// Whether the record leaves something in the derived stream, where it now is.
    fn pass(&mut self, record: &Record<'_>) -> Result<bool, DeriveError> {
        let scratch = core::mem::take(&mut self.to.scratch);
        let passed = self.pass_with(record, scratch);
        self.to.scratch = scratch;
        passed
    }

    /// As [`Self::pass`], with memory for decompressed metadata.
    fn pass_with(&mut self, record: &Record<'_>, scratch: &mut [u8]) -> Result<bool, DeriveError> {
        let to = &mut *self.to;
        to.sequencer.set_timestamp_us(record.header().timestamp_us);
        let wanted = to.config.operations;
        match record.payload() {
            Payload::Insert(vector) => {
                let entity = Entity::new(vector.slot(), vector.id());
                let selected = to.config.select.selects(&entity);
                Ok(wanted.has(Operation::Insert) && selected && self.insert(vector, scratch)?)
            }
            Payload::Update(vector) if wanted.has(Operation::Update) => {
                let slot = vector.slot();
                if to.derived(slot).is_none() {
                    return Ok(false);
                }
                let changes = metadata_of(&to.config.transform, vector, scratch)?;
                self.update(slot, changes)
            }
            Payload::Batch(batch) if wanted.has(Operation::Update) => {
                if batch
                    .entries()
                    .all(|entry| to.derived(entry.slot).is_none())
                {
                    return Ok(false);
                }
                if to.config.transform.keeps_metadata() {
                    let changes = batch.decode(scratch)?;
                    self.updates(changes.map(|(entry, changes)| (entry.slot, changes)))
                } else {
                    let none = MetadataChanges::default();
                    self.updates(batch.entries().map(|entry| (entry.slot, none)))
                }
            }
            Payload::Delete { slot, .. } if wanted.has(Operation::Delete) => {
                let Some(slot) = to.derived(*slot) else {
                    return Ok(false);
                };
                send(&mut to.sequencer, self.target, 4, |sequencer, out| {
                    sequencer.prepare_delete(slot, out)
                })?;
                to.store.mark_deleted(slot);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn insert(
        &mut self,
        vector: &VectorPayload<'_>,
        scratch: &mut [u8],
    ) -> Result<bool, DeriveError> {
        let (slot, id) = (vector.slot(), vector.id());
        let to = &mut *self.to;
        let place = to.map.get_mut(slot as usize);
        let place = place.ok_or(DeriveError::Map { slot })?;
        let (row, transform) = (&mut *to.row, &to.config.transform);
        transform.row(self.source.row(slot).unwrap_or_default(), row);
        let changes = metadata_of(transform, vector, scratch)?;
        to.store.next_row()?;
        let derived = to.store.slot_count();
        to.store.reserve_attributes(derived, id, changes)?;
        let mut edits = [NO_EDIT; PAIRS_MAX];
        let edits = edits_of(changes, &mut edits, |_| None)?;
        let size_max = Sequencer::insert_size_max(id, row, edits);
        send(
            &mut to.sequencer,
            self.target,
            size_max,
            |sequencer, out| sequencer.prepare_insert(id, row, edits, out, None),
        )?;
        to.store.push(id, changes);
        to.store.row_mut(derived).copy_from_slice(row);
        *place = derived + 1;
        Ok(true)
    }

    /// Sends how the entities of a batch have changed, by slots and what changes of their metadata;
    /// the first ones may have been sent.
    fn updates<'c>(
        &mut self,
        changes: impl Iterator<Item = (u32, MetadataChanges<'c>)>,
    ) -> Result<bool, DeriveError> {
        let sent = self.to.entries_sent;
        let mut passed = sent > 0;
        for (slot, changes) in changes.skip(sent as usize) {
            passed |= self.update(slot, changes)?;
            self.to.entries_sent += 1;
        }
        Ok(passed)
    }

    /// Sends how the entity has changed, of its metadata by `changes`, unless it has not.
    fn update(
        &mut self,
        source_slot: u32,
        changes: MetadataChanges<'_>,
    ) -> Result<bool, DeriveError> {
        let to = &mut *self.to;
        let Some(slot) = to.derived(source_slot) else {
            return Ok(false);
        };
        let (row, transform) = (&mut *to.row, &to.config.transform);
        transform.row(self.source.row(source_slot).unwrap_or_default(), row);
        to.store.reserve_attributes(slot, &[], changes)?;
        let old = to.store.row(slot).unwrap_or_default();
        let same = old
            .iter()
            .map(|c| c.to_bits())
            .eq(row.iter().map(|c| c.to_bits()));
        if same && changes.is_empty() {
            return Ok(false);
        }
        let mut edits = [NO_EDIT; PAIRS_MAX];
        let edits = edits_of(changes, &mut edits, |key| to.store.metadata(slot, key))?;
        let size_max = Sequencer::update_size_max(row, edits);
        send(
            &mut to.sequencer,
            self.target,
            size_max,
            |sequencer, out| sequencer.prepare_update(slot, old, row, edits, out, None),
        )?;
        to.store.row_mut(slot).copy_from_slice(row);
        to.store.change_metadata(slot, changes);
        Ok(true)
    }
}

/// What of the metadata of a record travels on.
fn metadata_of<'a>(
    transform: &impl Transform,
    vector: &VectorPayload<'a>,
    scratch: &'a mut [u8],
) -> Result<MetadataChanges<'a>, DeriveError> {
    if !transform.keeps_metadata() {
        return Ok(MetadataChanges::default());
    }
    Ok(vector.metadata().decode(scratch)?)
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
