//! The payload of batch updates: row changes of several entities under one header (WIRE.md,
//! section 3).

use super::{PayloadError, require_no_entity, size_error};
use crate::{
    codec::{self, Base, EncodeError, Encoding, Tag, Values, varint},
    header::DeltaHeader,
};
use core::fmt;

/// Bytes before the first entry.
pub const PREFIX_SIZE: usize = 8;
/// Dim and count.
type Prefix = [[u8; 4]; PREFIX_SIZE / 4];

/// Most bytes of an entry before its encoded values, their tag included.
pub const ENTRY_PREFIX_SIZE_MAX: usize = 12;

/// A checked batch. Whether a slot stands twice in it shows only against a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPayload<'a> {
    sequence: u64,
    dim: u32,
    /// Entries, at least 1.
    count: u32,
    entries: &'a [u8],
}

/// One row change of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// Dense number of the entity.
    pub slot: u32,
    /// Sequence of the last record that touched the entity; 0: none.
    pub prev_sequence: u64,
    /// The change of the row.
    pub values: Values<'a>,
    /// Bytes that the entry takes in the payload.
    pub size: usize,
}

impl<'a> BatchPayload<'a> {
    /// Checks the payload of a batch.
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn parse(header: &DeltaHeader, bytes: &'a [u8]) -> Result<Self, PayloadError> {
        require_no_entity(header)?;
        let too_short = size_error(PREFIX_SIZE, bytes);
        let (prefix, entries) = bytes.split_first_chunk::<PREFIX_SIZE>().ok_or(too_short)?;
        let fields: Prefix = bytemuck::cast(*prefix);
        let [dim, count] = fields.map(u32::from_le_bytes);
        let batch = Self {
            sequence: header.sequence,
            dim,
            count,
            entries,
        };
        if dim == 0 {
            return Err(PayloadError::ZeroDim);
        }
        if count == 0 {
            return Err(PayloadError::EmptyBatch);
        }
        let mut rest = entries;
        let (mut lossy, mut relative) = (false, false);
        for entry in 0..count {
            let at = PREFIX_SIZE + entries.len() - rest.len();
            let broken = PayloadError::BatchEntry {
                entry,
                offset: u32::try_from(at).unwrap_or(u32::MAX),
            };
            let (head, values, tail) = split_entry(rest).ok_or(broken)?;
            let distance = u64::from(head.distance);
            if distance == 0 || distance > batch.sequence {
                return Err(broken);
            }
            let tag = Values::parse(head.tag, values, dim)
                .map_err(|error| PayloadError::BatchValues { entry, error })?
                .tag();
            lossy |= tag.is_lossy();
            relative |= tag.is_relative();
            rest = tail;
        }
        if !rest.is_empty() {
            return Err(size_error(bytes.len() - rest.len(), bytes));
        }
        if header.lossy != lossy || header.relative != relative {
            return Err(PayloadError::HeaderField { offset: 9 });
        }
        Ok(batch)
    }

    /// Components of every row.
    #[inline]
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// Number of entries, at least 1.
    #[inline]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Never: a batch has at least one entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries in the order of the writer.
    #[inline]
    pub fn entries(&self) -> BatchEntries<'a> {
        BatchEntries {
            sequence: self.sequence,
            dim: self.dim,
            rest: self.entries,
        }
    }
}

/// Iterator over the entries of a batch.
#[derive(Clone, Debug)]
pub struct BatchEntries<'a> {
    sequence: u64,
    dim: u32,
    /// Entries that [`BatchPayload::parse`] accepted or [`BatchWriter::push`] wrote.
    rest: &'a [u8],
}

impl<'a> Iterator for BatchEntries<'a> {
    type Item = BatchEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<BatchEntry<'a>> {
        let (head, values, tail) = split_entry(self.rest)?;
        let size = self.rest.len() - tail.len();
        self.rest = tail;
        Some(BatchEntry {
            slot: head.slot,
            prev_sequence: self.sequence.wrapping_sub(head.distance.into()),
            values: Values::from_checked(Tag::from_wire(head.tag)?, values, self.dim)?,
            size,
        })
    }
}

struct EntryHead {
    slot: u32,
    distance: u32,
    tag: u8,
}

fn split_entry(bytes: &[u8]) -> Option<(EntryHead, &[u8], &[u8])> {
    let mut at = 0;
    let slot = varint::read(bytes, &mut at)?;
    let distance = varint::read(bytes, &mut at)?;
    let size = varint::read(bytes, &mut at)?;
    let (&tag, rest) = bytes.get(at..)?.split_first()?;
    if at + 1 > ENTRY_PREFIX_SIZE_MAX {
        return None;
    }
    let (values, tail) = rest.split_at_checked(size as usize)?;
    Some((
        EntryHead {
            slot,
            distance,
            tag,
        },
        values,
        tail,
    ))
}

/// Why a row change cannot join a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchWriteError {
    /// The row cannot be encoded, or not even a batch of it alone would fit the output.
    Encode(EncodeError),
    /// The row has another length than the batch's dim.
    Dim {
        /// The batch's dim.
        expected: u32,
        /// Components of the row.
        found: usize,
    },
    /// The batch's bytes are used up: send it and start another.
    Full {
        /// Bytes that the entry may need.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// Slot, distance and size take more than [`ENTRY_PREFIX_SIZE_MAX`] bytes together, or the
    /// distance more than 32 bits: send the change on its own.
    Prefix {
        /// The slot.
        slot: u32,
        /// The slot's last sequence.
        prev_sequence: u64,
    },
}

impl fmt::Display for BatchWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Encode(error) => error.fmt(f),
            Self::Dim { expected, found } => write!(
                f,
                "a row of {found} components in a batch of dim {expected}: pass rows of its dim"
            ),
            Self::Full { needed, left } => write!(
                f,
                "the batch has {left} bytes left, {needed} may be needed: send it, start another"
            ),
            Self::Prefix {
                slot,
                prev_sequence,
            } => write!(
                f,
                "slot {slot} (last sequence {prev_sequence}) does not fit a batch's entry: send \
                 the change on its own"
            ),
        }
    }
}

impl core::error::Error for BatchWriteError {}

/// Writes a batch payload entry by entry into bytes that the caller passes each time, the same
/// ones.
#[derive(Clone, Copy, Debug)]
pub struct BatchWriter {
    sequence: u64,
    dim: u32,
    count: u32,
    /// Bytes written, prefix included.
    size: usize,
    /// Some entry has lossy values.
    lossy: bool,
    /// Some entry has relative values.
    relative: bool,
}

impl BatchWriter {
    /// Starts the payload of the batch that will have `sequence`, for rows of `dim` components, at
    /// least 1.
    pub const fn new(sequence: u64, dim: u32) -> Self {
        Self {
            sequence,
            dim,
            count: 0,
            size: PREFIX_SIZE,
            lossy: false,
            relative: false,
        }
    }

    /// Entries written.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// No entry was written.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes written, prefix included.
    #[inline]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Some entry has lossy values: the header must say so.
    #[inline]
    pub const fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Some entry has relative values: the header must say so.
    #[inline]
    pub const fn is_relative(&self) -> bool {
        self.relative
    }

    /// Appends the exact change of one row and returns its encoded values. A refused one leaves the
    /// batch as it was.
    ///
    /// # Errors
    /// See [`BatchWriteError`].
    #[inline]
    pub fn push<'o>(
        &mut self,
        out: &'o mut [u8],
        slot: u32,
        prev_sequence: u64,
        old: &[f32],
        new: &[f32],
    ) -> Result<Values<'o>, BatchWriteError> {
        self.push_as(Encoding::EXACT, out, slot, prev_sequence, old, new)
    }

    /// As [`push`](Self::push), encoded as `encoding` says.
    ///
    /// # Errors
    /// See [`BatchWriteError`].
    #[inline]
    pub fn push_as<'o>(
        &mut self,
        encoding: Encoding,
        out: &'o mut [u8],
        slot: u32,
        prev_sequence: u64,
        old: &[f32],
        new: &[f32],
    ) -> Result<Values<'o>, BatchWriteError> {
        if usize::try_from(self.dim) != Ok(new.len()) {
            return Err(BatchWriteError::Dim {
                expected: self.dim,
                found: new.len(),
            });
        }
        let unfit = BatchWriteError::Prefix {
            slot,
            prev_sequence,
        };
        let distance = self.sequence.saturating_sub(prev_sequence);
        let distance = match u32::try_from(distance) {
            Ok(distance @ 1..) => distance,
            _ => return Err(unfit),
        };
        let needed = codec::encoded_size_max(new.len()).saturating_add(ENTRY_PREFIX_SIZE_MAX);
        self.check_room(out.len(), needed)?;
        // The values are written behind the longest prefix, then moved up to the real one.
        let values_start = self.size + ENTRY_PREFIX_SIZE_MAX;
        let values_out = out.get_mut(values_start..).unwrap_or_default();
        let (tag, values_size) = codec::encode_as(encoding, Base::Row(old), new, values_out)
            .map_err(BatchWriteError::Encode)?;
        let values_size_field = u32::try_from(values_size).map_err(|_| unfit)?;
        let mut at = self.size;
        let prefix = out.get_mut(..values_start).unwrap_or_default();
        varint::write(prefix, &mut at, slot).ok_or(unfit)?;
        varint::write(prefix, &mut at, distance).ok_or(unfit)?;
        varint::write(prefix, &mut at, values_size_field).ok_or(unfit)?;
        *prefix.get_mut(at).ok_or(unfit)? = tag as u8;
        at += 1;
        out.copy_within(values_start..values_start + values_size, at);
        self.size = at + values_size;
        self.count += 1;
        self.lossy |= tag.is_lossy();
        self.relative |= tag.is_relative();
        let values = out.get(at..self.size).unwrap_or_default();
        Values::from_checked(tag, values, self.dim).ok_or(unfit)
    }

    /// Whether `needed` bytes are left of `given`, or would be in another batch.
    fn check_room(&self, given: usize, needed: usize) -> Result<(), BatchWriteError> {
        let left = given.saturating_sub(self.size);
        if left >= needed {
            return Ok(());
        }
        let alone = needed.saturating_add(PREFIX_SIZE);
        Err(if given < alone {
            BatchWriteError::Encode(EncodeError::OutputTooSmall {
                needed: alone,
                given,
            })
        } else {
            BatchWriteError::Full { needed, left }
        })
    }

    /// The entries written so far, of the bytes that they were written into.
    #[inline]
    pub(crate) fn entries<'o>(&self, out: &'o [u8]) -> BatchEntries<'o> {
        BatchEntries {
            sequence: self.sequence,
            dim: self.dim,
            rest: out.get(PREFIX_SIZE..self.size).unwrap_or_default(),
        }
    }

    /// Writes the prefix; the payload is the first [`Self::size`] bytes of `out`.
    pub fn finish(&self, out: &mut [u8]) {
        if let Some(prefix) = out.first_chunk_mut::<PREFIX_SIZE>() {
            let fields: Prefix = [self.dim.to_le_bytes(), self.count.to_le_bytes()];
            *prefix = bytemuck::cast(fields);
        }
    }
}
