//! How much of a slot's metadata a change reads.

use crate::{
    header::{DeltaHeader, Operation},
    payload::metadata::{MetadataChanges, MetadataEdit},
    pipeline::{
        apply::{Applier, Outcome},
        sequencer::{Position, Sequencer, SlotState},
    },
    record::Record,
    store::{Replica, SliceStore, StoreError, state_digest},
    testing::Memory,
};
use std::cell::Cell;

/// A store that counts the pairs that are passed by to find one, or are shown in a row.
struct Counting<'a> {
    store: SliceStore<'a>,
    pairs_read: Cell<usize>,
}

impl Counting<'_> {
    fn count(&self, pairs: usize) {
        self.pairs_read.set(self.pairs_read.get() + pairs);
    }
}

impl Replica for Counting<'_> {
    fn dim(&self) -> u32 {
        self.store.dim()
    }
    fn slot_count(&self) -> u32 {
        self.store.slot_count()
    }
    fn last_sequence(&self, slot: u32) -> Option<u64> {
        self.store.last_sequence(slot)
    }
    fn is_deleted(&self, slot: u32) -> bool {
        self.store.is_deleted(slot)
    }
    fn row(&self, slot: u32) -> Option<&[f32]> {
        self.store.row(slot)
    }
    fn next_row(&self) -> Result<&[f32], StoreError> {
        self.store.next_row()
    }
    fn id(&self, slot: u32) -> Option<&[u8]> {
        self.store.id(slot)
    }
    fn metadata(&self, slot: u32, key: &[u8]) -> Option<&[u8]> {
        let mut pairs = 0;
        self.store.visit_metadata(slot, &mut |found, _| {
            pairs += usize::from(found <= key);
        });
        self.count(pairs);
        self.store.metadata(slot, key)
    }
    fn visit_metadata(&self, slot: u32, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.store.visit_metadata(slot, &mut |key, value| {
            self.count(1);
            visit(key, value);
        });
    }
    fn reserve_attributes(
        &self,
        slot: u32,
        id: &[u8],
        changes: MetadataChanges<'_>,
    ) -> Result<(), StoreError> {
        self.store.reserve_attributes(slot, id, changes)
    }

    fn reserve_more_attributes(
        &self,
        slot: u32,
        changes: MetadataChanges<'_>,
        promised: usize,
    ) -> Result<usize, StoreError> {
        self.store.reserve_more_attributes(slot, changes, promised)
    }
    fn push(&mut self, id: &[u8], metadata: MetadataChanges<'_>) {
        self.store.push(id, metadata);
    }
    fn row_mut(&mut self, slot: u32) -> &mut [f32] {
        self.store.row_mut(slot)
    }
    fn change_metadata(&mut self, slot: u32, changes: MetadataChanges<'_>) {
        self.store.change_metadata(slot, changes);
    }
    fn mark_deleted(&mut self, slot: u32) {
        self.store.mark_deleted(slot);
    }
    fn set_last_sequence(&mut self, slot: u32, sequence: u64) {
        self.store.set_last_sequence(slot, sequence);
    }
}

/// A record of one slot with a great many pairs costs what it is long, not its square.
#[test]
fn a_change_reads_each_pair_of_its_slot_once() {
    const PAIRS: u16 = 2_000;
    let keys: Vec<[u8; 2]> = (0..PAIRS).map(u16::to_be_bytes).collect();
    let added: Vec<_> = keys.iter().map(|key| edit(key, None, Some(b"a"))).collect();
    // Kept, removed, changed and emptied in turns; a key before and one after all.
    let mut edits = vec![edit(b"\0", None, Some(b"z"))];
    edits.extend(keys.chunks(4).flat_map(|keys| {
        [
            edit(&keys[1], Some(b"a"), None),
            edit(&keys[2], Some(b"a"), Some(b"bb")),
            edit(&keys[3], Some(b"a"), Some(b"")),
        ]
    }));
    edits.push(edit(b"\xff", None, Some(b"z")));

    let mut slots = [SlotState::default(); 1];
    let mut sequencer = Sequencer::new(1, &mut slots, 0, Position::START);
    let mut memory = Memory::new(1, 1, 60_000);
    let mut replica = Counting {
        store: memory.store(),
        pairs_read: Cell::new(0),
    };
    let mut applier = Applier::new(Position::START, &mut []);
    let mut payload = vec![0; 40_000];
    for (operation, edits, pairs_read) in [
        (Operation::Insert, &added, 0),
        (Operation::Update, &edits, PAIRS.into()),
    ] {
        let (row, out) = (&[1.0][..], &mut payload[..]);
        let prepared = match operation {
            Operation::Insert => sequencer.prepare_insert(b"id", row, edits, out, None),
            _ => sequencer.prepare_update(0, row, row, edits, out, None),
        }
        .unwrap();
        let header: DeltaHeader = prepared.header;
        let payload = &payload[..header.payload_size as usize];
        let record = Record::from_parts(&header.to_bytes(), payload).unwrap();
        replica.pairs_read.set(0);
        assert_eq!(
            applier.apply_delta(&record, &mut replica),
            Ok(Outcome::Applied)
        );
        assert_eq!(replica.pairs_read.get(), pairs_read);
        sequencer.commit(prepared);
    }
    assert_eq!(
        applier.current_position().digest,
        state_digest(&replica.store)
    );
}

fn edit<'a>(key: &'a [u8], old: Option<&'a [u8]>, new: Option<&'a [u8]>) -> MetadataEdit<'a> {
    MetadataEdit { key, old, new }
}
