//! Writing a segment.

use super::{graph::RangeGraph, touched::Touched, workspace::Workspace};
use crate::{
    codec::{Tag, sparse::SparseWriter, varint},
    digest::{id_term, row_term},
    graph::{Edit, encode::encode_edits},
    header::{DeltaHeader, HEADER_SIZE, Operation},
    kernel::digest::row_sum,
    payload::{
        control::{Control, RANGE_SIZE},
        metadata::MetadataChanges,
        vector::{PREFIX_SIZE_MAX, Prefix},
    },
    pipeline::sequencer::Position,
};

/// Most bytes of the change that inserts one node: its tombstone, itself, the entry.
const NODE_SIZE_MAX: usize = 1 + 3 * (1 + varint::SIZE_MAX);

/// Where a segment leads from and to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Position,
    pub(super) to: Position,
    pub(super) timestamp_us: u64,
}

/// Writes the segment of the workspace's entities and the graph; `None` if `out` is too small.
pub(super) fn write(
    work: &mut Workspace<'_>,
    graph: Option<&RangeGraph<'_>>,
    span: Span,
    out: &mut [u8],
) -> Option<usize> {
    work.sort();
    let mut writer = Writer {
        out,
        size: HEADER_SIZE + RANGE_SIZE,
        record_count: 0,
        span,
        graph,
        entry: graph.and_then(RangeGraph::entry_before),
    };
    if graph.is_some_and(RangeGraph::cleared) {
        writer.reindex(&[Edit::Clear])?;
    }
    let mut nodes = graph.map_or(0..0, RangeGraph::new_nodes);
    let mut number = 0;
    while let Some(entity) = work.get(number) {
        while nodes.start < nodes.end.min(entity.slot) {
            writer.node(nodes.start, false)?;
            nodes.start += 1;
        }
        let is_new = nodes.contains(&entity.slot);
        nodes.start += u32::from(is_new);
        writer.entity(work, &entity, is_new)?;
        number += 1;
    }
    for slot in nodes {
        writer.node(slot, false)?;
    }
    writer.lists()?;
    writer.range()
}

struct Writer<'w, 'm> {
    out: &'w mut [u8],
    /// Bytes written; the range's own record, which stands in front, is written last.
    size: usize,
    record_count: u32,
    span: Span,
    graph: Option<&'w RangeGraph<'m>>,
    /// The graph's entry after what was written, and its level.
    entry: Option<(u32, u8)>,
}

impl Writer<'_, '_> {
    fn header(&self, operation: Operation, sequence: u64) -> DeltaHeader {
        DeltaHeader {
            timestamp_us: self.span.timestamp_us,
            ..DeltaHeader::new(operation, sequence, self.span.to.epoch)
        }
    }

    /// Seals a record whose payload `write` writes.
    fn record(
        &mut self,
        header: DeltaHeader,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<()> {
        self.size += frame(header, self.out.get_mut(self.size..)?, write)?;
        self.record_count += 1;
        Some(())
    }

    fn reindex(&mut self, edits: &[Edit<'_>]) -> Option<()> {
        let header = self.header(Operation::ReindexLayers, self.span.to.sequence);
        self.record(header, |payload| {
            encode_edits(edits.iter().copied(), payload).ok()
        })
    }

    /// The change that inserts a node, in `out`; one of a row that was deleted before the range, as
    /// one that is not deleted in it, is a tombstone from the start.
    fn node_change<'o>(
        &mut self,
        slot: u32,
        is_deleted_later: bool,
        out: &'o mut [u8; NODE_SIZE_MAX],
    ) -> Option<&'o [u8]> {
        let graph = self.graph?;
        let level = graph.level(slot);
        let is_tombstone = graph.is_tombstone(slot) && !is_deleted_later;
        let is_entry = self.entry.is_none_or(|(_, highest)| level > highest);
        if is_entry {
            self.entry = Some((slot, level));
        }
        let edits = [
            is_tombstone.then_some(Edit::Tombstone { slot }),
            Some(Edit::Insert { slot, level }),
            is_entry.then_some(Edit::Entry { slot }),
        ];
        let size = encode_edits(edits.into_iter().flatten(), out).ok()?;
        out.get(..size)
    }

    /// A node that comes without a change of its row.
    fn node(&mut self, slot: u32, is_deleted_later: bool) -> Option<()> {
        let mut change = [0; NODE_SIZE_MAX];
        let change = self.node_change(slot, is_deleted_later, &mut change)?;
        let header = self.header(Operation::ReindexLayers, self.span.to.sequence);
        self.record(header, |payload| put(payload, &[change]))
    }

    /// What the range has of one entity, whose node `is_new`.
    fn entity(&mut self, work: &mut Workspace<'_>, entity: &Touched, is_new: bool) -> Option<()> {
        let is_deleted = entity.delete_sequence > 0;
        if is_deleted && (entity.erased || entity.inserted && self.graph.is_none()) {
            let (slot, sum) = (entity.slot, erased_sum(work, entity));
            let header = self.header(Operation::Control, entity.delete_sequence);
            return self.record(header, |payload| {
                Control::Erased { slot, sum }.write(payload)
            });
        }
        if entity.vector_sequence > 0 {
            let mut change = [0; NODE_SIZE_MAX];
            let change = match is_new {
                true => self.node_change(entity.slot, is_deleted, &mut change)?,
                false => &[],
            };
            self.vector(work, entity, change)?;
        } else if is_new {
            self.node(entity.slot, is_deleted)?;
        }
        if is_deleted {
            self.delete(entity)?;
        }
        Some(())
    }

    fn vector(&mut self, work: &mut Workspace<'_>, entity: &Touched, change: &[u8]) -> Option<()> {
        let operation = if entity.inserted {
            Operation::Insert
        } else {
            Operation::Update
        };
        let header = DeltaHeader {
            vector_id_hash: entity.id_hash,
            prev_sequence: entity.prev_sequence,
            graph: !change.is_empty(),
            ..self.header(operation, entity.vector_sequence)
        };
        self.record(header, |payload| {
            write_vector(work, entity, change, payload)
        })
    }

    fn delete(&mut self, entity: &Touched) -> Option<()> {
        let slot = entity.slot;
        let has_node = self.graph.is_some_and(|graph| graph.has_node(slot));
        let header = DeltaHeader {
            vector_id_hash: entity.id_hash,
            prev_sequence: match entity.vector_sequence {
                0 => entity.prev_sequence,
                sequence => sequence,
            },
            graph: has_node,
            ..self.header(Operation::Delete, entity.delete_sequence)
        };
        self.record(header, |payload| {
            let (place, rest) = payload.split_first_chunk_mut()?;
            *place = slot.to_le_bytes();
            let edits = has_node.then_some(Edit::Tombstone { slot });
            let size = match edits {
                Some(_) => encode_edits(edits, rest).ok()?,
                None => 0,
            };
            Some(place.len() + size)
        })
    }

    /// The lists and the entry at the end.
    fn lists(&mut self) -> Option<()> {
        let Some(graph) = self.graph else {
            return Some(());
        };
        let edits = graph.last_edits(self.entry.map(|(slot, _)| slot));
        if edits.clone().next().is_none() {
            return Some(());
        }
        let header = self.header(Operation::ReindexLayers, self.span.to.sequence);
        self.record(header, |payload| encode_edits(edits, payload).ok())
    }

    /// The record in front; the segment's bytes.
    fn range(self) -> Option<usize> {
        let Span { from, to, .. } = self.span;
        let range = Control::Range {
            from_epoch: from.epoch,
            from_sequence: from.sequence,
            from_digest: from.digest,
            record_count: self.record_count,
            size: (self.size - HEADER_SIZE - RANGE_SIZE) as u64,
        };
        let header = DeltaHeader {
            state_digest: Some(to.digest),
            ..self.header(Operation::Control, to.sequence)
        };
        frame(header, self.out, |payload| range.write(payload))?;
        Some(self.size)
    }
}

/// The terms of an entity that is inserted and deleted in the range.
fn erased_sum(work: &mut Workspace<'_>, entity: &Touched) -> u64 {
    if entity.erased {
        return entity.erased_sum;
    }
    let slot = entity.slot;
    let row = row_term(slot, row_sum(work.row_parts(entity.row).0));
    let (id, section) = work.text(entity);
    let metadata = MetadataChanges::from_checked(section).digest_sum(slot);
    row.wrapping_add(id_term(slot, id)).wrapping_add(metadata)
}

/// Writes the payload of one insert or update.
fn write_vector(
    work: &mut Workspace<'_>,
    entity: &Touched,
    change: &[u8],
    payload: &mut [u8],
) -> Option<usize> {
    let dim = work.dim();
    // The values are written behind the longest prefix, then moved up to the real one.
    let rest = payload.get_mut(PREFIX_SIZE_MAX..)?;
    let (row, changed) = work.row_parts(entity.row);
    let (tag, values_size) = values(row, changed, entity.inserted, rest)?;
    // The text of an update has no id, that of an insert begins with it.
    let (id, section) = work.text(entity);
    let (mut change_size, mut size_bytes) = (0, [0; varint::SIZE_MAX]);
    if !change.is_empty() {
        let size = u32::try_from(change.len()).ok()?;
        varint::write(&mut size_bytes, &mut change_size, size)?;
    }
    let pieces = [id, size_bytes.get(..change_size)?, change, section];
    let size = values_size + put(rest.get_mut(values_size..)?, &pieces)?;
    let prefix = Prefix {
        tag: tag as u8,
        parts_follow: size > values_size,
        slot: entity.slot,
        dim,
        id_size: u8::try_from(id.len()).ok()?,
        values_size: u32::try_from(values_size).ok()?,
    };
    let prefix_size = prefix.write(payload)?;
    payload.copy_within(PREFIX_SIZE_MAX..PREFIX_SIZE_MAX + size, prefix_size);
    Some(prefix_size + size)
}

/// Writes `pieces` one behind the other; their bytes.
fn put(out: &mut [u8], pieces: &[&[u8]]) -> Option<usize> {
    let mut at = 0;
    for piece in pieces {
        let end = at + piece.len();
        out.get_mut(at..end)?.copy_from_slice(piece);
        at = end;
    }
    Some(at)
}

/// Writes the components of `row` that are marked as changed, or, from a row of +0.0, those that
/// have a bit set. What is not marked is not known: as long as that is some, raw is no choice, even
/// where it would be smaller.
fn values(
    row: &[f32],
    changed: &mut [u64],
    from_zero: bool,
    out: &mut [u8],
) -> Option<(Tag, usize)> {
    if from_zero {
        for (word, components) in changed.iter_mut().zip(row.chunks(64)) {
            let bits = components.iter().zip(0..).filter(|(c, _)| c.to_bits() != 0);
            *word = bits.fold(0, |word, (_, bit)| word | 1 << bit);
        }
    }
    if changed.iter().all(|word| *word == 0) {
        return Some((Tag::Same, 0));
    }
    let raw_size = 4 * row.len();
    let marked = changed
        .iter()
        .map(|word| word.count_ones() as usize)
        .sum::<usize>();
    let is_whole = from_zero || marked >= row.len();
    let limit = if is_whole {
        raw_size.saturating_sub(1)
    } else {
        out.len()
    };
    let mut sparse = SparseWriter::new(out.get_mut(..limit)?);
    let mut words = (0_u32..)
        .step_by(64)
        .zip(changed.iter().zip(row.chunks(64)));
    let fits = words.all(|(start, (word, components))| {
        let mut left = *word;
        while left != 0 {
            let place = left.trailing_zeros();
            left &= left - 1;
            // Of a whole row, bits behind its end are set as well.
            let component = components.get(place as usize);
            let pushed = component.map(|c| sparse.push(start + place, c.to_bits()));
            if pushed == Some(None) {
                return false;
            }
        }
        true
    });
    if fits {
        return Some((Tag::Sparse, sparse.size()));
    }
    if !is_whole {
        return None;
    }
    // Little-endian targets only (the crate compiles on no other): memory order is wire order.
    out.get_mut(..raw_size)?
        .copy_from_slice(bytemuck::cast_slice(row));
    Some((Tag::Raw, raw_size))
}

fn frame(
    header: DeltaHeader,
    out: &mut [u8],
    write: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<usize> {
    let (head, payload) = out.split_first_chunk_mut::<HEADER_SIZE>()?;
    let size = write(payload)?;
    let header = header.seal(payload.get(..size)?).ok()?;
    *head = header.to_bytes();
    Some(HEADER_SIZE + size)
}
