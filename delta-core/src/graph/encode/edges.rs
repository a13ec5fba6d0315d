//! Edges of one layer as plain tuples: bulky, but what a writer without a shadow can say.

use super::{ChangeEncodeError, ChangeError, FORM_EDGES, malformed, trailing};
use crate::graph::{Edit, LAYERS_MAX, ListChange, Slots};

const WEIGHTS_FLAG: u8 = 0b100;
const ENTRY_FLAG: u8 = 0b1000;
const HEAD_SIZE: usize = 10;
/// Bytes of an edge: from, to.
const EDGE_SIZE: usize = 8;
const WORD_SIZE: usize = 4;

/// A directed edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The node whose list has the edge.
    pub from: u32,
    /// The neighbour.
    pub to: u32,
    /// The weight that the writer gave it. Searches compute distances from rows and read none.
    pub weight: f32,
}

/// Writes edges of one layer that come and `(from, to)` that go, both in ascending order of (from,
/// to), and the node that becomes the entry. Weights take four bytes an edge. The bytes used.
/// O(edges).
///
/// This is the form for writers that know their changes as an *hnsw-delta*: a layer, edges to add
/// with or without weights, edges to remove, an entry point.
///
/// # Errors
/// [`ChangeEncodeError`]: `index` is that of the edge, those that come first.
///
/// ```
/// use delta_core::graph::encode::{Change, Edge, encode_edges};
/// use delta_core::graph::{Edit, ListChange, Slots};
///
/// let added = [Edge { from: 1, to: 0, weight: 0.5 }];
/// let removed = [(1, 2)];
/// let mut out = [0; 64];
/// let size = encode_edges(0, &added, &removed, Some(3), true, &mut out)?;
/// // Form, layer and counts; an edge of 12 bytes, one of 8; the entry.
/// assert_eq!(size, 10 + 12 + 8 + 4);
///
/// let mut edits = Change::parse(&out[..size])?.edits();
/// let change = ListChange::Patch { removed: Slots::from(&[2]), added: Slots::from(&[0]) };
/// assert_eq!(edits.next(), Some(Edit::List { layer: 0, slot: 1, change }));
/// assert_eq!(edits.next(), Some(Edit::Entry { slot: 3 }));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub fn encode_edges(
    layer: u8,
    added: &[Edge],
    removed: &[(u32, u32)],
    entry: Option<u32>,
    with_weights: bool,
    out: &mut [u8],
) -> Result<usize, ChangeEncodeError> {
    let size = out.len();
    let full = ChangeEncodeError::BufferFull { size };
    let counts = (u32::try_from(added.len()), u32::try_from(removed.len()));
    let (Ok(added_count), Ok(removed_count)) = counts else {
        return Err(full);
    };
    if layer >= LAYERS_MAX {
        return Err(ChangeEncodeError::Unencodable { index: 0 });
    }
    let pairs = || added.iter().map(|edge| (edge.from, edge.to));
    if let Some(index) = first_unsorted(pairs()) {
        return Err(ChangeEncodeError::Unencodable { index });
    }
    if let Some(index) = first_unsorted(removed.iter().copied()) {
        let index = index.saturating_add(added_count);
        return Err(ChangeEncodeError::Unencodable { index });
    }
    let weights = if with_weights { WEIGHTS_FLAG } else { 0 };
    let has_entry = if entry.is_some() { ENTRY_FLAG } else { 0 };
    let mut writer = Writer { out, at: 0 };
    (|| {
        writer.bytes([FORM_EDGES | weights | has_entry, layer])?;
        writer.bytes(added_count.to_le_bytes())?;
        writer.bytes(removed_count.to_le_bytes())?;
        for edge in added {
            writer.pair((edge.from, edge.to))?;
            if with_weights {
                writer.bytes(edge.weight.to_bits().to_le_bytes())?;
            }
        }
        removed.iter().try_for_each(|&pair| writer.pair(pair))?;
        entry.map_or(Some(()), |slot| writer.bytes(slot.to_le_bytes()))?;
        Some(writer.at)
    })()
    .ok_or(full)
}

/// The first place whose pair is not above the one before it.
fn first_unsorted(pairs: impl Iterator<Item = (u32, u32)>) -> Option<u32> {
    let mut last = None;
    (0..).zip(pairs).find_map(|(index, pair)| {
        let ascends = last.is_none_or(|last| last < pair);
        last = Some(pair);
        (!ascends).then_some(index)
    })
}

struct Writer<'o> {
    out: &'o mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn pair(&mut self, (from, to): (u32, u32)) -> Option<()> {
        self.bytes(from.to_le_bytes())?;
        self.bytes(to.to_le_bytes())
    }

    fn bytes<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        *self.out.get_mut(self.at..)?.first_chunk_mut()? = bytes;
        self.at += N;
        Some(())
    }
}

/// Whole entries of one size, ascending by (from, to).
#[derive(Clone, Copy, Debug)]
struct Entries<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Entries<'a> {
    fn pairs(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.bytes.chunks_exact(self.stride).map(|entry| {
            let word = |at: usize| entry.get(at..).and_then(<[u8]>::first_chunk);
            let [from, to] =
                [0, WORD_SIZE].map(|at| word(at).map_or(0, |w| u32::from_le_bytes(*w)));
            (from, to)
        })
    }

    fn first(self) -> Option<u32> {
        self.pairs().next().map(|(from, _)| from)
    }

    /// Takes the edges of `from` off the front.
    fn take(&mut self, from: u32) -> Slots<'a> {
        let count = self.pairs().take_while(|pair| pair.0 == from).count();
        let (taken, rest) = self
            .bytes
            .split_at_checked(count * self.stride)
            .unwrap_or_default();
        self.bytes = rest;
        Slots::entries(taken, self.stride, u32::try_from(count).unwrap_or(u32::MAX))
    }
}

#[derive(Clone, Debug)]
pub(super) struct EdgesReader<'a> {
    layer: u8,
    added: Entries<'a>,
    removed: Entries<'a>,
    entry: Option<u32>,
}

impl<'a> EdgesReader<'a> {
    /// `bytes` begin with their form. All is checked here.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, ChangeError> {
        let Some((&[form, layer, a0, a1, a2, a3, r0, r1, r2, r3], rest)) =
            bytes.split_first_chunk::<HEAD_SIZE>()
        else {
            return Err(malformed(bytes.len()));
        };
        if form & !(FORM_EDGES | WEIGHTS_FLAG | ENTRY_FLAG) != 0 || layer >= LAYERS_MAX {
            return Err(malformed(0));
        }
        let weight_size = if form & WEIGHTS_FLAG == 0 {
            0
        } else {
            WORD_SIZE
        };
        let count = |bytes| u64::from(u32::from_le_bytes(bytes));
        let stride = EDGE_SIZE + weight_size;
        let (added, rest) =
            split(rest, count([a0, a1, a2, a3]), stride).ok_or_else(|| malformed(bytes.len()))?;
        let (removed, rest) = split(rest, count([r0, r1, r2, r3]), EDGE_SIZE)
            .ok_or_else(|| malformed(bytes.len()))?;
        let (entry, rest) = if form & ENTRY_FLAG == 0 {
            (None, rest)
        } else {
            let entry = rest
                .split_first_chunk()
                .ok_or_else(|| malformed(bytes.len()))?;
            (Some(u32::from_le_bytes(*entry.0)), entry.1)
        };
        if !rest.is_empty() {
            return Err(trailing(bytes.len() - rest.len()));
        }
        for (entries, start) in [(added, HEAD_SIZE), (removed, HEAD_SIZE + added.bytes.len())] {
            if let Some(index) = first_unsorted(entries.pairs()) {
                return Err(malformed(start + index as usize * entries.stride));
            }
        }
        Ok(Self {
            layer,
            added,
            removed,
            entry,
        })
    }

    pub(super) fn step(&mut self) -> Option<Edit<'a>> {
        let Some(slot) = self
            .added
            .first()
            .into_iter()
            .chain(self.removed.first())
            .min()
        else {
            return self.entry.take().map(|slot| Edit::Entry { slot });
        };
        let change = ListChange::Patch {
            removed: self.removed.take(slot),
            added: self.added.take(slot),
        };
        Some(Edit::List {
            layer: self.layer,
            slot,
            change,
        })
    }
}

/// The first `count` entries of `stride` bytes, and the rest.
fn split(bytes: &[u8], count: u64, stride: usize) -> Option<(Entries<'_>, &[u8])> {
    let size = usize::try_from(count).ok()?.checked_mul(stride)?;
    let (bytes, rest) = bytes.split_at_checked(size)?;
    Some((Entries { bytes, stride }, rest))
}
