//! Ids and metadata of all slots in one piece of the caller's memory.
//!
//! A slot's *blob* is: slot u32, size u32 (of what follows), id size u8, id, then pairs in
//! ascending order of their keys: key size u8, key, value size u32, value. A changed blob is
//! appended and the old one becomes garbage; when the end is reached, the live blobs are moved
//! together. The memory must therefore hold all live blobs and once more the one that changes.

use super::{Slot, StoreError};
use crate::payload::metadata::MetadataChanges;

/// Slot and size.
type BlobHeader = [[u8; 4]; 2];
const BLOB_HEADER_SIZE: usize = size_of::<BlobHeader>();

/// The bytes of all blobs.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    bytes: &'a mut [u8],
    /// Bytes in use, garbage included; blobs lie without gaps before it.
    end: usize,
    /// Bytes of blobs that no slot refers to any more.
    garbage: usize,
}

impl<'a> Attributes<'a> {
    /// Empty, over `bytes`, of which at most 2^32 - 1 are used.
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        let usable = bytes.len().min(u32::MAX as usize);
        Self {
            bytes: bytes.get_mut(..usable).unwrap_or_default(),
            end: 0,
            garbage: 0,
        }
    }

    /// Forgets all blobs.
    pub(super) fn clear(&mut self) {
        (self.end, self.garbage) = (0, 0);
    }

    /// Bytes of live blobs.
    pub(super) fn live_size(&self) -> usize {
        self.end - self.garbage
    }

    pub(super) fn id(&self, slot: Slot) -> Option<&[u8]> {
        let (id, _) = split_id(self.body(slot)?)?;
        (!id.is_empty()).then_some(id)
    }

    pub(super) fn pairs(&self, slot: Slot) -> Pairs<'_> {
        let rest = self
            .body(slot)
            .and_then(split_id)
            .map_or(&[][..], |(_, pairs)| pairs);
        Pairs { rest }
    }

    /// Whether the blob of `slot` with `id` (if it is new) and `changes` can be stored besides
    /// `promised` bytes of others. The bytes that are promised then.
    pub(super) fn reserve(
        &self,
        slot: Slot,
        id: &[u8],
        changes: MetadataChanges<'_>,
        promised: usize,
    ) -> Result<usize, StoreError> {
        let id = self.id(slot).unwrap_or(id);
        let mut body_size = 1 + id.len();
        merge(self.pairs(slot), changes, |key, value| {
            body_size += pair_size(key, value)
        });
        // The others take what was promised to them at most.
        let needed = promised + BLOB_HEADER_SIZE + body_size;
        let left = self.bytes.len() - self.live_size();
        if needed > left {
            return Err(StoreError::AttributesFull { needed, left });
        }
        Ok(needed)
    }

    /// Stores the blob of `index` with `id` (if it is new) and `changes`, which [`Self::reserve`]
    /// agreed to.
    pub(super) fn store(
        &mut self,
        slots: &mut [Slot],
        index: usize,
        id: &[u8],
        changes: MetadataChanges<'_>,
    ) {
        if !self.append(slots, index, id, changes) {
            self.collect(slots);
            let stored = self.append(slots, index, id, changes);
            assert!(stored, "attributes are stored only after reserve agreed");
        }
    }

    /// Leaves the blob of a slot that is unused from now on as garbage.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.garbage += self
            .body(slot)
            .map_or(0, |body| BLOB_HEADER_SIZE + body.len());
    }

    /// Appends the blob; `false`, and nothing changed, if the bytes behind `end` do not suffice.
    fn append(
        &mut self,
        slots: &mut [Slot],
        index: usize,
        id: &[u8],
        changes: MetadataChanges<'_>,
    ) -> bool {
        let Some(entry) = slots.get_mut(index) else {
            return false;
        };
        let (used, free) = self.bytes.split_at_mut(self.end);
        let body = body_of(used, *entry);
        let (id, pairs) = match body.and_then(split_id) {
            Some((id, pairs)) => (id, pairs),
            None => (id, &[][..]),
        };
        let mut out = Cursor {
            bytes: free,
            at: BLOB_HEADER_SIZE,
        };
        out.push(&[size_u8(id)]);
        out.push(id);
        merge(Pairs { rest: pairs }, changes, |key, value| {
            out.push(&[size_u8(key)]);
            out.push(key);
            out.push(&as_u32(value.len()).to_le_bytes());
            out.push(value);
        });
        let size = out.at;
        if size > free.len() {
            return false;
        }
        if let Some(header) = free.first_chunk_mut::<BLOB_HEADER_SIZE>() {
            *header = blob_header(as_u32(index), as_u32(size - BLOB_HEADER_SIZE));
        }
        self.garbage += body.map_or(0, |body| BLOB_HEADER_SIZE + body.len());
        entry.attributes = as_u32(self.end) + 1;
        self.end += size;
        true
    }

    /// Moves the live blobs together, in their order. O(bytes in use).
    fn collect(&mut self, slots: &mut [Slot]) {
        let (mut from, mut to) = (0, 0);
        while from < self.end {
            let Some((slot, body_size)) = read_blob_header(self.bytes, from) else {
                break;
            };
            let size = BLOB_HEADER_SIZE + body_size;
            if let Some(entry) = slots
                .get_mut(slot)
                .filter(|e| e.attributes as usize == from + 1)
            {
                self.bytes.copy_within(from..from + size, to);
                entry.attributes = as_u32(to) + 1;
                to += size;
            }
            from += size;
        }
        self.end = to;
        self.garbage = 0;
    }

    fn body(&self, slot: Slot) -> Option<&[u8]> {
        body_of(self.bytes, slot)
    }
}

fn body_of(bytes: &[u8], slot: Slot) -> Option<&[u8]> {
    let at = (slot.attributes as usize).checked_sub(1)?;
    let (_, size) = read_blob_header(bytes, at)?;
    bytes.get(at + BLOB_HEADER_SIZE..)?.get(..size)
}

/// The blob's slot and the size of its body.
fn read_blob_header(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let header: BlobHeader = bytemuck::cast(*bytes.get(at..)?.first_chunk::<BLOB_HEADER_SIZE>()?);
    let [slot, body_size] = header.map(|field| u32::from_le_bytes(field) as usize);
    Some((slot, body_size))
}

fn blob_header(slot: u32, body_size: u32) -> [u8; BLOB_HEADER_SIZE] {
    let header: BlobHeader = [slot.to_le_bytes(), body_size.to_le_bytes()];
    bytemuck::cast(header)
}

/// A number or size within the arena, which has less than 2^32 bytes; or a slot.
#[expect(clippy::cast_possible_truncation, reason = "both are below 2^32")]
fn as_u32(value: usize) -> u32 {
    value as u32
}

/// The size of an id or a key.
#[expect(
    clippy::cast_possible_truncation,
    reason = "readers refuse longer ones"
)]
fn size_u8(bytes: &[u8]) -> u8 {
    bytes.len() as u8
}

fn split_id(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&size, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(size))
}

fn pair_size(key: &[u8], value: &[u8]) -> usize {
    1 + key.len() + 4 + value.len()
}

/// The pairs of a blob, keys ascending.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&key_size, rest) = self.rest.split_first()?;
        let (key, rest) = rest.split_at_checked(usize::from(key_size))?;
        let (value_size, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_size) as usize)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// Calls `emit` for every pair of `old` after `changes`, keys ascending.
fn merge<'k>(
    old: Pairs<'k>,
    changes: MetadataChanges<'k>,
    mut emit: impl FnMut(&'k [u8], &'k [u8]),
) {
    let mut old = old.peekable();
    for (key, value) in changes {
        while let Some((before, kept)) = old.next_if(|(before, _)| *before < key) {
            emit(before, kept);
        }
        old.next_if(|(same, _)| *same == key);
        if let Some(value) = value {
            emit(key, value);
        }
    }
    for (key, value) in old {
        emit(key, value);
    }
}

/// Writes as long as there is room, and counts on beyond it.
struct Cursor<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Cursor<'_> {
    fn push(&mut self, piece: &[u8]) {
        let end = self.at + piece.len();
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(piece);
        }
        self.at = end;
    }
}
