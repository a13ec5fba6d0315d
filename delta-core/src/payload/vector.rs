//! The payload of inserts and updates: one entity's row, id and metadata (WIRE.md, section 3).

use super::{
    PayloadError,
    metadata::{self, MetadataEdit, MetadataError, MetadataSection},
    size_error,
};
use crate::{
    codec::{self, Base, EncodeError, Encoding, Values, lz4::Lz4Scratch, varint},
    graph::{CheckedChange, encode::Change},
    header::{DeltaHeader, Operation, PAYLOAD_SIZE_MAX, vector_id_hash},
};

mod error;

pub use error::VectorWriteError;

/// Most bytes before the encoded values.
pub const PREFIX_SIZE_MAX: usize = 2 + 3 * varint::SIZE_MAX;
/// Bit of the first byte, the values' tag: an id, a graph change or metadata follow the values.
pub const PARTS_FOLLOW: u8 = 1 << 7;

/// A checked insert or update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorPayload<'a> {
    slot: u32,
    dim: u32,
    values: Values<'a>,
    id: &'a [u8],
    graph: Option<Change<'a>>,
    metadata: MetadataSection<'a>,
}

impl<'a> VectorPayload<'a> {
    /// Checks the payload of an insert or update.
    ///
    /// # Errors
    /// See [`PayloadError`].
    #[inline]
    pub fn parse(header: &DeltaHeader, bytes: &'a [u8]) -> Result<Self, PayloadError> {
        let (prefix, rest) = Prefix::read(bytes)?;
        if prefix.dim == 0 {
            return Err(PayloadError::ZeroDim);
        }
        let is_insert = header.operation == Operation::Insert;
        if is_insert != (prefix.id_size > 0) {
            return Err(PayloadError::IdSize {
                found: prefix.id_size,
            });
        }
        let (values_size, id_size) = (prefix.values_size as usize, usize::from(prefix.id_size));
        let parts = rest
            .split_at_checked(values_size)
            .and_then(|(values, rest)| Some((values, rest.split_at_checked(id_size)?)));
        let (values, (id, rest)) = parts.ok_or(PayloadError::Size {
            // In u64: beyond what a 32-bit usize can say.
            expected: (bytes.len() - rest.len()) as u64 + values_size as u64 + id_size as u64,
            found: bytes.len() as u64,
        })?;
        if prefix.parts_follow && id.is_empty() && rest.is_empty() {
            return Err(PayloadError::Reserved { offset: 0 });
        }
        if is_insert && header.prev_sequence != 0 {
            return Err(PayloadError::HeaderField { offset: 40 });
        }
        if is_insert && header.vector_id_hash != vector_id_hash(id) {
            return Err(PayloadError::HeaderField { offset: 12 });
        }
        let (graph, stored) = if header.graph {
            let (change, rest) = split_graph(rest).ok_or(size_error(bytes.len() + 1, bytes))?;
            (Some(Change::parse(change)?), rest)
        } else {
            (None, rest)
        };
        let values = Values::parse(prefix.tag, values, prefix.dim)?;
        let tag = values.tag();
        if header.lossy != tag.is_lossy() || header.relative != tag.is_relative() {
            return Err(PayloadError::HeaderField { offset: 9 });
        }
        Ok(Self {
            slot: prefix.slot,
            dim: prefix.dim,
            values,
            id,
            graph,
            metadata: MetadataSection::parse(stored, header.compressed)?,
        })
    }

    /// Dense number of the entity.
    #[inline]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Components of the row, at least 1.
    #[inline]
    pub fn dim(&self) -> u32 {
        self.dim
    }

    /// The change of the row; of an insert, against a row of +0.0.
    #[inline]
    pub fn values(&self) -> &Values<'a> {
        &self.values
    }

    /// The id: 1 to 255 bytes of an insert, none of an update.
    #[inline]
    pub fn id(&self) -> &'a [u8] {
        self.id
    }

    /// What changes in the graph.
    #[inline]
    pub fn graph(&self) -> Option<Change<'a>> {
        self.graph
    }

    /// The metadata that changed.
    #[inline]
    pub fn metadata(&self) -> &MetadataSection<'a> {
        &self.metadata
    }
}

/// A graph change that stands behind its size, and what follows it.
fn split_graph(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    let size = varint::read(bytes, &mut at)?;
    bytes.get(at..)?.split_at_checked(size as usize)
}

/// What stands before the encoded values.
#[derive(Clone, Copy)]
pub(crate) struct Prefix {
    pub(crate) tag: u8,
    pub(crate) parts_follow: bool,
    pub(crate) slot: u32,
    pub(crate) dim: u32,
    /// 0: none.
    pub(crate) id_size: u8,
    pub(crate) values_size: u32,
}

impl Prefix {
    /// Reads it from the front of a payload; what follows it.
    #[inline]
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), PayloadError> {
        let short = size_error(bytes.len() + 1, bytes);
        let (&first, _) = bytes.split_first().ok_or(short)?;
        let mut at = 1;
        let slot = varint::read(bytes, &mut at).ok_or(short)?;
        let dim = varint::read(bytes, &mut at).ok_or(short)?;
        let parts_follow = first & PARTS_FOLLOW != 0;
        let (mut id_size, mut values_size) = (0, None);
        if parts_follow {
            id_size = *bytes.get(at).ok_or(short)?;
            at += 1;
            values_size = Some(varint::read(bytes, &mut at).ok_or(short)?);
        }
        let rest = bytes.get(at..).unwrap_or_default();
        // A payload has at most 2^30 bytes.
        let to_the_end = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let prefix = Self {
            tag: first & !PARTS_FOLLOW,
            parts_follow,
            slot,
            dim,
            id_size,
            values_size: values_size.unwrap_or(to_the_end),
        };
        Ok((prefix, rest))
    }

    /// Writes it to the front of `out` and returns its size; `None` if there is no room.
    #[inline]
    pub(crate) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let parts_follow = if self.parts_follow { PARTS_FOLLOW } else { 0 };
        *out.first_mut()? = self.tag | parts_follow;
        let mut at = 1;
        varint::write(out, &mut at, self.slot)?;
        varint::write(out, &mut at, self.dim)?;
        if self.parts_follow {
            *out.get_mut(at)? = self.id_size;
            at += 1;
            varint::write(out, &mut at, self.values_size)?;
        }
        Some(at)
    }
}

/// Most components of a row: raw, they fit a payload beside the longest id and the most metadata.
#[expect(clippy::cast_possible_truncation, reason = "asserted beside it")]
pub const DIM_MAX: u32 = {
    let others = PREFIX_SIZE_MAX + u8::MAX as usize + metadata::SECTION_SIZE_MAX;
    let dim = (PAYLOAD_SIZE_MAX - others) / 4;
    assert!(dim <= u32::MAX as usize);
    dim as u32
};

/// What an insert or update says, before it is encoded.
#[derive(Clone, Copy, Debug)]
pub struct VectorChange<'a> {
    /// Dense number of the entity.
    pub slot: u32,
    /// The row before, [`Base::Zero`] for an insert.
    pub base: Base<'a>,
    /// The row after.
    pub new: &'a [f32],
    /// 1 to 255 bytes for an insert, empty for an update.
    pub id: &'a [u8],
    /// What changes in the graph, checked against what replicas have.
    pub graph: Option<CheckedChange<'a>>,
    /// Keys strictly ascending by bytes.
    pub metadata: &'a [MetadataEdit<'a>],
}

/// A payload that [`VectorChange::write`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenVector<'o> {
    /// Bytes of the payload.
    pub size: usize,
    /// The metadata section is compressed: the header must say so.
    pub compressed: bool,
    /// The change of the row as it was encoded.
    pub values: Values<'o>,
    /// What it adds to the sum of the row, where the encoder knows.
    pub(crate) change_sum: Option<u64>,
}

impl VectorChange<'_> {
    /// Most bytes that the payload takes.
    #[inline]
    pub fn payload_size_max(&self) -> usize {
        codec::encoded_size_max(self.new.len())
            .saturating_add(PREFIX_SIZE_MAX + self.id.len())
            .saturating_add(self.graph_size_max())
            .saturating_add(metadata::section_size_max(self.metadata))
    }

    fn graph_size_max(&self) -> usize {
        let size = |graph: &CheckedChange<'_>| graph.edits().as_bytes().len();
        self.graph
            .as_ref()
            .map_or(0, |graph| varint::SIZE_MAX + size(graph))
    }

    /// Writes the payload to the front of `out`, where [`Self::payload_size_max`] bytes always
    /// suffice; the row exactly, with any codec.
    ///
    /// # Errors
    /// See [`VectorWriteError`]; `out` then holds garbage.
    #[inline]
    pub fn write<'o>(
        &self,
        out: &'o mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<WrittenVector<'o>, VectorWriteError> {
        self.write_as(Encoding::EXACT, out, lz4)
    }

    /// As [`Self::write`], the row as `encoding` says.
    ///
    /// # Errors
    /// As [`Self::write`].
    #[inline]
    pub fn write_as<'o>(
        &self,
        encoding: Encoding,
        out: &'o mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<WrittenVector<'o>, VectorWriteError> {
        let dim = u32::try_from(self.new.len())
            .ok()
            .filter(|dim| (1..=DIM_MAX).contains(dim))
            .ok_or(VectorWriteError::Dim {
                dim: self.new.len(),
            })?;
        let id_size = u8::try_from(self.id.len()).map_err(|_| VectorWriteError::IdSize {
            size: self.id.len(),
        })?;
        if let Some(pair) = self.pair_before_insert() {
            return Err(MetadataError::OldValue { pair }.into());
        }
        let given = out.len();
        let too_small = || EncodeError::OutputTooSmall {
            needed: self.payload_size_max(),
            given,
        };
        let mut prefix = Prefix {
            tag: 0,
            parts_follow: self.may_have_parts(),
            slot: self.slot,
            dim,
            id_size,
            values_size: 0,
        };
        // Values that stand alone are written where they stay, as their prefix has a known size;
        // others behind the longest one, then moved up.
        let start = if prefix.parts_follow {
            PREFIX_SIZE_MAX
        } else {
            prefix.write(out).ok_or_else(too_small)?
        };
        let values_out = out.get_mut(start..).ok_or_else(too_small)?;
        let encoded = codec::encode_summed(encoding, self.base, self.new, values_out)?;
        prefix.tag = encoded.tag as u8;
        prefix.values_size = u32::try_from(encoded.size).map_err(|_| too_small())?;
        let (parts_size, compressed) = if prefix.parts_follow {
            let parts_out = values_out.get_mut(encoded.size..).unwrap_or_default();
            self.write_parts(parts_out, lz4)?.ok_or_else(too_small)?
        } else {
            (0, false)
        };
        // Metadata that do not change leave nothing behind.
        prefix.parts_follow = parts_size > 0;
        let prefix_size = prefix.write(out).ok_or_else(too_small)?;
        if prefix_size < start {
            out.copy_within(start..start + encoded.size + parts_size, prefix_size);
        }
        let values = out.get(prefix_size..prefix_size + encoded.size);
        Ok(WrittenVector {
            size: prefix_size + encoded.size + parts_size,
            compressed,
            values: Values::from_checked(encoded.tag, values.unwrap_or_default(), dim)
                .ok_or_else(too_small)?,
            change_sum: encoded.change_sum,
        })
    }

    fn may_have_parts(&self) -> bool {
        !(self.id.is_empty() && self.graph.is_none() && self.metadata.is_empty())
    }

    /// Writes id, graph change and metadata: the bytes of all, and whether the metadata are
    /// compressed; `None` if `out` is too small.
    fn write_parts(
        &self,
        out: &mut [u8],
        lz4: Option<&mut Lz4Scratch>,
    ) -> Result<Option<(usize, bool)>, MetadataError> {
        let Some((id, rest)) = out.split_at_mut_checked(self.id.len()) else {
            return Ok(None);
        };
        id.copy_from_slice(self.id);
        let Some(graph_size) = self.write_graph(rest) else {
            return Ok(None);
        };
        let rest = rest.get_mut(graph_size..).unwrap_or_default();
        let (metadata_size, compressed) = metadata::write_section(self.metadata, rest, lz4)?;
        Ok(Some((
            self.id.len() + graph_size + metadata_size,
            compressed,
        )))
    }

    /// Writes the graph change behind its size; the bytes of both.
    fn write_graph(&self, out: &mut [u8]) -> Option<usize> {
        let Some(graph) = &self.graph else {
            return Some(0);
        };
        let bytes = graph.edits().as_bytes();
        let mut at = 0;
        varint::write(out, &mut at, u32::try_from(bytes.len()).ok()?)?;
        let end = at + bytes.len();
        out.get_mut(at..end)?.copy_from_slice(bytes);
        Some(end)
    }

    /// Number of the first pair of an insert that claims a value before it.
    fn pair_before_insert(&self) -> Option<usize> {
        let is_insert = !self.id.is_empty();
        let mut pairs = self.metadata.iter();
        pairs.position(|edit| is_insert && edit.old.is_some())
    }
}
