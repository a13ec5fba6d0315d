//! The 64-byte header in front of every record: parse, emit, checksum (WIRE.md, section 1).

use core::fmt;
use xxhash_rust::xxh3::xxh3_64;

mod operation;

pub use operation::Operation;

/// Size of a header in bytes.
pub const HEADER_SIZE: usize = 64;
/// The format version that this crate reads and writes.
pub const VERSION: u16 = 1;
/// Largest payload of a record in bytes: what the largest ring region could hold.
pub const PAYLOAD_SIZE_MAX: usize = 1 << 30;

/// Bit of the flags byte: the metadata are LZ4-compressed.
pub const FLAG_COMPRESSED: u8 = 1 << 0;
/// Bit of the flags byte: rows after the record are not exactly those of its writer.
pub const FLAG_LOSSY: u8 = 1 << 1;
/// Bit of the flags byte: the record applies only to the rows that it was made against.
pub const FLAG_RELATIVE: u8 = 1 << 2;
/// Bit of the flags byte: the header carries the digest of the state after the record.
pub const FLAG_HAS_DIGEST: u8 = 1 << 3;
/// Bit of the flags byte: the payload carries a graph change.
pub const FLAG_GRAPH: u8 = 1 << 4;
/// Bit of the flags byte: the record changes a tensor.
pub const FLAG_TENSOR: u8 = 1 << 5;
const FLAGS_KNOWN: u8 =
    FLAG_COMPRESSED | FLAG_LOSSY | FLAG_RELATIVE | FLAG_HAS_DIGEST | FLAG_GRAPH | FLAG_TENSOR;

/// Why 64 bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The version field is not [`VERSION`].
    Version {
        /// The version found.
        found: u16,
    },
    /// The operation byte is not one of [`Operation`].
    UnknownOperation {
        /// The byte found.
        found: u8,
    },
    /// A flag that this version does not know, or one that the operation does not have.
    Flags {
        /// The bits that are not allowed.
        bits: u8,
    },
    /// Sequences and epochs start at 1, and the previous sequence lies before the record's own.
    Numbering {
        /// The sequence found.
        sequence: u64,
        /// The previous sequence found.
        prev_sequence: u64,
        /// The epoch found.
        epoch: u32,
    },
    /// A state digest without the flag that announces it.
    UnannouncedDigest {
        /// The digest field found.
        found: u64,
    },
    /// Payload offset and stamp belong to a ring and are 0 elsewhere.
    RingFields {
        /// The payload offset found.
        payload_offset: u32,
        /// The stamp found.
        stamp: u32,
    },
    /// The payload is larger than [`PAYLOAD_SIZE_MAX`].
    PayloadTooLarge {
        /// Size in bytes.
        size: u64,
    },
    /// The checksum does not fit header and payload.
    Checksum {
        /// The checksum that the bytes give.
        computed: u64,
        /// The checksum that the header carries.
        found: u64,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Version { found } => write!(
                f,
                "format version {found}, this reader knows {VERSION}: upgrade the older side"
            ),
            Self::UnknownOperation { found } => {
                write!(f, "unknown operation {found}: upgrade this reader")
            }
            Self::Flags { bits } => write!(
                f,
                "flags {bits:#04x} are unknown or do not fit the operation: upgrade this reader"
            ),
            Self::Numbering {
                sequence,
                prev_sequence,
                epoch,
            } => write!(
                f,
                "sequence {sequence}, previous sequence {prev_sequence} and epoch {epoch} cannot \
                 stand together: number from 1 and link backwards"
            ),
            Self::UnannouncedDigest { found } => {
                write!(
                    f,
                    "state digest {found:016x} without the has-digest flag: fetch it again"
                )
            }
            Self::RingFields {
                payload_offset,
                stamp,
            } => write!(
                f,
                "payload offset {payload_offset} and stamp {stamp} outside a ring: write 0"
            ),
            Self::PayloadTooLarge { size } => write!(
                f,
                "a payload of {size} bytes exceeds {PAYLOAD_SIZE_MAX}: split the change"
            ),
            Self::Checksum { computed, found } => write!(
                f,
                "checksum {found:016x}, the bytes give {computed:016x}: fetch the record again"
            ),
        }
    }
}

impl core::error::Error for HeaderError {}

/// A header outside the ring's bookkeeping: payload offset and stamp are not part of it.
///
/// ```
/// use delta_core::header::{DeltaHeader, Operation};
///
/// let header = DeltaHeader::new(Operation::Delete, 7, 1).seal(&[3, 0, 0, 0])?;
/// let bytes = header.to_bytes();
/// let parsed = DeltaHeader::parse(&bytes)?;
/// assert_eq!(parsed, header);
/// parsed.verify(&[3, 0, 0, 0])?;
/// # Ok::<(), delta_core::header::HeaderError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaHeader {
    /// Place in the stream: from 1, no gaps, continues across epochs.
    pub sequence: u64,
    /// What the record does.
    pub operation: Operation,
    /// The metadata are compressed (insert, update and batch-update only).
    pub compressed: bool,
    /// A row after the record is not exactly the writer's, but within the bound that its values
    /// carry (insert, update and batch-update only).
    pub lossy: bool,
    /// Values are differences from the rows that the record was made against (update and
    /// batch-update only).
    pub relative: bool,
    /// The payload carries a graph change (insert, update and delete only).
    pub graph: bool,
    /// The record changes a tensor (update only, never compressed).
    pub tensor: bool,
    /// Low 32 bits of XXH3-64 of the entity's id, 0 where there is none. Routing, not identity.
    pub vector_id_hash: u32,
    /// Microseconds since the Unix epoch, as the writer's adapter gave it.
    pub timestamp_us: u64,
    /// Bytes of the payload, unpadded, at most [`PAYLOAD_SIZE_MAX`].
    pub payload_size: u32,
    /// XXH3-64 over header and payload, see [`DeltaHeader::seal`].
    pub checksum: u64,
    /// Sequence of the last record of the same entity, less than `sequence`; 0: none.
    pub prev_sequence: u64,
    /// Epoch of the writer, from 1.
    pub epoch: u32,
    /// Digest of the whole state after this record, if it carries one.
    pub state_digest: Option<u64>,
}

impl DeltaHeader {
    /// A header without payload, id, time, chain and digest; `seal` it before use.
    pub const fn new(operation: Operation, sequence: u64, epoch: u32) -> Self {
        Self {
            sequence,
            operation,
            compressed: false,
            lossy: false,
            relative: false,
            graph: false,
            tensor: false,
            vector_id_hash: 0,
            timestamp_us: 0,
            payload_size: 0,
            checksum: 0,
            prev_sequence: 0,
            epoch,
            state_digest: None,
        }
    }

    /// Reads a header. All fields of the result are in their documented ranges.
    ///
    /// # Errors
    /// What WIRE.md, section 1, lists. The checksum needs the payload: see [`Self::verify`].
    #[inline]
    pub fn parse(bytes: &[u8; HEADER_SIZE]) -> Result<Self, HeaderError> {
        let [
            sequence,
            kind,
            timestamp_us,
            place,
            checksum,
            prev_sequence,
            ring,
            digest,
        ]: Words = bytemuck::cast(*bytes);
        let [operation, flags, v0, v1, h0, h1, h2, h3] = kind;
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(HeaderError::Version { found: version });
        }
        let operation = Operation::from_wire(operation)
            .ok_or(HeaderError::UnknownOperation { found: operation })?;
        if flags & !FLAGS_KNOWN != 0 {
            let bits = flags & !FLAGS_KNOWN;
            return Err(HeaderError::Flags { bits });
        }
        let [payload_offset, payload_size] = split(place);
        let [stamp, epoch] = split(ring);
        if payload_offset != 0 || stamp != 0 {
            return Err(HeaderError::RingFields {
                payload_offset,
                stamp,
            });
        }
        let digest = u64::from_le_bytes(digest);
        let has_digest = flags & FLAG_HAS_DIGEST != 0;
        if digest != 0 && !has_digest {
            return Err(HeaderError::UnannouncedDigest { found: digest });
        }
        let header = Self {
            sequence: u64::from_le_bytes(sequence),
            operation,
            compressed: flags & FLAG_COMPRESSED != 0,
            lossy: flags & FLAG_LOSSY != 0,
            relative: flags & FLAG_RELATIVE != 0,
            graph: flags & FLAG_GRAPH != 0,
            tensor: flags & FLAG_TENSOR != 0,
            vector_id_hash: u32::from_le_bytes([h0, h1, h2, h3]),
            timestamp_us: u64::from_le_bytes(timestamp_us),
            payload_size,
            checksum: u64::from_le_bytes(checksum),
            prev_sequence: u64::from_le_bytes(prev_sequence),
            epoch,
            state_digest: has_digest.then_some(digest),
        };
        header.check()?;
        Ok(header)
    }

    /// Checks the ranges of the fields, which anyone can set.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), HeaderError> {
        let Self {
            sequence,
            prev_sequence,
            epoch,
            ..
        } = *self;
        if prev_sequence >= sequence || epoch == 0 {
            return Err(HeaderError::Numbering {
                sequence,
                prev_sequence,
                epoch,
            });
        }
        let allowed = match self.operation {
            Operation::Update if self.tensor => FLAG_TENSOR | FLAG_RELATIVE,
            Operation::Insert => FLAG_COMPRESSED | FLAG_LOSSY | FLAG_GRAPH,
            Operation::Update => FLAG_COMPRESSED | FLAG_LOSSY | FLAG_RELATIVE | FLAG_GRAPH,
            Operation::BatchUpdate => FLAG_COMPRESSED | FLAG_LOSSY | FLAG_RELATIVE,
            Operation::Delete => FLAG_GRAPH,
            _ => 0,
        };
        let bits = self.payload_flags() & !allowed;
        if bits != 0 {
            return Err(HeaderError::Flags { bits });
        }
        if self.payload_size as usize > PAYLOAD_SIZE_MAX {
            return Err(HeaderError::PayloadTooLarge {
                size: u64::from(self.payload_size),
            });
        }
        Ok(())
    }

    /// The bits of the flags byte that say what the payload holds.
    #[inline]
    const fn payload_flags(&self) -> u8 {
        let compressed = if self.compressed { FLAG_COMPRESSED } else { 0 };
        let lossy = if self.lossy { FLAG_LOSSY } else { 0 };
        let relative = if self.relative { FLAG_RELATIVE } else { 0 };
        let graph = if self.graph { FLAG_GRAPH } else { 0 };
        let tensor = if self.tensor { FLAG_TENSOR } else { 0 };
        compressed | lossy | relative | graph | tensor
    }

    /// The 64 bytes of this header, as outside a ring.
    #[inline]
    pub fn to_bytes(&self) -> [u8; HEADER_SIZE] {
        let has_digest = self.state_digest.map_or(0, |_| FLAG_HAS_DIGEST);
        let [v0, v1] = VERSION.to_le_bytes();
        let [h0, h1, h2, h3] = self.vector_id_hash.to_le_bytes();
        let (operation, flags) = (self.operation as u8, self.payload_flags() | has_digest);
        let words: Words = [
            self.sequence.to_le_bytes(),
            [operation, flags, v0, v1, h0, h1, h2, h3],
            self.timestamp_us.to_le_bytes(),
            join(0, self.payload_size),
            self.checksum.to_le_bytes(),
            self.prev_sequence.to_le_bytes(),
            join(0, self.epoch),
            self.state_digest.unwrap_or(0).to_le_bytes(),
        ];
        bytemuck::cast(words)
    }

    /// Sets payload size and checksum for `payload`: a sealed header's bytes parse.
    ///
    /// # Errors
    /// [`HeaderError::PayloadTooLarge`], [`HeaderError::Numbering`] and [`HeaderError::Flags`].
    #[inline]
    pub fn seal(mut self, payload: &[u8]) -> Result<Self, HeaderError> {
        let size = payload.len() as u64;
        self.payload_size =
            u32::try_from(size).map_err(|_| HeaderError::PayloadTooLarge { size })?;
        self.check()?;
        self.checksum = self.checksum_over(payload);
        Ok(self)
    }

    /// Checks that this header was sealed over `payload`.
    ///
    /// # Errors
    /// [`HeaderError::Checksum`].
    #[inline]
    pub fn verify(&self, payload: &[u8]) -> Result<(), HeaderError> {
        let computed = self.checksum_over(payload);
        if computed != self.checksum {
            return Err(HeaderError::Checksum {
                computed,
                found: self.checksum,
            });
        }
        Ok(())
    }

    #[inline]
    fn checksum_over(&self, payload: &[u8]) -> u64 {
        xxh3_64(
            &Self {
                checksum: xxh3_64(payload),
                ..*self
            }
            .to_bytes(),
        )
    }
}

/// A header as eight fields of eight bytes.
type Words = [[u8; 8]; HEADER_SIZE / 8];

/// The two u32 of a field.
#[inline]
fn split(field: [u8; 8]) -> [u32; 2] {
    let [low, high]: [[u8; 4]; 2] = bytemuck::cast(field);
    [u32::from_le_bytes(low), u32::from_le_bytes(high)]
}

#[inline]
fn join(low: u32, high: u32) -> [u8; 8] {
    bytemuck::cast([low.to_le_bytes(), high.to_le_bytes()])
}

/// Hash of an id as the header carries it: the low 32 bits of XXH3-64.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what the format asks for"
)]
pub fn vector_id_hash(id: &[u8]) -> u32 {
    xxh3_64(id) as u32
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
