//! Sections 3 and 4: payloads and values.

use super::bytes::Bytes;
use super::digest::xxh3;
use super::frame::{Header, LOSSY, RELATIVE};
use super::graph_change::{self, Edit};
use super::lz4;
use super::tensor;
use super::values::Packed;

/// Bytes of a plain metadata section, at most.
pub const SECTION_SIZE_MAX: usize = 65_534;

/// The changed pairs: no value deletes the key.
pub type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    Row(Row),
    Delete {
        slot: u32,
        graph: Option<Vec<Edit>>,
    },
    Batch {
        dim: u32,
        entries: Vec<Entry>,
    },
    Reindex(Vec<Edit>),
    /// The whole payload: what is more than its form depends on the tensor.
    Tensor(Vec<u8>),
    Start {
        dim: u32,
        slot_count: u32,
        /// Degree on layer 0, degree above, metric; 0: no graph.
        graph: [u8; 3],
        own: Vec<u8>,
    },
    End {
        count: u64,
    },
    Resync,
    Watermark {
        epoch: u32,
        sequence: u64,
    },
    /// The head of a range segment.
    Range {
        epoch: u32,
        sequence: u64,
        digest: u64,
        count: u32,
        size: u64,
    },
    /// In a range segment: an entity that came and went.
    Erased {
        slot: u32,
        sum: u64,
    },
}

/// An insert or update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub slot: u32,
    pub dim: u32,
    pub values: Values,
    pub id: Vec<u8>,
    pub graph: Option<Vec<Edit>>,
    pub metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    Pairs(Pairs),
    /// A compressed section that is broken inside: a reader may notice when it parses the record
    /// or when it decompresses, but must not take it.
    BrokenBlock,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub slot: u32,
    pub prev_sequence: u64,
    pub values: Values,
    pub metadata: Metadata,
}

impl Payload {
    /// Compressed metadata are broken inside.
    pub fn has_broken_block(&self) -> bool {
        match self {
            Self::Row(row) => row.metadata == Metadata::BrokenBlock,
            Self::Batch { entries, .. } => {
                let mut metadata = entries.iter().map(|entry| &entry.metadata);
                metadata.any(|metadata| *metadata == Metadata::BrokenBlock)
            }
            _ => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    Same,
    /// The bits of every component.
    Raw(Vec<u32>),
    /// The same, of components that are bytes.
    Bytes(Vec<u32>),
    /// Index and bits, indices ascending.
    Sparse(Vec<(u32, u32)>),
    Packed(Packed),
}

impl Values {
    /// Changes `row`; `None`, and leaves it, if only decoding finds that the values are broken.
    pub fn apply(&self, row: &mut [u32]) -> Option<()> {
        match self {
            Self::Packed(packed) => return packed.apply(row),
            Self::Same => {}
            Self::Raw(bits) | Self::Bytes(bits) => row.copy_from_slice(bits),
            Self::Sparse(changes) => {
                for &(index, bits) in changes {
                    row[index as usize] = bits;
                }
            }
        }
        Some(())
    }

    /// The flags of a record with these values.
    pub fn flags(&self) -> u8 {
        match self {
            Self::Packed(packed) => match packed.tag {
                3 | 7 | 9 => RELATIVE,
                5 => RELATIVE | LOSSY,
                6 => LOSSY,
                _ => 0,
            },
            _ => 0,
        }
    }
}

pub fn values(tag: u8, bytes: &[u8], dim: u32) -> Option<Values> {
    let mut rest = Bytes(bytes);
    match tag {
        0 => bytes.is_empty().then_some(Values::Same),
        1 if bytes.len() as u64 == 4 * u64::from(dim) => {
            Some(Values::Raw((0..dim).map_while(|_| rest.u32()).collect()))
        }
        2 => {
            let mut changes = Vec::new();
            let mut index = 0_u64;
            while changes.is_empty() || !rest.0.is_empty() {
                index += u64::from(rest.varint()?);
                if index >= u64::from(dim) {
                    return None;
                }
                changes.push((index as u32, rest.u32()?));
                index += 1;
            }
            Some(Values::Sparse(changes))
        }
        10 if bytes.len() as u64 == u64::from(dim) => {
            let bits = bytes.iter().map(|&byte| f32::from(byte).to_bits());
            Some(Values::Bytes(bits.collect()))
        }
        3..=9 => Packed::parse(tag, bytes, dim).map(Values::Packed),
        _ => None,
    }
}

/// The payload of a frame whose checksum fits.
pub fn read(header: &Header, bytes: &[u8]) -> Option<Payload> {
    match header.operation {
        1 if header.is_tensor() => {
            let is_relative = header.flags & RELATIVE != 0;
            (tensor::relative(bytes)? == is_relative).then(|| Payload::Tensor(bytes.to_vec()))
        }
        0 | 1 => row(header, bytes).map(Payload::Row),
        2 => delete(header, bytes),
        3 => batch(header, bytes),
        4 if !names_entity(header) => graph_change::decode(bytes).map(Payload::Reindex),
        5 => control(header, bytes),
        _ => None,
    }
}

fn delete(header: &Header, bytes: &[u8]) -> Option<Payload> {
    let mut rest = Bytes(bytes);
    let slot = rest.u32()?;
    let graph = match header.has_graph() {
        true => Some(graph_change::decode(rest.0)?),
        false if rest.0.is_empty() => None,
        false => return None,
    };
    Some(Payload::Delete { slot, graph })
}

fn row(header: &Header, bytes: &[u8]) -> Option<Row> {
    let mut rest = Bytes(bytes);
    let first = rest.u8()?;
    let (tag, parts_follow) = (first & 0x7f, first & 0x80 != 0);
    let (slot, dim) = (rest.varint()?, rest.varint()?);
    let (id_size, values_size) = match parts_follow {
        true => (rest.u8()?, rest.varint()?),
        false => (0, rest.0.len() as u32),
    };
    let is_insert = header.operation == 0;
    if dim == 0 || is_insert != (id_size > 0) {
        return None;
    }
    let values = values(tag, rest.take(values_size as usize)?, dim)?;
    let id = rest.take(usize::from(id_size))?.to_vec();
    let flags_fit = header.flags & (LOSSY | RELATIVE) == values.flags();
    if !flags_fit || parts_follow && id.is_empty() && rest.0.is_empty() {
        return None;
    }
    if is_insert && (header.prev_sequence != 0 || header.vector_id_hash != xxh3(&id) as u32) {
        return None;
    }
    let graph = match header.has_graph() {
        true => {
            let size = rest.varint()?;
            Some(graph_change::decode(rest.take(size as usize)?)?)
        }
        false => None,
    };
    let metadata = match header.is_compressed() {
        false => Metadata::Pairs(pairs(rest.0)?),
        true => {
            let size = rest.varint()? as usize;
            if !(1..=SECTION_SIZE_MAX).contains(&size) {
                return None;
            }
            lz4::decode(rest.0, size)
                .and_then(|plain| pairs(&plain))
                .map_or(Metadata::BrokenBlock, Metadata::Pairs)
        }
    };
    Some(Row {
        slot,
        dim,
        values,
        id,
        graph,
        metadata,
    })
}

/// A plain metadata section.
pub fn pairs(section: &[u8]) -> Option<Pairs> {
    if section.len() > SECTION_SIZE_MAX {
        return None;
    }
    let mut rest = Bytes(section);
    let mut pairs: Pairs = Vec::new();
    while !rest.0.is_empty() {
        let key_size = rest.u8()?;
        let key = rest.take(usize::from(key_size))?.to_vec();
        let value = match rest.varint()? {
            0 => None,
            more => Some(rest.take(more as usize - 1)?.to_vec()),
        };
        if key.is_empty() || pairs.last().is_some_and(|(before, _)| *before >= key) {
            return None;
        }
        pairs.push((key, value));
    }
    Some(pairs)
}

fn batch(header: &Header, bytes: &[u8]) -> Option<Payload> {
    let mut rest = Bytes(bytes);
    let (dim, flagged) = (rest.u32()?, rest.u32()?);
    let (count, has_metadata) = (flagged & 0x7fff_ffff, flagged >> 31 != 0);
    if dim == 0 || count == 0 || names_entity(header) {
        return None;
    }
    let mut entries = Vec::new();
    // Bytes of each entry's section.
    let mut sizes = Vec::new();
    for _ in 0..count {
        let before = rest.0.len();
        let (slot, distance, size) = (rest.varint()?, rest.varint()?, rest.varint()?);
        let tag = rest.u8()?;
        if before - rest.0.len() > 12 || distance == 0 {
            return None;
        }
        let values = values(tag & 0x7f, rest.take(size as usize)?, dim)?;
        let mut metadata = Pairs::new();
        let mut size = 0;
        if tag & 0x80 != 0 {
            size = rest.varint()? as usize;
            if size == 0 {
                return None;
            }
            if !header.is_compressed() {
                metadata = pairs(rest.take(size)?)?;
            }
        }
        sizes.push(size);
        entries.push(Entry {
            slot,
            prev_sequence: header.sequence.checked_sub(u64::from(distance))?,
            values,
            metadata: Metadata::Pairs(metadata),
        });
    }
    if header.is_compressed() {
        set_sections(&mut entries, &sizes, rest.0)?;
        rest = Bytes(&[]);
    }
    let some_have = sizes.iter().any(|size| *size > 0);
    let flags = entries
        .iter()
        .fold(0, |flags, entry| flags | entry.values.flags());
    let fits = rest.0.is_empty()
        && header.flags & (LOSSY | RELATIVE) == flags
        && some_have == has_metadata;
    fits.then_some(Payload::Batch { dim, entries })
}

/// Gives each entry the section that it has in `block`.
fn set_sections(entries: &mut [Entry], sizes: &[usize], block: &[u8]) -> Option<()> {
    let all = sizes.iter().sum();
    if !(1..=SECTION_SIZE_MAX).contains(&all) {
        return None;
    }
    let sections = lz4::decode(block, all).and_then(|plain| {
        let mut rest = Bytes(&plain);
        let sections = sizes.iter().map(|size| pairs(rest.take(*size)?));
        sections.collect::<Option<Vec<_>>>()
    });
    for (number, entry) in entries.iter_mut().enumerate() {
        entry.metadata = match &sections {
            Some(sections) => Metadata::Pairs(sections[number].clone()),
            None => Metadata::BrokenBlock,
        };
    }
    Some(())
}

fn control(header: &Header, bytes: &[u8]) -> Option<Payload> {
    let mut rest = Bytes(bytes);
    let (kind, zeros) = (rest.u8()?, rest.take(3)?);
    if zeros != [0; 3] || names_entity(header) {
        return None;
    }
    let (word, long) = (rest.u32()?, rest.u64()?);
    let graph = (long >> 32).to_le_bytes();
    let is_graph = match graph[..4] {
        [0, 0, 0, 0] => true,
        [degree0, degree, 1..=3, 0] => degree0 > 0 && degree > 0,
        _ => false,
    };
    let own = rest.0.to_vec();
    if kind != 0 && kind != 4 && !own.is_empty() || kind != 3 && kind != 5 && !header.has_digest() {
        return None;
    }
    match kind {
        0 if word > 0 && is_graph => Some(Payload::Start {
            dim: word,
            slot_count: long as u32,
            graph: [graph[0], graph[1], graph[2]],
            own,
        }),
        1 if word == 0 => Some(Payload::End { count: long }),
        2 if word == 0 && long == header.sequence - 1 => Some(Payload::Resync),
        3 => Some(Payload::Watermark {
            epoch: word,
            sequence: long,
        }),
        5 => Some(Payload::Erased {
            slot: word,
            sum: long,
        }),
        4 if long < header.sequence && word > 0 && word <= header.epoch => range(word, long, &own),
        _ => None,
    }
}

fn range(epoch: u32, sequence: u64, bytes: &[u8]) -> Option<Payload> {
    let mut rest = Bytes(bytes);
    let (digest, count, zero, size) = (rest.u64()?, rest.u32()?, rest.u32()?, rest.u64()?);
    (zero == 0 && rest.0.is_empty()).then_some(Payload::Range {
        epoch,
        sequence,
        digest,
        count,
        size,
    })
}

fn names_entity(header: &Header) -> bool {
    header.prev_sequence != 0 || header.vector_id_hash != 0
}
