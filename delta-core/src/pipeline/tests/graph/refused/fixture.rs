//! A small replica, and frames that change its graph.

use super::super::{DIM, ROW_DIM, SHAPE, with_graph};
use crate::{
    graph::{
        Edit, ListChange, Slots,
        encode::encode_edits,
        tests::{Memory as GraphMemory, bytes},
    },
    header::{DeltaHeader, Operation, vector_id_hash},
    pipeline::{
        apply::{Applier, Outcome, Refusal},
        sequencer::Position,
    },
    record::Record,
    store::{Replica, SliceStore},
    testing::{Memory, View, frame, view},
};

pub(super) const EPOCH: u32 = 2;

/// A store of three rows and two linked nodes, the third row without one.
pub(super) struct Fixture<'a> {
    pub(super) store: SliceStore<'a>,
    pub(super) applier: Applier<'a>,
}

fn payload(slot: u32, id: &[u8], edits: &[Edit<'_>]) -> Vec<u8> {
    let change = change(edits);
    let mut payload = Vec::new();
    let byte = |number: u32| u8::try_from(number).unwrap();
    // Same, and parts follow.
    payload.extend([0x80, byte(slot), byte(ROW_DIM)]);
    payload.extend([u8::try_from(id.len()).unwrap(), 0]);
    payload.extend(id);
    payload.push(u8::try_from(change.len()).unwrap());
    payload.extend(change);
    payload
}

pub(super) fn change(edits: &[Edit<'_>]) -> Vec<u8> {
    let mut out = [0; 128];
    let size = encode_edits(edits.iter().copied(), &mut out).unwrap();
    out[..size].to_vec()
}

impl<'a> Fixture<'a> {
    pub(super) fn new(memory: &'a mut Memory, graph: &'a mut GraphMemory) -> Self {
        let mut fixture = Self {
            store: with_graph(memory, graph),
            applier: Applier::new(
                Position {
                    epoch: EPOCH,
                    ..Position::START
                },
                &mut [],
            ),
        };
        let first = [Edit::Insert { slot: 0, level: 0 }, Edit::Entry { slot: 0 }];
        for (slot, edits) in [&first[..], &second(&[0], &[1])].into_iter().enumerate() {
            let frame = fixture.insert(u32::try_from(slot).unwrap(), edits);
            assert_eq!(fixture.apply(&frame), Ok(Outcome::Applied));
        }
        let header = DeltaHeader {
            vector_id_hash: vector_id_hash(b"2"),
            ..fixture.next(Operation::Insert)
        };
        let mut plain = payload(2, b"2", &[]);
        plain.truncate(6);
        assert_eq!(fixture.apply(&frame(header, &plain)), Ok(Outcome::Applied));
        fixture
    }

    pub(super) fn next(&self, operation: Operation) -> DeltaHeader {
        let sequence = self.applier.current_position().sequence + 1;
        DeltaHeader::new(operation, sequence, EPOCH)
    }

    pub(super) fn insert(&self, slot: u32, edits: &[Edit<'_>]) -> Vec<u8> {
        let header = DeltaHeader {
            graph: true,
            vector_id_hash: vector_id_hash(b"id"),
            ..self.next(Operation::Insert)
        };
        frame(header, &payload(slot, b"id", edits))
    }

    pub(super) fn update(&self, slot: u32, edits: &[Edit<'_>]) -> Vec<u8> {
        let header = DeltaHeader {
            graph: true,
            prev_sequence: u64::from(slot) + 1,
            ..self.next(Operation::Update)
        };
        frame(header, &payload(slot, b"", edits))
    }

    pub(super) fn delete(&self, slot: u32, edits: Option<&[Edit<'_>]>) -> Vec<u8> {
        let header = DeltaHeader {
            graph: edits.is_some(),
            prev_sequence: u64::from(slot) + 1,
            ..self.next(Operation::Delete)
        };
        let edits = edits.map(change).unwrap_or_default();
        frame(header, &[&slot.to_le_bytes()[..], &edits].concat())
    }

    pub(super) fn reindex(&self, edits: &[Edit<'_>]) -> Vec<u8> {
        frame(self.next(Operation::ReindexLayers), &change(edits))
    }

    pub(super) fn apply(&mut self, frame: &[u8]) -> Result<Outcome, Refusal> {
        let record = Record::parse(frame).unwrap();
        self.applier
            .apply_delta(&record, &mut self.store)
            .map_err(|error| error.reason)
    }

    /// Everything that the replica has: the bytes of its graph, and what shows of its rows.
    pub(super) fn whole(&self) -> (View, Vec<u8>, Position) {
        let graph = bytes(self.store.graph().unwrap().adjacency());
        let position = self.applier.current_position();
        (view(&self.store), graph, position)
    }

    /// The reason why `frame` is refused, which must leave everything as it was.
    pub(super) fn refusal(&mut self, frame: &[u8]) -> Refusal {
        let before = self.whole();
        let reason = self.apply(frame).unwrap_err();
        assert_eq!(before, self.whole());
        assert!(!reason.to_string().is_empty());
        reason
    }
}

/// The insert of node 1 or 2, linked from and to others.
pub(super) fn second<'a>(own: &'a [u32], back: &'a [u32]) -> [Edit<'a>; 3] {
    let list = |slot, slots: &'a [u32]| Edit::List {
        layer: 0,
        slot,
        change: ListChange::Replace(Slots::from(slots)),
    };
    let slot = back[back.len() - 1];
    [
        Edit::Insert { slot, level: 0 },
        list(own[0], back),
        list(slot, own),
    ]
}

pub(super) fn memories() -> (Memory, GraphMemory) {
    (Memory::new(DIM, 5, 256), GraphMemory::new(SHAPE))
}
