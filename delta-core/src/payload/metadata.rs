//! The metadata section: changed (key, value) pairs of one entity (WIRE.md, section 3).

use crate::codec::{
    lz4::{self, Lz4Scratch},
    varint,
};
use core::fmt;

mod block;
mod merge;

pub(super) use block::Block;

/// Largest section in bytes, plain.
pub const SECTION_SIZE_MAX: usize = lz4::PLAIN_SIZE_MAX;

/// The change of one metadata value, given to a writer. Pairs whose values are equal are not
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataEdit<'a> {
    /// 1 to 255 bytes.
    pub key: &'a [u8],
    /// The value before, `None` if the key did not exist, as always in an insert. It must be the
    /// replicas' value: they refuse the record as diverged otherwise.
    pub old: Option<&'a [u8]>,
    /// The value after, `None` if the key is removed.
    pub new: Option<&'a [u8]>,
}

/// Why a metadata section cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// A key is empty or longer than 255 bytes.
    KeySize {
        /// Bytes of the key.
        size: usize,
    },
    /// Keys do not ascend strictly in byte order.
    Order {
        /// Number of the pair, from 0.
        pair: usize,
    },
    /// The section breaks off or holds a value size that is none.
    Truncated {
        /// Offset in the plain section.
        offset: usize,
    },
    /// The section exceeds [`SECTION_SIZE_MAX`] bytes.
    TooLarge {
        /// Bytes, plain.
        size: usize,
    },
    /// The scratch cannot hold the decompressed section.
    ScratchTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The LZ4 block does not decode to the size that is announced.
    Compressed {
        /// Bytes announced.
        plain_size: usize,
    },
    /// An insert claims that a key had a value before it.
    OldValue {
        /// Number of the pair, from 0.
        pair: usize,
    },
    /// The output cannot hold the section.
    OutputTooSmall {
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::KeySize { size } => {
                write!(f, "a metadata key of {size} bytes: use 1 to 255 bytes")
            }
            Self::Order { pair } => write!(
                f,
                "metadata pair {pair} does not ascend: sort keys by their bytes, each once"
            ),
            Self::Truncated { offset } => {
                write!(f, "metadata breaks off at byte {offset}: check the writer")
            }
            Self::TooLarge { size } => write!(
                f,
                "{size} bytes of metadata exceed {SECTION_SIZE_MAX}: split the change"
            ),
            Self::ScratchTooSmall { needed, given } => write!(
                f,
                "a scratch of {given} bytes, {needed} needed: give {SECTION_SIZE_MAX} bytes"
            ),
            Self::Compressed { plain_size } => write!(
                f,
                "the LZ4 block does not decode to {plain_size} bytes: check the writer"
            ),
            Self::OldValue { pair } => write!(
                f,
                "metadata pair {pair} of an insert has an old value: pass None"
            ),
            Self::OutputTooSmall { given } => {
                write!(
                    f,
                    "metadata does not fit {given} bytes: pass a larger buffer"
                )
            }
        }
    }
}

impl core::error::Error for MetadataError {}

/// Checked changes of metadata, keys strictly ascending: iterate over `(key, new value)`, where
/// `None` removes the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataChanges<'a> {
    bytes: &'a [u8],
}

impl<'a> MetadataChanges<'a> {
    /// Checks a plain section. O(n).
    ///
    /// # Errors
    /// Truncated pairs, empty keys, keys out of order, too large a section.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MetadataError> {
        if bytes.len() > SECTION_SIZE_MAX {
            return Err(MetadataError::TooLarge { size: bytes.len() });
        }
        let mut rest = bytes;
        let mut before: &[u8] = &[];
        let mut pair = 0;
        while !rest.is_empty() {
            let truncated = MetadataError::Truncated {
                offset: bytes.len() - rest.len(),
            };
            let ((key, _), tail) = split_pair(rest).ok_or(truncated)?;
            if key.is_empty() {
                return Err(MetadataError::KeySize { size: 0 });
            }
            if before >= key {
                return Err(MetadataError::Order { pair });
            }
            before = key;
            rest = tail;
            pair += 1;
        }
        Ok(Self { bytes })
    }

    /// The changes in bytes that [`write_section`] wrote or [`Self::parse`] accepted, of any size.
    #[inline]
    pub(crate) fn from_checked(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// No change at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of the plain section.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> IntoIterator for MetadataChanges<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = MetadataPairs<'a>;

    #[inline]
    fn into_iter(self) -> MetadataPairs<'a> {
        MetadataPairs { rest: self.bytes }
    }
}

/// Iterator of [`MetadataChanges`].
#[derive(Clone, Debug)]
pub struct MetadataPairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for MetadataPairs<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (pair, rest) = split_pair(self.rest)?;
        self.rest = rest;
        Some(pair)
    }
}

/// A pair and the bytes behind it.
type Split<'a> = ((&'a [u8], Option<&'a [u8]>), &'a [u8]);

fn split_pair(bytes: &[u8]) -> Option<Split<'_>> {
    let (&key_size, rest) = bytes.split_first()?;
    let (key, rest) = rest.split_at_checked(usize::from(key_size))?;
    let mut at = 0;
    let value_size = varint::read(rest, &mut at)?.checked_sub(1);
    let rest = rest.get(at..)?;
    match value_size {
        None => Some(((key, None), rest)),
        Some(size) => {
            let (value, rest) = rest.split_at_checked(size as usize)?;
            Some(((key, Some(value)), rest))
        }
    }
}

/// A metadata section as a record carries it: plain and checked, or compressed with a plausible
/// size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataSection<'a>(Stored<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored<'a> {
    Plain(MetadataChanges<'a>),
    /// Its plain size stands in front of it.
    Compressed(Block<'a>),
}

impl<'a> MetadataSection<'a> {
    /// Checks a stored section as far as that goes without decompressing it.
    ///
    /// # Errors
    /// Those of [`MetadataChanges::parse`]; a size that the block cannot decode to.
    pub fn parse(stored: &'a [u8], compressed: bool) -> Result<Self, MetadataError> {
        if !compressed {
            return MetadataChanges::parse(stored).map(|changes| Self(Stored::Plain(changes)));
        }
        let mut at = 0;
        let plain_size =
            varint::read(stored, &mut at).ok_or(MetadataError::Truncated { offset: 0 })?;
        let block = stored.get(at..).unwrap_or_default();
        let block = Block::new(block, plain_size as usize)?;
        Ok(Self(Stored::Compressed(block)))
    }

    /// Bytes in the record.
    #[inline]
    pub fn stored_size(&self) -> usize {
        match &self.0 {
            Stored::Plain(changes) => changes.as_bytes().len(),
            Stored::Compressed(block) => varint::size(u32::from(block.plain_size())) + block.size(),
        }
    }

    /// The changes, decompressed into `scratch` if need be: [`SECTION_SIZE_MAX`] bytes always
    /// do. O(n).
    ///
    /// # Errors
    /// A small scratch, a broken block, and those of [`MetadataChanges::parse`].
    #[inline]
    pub fn decode<'s>(&self, scratch: &'s mut [u8]) -> Result<MetadataChanges<'s>, MetadataError>
    where
        'a: 's,
    {
        match &self.0 {
            Stored::Plain(changes) => Ok(*changes),
            Stored::Compressed(block) => MetadataChanges::parse(block.decode(scratch)?),
        }
    }
}

/// Most bytes that `edits` take in a record.
pub fn section_size_max(edits: &[MetadataEdit<'_>]) -> usize {
    edits
        .iter()
        .filter(|edit| edit.old != edit.new)
        .map(|edit| 1 + edit.key.len() + varint::SIZE_MAX + edit.new.map_or(0, <[u8]>::len))
        .fold(0, usize::saturating_add)
}

/// Writes the section of `edits` to the front of `out`, compressed with `lz4` if that is smaller.
/// Returns the bytes written and whether they are compressed.
///
/// # Errors
/// Keys of a wrong size or order, too large a section, too small an `out`.
pub fn write_section(
    edits: &[MetadataEdit<'_>],
    out: &mut [u8],
    lz4: Option<&mut Lz4Scratch>,
) -> Result<(usize, bool), MetadataError> {
    let mut size = 0;
    let mut before: &[u8] = &[];
    for (pair, edit) in edits.iter().enumerate() {
        if pair > 0 && before >= edit.key {
            return Err(MetadataError::Order { pair });
        }
        before = edit.key;
        write_pair(edit, out, &mut size)?;
    }
    if size > SECTION_SIZE_MAX {
        return Err(MetadataError::TooLarge { size });
    }
    let too_small = MetadataError::OutputTooSmall { given: out.len() };
    let plain_size = u32::try_from(size).map_err(|_| MetadataError::TooLarge { size })?;
    let plain = out.get(..size).ok_or(too_small)?;
    let prefix = varint::size(plain_size);
    match lz4.and_then(|lz4| lz4.compress(plain, prefix)) {
        None => Ok((size, false)),
        Some(block) => {
            let mut at = 0;
            varint::write(out, &mut at, plain_size).ok_or(too_small)?;
            let end = at + block.len();
            out.get_mut(at..end)
                .ok_or(too_small)?
                .copy_from_slice(block);
            Ok((end, true))
        }
    }
}

fn write_pair(
    edit: &MetadataEdit<'_>,
    out: &mut [u8],
    size: &mut usize,
) -> Result<(), MetadataError> {
    let key_size = match u8::try_from(edit.key.len()) {
        Ok(size @ 1..) => size,
        _ => {
            return Err(MetadataError::KeySize {
                size: edit.key.len(),
            });
        }
    };
    if edit.old == edit.new {
        return Ok(());
    }
    let value = edit.new.unwrap_or_default();
    if value.len() >= SECTION_SIZE_MAX {
        return Err(MetadataError::TooLarge { size: value.len() });
    }
    let given = out.len();
    let announced = u32::from(edit.new.is_some()) + u32::try_from(value.len()).unwrap_or(0);
    append(out, size, &[key_size])
        .and_then(|()| append(out, size, edit.key))
        .and_then(|()| varint::write(out, size, announced))
        .and_then(|()| append(out, size, value))
        .ok_or(MetadataError::OutputTooSmall { given })
}

fn append(out: &mut [u8], at: &mut usize, bytes: &[u8]) -> Option<()> {
    let end = at.checked_add(bytes.len())?;
    out.get_mut(*at..end)?.copy_from_slice(bytes);
    *at = end;
    Some(())
}
