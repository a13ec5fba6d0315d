//! From records to state: every check before the first change (WIRE.md, section 6).

use super::{
    process::{PassThrough, Process},
    sequencer::Position,
};
use crate::{
    digest::{id_term, pair_term, slot_key, tombstone_term},
    header::DeltaHeader,
    payload::{
        Payload,
        batch::BatchPayload,
        control::Control,
        metadata::{MetadataChanges, MetadataError},
        vector::VectorPayload,
    },
    record::{Record, RecordError},
    ring::{Consumer, Corrupt, Mem},
    store::{Replica, StoreError},
};
use core::fmt;

/// Why a replica does not take a record. Nothing has changed, the position included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// Sequence of the refused record.
    pub sequence: u64,
    /// The reason.
    pub reason: Refusal,
}

/// The reason of an [`ApplyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The record comes from a writer that was replaced.
    StaleEpoch {
        /// The replica's epoch.
        current: u32,
        /// The record's epoch.
        found: u32,
    },
    /// The record's epoch has not been announced by a resync.
    UnknownEpoch {
        /// The replica's epoch.
        current: u32,
        /// The record's epoch.
        found: u32,
    },
    /// Records are missing before this one.
    Gap {
        /// The sequence that the replica waits for.
        expected: u64,
    },
    /// The record has rows of another dim.
    Dim {
        /// The replica's dim.
        expected: u32,
        /// The record's dim.
        found: u32,
    },
    /// An insert has another slot than the next, or a start another slot count.
    SlotCount {
        /// Slots of the replica.
        expected: u32,
        /// What the record says.
        found: u32,
    },
    /// The slot does not exist.
    UnknownSlot {
        /// The slot.
        slot: u32,
        /// Slots of the replica.
        slot_count: u32,
    },
    /// The slot is a tombstone.
    Deleted {
        /// The slot.
        slot: u32,
    },
    /// The record was made against another version of the entity.
    Conflict {
        /// The slot.
        slot: u32,
        /// Sequence of the last record that the replica applied to it.
        last_sequence: u64,
        /// Sequence that the record follows.
        prev_sequence: u64,
    },
    /// A batch changes a slot twice.
    Repeated {
        /// The slot.
        slot: u32,
    },
    /// The metadata cannot be read.
    Metadata(MetadataError),
    /// The store has no room.
    Store(StoreError),
    /// The stream starts from another state than this.
    Base {
        /// Digest that the start carries.
        expected: u64,
        /// Digest of the replica.
        found: u64,
    },
    /// The state after the record would differ from the writer's: one of both has drifted.
    Diverged {
        /// Digest that the record carries.
        expected: u64,
        /// Digest that the replica would have.
        computed: u64,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: {}", self.sequence, self.reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::StaleEpoch { current, found } => write!(
                f,
                "epoch {found} is over, {current} goes on: stop the writer that was replaced"
            ),
            Self::UnknownEpoch { current, found } => write!(
                f,
                "epoch {found} follows {current} without a resync: read the stream from there"
            ),
            Self::Gap { expected } => {
                write!(
                    f,
                    "record {expected} is missing: read the stream again from there"
                )
            }
            Self::Dim { expected, found } => {
                write!(
                    f,
                    "rows of {found} components for a replica of {expected}: wrong stream"
                )
            }
            Self::SlotCount { expected, found } => write!(
                f,
                "the record counts {found} slots, the replica {expected}: start from a snapshot"
            ),
            Self::UnknownSlot { slot, slot_count } => write!(
                f,
                "slot {slot} does not exist, {slot_count} do: start from a snapshot"
            ),
            Self::Deleted { slot } => {
                write!(
                    f,
                    "slot {slot} is deleted: an id that comes back is a new insert"
                )
            }
            Self::Conflict {
                slot,
                last_sequence,
                prev_sequence,
            } => write!(
                f,
                "slot {slot} was last changed by record {last_sequence}, not {prev_sequence}: \
                 have the writer read it again and send the change anew"
            ),
            Self::Repeated { slot } => {
                write!(f, "the batch changes slot {slot} twice: send two batches")
            }
            Self::Metadata(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Base { expected, found } => write!(
                f,
                "the stream starts from state {expected:016x}, this is {found:016x}: apply it to \
                 the base it was made for"
            ),
            Self::Diverged { expected, computed } => write!(
                f,
                "the state would have digest {computed:016x}, the writer has {expected:016x}: \
                 start from a snapshot"
            ),
        }
    }
}

impl core::error::Error for ApplyError {}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<MetadataError> for Refusal {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

/// What became of a record that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The replica is one record further.
    Applied,
    /// The replica had applied it before; it was skipped and counted.
    Duplicate,
}

/// Applies records to a replica: sans-io, without a ring.
#[derive(Debug)]
pub struct Applier<'s> {
    position: Position,
    /// Room for decompressed metadata.
    scratch: &'s mut [u8],
    applied: u64,
    duplicates: u64,
}

impl<'s> Applier<'s> {
    /// An applier for a replica that is at `position`. `scratch` takes decompressed metadata:
    /// [`SECTION_SIZE_MAX`](crate::payload::metadata::SECTION_SIZE_MAX) bytes always suffice,
    /// none do where writers do not compress.
    pub fn new(position: Position, scratch: &'s mut [u8]) -> Self {
        Self {
            position,
            scratch,
            applied: 0,
            duplicates: 0,
        }
    }

    /// Epoch, sequence and digest after the last applied record.
    pub fn current_position(&self) -> Position {
        self.position
    }

    /// Records applied since this applier was made.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Records skipped since this applier was made because they had been applied before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Applies one record to `replica`, wholly or not at all. O(change).
    ///
    /// # Errors
    /// See [`Refusal`]; neither `replica` nor this applier has changed then.
    #[inline]
    pub fn apply_delta<R: Replica + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &mut R,
    ) -> Result<Outcome, ApplyError> {
        let header = record.header();
        let refuse = |reason| ApplyError {
            sequence: header.sequence,
            reason,
        };
        if self.is_duplicate(record).map_err(refuse)? {
            self.duplicates += 1;
            return Ok(Outcome::Duplicate);
        }
        let digest = match record.payload() {
            Payload::Insert(vector) => self.insert(header, vector, replica),
            Payload::Update(vector) => self.update(header, vector, replica),
            Payload::Delete { slot } => self.delete(header, *slot, replica),
            Payload::Batch(batch) => self.batch(header, batch, replica),
            Payload::Control(control) => self.control(header, control, replica),
        }
        .map_err(refuse)?;
        self.position = Position {
            epoch: header.epoch,
            sequence: header.sequence,
            digest,
        };
        self.applied += 1;
        Ok(Outcome::Applied)
    }

    #[inline]
    fn is_duplicate(&self, record: &Record<'_>) -> Result<bool, Refusal> {
        let header = record.header();
        let (current, found) = (self.position.epoch, header.epoch);
        if header.sequence <= self.position.sequence && found <= current {
            return Ok(true);
        }
        if found < current {
            return Err(Refusal::StaleEpoch { current, found });
        }
        let resync = matches!(record.payload(), Payload::Control(Control::Resync { .. }));
        if (found > current) != resync {
            return Err(Refusal::UnknownEpoch { current, found });
        }
        let expected = self.position.sequence.wrapping_add(1);
        if header.sequence != expected {
            return Err(Refusal::Gap { expected });
        }
        Ok(false)
    }

    fn insert<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        vector: &VectorPayload<'_>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        let (slot, expected) = (vector.slot(), replica.slot_count());
        check_dim(replica, vector.dim())?;
        if slot != expected {
            return Err(Refusal::SlotCount {
                expected,
                found: slot,
            });
        }
        let row_change = vector.values().change_sum(replica.next_row()?);
        let metadata = vector.metadata().decode(self.scratch)?;
        replica.reserve_attributes(slot, vector.id(), metadata)?;
        let change = slot_key(slot)
            .wrapping_mul(row_change)
            .wrapping_add(id_term(slot, vector.id()))
            .wrapping_add(metadata_change(replica, slot, metadata));
        let digest = agreed(self.position, header, change)?;
        replica.push(vector.id(), metadata);
        vector.values().apply(replica.row_mut(slot));
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
    }

    #[inline]
    fn update<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        vector: &VectorPayload<'_>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        let slot = vector.slot();
        check_dim(replica, vector.dim())?;
        let old = check_chain(replica, slot, header.prev_sequence)?;
        let row_change = slot_key(slot).wrapping_mul(vector.values().change_sum(old));
        let metadata = vector.metadata().decode(self.scratch)?;
        replica.reserve_attributes(slot, &[], metadata)?;
        let change = row_change.wrapping_add(metadata_change(replica, slot, metadata));
        let digest = agreed(self.position, header, change)?;
        vector.values().apply(replica.row_mut(slot));
        replica.change_metadata(slot, metadata);
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
    }

    fn delete<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        slot: u32,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        check_chain(replica, slot, header.prev_sequence)?;
        let digest = agreed(self.position, header, tombstone_term(slot))?;
        replica.mark_deleted(slot);
        replica.set_last_sequence(slot, header.sequence);
        Ok(digest)
    }

    /// All entries, or none: while they are checked their slots are marked with the batch's
    /// sequence, so that one that stands twice is found; a refusal takes the marks back.
    fn batch<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        batch: &BatchPayload<'_>,
        replica: &mut R,
    ) -> Result<u64, Refusal> {
        check_dim(replica, batch.dim())?;
        let mut change = 0_u64;
        let mut marked = 0;
        let mut checked = Ok(());
        for entry in batch.entries() {
            if replica.last_sequence(entry.slot) == Some(header.sequence) {
                checked = Err(Refusal::Repeated { slot: entry.slot });
                break;
            }
            match check_chain(replica, entry.slot, entry.prev_sequence) {
                Ok(old) => {
                    let sum = entry.values.change_sum(old);
                    change = change.wrapping_add(slot_key(entry.slot).wrapping_mul(sum));
                }
                Err(refusal) => {
                    checked = Err(refusal);
                    break;
                }
            }
            replica.set_last_sequence(entry.slot, header.sequence);
            marked += 1;
        }
        let digest = checked.and_then(|()| agreed(self.position, header, change));
        if digest.is_err() {
            for entry in batch.entries().take(marked) {
                replica.set_last_sequence(entry.slot, entry.prev_sequence);
            }
            return digest;
        }
        for entry in batch.entries() {
            entry.values.apply(replica.row_mut(entry.slot));
        }
        digest
    }

    fn control<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        control: &Control<'_>,
        replica: &R,
    ) -> Result<u64, Refusal> {
        let Control::Start {
            dim, slot_count, ..
        } = *control
        else {
            return agreed(self.position, header, 0);
        };
        check_dim(replica, dim)?;
        let (expected, found) = (replica.slot_count(), slot_count);
        if expected != found {
            return Err(Refusal::SlotCount { expected, found });
        }
        let found = self.position.digest;
        match header.state_digest {
            Some(expected) if expected != found => Err(Refusal::Base { expected, found }),
            _ => Ok(found),
        }
    }
}

/// The digest after a record that changes it by `change`, if the writer has the same.
#[inline]
fn agreed(position: Position, header: &DeltaHeader, change: u64) -> Result<u64, Refusal> {
    let computed = position.digest.wrapping_add(change);
    match header.state_digest {
        Some(expected) if expected != computed => Err(Refusal::Diverged { expected, computed }),
        _ => Ok(computed),
    }
}

#[inline]
fn check_dim<R: Replica + ?Sized>(replica: &R, found: u32) -> Result<(), Refusal> {
    let expected = replica.dim();
    if expected != found {
        return Err(Refusal::Dim { expected, found });
    }
    Ok(())
}

/// The row of a slot that exists, lives, and was last changed by `prev_sequence`.
#[inline]
fn check_chain<R: Replica + ?Sized>(
    replica: &R,
    slot: u32,
    prev_sequence: u64,
) -> Result<&[f32], Refusal> {
    let unknown = Refusal::UnknownSlot {
        slot,
        slot_count: replica.slot_count(),
    };
    let last_sequence = replica.last_sequence(slot).ok_or(unknown)?;
    if replica.is_deleted(slot) {
        return Err(Refusal::Deleted { slot });
    }
    if last_sequence != prev_sequence {
        return Err(Refusal::Conflict {
            slot,
            last_sequence,
            prev_sequence,
        });
    }
    replica.row(slot).ok_or(unknown)
}

/// What `changes` change in the digest.
fn metadata_change<R: Replica + ?Sized>(
    replica: &R,
    slot: u32,
    changes: MetadataChanges<'_>,
) -> u64 {
    changes.into_iter().fold(0, |sum: u64, (key, new)| {
        let term = |value: Option<&[u8]>| value.map_or(0, |value| pair_term(slot, key, value));
        sum.wrapping_add(term(new))
            .wrapping_sub(term(replica.metadata(slot, key)))
    })
}

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
pub struct Apply<'s, M: Mem, P: Process = PassThrough> {
    consumer: Consumer<M>,
    applier: Applier<'s>,
    process: P,
}

impl<'s, M: Mem> Apply<'s, M> {
    /// Applies what `consumer` delivers by `applier`'s rules.
    pub fn new(consumer: Consumer<M>, applier: Applier<'s>) -> Self {
        Self::with_process(consumer, applier, PassThrough)
    }
}

impl<'s, M: Mem, P: Process> Apply<'s, M, P> {
    /// As [`Apply::new`], with a process stage that runs inline.
    pub fn with_process(consumer: Consumer<M>, applier: Applier<'s>, process: P) -> Self {
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
        let record = self.process.process(record);
        let outcome = self
            .applier
            .apply_delta(&record, replica)
            .map_err(PollError::Apply)?;
        received.done();
        Ok(Some(outcome))
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
    pub fn into_parts(self) -> (Consumer<M>, Applier<'s>, P) {
        (self.consumer, self.applier, self.process)
    }
}
