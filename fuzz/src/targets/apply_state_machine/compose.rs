//! Frames made for the state at hand: most of them apply, some are wrong in one thing.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;

use crate::oracle::bytes::varint;
use crate::oracle::digest::xxh3;
use crate::oracle::frame::{self, COMPRESSED, Frame, HAS_DIGEST, Header, LOSSY, RELATIVE};
use crate::oracle::payload::Payload;
use crate::oracle::state::State;

/// Components of a row.
pub(super) const DIM: u32 = 5;

#[derive(Arbitrary, Debug)]
pub(super) struct Step<'a> {
    change: Change<'a>,
    /// What the frame says instead of the truth; most values: nothing.
    fault: u8,
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
    Batch {
        /// As one LZ4 block of literals.
        compressed: bool,
        entries: Vec<(u8, Values<'a>, Pairs<'a>)>,
    },
    Control {
        kind: u8,
        long: u8,
    },
    Raw {
        operation: u8,
        compressed: bool,
        payload: &'a [u8],
    },
}

type Pairs<'a> = BTreeMap<&'a [u8], Option<&'a [u8]>>;

#[derive(Arbitrary, Debug)]
enum Values<'a> {
    Same,
    Whole([u32; DIM as usize]),
    One { index: u8, bits: u32 },
    Raw { tag: u8, bytes: &'a [u8] },
}

#[derive(Arbitrary, Debug)]
enum Metadata<'a> {
    None,
    Pairs {
        /// As one LZ4 block of literals.
        compressed: bool,
        pairs: Pairs<'a>,
    },
    Raw {
        compressed: bool,
        bytes: &'a [u8],
    },
}

impl Step<'_> {
    /// The frame, for a reader whose state is `model`.
    pub(super) fn frame(&self, model: &State) -> Option<Vec<u8>> {
        let (header, payload) = self.change.compose(model)?;
        let right = match frame::split(&header.sealed(&payload)) {
            Some((frame, _)) => adapted(model, frame, &payload),
            None => header.sealed(&payload),
        };
        let mut header = frame::header(&right)?;
        match self.fault % 32 {
            0 => header.sequence -= 1,
            1 => header.sequence += 1,
            2 => header.epoch += 1,
            3 => header.epoch -= 1,
            4 => header.prev_sequence += 1,
            5 => header.prev_sequence = 0,
            6 => header.state_digest ^= 1 << (self.fault >> 5),
            7 => (header.flags, header.state_digest) = (header.flags & !HAS_DIGEST, 0),
            _ => {}
        }
        Some(header.sealed(&payload))
    }
}

/// The frame with the chain and the digest that `model` would have after it.
pub(in crate::targets) fn adapted(model: &State, mut frame: Frame, payload: &[u8]) -> Vec<u8> {
    let slot = match &frame.payload {
        Payload::Row(row) if frame.header.operation == 1 => Some(row.slot),
        Payload::Delete { slot, .. } => Some(*slot),
        _ => None,
    };
    if let Some(slot) = slot.and_then(|slot| model.slots.get(slot as usize)) {
        frame.header.prev_sequence = slot.last_sequence;
    }
    let mut after = model.clone();
    if frame.header.has_digest() {
        let changes = after.change(&frame).is_some();
        frame.header.state_digest = if changes { after.digest() } else { 1 };
    }
    frame.header.sealed(payload)
}

impl Change<'_> {
    /// Header and payload: numbered, the digest announced but not yet right.
    fn compose(&self, model: &State) -> Option<(Header, Vec<u8>)> {
        let mut header = Header {
            sequence: model.position + 1,
            operation: 0,
            flags: HAS_DIGEST,
            vector_id_hash: 0,
            timestamp: 0,
            payload_size: 0,
            checksum: 0,
            prev_sequence: 0,
            epoch: model.epoch,
            state_digest: 0,
        };
        let payload = match self {
            Self::Insert {
                id,
                values,
                metadata,
            } => {
                let id = &id[..id.len().min(255)];
                header.vector_id_hash = xxh3(id) as u32;
                let (flag, section) = metadata.section();
                header.flags |= flag;
                header.flags |= flags_of(values);
                row(model.slots.len() as u32, id, values, &section)
            }
            Self::Update {
                slot,
                values,
                metadata,
            } => {
                header.operation = 1;
                let (flag, section) = metadata.section();
                header.flags |= flag;
                header.flags |= flags_of(values);
                row(slot_of(*slot, model), &[], values, &section)
            }
            Self::Delete { slot } => {
                header.operation = 2;
                slot_of(*slot, model).to_le_bytes().to_vec()
            }
            Self::Batch {
                compressed,
                entries,
            } => {
                header.operation = 3;
                let flags = entries.iter().map(|(_, values, _)| flags_of(values));
                header.flags |= flags.fold(0, |all, flags| all | flags);
                let some_have = entries.iter().any(|(.., pairs)| !pairs.is_empty());
                let compressed = *compressed && some_have;
                header.flags |= if compressed { COMPRESSED } else { 0 };
                batch(entries, compressed, model)
            }
            Self::Control { kind, long } => {
                header.operation = 5;
                header.epoch += u32::from(*kind == 2);
                control(*kind, *long, model)
            }
            Self::Raw {
                operation,
                compressed,
                payload,
            } => {
                header.operation = operation % 8;
                header.flags |= if *compressed { COMPRESSED } else { 0 };
                payload.to_vec()
            }
        };
        Some((header, payload))
    }
}

/// A slot that exists, mostly.
fn slot_of(byte: u8, model: &State) -> u32 {
    u32::from(byte) % (model.slots.len() as u32 + 1)
}

/// The flags that a record with these values has.
fn flags_of(values: &Values<'_>) -> u8 {
    match values.encoded().0 & 0x7f {
        3 => RELATIVE,
        5 => RELATIVE | LOSSY,
        6 => LOSSY,
        _ => 0,
    }
}

fn row(slot: u32, id: &[u8], values: &Values<'_>, section: &[u8]) -> Vec<u8> {
    let (tag, values) = values.encoded();
    let mut payload = Vec::new();
    let parts_follow = !id.is_empty() || !section.is_empty();
    payload.push(tag & 0x7f | u8::from(parts_follow) << 7);
    payload.extend(varint(slot));
    payload.extend(varint(DIM));
    if parts_follow {
        payload.push(id.len() as u8);
        payload.extend(varint(values.len() as u32));
    }
    payload.extend(values);
    payload.extend(id);
    payload.extend(section);
    payload
}

fn batch(entries: &[(u8, Values<'_>, Pairs<'_>)], compressed: bool, model: &State) -> Vec<u8> {
    let (mut payload, mut sections) = (Vec::new(), Vec::new());
    let some_have = entries.iter().any(|(.., pairs)| !pairs.is_empty());
    payload.extend(DIM.to_le_bytes());
    payload.extend((entries.len() as u32 | u32::from(some_have) << 31).to_le_bytes());
    for (slot, values, pairs) in entries {
        let slot = slot_of(*slot, model);
        let last = model
            .slots
            .get(slot as usize)
            .map_or(0, |slot| slot.last_sequence);
        let distance = (model.position + 1).saturating_sub(last);
        let (tag, values) = values.encoded();
        payload.extend(varint(slot));
        payload.extend(varint(distance as u32));
        payload.extend(varint(values.len() as u32));
        payload.push(tag & 0x7f | u8::from(!pairs.is_empty()) << 7);
        payload.extend(values);
        if pairs.is_empty() {
            continue;
        }
        let section = plain_section(pairs);
        payload.extend(varint(section.len() as u32));
        match compressed {
            true => sections.extend(section),
            false => payload.extend(section),
        }
    }
    if compressed {
        payload.extend(as_literals(&sections));
    }
    payload
}

fn control(kind: u8, long: u8, model: &State) -> Vec<u8> {
    let (word, long) = match kind {
        0 => (DIM, model.slots.len() as u64 + u64::from(long >> 7)),
        2 => (0, model.position),
        _ => (u32::from(kind == 3), u64::from(long)),
    };
    let mut payload = vec![kind, 0, 0, 0];
    payload.extend(word.to_le_bytes());
    payload.extend(long.to_le_bytes());
    payload
}

impl Values<'_> {
    /// Tag and bytes.
    fn encoded(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Same => (0, Vec::new()),
            Self::Whole(bits) => (1, bits.iter().flat_map(|word| word.to_le_bytes()).collect()),
            Self::One { index, bits } => {
                let index = index % (DIM as u8 + 1);
                (2, [&[index][..], &bits.to_le_bytes()].concat())
            }
            Self::Raw { tag, bytes } => (*tag, bytes.to_vec()),
        }
    }
}

impl Metadata<'_> {
    /// The header's flag, and the section.
    fn section(&self) -> (u8, Vec<u8>) {
        let flag = |compressed: &bool| if *compressed { COMPRESSED } else { 0 };
        match self {
            Self::None => (0, Vec::new()),
            Self::Raw { compressed, bytes } => (flag(compressed), bytes.to_vec()),
            Self::Pairs { compressed, pairs } => {
                let section = plain_section(pairs);
                match compressed {
                    true => {
                        let size = varint(section.len() as u32);
                        (COMPRESSED, [size, as_literals(&section)].concat())
                    }
                    false => (0, section),
                }
            }
        }
    }
}

fn plain_section(pairs: &Pairs<'_>) -> Vec<u8> {
    let mut section = Vec::new();
    for (key, value) in pairs {
        let key = &key[..key.len().min(255)];
        section.push(key.len() as u8);
        section.extend(key);
        section.extend(varint(value.map_or(0, |value| value.len() as u32 + 1)));
        section.extend(value.unwrap_or_default());
    }
    section
}

/// An LZ4 block of nothing but literals.
fn as_literals(plain: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    match plain.len().checked_sub(15) {
        None => block.push((plain.len() as u8) << 4),
        Some(more) => {
            block.push(0xf0);
            block.extend(vec![255; more / 255]);
            block.push((more % 255) as u8);
        }
    }
    block.extend(plain);
    block
}
