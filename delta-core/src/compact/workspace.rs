//! What a compactor knows of the entities that its range touched, in the caller's memory.

use super::CompactError;
use super::touched::{Text, Touched};
use crate::{
    codec::{RowChange, Values},
    header::HEADER_SIZE,
    payload::{control::RANGE_SIZE, metadata::MetadataChanges, vector::PREFIX_SIZE_MAX},
};

/// The memory that a [`Compactor`](super::Compactor) works in. It holds as many entities as every
/// part allows.
#[derive(Debug)]
pub struct CompactMemory<'m> {
    /// One for each entity.
    pub touched: &'m mut [Touched],
    /// At least twice as many; the largest power of two of them is used.
    pub index: &'m mut [u32],
    /// `dim` for each entity.
    pub rows: &'m mut [f32],
    /// A bit for each component, in `dim / 64` rounded up words for each entity.
    pub changed: &'m mut [u64],
    /// Ids and metadata, half as much again for those that grow.
    pub text: &'m mut [u8],
    /// What an [`Applier`](crate::pipeline::apply::Applier) for the same records needs.
    pub scratch: &'m mut [u8],
}

/// Whether values say all about the components that they set, whatever the old row was.
pub(super) fn is_absolute(values: &Values<'_>) -> bool {
    !values.tag().is_relative()
}

#[derive(Debug)]
pub(super) struct Workspace<'m> {
    dim: u32,
    /// Entities in use; at most what all parts hold.
    count: u32,
    capacity: u32,
    memory: CompactMemory<'m>,
    /// Bytes of text in use.
    text_used: usize,
}

impl<'m> Workspace<'m> {
    pub(super) fn new(dim: u32, memory: CompactMemory<'m>) -> Self {
        let CompactMemory {
            touched,
            index,
            rows,
            changed,
            text,
            scratch,
        } = memory;
        let index_size = index
            .len()
            .checked_ilog2()
            .map_or(0, |bits| 1_usize << bits.min(31));
        let index = index.get_mut(..index_size).unwrap_or_default();
        index.fill(0);
        let words = words(dim);
        let capacity = [
            touched.len(),
            index.len() / 2,
            rows.len() / dim as usize,
            changed.len() / words,
        ];
        let capacity = capacity.into_iter().fold(usize::MAX, usize::min);
        let text_size = text.len().min(u32::MAX as usize);
        Self {
            dim,
            count: 0,
            capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            memory: CompactMemory {
                touched,
                index,
                rows,
                changed,
                text: text.get_mut(..text_size).unwrap_or_default(),
                scratch,
            },
            text_used: 0,
        }
    }

    pub(super) fn dim(&self) -> u32 {
        self.dim
    }

    pub(super) fn check_dim(&self, found: u32) -> Result<(), CompactError> {
        let expected = self.dim;
        if expected != found {
            return Err(CompactError::Dim { expected, found });
        }
        Ok(())
    }

    /// Whether there is room for `new` more entities.
    #[inline]
    pub(super) fn check_new(&self, new: u32) -> Result<(), CompactError> {
        if self.capacity - self.count < new {
            let entities = self.count;
            return Err(CompactError::Full { entities });
        }
        Ok(())
    }

    /// The number of a slot's entity.
    #[inline]
    pub(super) fn number(&self, slot: u32) -> Option<u32> {
        self.find(slot).ok()
    }

    /// The row of the entity of `number`, if all of it is known.
    #[inline]
    pub(super) fn known_row(&self, number: u32) -> Option<&[f32]> {
        let entry = self.entry(number).filter(|entry| entry.known)?;
        let start = entry.row as usize * self.dim as usize;
        self.memory.rows.get(start..)?.get(..self.dim as usize)
    }

    pub(super) fn entry(&self, number: u32) -> Option<&Touched> {
        self.memory.touched.get(number as usize)
    }

    /// The number of a slot's entity, or the place in the index where it belongs. The index is at
    /// most half full.
    #[inline]
    fn find(&self, slot: u32) -> Result<u32, usize> {
        let mask = self.memory.index.len().wrapping_sub(1);
        // Fibonacci hashing: the high bits of a product with 2^32 divided by the golden ratio.
        let mut place = (slot.wrapping_mul(0x9e37_79b9) >> 7) as usize & mask;
        loop {
            let Some(number) = self.memory.index.get(place).and_then(|n| n.checked_sub(1)) else {
                return Err(place);
            };
            if self.entry(number).is_some_and(|entry| entry.slot == slot) {
                return Ok(number);
            }
            place = (place + 1) & mask;
        }
    }

    /// The entity of a slot; a new one follows `prev_sequence`.
    #[inline]
    pub(super) fn touch(
        &mut self,
        slot: u32,
        prev_sequence: u64,
    ) -> Result<&mut Touched, CompactError> {
        let number = self.touch_number(slot, prev_sequence)?;
        let entities = self.count;
        self.entry_mut(number)
            .ok_or(CompactError::Full { entities })
    }

    /// The number of a slot's entity; of a new one, which follows `prev_sequence`, too.
    #[inline]
    pub(super) fn touch_number(
        &mut self,
        slot: u32,
        prev_sequence: u64,
    ) -> Result<u32, CompactError> {
        let place = match self.find(slot) {
            Ok(number) => return Ok(number),
            Err(place) => place,
        };
        self.check_new(1)?;
        let number = self.count;
        if let Some(entry) = self.entry_mut(number) {
            *entry = Touched {
                slot,
                prev_sequence,
                row: number,
                ..Touched::default()
            };
        }
        if let Some(place) = self.memory.index.get_mut(place) {
            *place = number + 1;
        }
        let (row, changed) = self.row_parts(number);
        row.fill(0.0);
        changed.fill(0);
        self.count += 1;
        Ok(number)
    }

    pub(super) fn entry_mut(&mut self, number: u32) -> Option<&mut Touched> {
        self.memory.touched.get_mut(number as usize)
    }

    /// Row and changed bits of the row of this number.
    #[inline]
    pub(super) fn row_parts(&mut self, row: u32) -> (&mut [f32], &mut [u64]) {
        let (dim, words, row) = (self.dim as usize, words(self.dim), row as usize);
        let memory = &mut self.memory;
        let components = memory.rows.get_mut(row * dim..(row + 1) * dim);
        let bits = memory.changed.get_mut(row * words..(row + 1) * words);
        (components.unwrap_or_default(), bits.unwrap_or_default())
    }

    /// Changes the row of the entity of `number`; `base` is its row before the range, if that is
    /// known.
    #[inline]
    pub(super) fn set_row(&mut self, number: u32, change: &RowChange<'_>, base: Option<&[f32]>) {
        let Some(entry) = self.memory.touched.get_mut(number as usize) else {
            return;
        };
        let row_number = entry.row;
        let base = base.filter(|base| !entry.known && base.len() == self.dim as usize);
        let whole = matches!(change, RowChange::All(_));
        entry.known |= whole || entry.inserted || base.is_some();
        let (row, changed) = self.row_parts(row_number);
        // At the first change of the slot in this range: later ones are measured against it.
        if let Some(base) = base {
            row.copy_from_slice(base);
        }
        if whole {
            changed.fill(u64::MAX);
            change.apply(row);
            return;
        }
        change.for_each(|index, bits| {
            let index = index as usize;
            if let (Some(component), Some(word)) = (row.get_mut(index), changed.get_mut(index / 64))
            {
                *component = f32::from_bits(bits);
                *word |= 1 << (index % 64);
            }
        });
    }

    /// The id and the metadata section of an entity.
    pub(super) fn text(&self, entry: &Touched) -> (&[u8], &[u8]) {
        let text = entry.text;
        let bytes = self
            .memory
            .text
            .get(text.start as usize..)
            .unwrap_or_default();
        let (id, rest) = bytes
            .split_at_checked(text.id_size.into())
            .unwrap_or_default();
        (
            id,
            rest.get(..text.section_size as usize).unwrap_or_default(),
        )
    }

    /// Whether there is room for the text of an entity, perhaps a new one, with `changes` merged
    /// over it, besides `promised` bytes of others. The bytes that are promised then.
    pub(super) fn check_text(
        &self,
        number: Option<u32>,
        changes: MetadataChanges<'_>,
        id: &[u8],
        promised: usize,
    ) -> Result<usize, CompactError> {
        let entry = number.and_then(|number| self.entry(number));
        let (old_id, old) = entry.map_or((&[][..], &[][..]), |entry| self.text(entry));
        let mut size = old_id.len().max(id.len());
        MetadataChanges::from_checked(old).merge(changes, |pair| size += pair.len());
        let (needed, given) = (promised + size, self.memory.text.len() - self.text_used);
        if needed <= given {
            return Ok(promised + capacity_of(size));
        }
        let entities = self.count;
        Err(if entities == 0 {
            CompactError::TooLarge { needed, given }
        } else {
            CompactError::Full { entities }
        })
    }

    /// Merges `changes` over the metadata of the entity of `number`, which has room for them.
    pub(super) fn merge_text(&mut self, number: u32, changes: MetadataChanges<'_>, id: &[u8]) {
        let Some(entry) = self.memory.touched.get_mut(number as usize) else {
            return;
        };
        let text = entry.text;
        let (used, free) = self.memory.text.split_at_mut(self.text_used);
        let old = used.get(text.start as usize..).unwrap_or_default();
        let (old_id, old) = old
            .split_at_checked(text.id_size.into())
            .unwrap_or_default();
        let old = old.get(..text.section_size as usize).unwrap_or_default();
        let id = if id.is_empty() { old_id } else { id };
        let mut size = 0;
        let mut append = |piece: &[u8]| {
            if let Some(place) = free.get_mut(size..size + piece.len()) {
                place.copy_from_slice(piece);
            }
            size += piece.len();
        };
        append(id);
        MetadataChanges::from_checked(old).merge(changes, append);
        entry.text = Text {
            start: as_u32(self.text_used),
            id_size: u8::try_from(id.len()).unwrap_or(u8::MAX),
            section_size: as_u32(size - id.len()),
            capacity: as_u32(capacity_of(size).min(free.len())),
        };
        if size <= text.capacity as usize {
            (entry.text.start, entry.text.capacity) = (text.start, text.capacity);
            let from = self.text_used;
            let to = text.start as usize;
            self.memory.text.copy_within(from..from + size, to);
        } else {
            self.text_used += entry.text.capacity as usize;
        }
    }

    /// Most bytes of a segment of these entities.
    pub(super) fn size_max(&self) -> usize {
        // Sparse values of all components but one: a byte of gap each, and a second one for each
        // 128 components that are left out.
        let values = 5 * self.dim as usize + self.dim as usize / 64 + 8;
        let vector = HEADER_SIZE + PREFIX_SIZE_MAX + values;
        let delete = HEADER_SIZE + 4;
        let entries = self.memory.touched.iter().take(self.count as usize);
        let text =
            |entry: &Touched| usize::from(entry.text.id_size) + entry.text.section_size as usize;
        HEADER_SIZE
            + RANGE_SIZE
            + entries
                .map(|entry| vector + delete + text(entry))
                .sum::<usize>()
    }

    /// Brings the entities into the order of their slots, after which none is found by its slot.
    pub(super) fn sort(&mut self) {
        let touched = self.memory.touched.get_mut(..self.count as usize);
        touched
            .unwrap_or_default()
            .sort_unstable_by_key(|entry| entry.slot);
    }

    /// Copies of the entities, in their order.
    pub(super) fn get(&self, number: u32) -> Option<Touched> {
        self.entry(number).copied().filter(|_| number < self.count)
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.text_used = 0;
        self.memory.index.fill(0);
    }

    /// The scratch, for taking it out and putting it back.
    pub(super) fn scratch(&mut self) -> &mut &'m mut [u8] {
        &mut self.memory.scratch
    }
}

/// Bytes set aside for text: what grew once will grow again.
fn capacity_of(size: usize) -> usize {
    size + size / 2
}

/// Words of changed bits of a row.
fn words(dim: u32) -> usize {
    (dim as usize).div_ceil(64)
}

/// An offset or size within the text, which has less than 2^32 bytes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the text has less than 2^32 bytes"
)]
fn as_u32(value: usize) -> u32 {
    value as u32
}
