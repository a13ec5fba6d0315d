//! Checkpoints: where a stream was, in bytes that outlive a process.

use crate::pipeline::sequencer::Position;
use core::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a written [`CheckpointMarker`].
pub const MARKER_SIZE: usize = 48;
/// "DLTC" and version 1.
const MAGIC: u64 = 0x1_4354_4c44;

/// A marker that a restarted reader or writer goes on from: position, time, slot count.
///
/// It says where a state was, not what it was: keep it with the state, and compare digests when
/// both are read again.
///
/// ```
/// use delta_core::{checkpoint::CheckpointMarker, pipeline::sequencer::Position};
///
/// let position = Position { epoch: 2, sequence: 70, digest: 0xfeed };
/// let marker = CheckpointMarker { position, slot_count: 9, timestamp_us: 5 };
/// assert_eq!(CheckpointMarker::parse(&marker.to_bytes()), Ok(marker));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointMarker {
    /// Epoch, sequence and digest after the last record.
    pub position: Position,
    /// Slots in use.
    pub slot_count: u32,
    /// Time of the last record, microseconds since the Unix epoch.
    pub timestamp_us: u64,
}

/// Why bytes are not a marker: they were cut short or changed, or are something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarkerError {
    /// The bytes do not begin as a marker does.
    Magic {
        /// The first eight bytes.
        found: u64,
    },
    /// The checksum does not fit.
    Checksum {
        /// The checksum that the bytes give.
        computed: u64,
        /// The checksum that they carry.
        found: u64,
    },
    /// Epochs start at 1.
    Epoch,
}

impl fmt::Display for MarkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic { found } => write!(
                f,
                "the bytes begin with {found:016x}: pass a checkpoint of this version"
            ),
            Self::Checksum { computed, found } => write!(
                f,
                "checksum {found:016x}, the bytes give {computed:016x}: use an older checkpoint"
            ),
            Self::Epoch => write!(f, "an epoch of 0: use an older checkpoint"),
        }
    }
}

impl core::error::Error for MarkerError {}

type Words = [[u8; 8]; MARKER_SIZE / 8];

impl CheckpointMarker {
    /// The marker's bytes: magic, epoch and slot count, sequence, digest, time, XXH3-64 of these;
    /// all little-endian.
    pub fn to_bytes(&self) -> [u8; MARKER_SIZE] {
        let Position {
            epoch,
            sequence,
            digest,
        } = self.position;
        let counts = u64::from(epoch) | u64::from(self.slot_count) << 32;
        let words = [MAGIC, counts, sequence, digest, self.timestamp_us];
        let [a, b, c, d, e] = words.map(u64::to_le_bytes);
        let checksum = checksum([a, b, c, d, e]).to_le_bytes();
        let words: Words = [a, b, c, d, e, checksum];
        bytemuck::cast(words)
    }

    /// Reads a marker.
    ///
    /// # Errors
    /// See [`MarkerError`].
    pub fn parse(bytes: &[u8; MARKER_SIZE]) -> Result<Self, MarkerError> {
        let [a, b, c, d, e, found]: Words = bytemuck::cast(*bytes);
        let magic = u64::from_le_bytes(a);
        if magic != MAGIC {
            return Err(MarkerError::Magic { found: magic });
        }
        let (computed, found) = (checksum([a, b, c, d, e]), u64::from_le_bytes(found));
        if computed != found {
            return Err(MarkerError::Checksum { computed, found });
        }
        let [epoch, slot_count]: [[u8; 4]; 2] = bytemuck::cast(b);
        let epoch = u32::from_le_bytes(epoch);
        if epoch == 0 {
            return Err(MarkerError::Epoch);
        }
        Ok(Self {
            position: Position {
                epoch,
                sequence: u64::from_le_bytes(c),
                digest: u64::from_le_bytes(d),
            },
            slot_count: u32::from_le_bytes(slot_count),
            timestamp_us: u64::from_le_bytes(e),
        })
    }
}

fn checksum(words: [[u8; 8]; 5]) -> u64 {
    xxh3_64(words.as_flattened())
}
