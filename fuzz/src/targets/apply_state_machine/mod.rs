//! A replica and the model of WIRE.md, section 6, are given the same frames: the same are taken, a
//! refused one changes nothing, and both states and digests stay equal.
//!
//! Input: a byte (bit 0: frames of the input, else frames composed for the state at hand; bits 1-3:
//! repairs of the input's frames; bits 5-7: rows of the base), then frames or [`Step`]s.

mod compose;

use arbitrary::{Arbitrary, Unstructured};
use delta_core::pipeline::apply::{Applier, ApplyError, Outcome, Refusal};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, StoreError, state_digest};

use crate::oracle::frame::{self, Frame, HEADER_SIZE};
use crate::oracle::payload::{Metadata, Payload};
use crate::oracle::state::{self, State};
use crate::shape::{Repairs, repair, seal};
use compose::Step;
pub(super) use compose::adapted;

const SLOTS: usize = 8;
/// Little enough that it runs full, and that blobs are moved together.
const ATTRIBUTES_SIZE: usize = 512;
const STEPS_MAX: usize = 64;

pub fn run(input: &[u8]) {
    let Some((&mode, bytes)) = input.split_first() else {
        return;
    };
    let base = usize::from(mode >> 5);
    if mode & 1 != 0 {
        let repairs = Repairs {
            seals: true,
            numbers: mode & 2 != 0,
            epochs: mode & 4 != 0,
            count: false,
        };
        let stream = repair(bytes, repairs);
        with_replica(4, base, |both| both.apply_all(&stream, mode & 8 != 0));
    } else {
        with_replica(compose::DIM, base, |both| {
            let mut bytes = Unstructured::new(bytes);
            for _ in 0..STEPS_MAX {
                let Ok(step) = Step::arbitrary(&mut bytes) else {
                    break;
                };
                if let Some(frame) = step.frame(&both.model) {
                    both.apply(&frame);
                }
                if bytes.is_empty() {
                    break;
                }
            }
        });
    }
}

/// The replica under test and its model.
struct Both<'a, 's> {
    store: SliceStore<'a>,
    applier: Applier<'s>,
    model: State,
    applied: u64,
    duplicates: u64,
}

/// Makes both, with `base` rows that no record has inserted.
fn with_replica(dim: u32, base: usize, run: impl FnOnce(&mut Both<'_, '_>)) {
    let mut model = State::new(dim);
    for number in 0..base as u32 {
        model.slots.push(state::Slot {
            row: (0..dim).map(|d| 0x7fc0_0000 ^ (number << 8) ^ d).collect(),
            id: None,
            metadata: Default::default(),
            is_deleted: false,
            last_sequence: 0,
        });
    }
    let mut rows = vec![0.0; SLOTS * dim as usize];
    let bits = model.slots.iter().flat_map(|slot| &slot.row);
    for (value, bits) in rows.iter_mut().zip(bits) {
        *value = f32::from_bits(*bits);
    }
    let (mut slots, mut attributes) = ([Slot::default(); SLOTS], [0; ATTRIBUTES_SIZE]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut scratch = vec![0; Applier::scratch_size_max(dim)];
    let start = Position {
        digest: model.digest(),
        ..Position::START
    };
    let mut both = Both {
        store: SliceStore::with_base(dim, base as u32, memory),
        applier: Applier::new(start, &mut scratch),
        model,
        applied: 0,
        duplicates: 0,
    };
    both.check();
    run(&mut both);
}

impl Both<'_, '_> {
    /// Applies the frames of a stream; `adapts` them first: chain and digest are made those of the
    /// state.
    fn apply_all(&mut self, stream: &[u8], adapts: bool) {
        let mut rest = stream;
        for _ in 0..STEPS_MAX {
            let Some(header) = frame::header(rest) else {
                return;
            };
            let size = HEADER_SIZE + header.payload_size as usize;
            let (Some(bytes), Some(behind)) = (rest.get(..size), rest.get(size..)) else {
                return;
            };
            rest = behind;
            match frame::split(bytes) {
                Some((frame, _)) if adapts => {
                    let payload = &bytes[HEADER_SIZE..];
                    self.apply(&compose::adapted(&self.model, frame, payload));
                }
                _ => {
                    let mut bytes = bytes.to_vec();
                    seal(&mut bytes);
                    self.apply(&bytes);
                }
            }
        }
    }

    /// Gives a frame to both.
    fn apply(&mut self, bytes: &[u8]) {
        let (record, frame) = (Record::parse(bytes), frame::split(bytes));
        let (Ok(record), Some((frame, _))) = (&record, &frame) else {
            let both_refuse = record.is_err() && frame.is_none();
            let is_broken = frame
                .as_ref()
                .is_some_and(|(frame, _)| frame.payload.has_broken_block());
            assert!(both_refuse || is_broken, "{record:?} for {frame:?}");
            return;
        };
        let room = self.room_for(frame);
        let before = self.model.clone();
        let expected = self.model.apply(frame);
        let found = self.applier.apply_delta(record, &mut self.store);
        if let Err(ApplyError {
            reason: Refusal::Store(full),
            ..
        }) = found
        {
            // A full store may be noticed before another fault of the change itself.
            let is_next = matches!(
                expected,
                state::Outcome::Applied | state::Outcome::Diverged | state::Outcome::Refused
            );
            assert!(is_next, "{full} before {expected:?}");
            let is_full = match full {
                StoreError::SlotsFull { .. } => before.slots.len() == SLOTS,
                _ => room == Room::No || room == Room::PerhapsNot,
            };
            assert!(is_full, "{full} with room for {frame:?}");
            self.model = before;
        } else {
            assert_eq!(verdict(&found), expected, "{found:?} for {frame:?}");
            let fits = room != Room::No || expected != state::Outcome::Applied;
            assert!(fits, "applied without room: {frame:?}");
        }
        self.applied += u64::from(found == Ok(Outcome::Applied));
        self.duplicates += u64::from(found == Ok(Outcome::Duplicate));
        self.check();
    }

    /// Both are equal in everything that shows.
    fn check(&mut self) {
        let (store, model) = (&self.store, &self.model);
        assert_eq!(store.slot_count() as usize, model.slots.len());
        for (number, slot) in (0..).zip(&model.slots) {
            let row = store.row(number).expect("the slot exists");
            let bits: Vec<u32> = row.iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, slot.row, "slot {number}");
            assert_eq!(store.id(number), slot.id.as_deref());
            assert_eq!(store.is_deleted(number), slot.is_deleted);
            assert_eq!(store.last_sequence(number), Some(slot.last_sequence));
            let mut pairs = Vec::new();
            store.visit_metadata(number, &mut |key, value| {
                assert_eq!(store.metadata(number, key), Some(value));
                pairs.push((key.to_vec(), value.to_vec()));
            });
            assert_eq!(pairs, Vec::from_iter(slot.metadata.clone()));
        }
        let position = self.applier.current_position();
        let digest = model.digest();
        assert_eq!(
            (position.epoch, position.sequence),
            (model.epoch, model.position)
        );
        assert_eq!(position.digest, digest);
        assert_eq!(state_digest(store), digest);
        assert_eq!(self.applier.applied(), self.applied);
        assert_eq!(self.applier.duplicates(), self.duplicates);
    }

    /// Whether ids and metadata after the change fit what [`SliceMemory`] asks for: all blobs, and
    /// once more the one that changes.
    fn room_for(&self, frame: &Frame) -> Room {
        let none = Metadata::Pairs(Vec::new());
        let (slot, id, metadata) = match &frame.payload {
            Payload::Row(row) => (row.slot, &row.id, &row.metadata),
            // Of several slots, in an order of the store's own.
            Payload::Batch { entries, .. } if entries.iter().any(|e| e.metadata != none) => {
                return Room::PerhapsNot;
            }
            _ => return Room::Yes,
        };
        let Metadata::Pairs(pairs) = metadata else {
            return Room::Yes;
        };
        if id.is_empty() && pairs.is_empty() {
            return Room::Yes;
        }
        let old = self.model.slots.get(slot as usize);
        let mut after = old.map(|slot| slot.metadata.clone()).unwrap_or_default();
        for (key, value) in pairs {
            match value {
                Some(value) => after.insert(key.clone(), value.clone()),
                None => after.remove(key),
            };
        }
        let id = old.and_then(|slot| slot.id.as_deref()).unwrap_or(id);
        let changed = 9 + id.len() + pairs_size(&after);
        // A slot of the base may have an empty blob, or none.
        let (mut least, mut most) = (changed, changed);
        for slot in &self.model.slots {
            let size = 9 + slot.id.as_ref().map_or(0, Vec::len) + pairs_size(&slot.metadata);
            most += size;
            least += if size == 9 { 0 } else { size };
        }
        match (least <= ATTRIBUTES_SIZE, most <= ATTRIBUTES_SIZE) {
            (true, true) => Room::Yes,
            (true, false) => Room::PerhapsNot,
            _ => Room::No,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Yes,
    PerhapsNot,
    No,
}

fn pairs_size(pairs: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
    pairs
        .iter()
        .map(|(key, value)| 5 + key.len() + value.len())
        .sum()
}

fn verdict(found: &Result<Outcome, ApplyError>) -> state::Outcome {
    match found {
        Ok(Outcome::Applied) => state::Outcome::Applied,
        Ok(Outcome::Duplicate) => state::Outcome::Duplicate,
        Ok(other) => panic!("an outcome that the model does not know: {other:?}"),
        Err(ApplyError { reason, .. }) => match reason {
            Refusal::StaleEpoch { .. } => state::Outcome::StaleEpoch,
            Refusal::UnknownEpoch { .. } => state::Outcome::UnknownEpoch,
            Refusal::Gap { .. } => state::Outcome::Gap,
            Refusal::Diverged { .. } | Refusal::Base { .. } => state::Outcome::Diverged,
            _ => state::Outcome::Refused,
        },
    }
}
