//! The primary as plain collections, events that change it, and its digest from WIRE.md alone.

use crate::{
    codec::lz4::Lz4Scratch,
    digest::{lane_key, slot_key},
    payload::{batch::RowUpdate, metadata::MetadataEdit},
    pipeline::{
        apply::Applier,
        batch::BatchError,
        capture::{Capture, CaptureError},
        sequencer::{Position, PrepareError, Sequencer, SlotState},
    },
    ring::{Mem, Producer},
    testing::{SlotView, any_bits, bits_of},
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select},
};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

pub(super) const DIM_MAX: usize = 20;
/// Slots that histories may use.
pub(super) const SLOTS: usize = 12;
/// Bytes of scratch that suffice for an applier.
#[expect(clippy::cast_possible_truncation, reason = "a small number")]
pub(super) const SCRATCH: usize = Applier::scratch_size_max(DIM_MAX as u32);

/// New bits of some components.
pub(super) type RowChange = Vec<Option<u32>>;
type Metadata = BTreeMap<Vec<u8>, Vec<u8>>;
type MetadataChange = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

#[derive(Clone, Debug)]
pub(super) enum Event {
    Insert(Vec<u8>, RowChange, Metadata),
    Update(Index, RowChange, MetadataChange),
    Delete(Index),
    Batch(Vec<(Index, RowChange, MetadataChange)>),
    Resync(u32),
    Watermark,
}

fn any_row_change() -> impl Strategy<Value = RowChange> {
    let byte = prop_oneof![any::<u8>(), 0..4_u8];
    prop_oneof![
        4 => vec(option::weighted(0.1, any_bits()), DIM_MAX),
        1 => vec(option::weighted(0.9, any_bits()), DIM_MAX),
        // Bytes, of which bits flip.
        2 => vec(option::weighted(0.7, byte.prop_map(|byte| f32::from(byte).to_bits())), DIM_MAX),
        1 => Just(vec![None; DIM_MAX]),
    ]
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..8),
        (any::<u8>(), 0..80_usize).prop_map(|(byte, size)| vec![byte; size]),
    ]
}

pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let index = any::<Index>;
    // Few ids and keys: they come back.
    let id = select(vec![b"a".to_vec(), b"bb".to_vec(), b"ccc".to_vec()]);
    let key = || vec(0..2_u8, 1..3);
    let metadata = btree_map(key(), any_value(), 0..3);
    let edits = btree_map(key(), option::of(any_value()), 0..3);
    // What a small ring takes of three entries, some of it worth compressing.
    let run = (any::<u8>(), 0..20_usize).prop_map(|(byte, size)| vec![byte; size]);
    let short = prop_oneof![vec(any::<u8>(), 0..8), run];
    let short_edits = btree_map(key(), option::of(short), 0..3);
    let batched = (index(), any_row_change(), short_edits);
    prop_oneof![
        3 => (id, any_row_change(), metadata).prop_map(|(id, row, m)| Event::Insert(id, row, m)),
        6 => (index(), any_row_change(), edits).prop_map(|(at, row, m)| Event::Update(at, row, m)),
        1 => index().prop_map(Event::Delete),
        2 => vec(batched, 0..4).prop_map(Event::Batch),
        1 => (1..9_u32).prop_map(Event::Resync),
        1 => Just(Event::Watermark),
    ]
}

#[derive(Clone, Debug)]
struct Entity {
    row: Vec<f32>,
    id: Option<Vec<u8>>,
    metadata: Metadata,
    deleted: bool,
    last_sequence: u64,
}

impl Entity {
    /// A change as a writer is told of it.
    fn edits<'e>(&'e self, change: &'e MetadataChange) -> Vec<MetadataEdit<'e>> {
        let edits = change.iter().map(|(key, new)| MetadataEdit {
            key,
            old: self.metadata.get(key).map(Vec::as_slice),
            new: new.as_deref(),
        });
        edits.collect()
    }

    fn change_metadata(&mut self, change: &MetadataChange) {
        for (key, new) in change.clone() {
            match new {
                Some(value) => self.metadata.insert(key, value),
                None => self.metadata.remove(&key),
            };
        }
    }
}

/// A vector store whose every write is captured.
pub(super) struct Primary<'a, M: Mem> {
    pub(super) capture: Capture<'a, M>,
    dim: usize,
    entities: Vec<Entity>,
    /// Epoch and sequence that the capture must have.
    epoch: u32,
    sequence: u64,
}

fn changed(row: &[f32], change: &[Option<u32>]) -> Vec<f32> {
    let components = row.iter().zip(change);
    components
        .map(|(old, new)| new.map_or(*old, f32::from_bits))
        .collect()
}

impl<'a, M: Mem> Primary<'a, M> {
    /// A store of the rows in `base`.
    pub(super) fn new(
        producer: Producer<M>,
        slots: &'a mut [SlotState],
        lz4: Option<&'a mut Lz4Scratch>,
        dim: usize,
        base: &[f32],
    ) -> Self {
        let entities: Vec<_> = base
            .chunks(dim)
            .map(|row| Entity {
                row: row.to_vec(),
                id: None,
                metadata: Metadata::new(),
                deleted: false,
                last_sequence: 0,
            })
            .collect();
        let position = Position {
            digest: digest(&entities),
            ..Position::START
        };
        let (dim_field, slot_count) = (to_u32(dim), to_u32(entities.len()));
        let sequencer = Sequencer::new(dim_field, slots, slot_count, position);
        let capture = Capture::new(producer, sequencer);
        let capture = match lz4 {
            Some(lz4) => capture.with_lz4(lz4),
            None => capture,
        };
        let (epoch, sequence) = (1, 0);
        Self {
            capture,
            dim,
            entities,
            epoch,
            sequence,
        }
    }

    /// Makes one change, which is captured; `false` and nothing changed if the ring is full.
    pub(super) fn step(&mut self, event: &Event) -> bool {
        let before = self.capture.position();
        let done = match self.try_step(event) {
            Ok(()) => true,
            Err(error) => {
                assert!(error.is_full(), "{error}");
                assert_eq!(self.capture.position(), before);
                false
            }
        };
        let expected = Position {
            epoch: self.epoch,
            sequence: self.sequence,
            digest: digest(&self.entities),
        };
        assert_eq!(self.capture.position(), expected);
        done
    }

    fn try_step(&mut self, event: &Event) -> Result<(), CaptureError> {
        match event {
            Event::Insert(id, row, metadata) => self.insert(id, row, metadata)?,
            Event::Update(at, row, metadata) if !self.entities.is_empty() => {
                self.update(at.index(self.entities.len()), row, metadata)?;
            }
            Event::Delete(at) if !self.entities.is_empty() => {
                self.delete(at.index(self.entities.len()))?;
            }
            Event::Batch(changes) if !self.entities.is_empty() => self.batch(changes)?,
            Event::Resync(raise) => {
                self.capture.resync(self.epoch + raise)?;
                self.epoch += raise;
                self.sequence += 1;
            }
            Event::Watermark => {
                self.capture.watermark(1, 2)?;
                self.sequence += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn insert(
        &mut self,
        id: &[u8],
        row: &[Option<u32>],
        metadata: &Metadata,
    ) -> Result<(), CaptureError> {
        let row = changed(&vec![0.0; self.dim], row);
        let edits: Vec<_> = metadata
            .iter()
            .map(|(key, value)| MetadataEdit {
                key,
                old: None,
                new: Some(value),
            })
            .collect();
        let capacity = SLOTS;
        let inserted = self.capture.insert(id, &row, &edits);
        if self.entities.len() == capacity {
            let full = CaptureError::Prepare(PrepareError::SlotsFull { capacity });
            assert!(inserted == Err(full) || inserted.is_err_and(|error| error.is_full()));
            return Ok(());
        }
        assert_eq!(inserted?, to_u32(self.entities.len()));
        self.sequence += 1;
        self.entities.push(Entity {
            row,
            id: Some(id.to_vec()),
            metadata: metadata.clone(),
            deleted: false,
            last_sequence: self.sequence,
        });
        Ok(())
    }

    fn update(
        &mut self,
        at: usize,
        row: &[Option<u32>],
        metadata: &MetadataChange,
    ) -> Result<(), CaptureError> {
        let entity = &mut self.entities[at];
        let new = changed(&entity.row, row);
        let edits = entity.edits(metadata);
        let slot = to_u32(at);
        let updated = self
            .capture
            .update_with_metadata(slot, &entity.row, &new, &edits);
        if entity.deleted {
            return expect_deleted(updated, slot);
        }
        updated?;
        self.sequence += 1;
        (entity.row, entity.last_sequence) = (new, self.sequence);
        entity.change_metadata(metadata);
        Ok(())
    }

    fn delete(&mut self, at: usize) -> Result<(), CaptureError> {
        let (entity, slot) = (&mut self.entities[at], to_u32(at));
        let deleted = self.capture.delete(slot);
        if entity.deleted {
            return expect_deleted(deleted, slot);
        }
        deleted?;
        self.sequence += 1;
        (entity.deleted, entity.last_sequence) = (true, self.sequence);
        Ok(())
    }

    fn batch(
        &mut self,
        changes: &[(Index, RowChange, MetadataChange)],
    ) -> Result<(), CaptureError> {
        let sections = changes.iter().map(|(_, _, metadata)| {
            let pair = |(key, new): (&Vec<u8>, &Option<Vec<u8>>)| {
                6 + key.len() + new.as_ref().map_or(0, Vec::len)
            };
            5 + metadata.iter().map(pair).sum::<usize>()
        });
        let size_max = 8 + changes.len() * (12 + 4 * self.dim) + sections.sum::<usize>();
        let mut batch = self.capture.batch(size_max)?;
        let mut entities = self.entities.clone();
        let mut seen = BTreeSet::new();
        for (at, row, metadata) in changes {
            let at = at.index(entities.len());
            let (entity, slot) = (&mut entities[at], to_u32(at));
            let new = changed(&entity.row, row);
            let joined = batch.update_with_metadata(&RowUpdate {
                slot,
                old: &entity.row,
                new: &new,
                metadata: &entity.edits(metadata),
            });
            let expected = if entity.deleted {
                Err(BatchError::Prepare(PrepareError::Deleted { slot }))
            } else if !seen.insert(slot) {
                Err(BatchError::Repeated { slot })
            } else {
                Ok(())
            };
            assert_eq!(joined, expected);
            if joined.is_ok() {
                (entity.row, entity.last_sequence) = (new, self.sequence + 1);
                entity.change_metadata(metadata);
            }
        }
        assert_eq!(batch.len() as usize, seen.len());
        let header = batch.commit()?;
        assert_eq!(header.is_some(), !seen.is_empty());
        self.sequence += u64::from(header.is_some());
        self.entities = entities;
        Ok(())
    }

    /// What a replica must show.
    pub(super) fn slots(&self) -> Vec<SlotView> {
        let shown = self.entities.iter().map(|entity| SlotView {
            row: bits_of(&entity.row),
            last_sequence: entity.last_sequence,
            deleted: entity.deleted,
            id: entity.id.clone(),
            metadata: entity.metadata.clone().into_iter().collect(),
        });
        shown.collect()
    }
}

/// Changes of a deleted slot are refused, if the ring is not full before that.
fn expect_deleted(result: Result<(), CaptureError>, slot: u32) -> Result<(), CaptureError> {
    match result {
        Err(CaptureError::Prepare(PrepareError::Deleted { slot: found })) if found == slot => {
            Ok(())
        }
        Err(error) if error.is_full() => Err(error),
        other => panic!("slot {slot} is deleted: {other:?}"),
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap()
}

/// SplitMix64's output function.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The state digest, written down from WIRE.md, section 5.
fn digest(entities: &[Entity]) -> u64 {
    let mut sum = 0_u64;
    for (entity, slot) in entities.iter().zip(0..) {
        let key = slot_key(slot);
        let mut terms = vec![];
        for (value, lane) in entity.row.iter().zip(0..) {
            let bits = u64::from(value.to_bits());
            terms.push(key.wrapping_mul(bits.wrapping_mul(lane_key(lane))));
        }
        if let Some(id) = &entity.id {
            terms.push(mix(key ^ xxh3_64(id)));
        }
        if entity.deleted {
            terms.push(mix(key ^ 0xdead_5107_5107_dead));
        }
        for (name, value) in &entity.metadata {
            terms.push(mix(mix(key ^ xxh3_64(name)) ^ xxh3_64(value)));
        }
        sum = terms.into_iter().fold(sum, u64::wrapping_add);
    }
    sum
}
