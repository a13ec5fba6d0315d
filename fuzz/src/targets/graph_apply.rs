//! Records with graph changes, over rows: the replica takes and refuses what the model of WIRE.md,
//! section 6, does, and is equal to it in rows, graph and digest afterwards.
//!
//! Input: steps of a byte (bits 0-1: insert, update, delete, reindex; bit 2: no graph change;
//! bit 3: the digest is wrong; bit 4: there is none), a slot, the size of a graph change, and the
//! change.

use delta_core::kernel::distance::Metric;
use delta_core::pipeline::apply::{Applier, Outcome};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::{Replica, ReplicaGraph, SliceMemory, SliceStore, Slot, state_digest};

use super::apply_state_machine::adapted;
use super::payload_graph::{LIMITS, check, with_graph};
use crate::oracle::bytes::{Bytes, varint};
use crate::oracle::digest::xxh3;
use crate::oracle::frame::{self, GRAPH, HAS_DIGEST, Header};
use crate::oracle::graph::Graph;
use crate::oracle::state::{self, State};

const SLOTS: usize = 12;
const STEPS_MAX: usize = 64;
const ID: &[u8] = b"i";

pub fn run(input: &[u8]) {
    with_graph(|adjacency| {
        let mut model = State::new(1);
        model.graph = Some(Graph::new(LIMITS));
        model.metric = 1;
        let (mut rows, mut slots) = ([0.0; SLOTS], [Slot::default(); SLOTS]);
        let mut attributes = [0; 512];
        let memory = SliceMemory {
            rows: &mut rows,
            slots: &mut slots,
            attributes: &mut attributes,
        };
        let graph = ReplicaGraph::new(adjacency, Metric::SquaredL2);
        let mut store = SliceStore::new(1, memory).with_graph(graph);
        let mut scratch = [0; 64];
        let mut applier = Applier::new(Position::START, &mut scratch);
        let mut input = Bytes(input);
        for _ in 0..STEPS_MAX {
            let Some(frame) = step(&mut input, &model) else {
                break;
            };
            apply(&frame, &mut store, &mut applier, &mut model);
        }
    });
}

/// The next record for a replica whose state is `model`.
fn step(input: &mut Bytes<'_>, model: &State) -> Option<Vec<u8>> {
    let (mode, slot, size) = (input.u8()?, input.u8()?, input.u8()?);
    let change = input.take(usize::from(size).min(input.0.len()))?;
    let operation = [0, 1, 2, 4][usize::from(mode & 3)];
    if operation == 0 && model.slots.len() == SLOTS {
        return None;
    }
    let has_change = mode & 4 == 0;
    let digest_flag = if mode & 16 == 0 { HAS_DIGEST } else { 0 };
    let header = Header {
        sequence: model.position + 1,
        operation,
        flags: digest_flag
            | if has_change && operation < 4 {
                GRAPH
            } else {
                0
            },
        vector_id_hash: if operation == 0 { xxh3(ID) as u32 } else { 0 },
        timestamp: 0,
        payload_size: 0,
        checksum: 0,
        prev_sequence: 0,
        epoch: model.epoch,
        state_digest: 0,
    };
    let slots = model.slots.len() as u32;
    let slot = match operation {
        0 => slots,
        _ => u32::from(slot) % (slots + 1),
    };
    let payload = payload(operation, slot, has_change.then_some(change));
    let sealed = header.sealed(&payload);
    let mut right = match frame::split(&sealed) {
        Some((frame, _)) => adapted(model, frame, &payload),
        None => sealed,
    };
    if mode & 24 == 8 {
        right[56] ^= 1;
        crate::shape::seal(&mut right);
    }
    Some(right)
}

fn payload(operation: u8, slot: u32, change: Option<&[u8]>) -> Vec<u8> {
    let bytes = change.unwrap_or_default();
    match operation {
        4 => return bytes.to_vec(),
        2 => return [&slot.to_le_bytes()[..], bytes].concat(),
        _ => {}
    }
    let id = if operation == 0 { ID } else { &[] };
    let mut payload = slot.to_le_bytes().to_vec();
    payload.extend([1, 0, 0, 0, 0, 0, 0, 0, id.len() as u8, 0, 0, 0]);
    payload.extend(id);
    if change.is_some() {
        payload.extend(varint(bytes.len() as u32));
        payload.extend(bytes);
    }
    payload
}

fn apply(bytes: &[u8], store: &mut SliceStore<'_>, applier: &mut Applier<'_>, model: &mut State) {
    let (record, frame) = (Record::parse(bytes), frame::split(bytes));
    assert_eq!(record.is_ok(), frame.is_some(), "{record:?}");
    if let (Ok(record), Some((frame, _))) = (record, frame) {
        let expected = model.apply(&frame) == state::Outcome::Applied;
        let found = applier.apply_delta(&record, store);
        assert_eq!(found == Ok(Outcome::Applied), expected, "{found:?}");
    }
    let graph = store.graph().expect("the store has a graph").adjacency();
    check(graph, model.graph.as_ref().expect("the model has a graph"));
    assert_eq!(store.slot_count() as usize, model.slots.len());
    for (number, slot) in (0..).zip(&model.slots) {
        assert_eq!(store.is_deleted(number), slot.is_deleted);
        assert_eq!(store.last_sequence(number), Some(slot.last_sequence));
    }
    let digest = model.digest();
    assert_eq!(applier.current_position().digest, digest);
    assert_eq!(state_digest(store), digest);
}
