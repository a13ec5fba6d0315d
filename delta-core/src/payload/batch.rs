//! The payload of batch updates: row changes of several entities under one header (WIRE.md,
//! section 3).

mod write;

pub use write::{BatchWriteError, BatchWriter, RowUpdate};

use super::{PayloadError, metadata::MetadataChanges, require_no_entity, size_error};
use crate::{
    codec::{Tag, Values, varint},
    header::DeltaHeader,
};

/// Bytes before the first entry.
pub const PREFIX_SIZE: usize = 8;
/// Dim and count.
type Prefix = [[u8; 4]; PREFIX_SIZE / 4];

/// Most bytes of an entry before its encoded values, their tag included.
pub const ENTRY_PREFIX_SIZE_MAX: usize = 12;

/// Bit of the count: some entry has metadata.
pub const WITH_METADATA: u32 = 1 << 31;
/// Bit of an entry's tag: a metadata section follows the values.
const METADATA_FOLLOWS: u8 = 1 << 7;

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
    /// What changes of the entity's metadata.
    pub metadata: MetadataChanges<'a>,
    /// Bytes that the entry takes in the payload, its metadata included.
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
        let [dim, flagged] = fields.map(u32::from_le_bytes);
        let count = flagged & !WITH_METADATA;
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
        let found = batch.check(bytes)?;
        if header.lossy != found.lossy || header.relative != found.relative {
            return Err(PayloadError::HeaderField { offset: 9 });
        }
        if found.metadata != (flagged != count) {
            return Err(PayloadError::BatchMetadata);
        }
        Ok(batch)
    }

    /// Checks the entries of the whole payload, `bytes`.
    fn check(&self, bytes: &[u8]) -> Result<Found, PayloadError> {
        let mut rest = self.entries;
        let mut found = Found::default();
        for entry in 0..self.count {
            let broken = PayloadError::BatchEntry {
                entry,
                offset: u32::try_from(bytes.len() - rest.len()).unwrap_or(u32::MAX),
            };
            let parts = split_entry(rest).ok_or(broken)?;
            let distance = u64::from(parts.distance);
            let is_empty = parts.section.is_some_and(<[u8]>::is_empty);
            if distance == 0 || distance > self.sequence || is_empty {
                return Err(broken);
            }
            let tag = Values::parse(parts.tag, parts.values, self.dim)
                .map_err(|error| PayloadError::BatchValues { entry, error })?
                .tag();
            MetadataChanges::parse(parts.section.unwrap_or_default())?;
            found.lossy |= tag.is_lossy();
            found.relative |= tag.is_relative();
            found.metadata |= parts.section.is_some();
            rest = parts.tail;
        }
        if rest.is_empty() {
            Ok(found)
        } else {
            Err(size_error(bytes.len() - rest.len(), bytes))
        }
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
        let parts = split_entry(self.rest)?;
        let size = self.rest.len() - parts.tail.len();
        self.rest = parts.tail;
        Some(BatchEntry {
            slot: parts.slot,
            prev_sequence: self.sequence.wrapping_sub(parts.distance.into()),
            values: Values::from_checked(Tag::from_wire(parts.tag)?, parts.values, self.dim)?,
            metadata: MetadataChanges::from_checked(parts.section.unwrap_or_default()),
            size,
        })
    }
}

/// What some entry of a batch has.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    lossy: bool,
    relative: bool,
    metadata: bool,
}

/// The parts of an entry, and what lies behind it.
struct EntryParts<'a> {
    slot: u32,
    distance: u32,
    tag: u8,
    values: &'a [u8],
    /// A metadata section, if the tag says that there is one.
    section: Option<&'a [u8]>,
    tail: &'a [u8],
}

#[inline]
fn split_entry(bytes: &[u8]) -> Option<EntryParts<'_>> {
    let mut at = 0;
    let slot = varint::read(bytes, &mut at)?;
    let distance = varint::read(bytes, &mut at)?;
    let size = varint::read(bytes, &mut at)?;
    let (&tag, rest) = bytes.get(at..)?.split_first()?;
    if at + 1 > ENTRY_PREFIX_SIZE_MAX {
        return None;
    }
    let (values, mut tail) = rest.split_at_checked(size as usize)?;
    let mut section = None;
    if tag & METADATA_FOLLOWS != 0 {
        let mut at = 0;
        let size = varint::read(tail, &mut at)?;
        let (found, behind) = tail.get(at..)?.split_at_checked(size as usize)?;
        (section, tail) = (Some(found), behind);
    }
    Some(EntryParts {
        slot,
        distance,
        tag: tag & !METADATA_FOLLOWS,
        values,
        section,
        tail,
    })
}
