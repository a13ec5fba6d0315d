//! A replica takes any sealed records, well-formed or not: none makes it panic, a refused one
//! changes nothing, and after each the digest that it keeps is the digest of its state.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use delta_core::header::{DeltaHeader, Operation, vector_id_hash};
use delta_core::payload::metadata::SECTION_SIZE_MAX;
use delta_core::pipeline::apply::{Applier, Outcome};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};
use libfuzzer_sys::fuzz_target;

const DIM: u32 = 5;
const SLOTS: usize = 8;
/// Little enough that it runs full, and that blobs are moved together.
const ATTRIBUTES_SIZE: usize = 512;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    change: Change<'a>,
    /// What the header says instead of the truth, seldom.
    prev_sequence: Option<u64>,
    state_digest: Option<u64>,
    repeated: bool,
}

#[derive(Arbitrary, Debug)]
enum Change<'a> {
    Insert {
        id: &'a [u8],
        values: Values<'a>,
        metadata: Metadata<'a>,
    },
    Update {
        slot: u8,
        values: Values<'a>,
        metadata: Metadata<'a>,
    },
    Delete {
        slot: u8,
    },
    Raw {
        operation: u8,
        compressed: bool,
        payload: &'a [u8],
    },
}

#[derive(Arbitrary, Debug)]
enum Values<'a> {
    Same,
    Whole([u32; DIM as usize]),
    One { index: u8, bits: u32 },
    Raw { tag: u8, bytes: &'a [u8] },
}

#[derive(Arbitrary, Debug)]
enum Metadata<'a> {
    Pairs(BTreeMap<&'a [u8], Option<&'a [u8]>>),
    Raw { compressed: bool, bytes: &'a [u8] },
}

impl Values<'_> {
    fn encoded(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Same => (0, Vec::new()),
            Self::Whole(bits) => (1, bits.iter().flat_map(|word| word.to_le_bytes()).collect()),
            Self::One { index, bits } => (2, [&[*index][..], &bits.to_le_bytes()].concat()),
            Self::Raw { tag, bytes } => (*tag, bytes.to_vec()),
        }
    }
}

impl Metadata<'_> {
    /// The section, and whether the header calls it compressed. Sizes are one-byte varints.
    fn encoded(&self) -> (bool, Vec<u8>) {
        let Self::Pairs(pairs) = self else {
            let Self::Raw { compressed, bytes } = self else {
                unreachable!()
            };
            return (*compressed, bytes.to_vec());
        };
        let mut section = Vec::new();
        for (key, value) in pairs {
            let Ok(key_size) = u8::try_from(key.len()) else {
                continue;
            };
            section.push(key_size);
            section.extend_from_slice(key);
            let value = value.map(|value| &value[..value.len().min(126)]);
            section.push(value.map_or(0, |value| value.len() as u8 + 1));
            section.extend_from_slice(value.unwrap_or_default());
        }
        (false, section)
    }
}

fn row_payload(slot: u32, id: &[u8], values: &Values<'_>, section: &[u8]) -> Vec<u8> {
    let (tag, values) = values.encoded();
    let mut payload = Vec::new();
    payload.extend_from_slice(&slot.to_le_bytes());
    payload.extend_from_slice(&DIM.to_le_bytes());
    payload.extend_from_slice(&(values.len() as u32).to_le_bytes());
    payload.extend_from_slice(&[id.len() as u8, 0, 0, tag]);
    payload.extend_from_slice(&values);
    payload.extend_from_slice(id);
    payload.extend_from_slice(section);
    payload
}

/// The header, unsealed and unnumbered, and the payload of a change of `store`.
fn compose(change: &Change<'_>, store: &SliceStore<'_>) -> Option<(DeltaHeader, Vec<u8>)> {
    let header = |operation| DeltaHeader::new(operation, 0, 1);
    let linked = |operation, slot: u8| {
        let mut header = header(operation);
        header.prev_sequence = store.last_sequence(u32::from(slot)).unwrap_or(0);
        header
    };
    Some(match change {
        Change::Insert {
            id,
            values,
            metadata,
        } => {
            let id = &id[..id.len().min(255)];
            let (compressed, section) = metadata.encoded();
            let mut header = header(Operation::Insert);
            header.compressed = compressed;
            header.vector_id_hash = vector_id_hash(id);
            (
                header,
                row_payload(store.slot_count(), id, values, &section),
            )
        }
        Change::Update {
            slot,
            values,
            metadata,
        } => {
            let (compressed, section) = metadata.encoded();
            let mut header = linked(Operation::Update, *slot);
            header.compressed = compressed;
            (header, row_payload(u32::from(*slot), &[], values, &section))
        }
        Change::Delete { slot } => (
            linked(Operation::Delete, *slot),
            u32::from(*slot).to_le_bytes().to_vec(),
        ),
        Change::Raw {
            operation,
            compressed,
            payload,
        } => {
            let mut header = header(Operation::from_wire(operation % 8)?);
            header.compressed = *compressed;
            (header, payload.to_vec())
        }
    })
}

/// Everything a replica shows.
fn state(store: &SliceStore<'_>) -> (u64, Vec<u32>, Vec<Option<u64>>, usize) {
    let bits = store.rows().iter().map(|value| value.to_bits()).collect();
    let sequences = (0..store.slot_count())
        .map(|slot| store.last_sequence(slot))
        .collect();
    (
        state_digest(store),
        bits,
        sequences,
        store.attributes_size(),
    )
}

fuzz_target!(|inputs: Vec<Input<'_>>| {
    let mut rows = [0.0; SLOTS * DIM as usize];
    let (mut slots, mut attributes) = ([Slot::default(); SLOTS], [0; ATTRIBUTES_SIZE]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut store = SliceStore::new(DIM, memory);
    let mut scratch = vec![0; SECTION_SIZE_MAX];
    let mut applier = Applier::new(Position::START, &mut scratch);
    for input in &inputs {
        let Some((mut header, payload)) = compose(&input.change, &store) else {
            continue;
        };
        let before = applier.current_position();
        header.sequence = before.sequence + u64::from(!input.repeated);
        header.prev_sequence = input.prev_sequence.unwrap_or(header.prev_sequence);
        header.state_digest = input.state_digest;
        let Ok(header) = header.seal(&payload) else {
            continue;
        };
        let Ok(record) = Record::from_parts(&header.to_bytes(), &payload) else {
            continue;
        };
        let state_before = state(&store);
        let outcome = applier.apply_delta(&record, &mut store);
        if outcome != Ok(Outcome::Applied) {
            assert_eq!(applier.current_position(), before, "{outcome:?}");
            assert_eq!(state(&store), state_before, "{outcome:?}");
        }
        assert_eq!(
            applier.current_position().digest,
            state_digest(&store),
            "{input:?}"
        );
    }
});
