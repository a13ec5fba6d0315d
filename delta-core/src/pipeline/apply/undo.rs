//! What a batch has changed, kept in the caller's memory so that it can be taken back.

use super::Applier;
use crate::{
    kernel::apply::copy_bits_le,
    payload::{
        Payload,
        metadata::{MetadataChanges, MetadataEdit, write_section},
        vector::VectorPayload,
    },
    pipeline::sequencer::Position,
    record::Record,
    store::{Replica, Rewind},
};

/// Bytes behind every entry: its size, its kind.
const TRAILER_SIZE: usize = 8;
/// Epoch, sequence and digest.
const POSITION_SIZE: usize = 20;
/// Slot and last sequence.
const SLOT_SIZE: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    /// Begins what one record changed.
    Position = 1,
    /// A slot's last sequence, then its row.
    Row = 2,
    /// A slot, then a metadata section that sets the old values.
    Metadata = 3,
    /// The last slot was not there.
    Insert = 4,
    /// The slot lived.
    Delete = 5,
}

impl Kind {
    fn from_u32(value: u32) -> Option<Self> {
        [
            Self::Position,
            Self::Row,
            Self::Metadata,
            Self::Insert,
            Self::Delete,
        ]
        .into_iter()
        .find(|kind| *kind as u32 == value)
    }
}

/// A stack of inverse changes in the caller's memory.
///
/// A row costs its 4 bytes a component and 20, a delete or insert some 30, a record another 28.
#[derive(Debug)]
pub struct Undo<'u> {
    bytes: &'u mut [u8],
    /// Bytes in use, at most `bytes.len()`.
    used: usize,
    /// Bytes that the entries need which did not fit any more.
    overflow: bool,
}

impl<'u> Undo<'u> {
    /// An empty stack over `bytes`.
    pub fn new(bytes: &'u mut [u8]) -> Self {
        Self {
            bytes,
            used: 0,
            overflow: false,
        }
    }

    /// Bytes that the memory has.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// No change is kept.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Forgets the oldest records until `size` more bytes fit; `false` if they never will.
    /// O(bytes).
    pub(super) fn make_room(&mut self, size: usize) -> bool {
        while self.bytes.len() - self.used < size && self.used > 0 {
            self.forget_half();
        }
        self.bytes.len() >= size
    }

    /// The sequence that the oldest record here followed: how far one can go back.
    pub fn oldest_sequence(&self) -> Option<u64> {
        let first = self.bytes.get(..self.used)?;
        read_position(first).map(|position| position.sequence)
    }

    /// Forgets everything: what was changed stays changed.
    pub fn clear(&mut self) {
        self.used = 0;
        self.overflow = false;
    }

    fn push(&mut self, kind: Kind, parts: &[&[u8]]) {
        let size = parts.iter().map(|part| part.len()).sum::<usize>();
        let end = self.used + size + TRAILER_SIZE;
        let size_field = u32::try_from(size).unwrap_or(u32::MAX);
        let Some(place) = self.bytes.get_mut(self.used..end) else {
            self.overflow = true;
            return;
        };
        let trailer = [size_field.to_le_bytes(), (kind as u32).to_le_bytes()];
        let trailer: [u8; TRAILER_SIZE] = bytemuck::cast(trailer);
        let mut rest = place;
        for part in parts.iter().copied().chain([&trailer[..]]) {
            let Some((head, tail)) = rest.split_at_mut_checked(part.len()) else {
                return;
            };
            head.copy_from_slice(part);
            rest = tail;
        }
        self.used = end;
    }

    /// Takes back what the last record changed; the position before it. `None` if there is none.
    pub(super) fn step_back<R: Rewind + ?Sized>(&mut self, replica: &mut R) -> Option<Position> {
        loop {
            let (kind, start) = self.entry_before(self.used)?;
            let body = self.bytes.get(start..self.used - TRAILER_SIZE)?;
            restore(kind, body, replica);
            self.used = start;
            if kind == Kind::Position {
                return read_position(body);
            }
        }
    }

    /// Forgets the last record: what it changed, if anything, stays changed.
    pub(super) fn drop_last(&mut self) {
        while let Some((kind, start)) = self.entry_before(self.used) {
            self.used = start;
            if kind == Kind::Position {
                break;
            }
        }
    }

    /// Forgets the oldest half of the records, at least one: what they changed stays changed.
    /// O(bytes).
    pub(super) fn forget_half(&mut self) {
        let (mut at, mut cut) = (self.used, self.used);
        while let Some((kind, start)) = self.entry_before(at) {
            if kind == Kind::Position {
                if start == 0 || start < self.used / 2 {
                    break;
                }
                cut = start;
            }
            at = start;
        }
        self.bytes.copy_within(cut..self.used, 0);
        self.used -= cut;
    }

    /// Kind and beginning of the entry that ends at `end`.
    fn entry_before(&self, end: usize) -> Option<(Kind, usize)> {
        let trailer = self.bytes.get(..end)?.last_chunk::<TRAILER_SIZE>()?;
        let fields: [[u8; 4]; 2] = bytemuck::cast(*trailer);
        let [size, kind] = fields.map(u32::from_le_bytes);
        let start = end.checked_sub(TRAILER_SIZE + size as usize)?;
        Some((Kind::from_u32(kind)?, start))
    }

    fn position(&mut self, position: Position) {
        let Position {
            epoch,
            sequence,
            digest,
        } = position;
        self.push(
            Kind::Position,
            &[
                &epoch.to_le_bytes(),
                &sequence.to_le_bytes(),
                &digest.to_le_bytes(),
            ],
        );
    }

    fn slot<R: Replica + ?Sized>(&mut self, kind: Kind, replica: &R, slot: u32) {
        let Some(last_sequence) = replica.last_sequence(slot) else {
            return;
        };
        let row = match kind {
            Kind::Row => replica.row(slot).unwrap_or_default(),
            _ => &[],
        };
        self.push(
            kind,
            &[
                &slot.to_le_bytes(),
                &last_sequence.to_le_bytes(),
                bytemuck::cast_slice(row),
            ],
        );
    }

    fn metadata<R: Replica + ?Sized>(
        &mut self,
        replica: &R,
        slot: u32,
        changes: MetadataChanges<'_>,
    ) {
        if changes.is_empty() || replica.last_sequence(slot).is_none() {
            return;
        }
        let start = self.used;
        let mut end = start + 4;
        let mut fits = true;
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(&slot.to_le_bytes());
        }
        for (key, new) in changes {
            // The inverse of the change; one that changes nothing is not written.
            let inverse = MetadataEdit {
                key,
                old: new,
                new: replica.metadata(slot, key),
            };
            let out = self.bytes.get_mut(end..).unwrap_or_default();
            match write_section(&[inverse], out, None) {
                Ok((size, _)) => end += size,
                Err(_) => fits = false,
            }
        }
        let size = u32::try_from(end - start).unwrap_or(u32::MAX);
        match self.bytes.get_mut(end..end + TRAILER_SIZE) {
            Some(place) if fits => {
                let trailer = [size.to_le_bytes(), (Kind::Metadata as u32).to_le_bytes()];
                place.copy_from_slice(bytemuck::bytes_of(&trailer));
                self.used = end + TRAILER_SIZE;
            }
            _ => self.overflow = true,
        }
    }
}

fn read_position(body: &[u8]) -> Option<Position> {
    let (epoch, rest) = body.split_first_chunk()?;
    let (sequence, rest) = rest.split_first_chunk()?;
    Some(Position {
        epoch: u32::from_le_bytes(*epoch),
        sequence: u64::from_le_bytes(*sequence),
        digest: u64::from_le_bytes(*rest.first_chunk()?),
    })
}

fn restore<R: Rewind + ?Sized>(kind: Kind, body: &[u8], replica: &mut R) {
    if kind == Kind::Insert {
        replica.pop();
    }
    let Some((slot, rest)) = body.split_first_chunk() else {
        return;
    };
    let slot = u32::from_le_bytes(*slot);
    match kind {
        Kind::Metadata => replica.change_metadata(slot, MetadataChanges::from_checked(rest)),
        Kind::Row | Kind::Delete => {
            let Some((last_sequence, row)) = rest.split_first_chunk() else {
                return;
            };
            replica.set_last_sequence(slot, u64::from_le_bytes(*last_sequence));
            if kind == Kind::Delete {
                replica.unmark_deleted(slot);
            } else {
                let restored = copy_bits_le(replica.row_mut(slot), row);
                debug_assert!(restored.is_ok(), "the row was saved whole");
            }
        }
        Kind::Position | Kind::Insert => {}
    }
}

impl Applier<'_> {
    /// Bytes of undo memory that `records` need at most, applied one after the other. O(records).
    pub(super) fn undo_size_max<R: Replica + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &R,
    ) -> usize {
        let row = SLOT_SIZE + 4 * replica.dim() as usize + TRAILER_SIZE;
        let begin = POSITION_SIZE + TRAILER_SIZE;
        begin
            + match record.payload() {
                Payload::Insert(vector) => TRAILER_SIZE + self.metadata_size_max(vector, replica),
                Payload::Update(vector) => row + self.metadata_size_max(vector, replica),
                Payload::Delete { .. } => SLOT_SIZE + TRAILER_SIZE,
                Payload::Batch(batch) => row.saturating_mul(batch.len() as usize),
                // The first cannot be taken back, the second is not for rows: both are refused.
                Payload::Reindex(_) | Payload::Tensor(_) | Payload::Control(_) => 0,
            }
    }

    /// Every old value is the store's, or the new one of an earlier pair: both are counted.
    fn metadata_size_max<R: Replica + ?Sized>(
        &mut self,
        vector: &VectorPayload<'_>,
        replica: &R,
    ) -> usize {
        let Ok(changes) = vector.metadata().decode(self.scratch) else {
            return 0;
        };
        let pairs = changes.into_iter().map(|(key, new)| {
            let old = replica.metadata(vector.slot(), key);
            6 + key.len() + old.map_or(0, <[u8]>::len) + new.map_or(0, <[u8]>::len)
        });
        4 + TRAILER_SIZE + pairs.sum::<usize>()
    }

    /// Notes how to take `record` back, which is about to be applied. `false` if it does not fit.
    pub(super) fn note<R: Replica + ?Sized>(
        &mut self,
        record: &Record<'_>,
        replica: &R,
        undo: &mut Undo<'_>,
    ) -> bool {
        let start = undo.used;
        undo.overflow = false;
        undo.position(self.position);
        match record.payload() {
            Payload::Insert(_) => undo.push(Kind::Insert, &[]),
            Payload::Update(vector) => {
                if let Ok(changes) = vector.metadata().decode(self.scratch) {
                    undo.metadata(replica, vector.slot(), changes);
                }
                undo.slot(Kind::Row, replica, vector.slot());
            }
            Payload::Delete { slot, .. } => undo.slot(Kind::Delete, replica, *slot),
            Payload::Batch(batch) => {
                for entry in batch.entries() {
                    undo.slot(Kind::Row, replica, entry.slot);
                }
            }
            Payload::Reindex(_) | Payload::Tensor(_) | Payload::Control(_) => {}
        }
        if undo.overflow {
            undo.used = start;
        }
        !undo.overflow
    }
}
