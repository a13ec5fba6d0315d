//! The last records of a stream, kept in the caller's memory: what can be polled, fetched by
//! sequence, and gone back to.

use crate::header::{DeltaHeader, HEADER_SIZE};
use core::fmt;

/// Why a record is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeekError {
    /// It is no longer retained: a snapshot is needed.
    TooOld {
        /// The oldest sequence that can be reached.
        oldest: u64,
    },
    /// It does not exist yet: try again later.
    NotYet {
        /// The newest sequence that can be reached.
        newest: u64,
    },
}

impl fmt::Display for SeekError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooOld { oldest } => write!(
                f,
                "too old: what lies before {oldest} is not retained; start from a snapshot"
            ),
            Self::NotYet { newest } => {
                write!(f, "not yet: the newest record is {newest}; try again later")
            }
        }
    }
}

impl core::error::Error for SeekError {}

/// Where a retained frame lies. Opaque; the default is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    start: u32,
    size: u32,
}

/// The newest frames of a stream with dense sequences.
///
/// Appending drops the oldest frames as far as their room is needed. O(1) amortised.
#[derive(Debug)]
pub struct Retention<'m> {
    bytes: &'m mut [u8],
    /// The place of sequence s is `places[s % places.len()]`.
    places: &'m mut [Place],
    /// Sequence of the oldest frame; `next` if there is none.
    oldest: u64,
    /// Sequence of the next frame.
    next: u64,
    /// Where the next frame goes, if it fits there.
    cursor: usize,
}

impl<'m> Retention<'m> {
    /// Retains frames after `sequence` in `bytes`, of which at most 2^32 - 1 are used, and at most
    /// as many frames as there are `places`.
    pub fn new(sequence: u64, bytes: &'m mut [u8], places: &'m mut [Place]) -> Self {
        let usable = bytes.len().min(u32::MAX as usize);
        Self {
            bytes: bytes.get_mut(..usable).unwrap_or_default(),
            places,
            oldest: sequence + 1,
            next: sequence + 1,
            cursor: 0,
        }
    }

    /// Sequence of the oldest retained frame; one behind the newest if there is none.
    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Sequence of the newest frame.
    pub fn newest(&self) -> u64 {
        self.next - 1
    }

    /// The frame of `sequence`. O(1).
    ///
    /// # Errors
    /// See [`SeekError`].
    pub fn frame(&self, sequence: u64) -> Result<&[u8], SeekError> {
        let too_old = SeekError::TooOld {
            oldest: self.oldest,
        };
        if sequence < self.oldest {
            return Err(too_old);
        }
        if sequence >= self.next {
            return Err(SeekError::NotYet {
                newest: self.newest(),
            });
        }
        self.place(sequence)
            .and_then(|place| {
                self.bytes
                    .get(place.start as usize..)?
                    .get(..place.size as usize)
            })
            .ok_or(too_old)
    }

    fn place(&self, sequence: u64) -> Option<Place> {
        let index = sequence.checked_rem(self.places.len() as u64)?;
        self.places.get(usize::try_from(index).ok()?).copied()
    }

    /// Room for the next frame of at most `size_max` bytes, where the oldest frames give way;
    /// `None` if all the memory does not suffice. What is not committed leaves no trace but that.
    pub fn reserve(&mut self, size_max: usize) -> Option<&mut [u8]> {
        if size_max > self.bytes.len() || self.places.is_empty() {
            return None;
        }
        if self.cursor + size_max > self.bytes.len() {
            // What lies behind the cursor is the oldest: it goes when the cursor does.
            self.forget_between(self.cursor, self.bytes.len());
            self.cursor = 0;
        }
        let end = self.cursor + size_max;
        self.forget_between(self.cursor, end);
        if self.next - self.oldest >= self.places.len() as u64 {
            self.oldest += 1;
        }
        self.bytes.get_mut(self.cursor..end)
    }

    /// Makes the `size` bytes at the front of what was reserved the next frame.
    pub fn commit(&mut self, size: usize) {
        let place = Place {
            start: u32::try_from(self.cursor).unwrap_or(u32::MAX),
            size: u32::try_from(size).unwrap_or(u32::MAX),
        };
        let index = self.next.checked_rem(self.places.len() as u64).unwrap_or(0);
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if let Some(entry) = self.places.get_mut(index) {
            *entry = place;
            self.next += 1;
            self.cursor += size;
        }
    }

    /// Forgets the frames after `sequence`, which the next frame then follows. Where it is itself
    /// no longer retained, none is. O(1).
    pub fn truncate(&mut self, sequence: u64) {
        if sequence >= self.newest() {
            return;
        }
        self.next = sequence + 1;
        self.oldest = self.oldest.min(self.next);
        let end = |place: Place| place.start as usize + place.size as usize;
        let last = self
            .place(self.next - 1)
            .filter(|_| self.oldest < self.next);
        self.cursor = last.map_or(0, end);
    }

    /// Retains a copy of a frame, which has the next sequence; `false` if it does not fit at all:
    /// nothing is retained then, and the next frame is the one after it.
    pub fn append(&mut self, header: &DeltaHeader, payload: &[u8]) -> bool {
        let size = HEADER_SIZE + payload.len();
        let Some((head, body)) = self
            .reserve(size)
            .and_then(|place| place.split_first_chunk_mut::<HEADER_SIZE>())
        else {
            self.next = header.sequence + 1;
            self.oldest = self.next;
            return false;
        };
        *head = header.to_bytes();
        body.copy_from_slice(payload);
        self.commit(size);
        true
    }

    /// Drops the oldest frames as long as they have bytes in `start..end`.
    fn forget_between(&mut self, start: usize, end: usize) {
        while self.oldest < self.next {
            let Some(place) = self.place(self.oldest) else {
                return;
            };
            let (from, to) = (place.start as usize, (place.start + place.size) as usize);
            if from >= end || to <= start {
                return;
            }
            self.oldest += 1;
        }
    }
}
