//! Writing a segment.

use super::{touched::Touched, workspace::Workspace};
use crate::{
    codec::{Tag, sparse::SparseWriter},
    header::{DeltaHeader, HEADER_SIZE, Operation},
    payload::{
        control::{Control, RANGE_SIZE},
        vector::{PREFIX_SIZE_MAX, Prefix},
    },
    pipeline::sequencer::Position,
};

/// Writes the segment (from, to] of the workspace's entities; `None` if `out` is too small.
pub(super) fn write(
    work: &mut Workspace<'_>,
    from: Position,
    to: Position,
    timestamp_us: u64,
    out: &mut [u8],
) -> Option<usize> {
    work.sort();
    let mut size = HEADER_SIZE + RANGE_SIZE;
    let (mut number, mut record_count) = (0, 0);
    while let Some(entry) = work.get(number) {
        let blank = |operation, sequence| DeltaHeader {
            vector_id_hash: entry.id_hash,
            prev_sequence: entry.prev_sequence,
            timestamp_us,
            ..DeltaHeader::new(operation, sequence, to.epoch)
        };
        if entry.vector_sequence > 0 {
            let operation = if entry.inserted {
                Operation::Insert
            } else {
                Operation::Update
            };
            let header = blank(operation, entry.vector_sequence);
            size += write_vector(work, &entry, header, out.get_mut(size..)?)?;
            record_count += 1;
        }
        if entry.delete_sequence > 0 {
            let mut header = blank(Operation::Delete, entry.delete_sequence);
            if entry.vector_sequence > 0 {
                header.prev_sequence = entry.vector_sequence;
            }
            let slot = entry.slot.to_le_bytes();
            size += frame(header, out.get_mut(size..)?, |payload| {
                *payload.first_chunk_mut()? = slot;
                Some(slot.len())
            })?;
            record_count += 1;
        }
        number += 1;
    }
    let range = Control::Range {
        from_epoch: from.epoch,
        from_sequence: from.sequence,
        from_digest: from.digest,
        record_count,
        size: (size - HEADER_SIZE - RANGE_SIZE) as u64,
    };
    let header = DeltaHeader {
        timestamp_us,
        state_digest: Some(to.digest),
        ..DeltaHeader::new(Operation::Control, to.sequence, to.epoch)
    };
    frame(header, out, |payload| range.write(payload))?;
    Some(size)
}

/// Writes one insert or update; the bytes of its frame.
fn write_vector(
    work: &mut Workspace<'_>,
    entry: &Touched,
    header: DeltaHeader,
    out: &mut [u8],
) -> Option<usize> {
    let dim = work.dim();
    frame(header, out, |payload| {
        // The values are written behind the longest prefix, then moved up to the real one.
        let rest = payload.get_mut(PREFIX_SIZE_MAX..)?;
        let (row, changed) = work.row_parts(entry.row);
        let (tag, values_size) = values(row, changed, entry.inserted, rest)?;
        // The text of an update has no id, that of an insert begins with it.
        let (id, section) = work.text(entry);
        let mut size = values_size;
        for piece in [id, section] {
            rest.get_mut(size..size + piece.len())?
                .copy_from_slice(piece);
            size += piece.len();
        }
        let prefix = Prefix {
            tag: tag as u8,
            parts_follow: size > values_size,
            slot: entry.slot,
            dim,
            id_size: u8::try_from(id.len()).ok()?,
            values_size: u32::try_from(values_size).ok()?,
        };
        let prefix_size = prefix.write(payload)?;
        payload.copy_within(PREFIX_SIZE_MAX..PREFIX_SIZE_MAX + size, prefix_size);
        Some(prefix_size + size)
    })
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
    let mut indexed = (0_u32..).zip(row);
    let fits = indexed.all(|(index, component)| {
        let word = changed.get(index as usize / 64).copied().unwrap_or(0);
        word >> (index % 64) & 1 == 0 || sparse.push(index, component.to_bits()).is_some()
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
