//! The payload of batch updates: row changes of several entities under one header (WIRE.md,
//! section 3).

mod entries;
mod write;

pub use entries::{BatchChanges, BatchEntries, BatchEntry};
pub use write::{BatchWriteError, BatchWriter, RowUpdate, WrittenBatch};

use super::{
    PayloadError,
    metadata::{Block, MetadataChanges, MetadataError},
    require_no_entity, size_error,
};
use crate::{codec::Values, header::DeltaHeader};
use entries::split_entry;

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
    /// What all metadata sections are compressed to, if they are.
    block: Option<Block<'a>>,
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
        let mut batch = Self {
            sequence: header.sequence,
            dim,
            count,
            entries,
            block: None,
        };
        if dim == 0 {
            return Err(PayloadError::ZeroDim);
        }
        if count == 0 {
            return Err(PayloadError::EmptyBatch);
        }
        let (found, behind) = batch.check(bytes, header.compressed)?;
        if header.lossy != found.lossy || header.relative != found.relative {
            return Err(PayloadError::HeaderField { offset: 9 });
        }
        let has_metadata = found.sections_size > 0;
        if has_metadata != (flagged != count) || header.compressed && !has_metadata {
            return Err(PayloadError::BatchMetadata);
        }
        if header.compressed {
            batch.entries = entries
                .get(..entries.len() - behind.len())
                .unwrap_or_default();
            batch.block = Some(Block::new(behind, found.sections_size)?);
        } else if !behind.is_empty() {
            return Err(size_error(bytes.len() - behind.len(), bytes));
        }
        Ok(batch)
    }

    /// Checks the entries of the whole payload, `bytes`: what they have, and what stands behind
    /// them.
    fn check(&self, bytes: &[u8], compressed: bool) -> Result<(Found, &'a [u8]), PayloadError> {
        let mut rest = self.entries;
        let mut found = Found::default();
        for entry in 0..self.count {
            let broken = PayloadError::BatchEntry {
                entry,
                offset: u32::try_from(bytes.len() - rest.len()).unwrap_or(u32::MAX),
            };
            let parts = split_entry(rest, compressed).ok_or(broken)?;
            let distance = u64::from(parts.distance);
            if distance == 0 || distance > self.sequence || parts.section_size == Some(0) {
                return Err(broken);
            }
            let tag = Values::parse(parts.tag, parts.values, self.dim)
                .map_err(|error| PayloadError::BatchValues { entry, error })?
                .tag();
            MetadataChanges::parse(parts.section)?;
            found.lossy |= tag.is_lossy();
            found.relative |= tag.is_relative();
            let section_size = parts.section_size.unwrap_or(0);
            found.sections_size = found.sections_size.saturating_add(section_size);
            rest = parts.tail;
        }
        Ok((found, rest))
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

    /// The entries in the order of the writer, without their metadata.
    #[inline]
    pub fn entries(&self) -> BatchEntries<'a> {
        BatchEntries {
            sequence: self.sequence,
            dim: self.dim,
            compressed: self.block.is_some(),
            rest: self.entries,
        }
    }

    /// Bytes that the metadata sections take in the payload, without their sizes. O(entries).
    pub fn metadata_size(&self) -> usize {
        let sizes = self.entries().map(|entry| entry.size);
        let block = self.block.map_or(0, |block| block.size());
        self.entries.len() - sizes.sum::<usize>() + block
    }

    /// Bytes of scratch that [`Self::decode`] needs: 0 unless the metadata are compressed.
    #[inline]
    pub fn scratch_size(&self) -> usize {
        self.block.map_or(0, |block| block.plain_size().into())
    }

    /// The entries with their metadata, decompressed into `scratch` if need be:
    /// [`SECTION_SIZE_MAX`](super::metadata::SECTION_SIZE_MAX) bytes always do. O(n) if they are
    /// compressed.
    ///
    /// # Errors
    /// A small scratch, a broken block, and those of [`MetadataChanges::parse`] for each section.
    #[inline]
    pub fn decode<'s>(&self, scratch: &'s mut [u8]) -> Result<BatchChanges<'s>, MetadataError>
    where
        'a: 's,
    {
        let entries = self.entries();
        let Some(block) = self.block else {
            let sections = &[];
            return Ok(BatchChanges { entries, sections });
        };
        let sections = block.decode(scratch)?;
        let changes = BatchChanges { entries, sections };
        for (_, changes) in changes.clone() {
            MetadataChanges::parse(changes.as_bytes())?;
        }
        Ok(changes)
    }
}

/// What some entry of a batch has.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    lossy: bool,
    relative: bool,
    /// Bytes of all metadata sections, plain; 0: no entry has one.
    sections_size: usize,
}
