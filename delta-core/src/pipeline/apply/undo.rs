//! What a batch has changed, kept in the caller's memory so that it can be taken back.

mod note;

use crate::{
    graph::SavedGraph, kernel::apply::copy_bits_le, payload::metadata::MetadataChanges,
    pipeline::sequencer::Position, store::Rewind,
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
    /// The graph was as saved.
    Graph = 6,
    /// The last slot was not there; its terms.
    Erased = 7,
}

impl Kind {
    fn from_u32(value: u32) -> Option<Self> {
        [
            Self::Position,
            Self::Row,
            Self::Metadata,
            Self::Insert,
            Self::Delete,
            Self::Graph,
            Self::Erased,
        ]
        .into_iter()
        .find(|kind| *kind as u32 == value)
    }
}

/// A stack of inverse changes in the caller's memory.
///
/// A row costs its 4 bytes a component and 20, a delete or insert some 30, a change of the graph 48
/// and every list that it changes, a record another 28.
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
        let Some(place) = self.bytes.get_mut(self.used..end) else {
            self.overflow = true;
            return;
        };
        let trailer = trailer(kind, size);
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

    /// Ends an entry of `size` bytes that stand written at the top; `None`: they did not fit.
    fn close(&mut self, kind: Kind, size: Option<usize>) {
        let end = size.map_or(usize::MAX, |size| self.used.saturating_add(size));
        let place = self.bytes.get_mut(end..).and_then(<[u8]>::first_chunk_mut);
        let (Some(size), Some(place)) = (size, place) else {
            self.overflow = true;
            return;
        };
        *place = trailer(kind, size);
        self.used = end + TRAILER_SIZE;
    }
}

/// What stands behind an entry of `size` bytes.
fn trailer(kind: Kind, size: usize) -> [u8; TRAILER_SIZE] {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    bytemuck::cast([size.to_le_bytes(), (kind as u32).to_le_bytes()])
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
    match kind {
        Kind::Position => return,
        Kind::Insert => return replica.pop(),
        Kind::Graph => return replica.restore_graph(SavedGraph::new(body)),
        Kind::Erased => {
            let sum = body.first_chunk().copied().unwrap_or_default();
            return replica.pop_erased(u64::from_le_bytes(sum));
        }
        Kind::Metadata | Kind::Row | Kind::Delete => {}
    }
    let Some((slot, rest)) = body.split_first_chunk() else {
        return;
    };
    let slot = u32::from_le_bytes(*slot);
    match kind {
        Kind::Metadata => replica.change_metadata(slot, MetadataChanges::from_checked(rest)),
        _ => {
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
    }
}
