//! Derived streams: what drops, changes or splits records ends a stream and originates others.
//!
//! A [`Derived`] stream follows a source record by record, beside a replica of the source that has
//! just applied the record. It selects entities and operations, transforms rows, and numbers what
//! is left anew: slots, sequences, chains, epoch, checksums and digest are its own, over a state
//! of its own ([`Derived::store`]), which its readers start from. Watermarks say how far the source
//! has been read. [`route`] offers each record to several of them.
//!
//! ```
//! use delta_core::pipeline::derive::{Derived, DerivedConfig, DerivedMemory, Followed};
//! use delta_core::pipeline::derive::{Namespace, Project};
//! use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
//! use delta_core::pipeline::apply::Applier;
//! use delta_core::record::Record;
//! use delta_core::ring::StaticRing;
//! use delta_core::store::{Replica, SliceMemory, SliceStore, Slot};
//!
//! // The source, and the replica that follows it.
//! let mut states = [SlotState::default(); 4];
//! let mut source = Sequencer::new(3, &mut states, 0, Position::START);
//! let (mut rows, mut slots, mut attributes) = ([0.0; 12], [Slot::default(); 4], [0; 256]);
//! let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut attributes };
//! let mut replica = SliceStore::new(3, memory);
//! let mut applier = Applier::new(Position::START, &mut []);
//!
//! // Of the documents under `src/` the first two components.
//! let mut ring = StaticRing::<16, 4096>::new();
//! let (mut target, _reader) = ring.split();
//! let (mut rows, mut slots, mut attributes) = ([0.0; 8], [Slot::default(); 4], [0; 256]);
//! let (mut states, mut map, mut row) = ([SlotState::default(); 4], [0; 4], [0.0; 2]);
//! let memory = DerivedMemory {
//!     store: SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut attributes },
//!     states: &mut states, map: &mut map, row: &mut row, scratch: &mut [],
//! };
//! let config = DerivedConfig::new(Namespace(b"src/"), Project { dims: &[0, 1] });
//! let mut derived = Derived::new(config, &replica, Position::START, memory)?;
//!
//! let mut out = [0; 128];
//! for (id, followed) in [(&b"src/a"[..], Followed::Passed), (&b"doc/a"[..], Followed::Skipped)] {
//!     let prepared = source.prepare_insert(id, &[1.0, 2.0, 3.0], &[], &mut out, None)?;
//!     let size = prepared.header.payload_size as usize;
//!     let record = Record::with_header(prepared.header, &out[..size])?;
//!     applier.apply_delta(&record, &mut replica)?;
//!     assert_eq!(derived.follow(&record, &replica, &mut target)?, followed);
//!     source.commit(prepared);
//! }
//! assert_eq!(derived.store().slot_count(), 1);
//! assert_eq!(derived.store().row(0), Some(&[1.0, 2.0][..]));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod error;
mod follow;
mod select;
mod transform;

pub use error::DeriveError;
pub use select::{And, Entity, Everything, IdShard, Namespace, Operations, Select, SlotShard};
pub use transform::{DropMetadata, Identity, Project, Quantise, Transform};

use crate::{
    payload::metadata::{MetadataChanges, MetadataEdit, write_section},
    pipeline::sequencer::{Position, Sequencer, SlotState},
    record::Record,
    ring::{Mem, Notify, Producer},
    store::{Replica, SliceMemory, SliceStore, state_digest},
};

/// What happens when the ring of a derived stream is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// [`DeriveError::Full`]: the source waits; ask again with the same record.
    Block,
    /// The record and all later ones are dropped, until [`Derived::resnapshot`].
    DropAndResnapshot,
}

/// What a derived stream is made of.
#[derive(Clone, Copy, Debug)]
pub struct DerivedConfig<S, T> {
    /// Which entities it has. Asked once an entity.
    pub select: S,
    /// Which of their changes it has.
    pub operations: Operations,
    /// What becomes of their rows and metadata.
    pub transform: T,
    /// What a full ring means.
    pub overflow: Overflow,
    /// A watermark is sent when so many records of the source in a row left nothing, at least 1.
    pub watermark_every: u32,
}

impl<S: Select, T: Transform> DerivedConfig<S, T> {
    /// All operations, blocking, a watermark every 1,024 silent records.
    pub fn new(select: S, transform: T) -> Self {
        Self {
            select,
            operations: Operations::ALL,
            transform,
            overflow: Overflow::Block,
            watermark_every: 1_024,
        }
    }
}

/// The memory that a [`Derived`] stream works in.
#[derive(Debug)]
pub struct DerivedMemory<'m> {
    /// Its state, a second copy of what it selects.
    pub store: SliceMemory<'m>,
    /// One for each slot of the store.
    pub states: &'m mut [SlotState],
    /// One for each slot of the source.
    pub map: &'m mut [u32],
    /// At least the derived dim.
    pub row: &'m mut [f32],
    /// For decompressed metadata, as an applier's.
    pub scratch: &'m mut [u8],
}

/// What became of a record of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The derived stream has a record, or several, for it.
    Passed,
    /// It leaves nothing in the derived stream.
    Skipped,
    /// It was followed before.
    Duplicate,
    /// The stream is broken off: [`Derived::resnapshot`].
    Dropped,
}

/// A stream derived from another.
#[derive(Debug)]
pub struct Derived<'m, S, T> {
    config: DerivedConfig<S, T>,
    sequencer: Sequencer<'m>,
    store: SliceStore<'m>,
    /// By the source's slots: the derived slot and 1, 0: none.
    map: &'m mut [u32],
    row: &'m mut [f32],
    scratch: &'m mut [u8],
    /// Epoch and sequence of the last followed record.
    source: (u32, u64),
    /// Records since the last one that left something.
    silent: u32,
    /// Entries of the batch in front that have been sent.
    entries_sent: u32,
    dropped: bool,
}

impl<'m, S: Select, T: Transform> Derived<'m, S, T> {
    /// A stream that follows a source from `position` on, at which `source` is: its base is what it
    /// selects there. Its own positions begin with epoch 1 and sequence 0. O(state of the source).
    ///
    /// # Errors
    /// [`DeriveError::Store`], [`DeriveError::Map`]: more memory is needed.
    ///
    /// # Panics
    /// If the transform's dim is 0 or `memory.row` is shorter.
    pub fn new<R: Replica + ?Sized>(
        config: DerivedConfig<S, T>,
        source: &R,
        position: Position,
        memory: DerivedMemory<'m>,
    ) -> Result<Self, DeriveError> {
        let DerivedMemory {
            store,
            states,
            map,
            row,
            scratch,
        } = memory;
        let dim = config.transform.dim(source.dim());
        assert!(row.len() >= dim as usize, "a row of the derived dim");
        let mut derived = Self {
            config,
            sequencer: Sequencer::new(dim, states, 0, Position::START),
            store: SliceStore::new(dim, store),
            map,
            row: row.get_mut(..dim as usize).unwrap_or_default(),
            scratch,
            source: (0, 0),
            silent: 0,
            entries_sent: 0,
            dropped: false,
        };
        derived.resnapshot(source, position, 1)?;
        Ok(derived)
    }

    /// Begins anew from what `source` has at `position`, under a new and greater `epoch`: readers
    /// of the stream start again from a snapshot of [`store`](Self::store) at
    /// [`position`](Self::position). O(state of the source).
    ///
    /// # Errors
    /// [`DeriveError::Store`], [`DeriveError::Map`]: more memory is needed; the stream is broken
    /// off then.
    pub fn resnapshot<R: Replica + ?Sized>(
        &mut self,
        source: &R,
        position: Position,
        epoch: u32,
    ) -> Result<(), DeriveError> {
        self.dropped = true;
        self.store.clear();
        self.map.fill(0);
        self.entries_sent = 0;
        for slot in 0..source.slot_count() {
            let id = source.id(slot).unwrap_or_default();
            if source.is_deleted(slot) || !self.config.select.selects(&Entity::new(slot, id)) {
                continue;
            }
            self.copy(source, slot, id)?;
        }
        let digest = state_digest(&self.store);
        let sequence = self.sequencer.position().sequence;
        let restarted = Position {
            epoch: epoch.max(1),
            sequence,
            digest,
        };
        self.sequencer.restart(self.store.slot_count(), restarted);
        self.source = (position.epoch, position.sequence);
        self.silent = 0;
        self.dropped = false;
        Ok(())
    }

    /// Takes an entity of the source into the base.
    fn copy<R: Replica + ?Sized>(
        &mut self,
        source: &R,
        slot: u32,
        id: &[u8],
    ) -> Result<(), DeriveError> {
        self.store.next_row()?;
        let mut size = 0;
        let mut written = Ok(());
        if self.config.transform.keeps_metadata() {
            source.visit_metadata(slot, &mut |key, value| {
                let edit = MetadataEdit {
                    key,
                    old: None,
                    new: Some(value),
                };
                let out = self.scratch.get_mut(size..).unwrap_or_default();
                match write_section(&[edit], out, None) {
                    Ok((bytes, _)) => size += bytes,
                    Err(error) => written = Err(error),
                }
            });
        }
        written?;
        let section = self.scratch.get(..size).unwrap_or_default();
        let metadata = MetadataChanges::from_checked(section);
        let derived = self.store.slot_count();
        self.store.reserve_attributes(derived, id, metadata)?;
        *self
            .map
            .get_mut(slot as usize)
            .ok_or(DeriveError::Map { slot })? = derived + 1;
        self.store.push(id, metadata);
        let row = source.row(slot).unwrap_or_default();
        self.config.transform.row(row, self.store.row_mut(derived));
        Ok(())
    }

    /// The derived state: what a reader of the stream has at [`position`](Self::position).
    pub fn store(&self) -> &SliceStore<'m> {
        &self.store
    }

    /// Epoch, sequence and digest after the last derived record.
    pub fn position(&self) -> Position {
        self.sequencer.position()
    }

    /// Epoch and sequence of the source up to which it has been followed.
    pub fn source_position(&self) -> (u32, u64) {
        self.source
    }

    /// The stream is broken off, and its readers need a snapshot.
    pub fn needs_resnapshot(&self) -> bool {
        self.dropped
    }
}

/// A derived stream and the ring that it goes into.
pub type Output<'m, S, T, M, N> = (Derived<'m, S, T>, Producer<M, N>);

/// Offers a record of the source to each of several derived streams and their rings.
///
/// # Errors
/// The first stream's that cannot take it: call again with the same record once that one has room;
/// the others skip it then.
pub fn route<R, S, T, M, N>(
    record: &Record<'_>,
    source: &R,
    outputs: &mut [Output<'_, S, T, M, N>],
) -> Result<(), DeriveError>
where
    R: Replica + ?Sized,
    S: Select,
    T: Transform,
    M: Mem,
    N: Notify<M>,
{
    let mut result = Ok(());
    for (derived, target) in outputs {
        // One that is full must not keep the record from the others.
        let followed = derived.follow(record, source, target).map(|_| ());
        result = result.and(followed);
    }
    result
}
