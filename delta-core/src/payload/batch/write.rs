//! Writing a batch entry by entry.

use super::{
    BatchEntries, ENTRY_PREFIX_SIZE_MAX, METADATA_FOLLOWS, PREFIX_SIZE, Prefix, WITH_METADATA,
};
use crate::{
    codec::{self, Base, EncodeError, Encoding, Values, lz4::Lz4Scratch, varint},
    payload::metadata::{self, MetadataEdit, MetadataError},
};
use core::fmt;

mod compress;

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
    /// The metadata is refused.
    Metadata(MetadataError),
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
            Self::Metadata(error) => error.fmt(f),
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
#[derive(Clone, Debug)]
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
    /// Some entry has metadata.
    metadata: bool,
}

/// A change of one entity: of its row, and perhaps of its metadata.
#[derive(Clone, Copy, Debug)]
pub struct RowUpdate<'u> {
    /// Dense number of the entity.
    pub slot: u32,
    /// The row before.
    pub old: &'u [f32],
    /// The row after.
    pub new: &'u [f32],
    /// Changes of metadata, keys ascending.
    pub metadata: &'u [MetadataEdit<'u>],
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
            metadata: false,
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
        let update = RowUpdate {
            slot,
            old,
            new,
            metadata: &[],
        };
        self.push_as(Encoding::EXACT, out, prev_sequence, &update)
    }

    /// As [`push`](Self::push), encoded as `encoding` says, and with metadata.
    ///
    /// # Errors
    /// See [`BatchWriteError`].
    #[inline]
    pub fn push_as<'o>(
        &mut self,
        encoding: Encoding,
        out: &'o mut [u8],
        prev_sequence: u64,
        update: &RowUpdate<'_>,
    ) -> Result<Values<'o>, BatchWriteError> {
        let RowUpdate { slot, old, new, .. } = *update;
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
        self.check_room(out.len(), update.entry_size_max())?;
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
        let tag_at = at;
        *prefix.get_mut(tag_at).ok_or(unfit)? = tag as u8;
        at += 1;
        out.copy_within(values_start..values_start + values_size, at);
        let values_end = at + values_size;
        let section_size = write_metadata(update.metadata, out, values_end)?;
        if section_size > 0 {
            *out.get_mut(tag_at).ok_or(unfit)? |= METADATA_FOLLOWS;
            self.metadata = true;
        }
        self.size = values_end + section_size;
        self.count += 1;
        self.lossy |= tag.is_lossy();
        self.relative |= tag.is_relative();
        let values = out.get(at..values_end).unwrap_or_default();
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
            compressed: false,
            rest: out.get(PREFIX_SIZE..self.size).unwrap_or_default(),
        }
    }

    /// Writes the prefix, and compresses the metadata of all entries together if that is smaller:
    /// with `lz4`, and where the rest of `out` holds them once more meanwhile, and a block takes
    /// them all (65,534 bytes). O(entries), and O(n) where it compresses.
    ///
    /// # Errors
    /// [`BatchWriteError::Encode`] if `out` is shorter than what was written into it.
    pub fn finish<'o>(
        self,
        out: &'o mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<WrittenBatch<'o>, BatchWriteError> {
        let given = out.len();
        let too_small = BatchWriteError::Encode(EncodeError::OutputTooSmall {
            needed: self.size,
            given,
        });
        let flag = if self.metadata { WITH_METADATA } else { 0 };
        let fields: Prefix = [self.dim, self.count | flag].map(u32::to_le_bytes);
        *out.first_chunk_mut::<PREFIX_SIZE>().ok_or(too_small)? = bytemuck::cast(fields);
        let block = lz4
            .filter(|_| self.metadata)
            .and_then(|lz4| compress::compress(out, self.size, lz4));
        let (entries_end, size) = block.unwrap_or((self.size, self.size));
        let payload = out.get(..size).ok_or(too_small)?;
        Ok(WrittenBatch {
            payload,
            compressed: block.is_some(),
            lossy: self.lossy,
            relative: self.relative,
            entries: BatchEntries {
                sequence: self.sequence,
                dim: self.dim,
                compressed: block.is_some(),
                rest: payload.get(PREFIX_SIZE..entries_end).unwrap_or_default(),
            },
        })
    }
}

/// A payload that [`BatchWriter::finish`] has written.
#[derive(Clone, Debug)]
pub struct WrittenBatch<'o> {
    /// The bytes of the payload.
    pub payload: &'o [u8],
    /// The metadata are compressed: the header must say so.
    pub compressed: bool,
    /// Some entry has lossy values: the header must say so.
    pub lossy: bool,
    /// Some entry has relative values: the header must say so.
    pub relative: bool,
    /// The entries, without their metadata.
    pub entries: BatchEntries<'o>,
}

impl RowUpdate<'_> {
    /// Most bytes of the entry.
    #[inline]
    pub fn entry_size_max(&self) -> usize {
        let row = codec::encoded_size_max(self.new.len()).saturating_add(ENTRY_PREFIX_SIZE_MAX);
        if self.metadata.is_empty() {
            return row;
        }
        let section = metadata::section_size_max(self.metadata);
        row.saturating_add(varint::SIZE_MAX).saturating_add(section)
    }
}

/// Writes the section of `edits`, its size before it, to `out` from `start` on. Returns the bytes
/// written: none if nothing changes.
#[inline]
fn write_metadata(
    edits: &[MetadataEdit<'_>],
    out: &mut [u8],
    start: usize,
) -> Result<usize, BatchWriteError> {
    if edits.is_empty() {
        return Ok(0);
    }
    let given = out.len();
    let too_small = BatchWriteError::Metadata(MetadataError::OutputTooSmall { given });
    let out = out.get_mut(start..).ok_or(too_small)?;
    // Behind the longest size, then moved up.
    let section_out = out.get_mut(varint::SIZE_MAX..).ok_or(too_small)?;
    let (size, _) =
        metadata::write_section(edits, section_out, None).map_err(BatchWriteError::Metadata)?;
    if size == 0 {
        return Ok(0);
    }
    let mut at = 0;
    varint::write(out, &mut at, u32::try_from(size).map_err(|_| too_small)?).ok_or(too_small)?;
    out.copy_within(varint::SIZE_MAX..varint::SIZE_MAX + size, at);
    Ok(at + size)
}
