//! The entries of a batch, one behind the other.

use super::{ENTRY_PREFIX_SIZE_MAX, METADATA_FOLLOWS};
use crate::{
    codec::{Tag, Values, varint},
    payload::metadata::MetadataChanges,
};

/// One row change of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// Dense number of the entity.
    pub slot: u32,
    /// Sequence of the last record that touched the entity; 0: none.
    pub prev_sequence: u64,
    /// The change of the row.
    pub values: Values<'a>,
    /// Bytes that the entry takes in the payload, without its metadata section.
    pub size: usize,
}

/// Iterator over the entries of a batch.
#[derive(Clone, Debug)]
pub struct BatchEntries<'a> {
    pub(super) sequence: u64,
    pub(super) dim: u32,
    /// Metadata sections stand elsewhere, in a block.
    pub(super) compressed: bool,
    /// Entries that were checked, or that a writer wrote; nothing behind them.
    pub(super) rest: &'a [u8],
}

impl<'a> BatchEntries<'a> {
    /// The next entry, bytes of its metadata section, and the section if it stands in the entry.
    #[inline]
    fn next_with_section(&mut self) -> Option<(BatchEntry<'a>, usize, &'a [u8])> {
        let parts = split_entry(self.rest, self.compressed)?;
        let size = self.rest.len() - parts.tail.len() - parts.section.len();
        self.rest = parts.tail;
        let entry = BatchEntry {
            slot: parts.slot,
            prev_sequence: self.sequence.wrapping_sub(parts.distance.into()),
            values: Values::from_checked(Tag::from_wire(parts.tag)?, parts.values, self.dim)?,
            size,
        };
        Some((entry, parts.section_size.unwrap_or(0), parts.section))
    }
}

impl<'a> Iterator for BatchEntries<'a> {
    type Item = BatchEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<BatchEntry<'a>> {
        self.next_with_section().map(|(entry, ..)| entry)
    }
}

/// Iterator over the entries of a batch and what changes of their entities' metadata.
#[derive(Clone, Debug)]
pub struct BatchChanges<'a> {
    pub(super) entries: BatchEntries<'a>,
    /// The sections of entries that do not hold them, one behind the other.
    pub(super) sections: &'a [u8],
}

impl<'a> Iterator for BatchChanges<'a> {
    type Item = (BatchEntry<'a>, MetadataChanges<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let compressed = self.entries.compressed;
        let (entry, section_size, mut section) = self.entries.next_with_section()?;
        if compressed {
            (section, self.sections) = self.sections.split_at_checked(section_size)?;
        }
        Some((entry, MetadataChanges::from_checked(section)))
    }
}

/// The parts of an entry, and what lies behind it.
pub(super) struct EntryParts<'a> {
    pub(super) slot: u32,
    pub(super) distance: u32,
    pub(super) tag: u8,
    pub(super) values: &'a [u8],
    /// Bytes of the metadata section, if the tag says that there is one.
    pub(super) section_size: Option<usize>,
    /// The section, unless it stands in a block.
    pub(super) section: &'a [u8],
    pub(super) tail: &'a [u8],
}

#[inline]
pub(super) fn split_entry(bytes: &[u8], compressed: bool) -> Option<EntryParts<'_>> {
    let mut at = 0;
    let slot = varint::read(bytes, &mut at)?;
    let distance = varint::read(bytes, &mut at)?;
    let size = varint::read(bytes, &mut at)?;
    let (&tag, rest) = bytes.get(at..)?.split_first()?;
    if at + 1 > ENTRY_PREFIX_SIZE_MAX {
        return None;
    }
    let (values, mut tail) = rest.split_at_checked(size as usize)?;
    let (mut section_size, mut section) = (None, &[][..]);
    if tag & METADATA_FOLLOWS != 0 {
        let mut at = 0;
        let size = varint::read(tail, &mut at)? as usize;
        tail = tail.get(at..)?;
        if !compressed {
            (section, tail) = tail.split_at_checked(size)?;
        }
        section_size = Some(size);
    }
    Some(EntryParts {
        slot,
        distance,
        tag: tag & !METADATA_FOLLOWS,
        values,
        section_size,
        section,
        tail,
    })
}
