//! What an exported call answers when it refuses: a negative code, and a text that the context
//! keeps.

use core::error::Error;
use core::fmt;

use delta_core::header::HeaderError;
use delta_core::pipeline::apply::{ApplyError, Refusal};
use delta_core::pipeline::sequencer::PrepareError;
use delta_core::record::RecordError;
use delta_core::ring::{GeometryError, RegionError, ReserveError};
use delta_core::store::StoreError;

use crate::tensor::Tensor;

/// Numbers that say more about a fault than its code; which ones stands beside the codes.
pub(crate) type Details = [u64; 3];

/// Why a stage refuses a call. The texts are the host's: formatting them here would make a module
/// half as large again.
pub(crate) trait Fault: Copy + From<CallError> {
    /// The number that the C ABI returns, always negative. See the table of the crate.
    fn code(&self) -> i32;
    /// What stands in the context after it.
    fn details(&self) -> Details;
}

/// Why the arguments of a call were refused. Over the C ABI it is [`CallError::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// What the address and size name is not wholly inside the staging area.
    OutOfStaging {
        /// The address as it was passed.
        address: usize,
        /// Bytes from there on.
        size: usize,
    },
    /// The address is not a multiple of what it must be, or 0.
    Misaligned {
        /// The address as it was passed.
        address: usize,
        /// What it must be a multiple of.
        align: usize,
    },
    /// Another thread is inside a call, or one has trapped.
    Busy,
    /// There is no stage of this kind at the address.
    NoContext {
        /// The address as it was passed.
        address: usize,
    },
    /// Two pieces of memory overlap.
    Overlap {
        /// Where the second begins.
        address: usize,
        /// Where the first begins.
        other: usize,
    },
    /// A piece reaches beyond the linear memory.
    OutOfMemory {
        /// The address as it was passed.
        address: usize,
        /// Bytes from there on.
        size: usize,
        /// Bytes of the memory.
        memory_size: usize,
    },
    /// A word of the layout has a value that no stage can work with.
    Layout {
        /// Number of the word, from 0.
        word: usize,
    },
    /// The ring's shape is refused.
    Geometry(GeometryError),
    /// The ring's region is refused.
    Region(RegionError),
    /// The stage was opened without the ring that the call needs.
    NoRing,
    /// A tensor has another dtype, rank or shape than the call takes.
    Tensor(Tensor),
    /// One call cannot change so many pairs of metadata.
    TooManyPairs {
        /// Most pairs.
        max: usize,
    },
    /// The output has no room.
    OutputTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The slot does not exist.
    UnknownSlot {
        /// The slot.
        slot: u32,
    },
    /// The replica has no graph to search by.
    NoGraph,
    /// The number stands for no metric.
    Metric {
        /// The number.
        metric: u32,
    },
}

impl CallError {
    /// The number that the C ABI returns.
    pub const fn code(self) -> i32 {
        match self {
            Self::OutOfStaging { .. } => -1,
            Self::Misaligned { .. } => -2,
            Self::Busy => -3,
            Self::NoContext { .. } => -5,
            Self::Overlap { .. } => -6,
            Self::OutOfMemory { .. } => -7,
            Self::Layout { .. } => -8,
            Self::Geometry(_) | Self::Region(_) => -9,
            Self::NoRing => -10,
            Self::Tensor(_) => -11,
            Self::TooManyPairs { .. } => -12,
            Self::OutputTooSmall { .. } => -13,
            Self::UnknownSlot { .. } => UNKNOWN_SLOT,
            Self::Metric { .. } => -14,
            Self::NoGraph => -15,
        }
    }
}

impl Fault for CallError {
    fn code(&self) -> i32 {
        (*self).code()
    }

    fn details(&self) -> Details {
        let words = |a: usize, b: usize, c: usize| [a as u64, b as u64, c as u64];
        match *self {
            Self::OutOfStaging { address, size } => words(address, size, 0),
            Self::Misaligned { address, align } => words(address, align, 0),
            Self::NoContext { address } => words(address, 0, 0),
            Self::Overlap { address, other } => words(address, other, 0),
            Self::OutOfMemory {
                address,
                size,
                memory_size,
            } => words(address, size, memory_size),
            Self::Layout { word } => words(word, 0, 0),
            Self::TooManyPairs { max } => words(max, 0, 0),
            Self::OutputTooSmall { needed, given } => words(needed, given, 0),
            Self::UnknownSlot { slot } => [0, 0, slot.into()],
            Self::Metric { metric } => [metric.into(), 0, 0],
            Self::Tensor(Tensor { dtype, rank, .. }) => [dtype.into(), rank.into(), 0],
            Self::Busy | Self::Geometry(_) | Self::Region(_) | Self::NoRing | Self::NoGraph => {
                [0; 3]
            }
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutOfStaging { address, size } => write!(
                f,
                "{size} bytes at {address} are not inside the staging area: place arguments there"
            ),
            Self::Misaligned { address, align } => write!(
                f,
                "address {address}: must be a multiple of {align} and not 0"
            ),
            Self::Busy => write!(
                f,
                "another thread is inside a call, or one has trapped: call from one at a time, \
                 and open the stage anew after a trap"
            ),
            Self::NoContext { address } => {
                write!(f, "no open stage of this kind at {address}: open it first")
            }
            Self::Overlap { address, other } => write!(
                f,
                "the piece at {address} overlaps that at {other}: lay them out apart"
            ),
            Self::OutOfMemory {
                address,
                size,
                memory_size,
            } => write!(
                f,
                "{size} bytes at {address} reach beyond the memory of {memory_size}: grow it first"
            ),
            Self::Layout { word } => write!(
                f,
                "word {word} of the layout is out of range: use the package's own layout"
            ),
            Self::Geometry(error) => error.fmt(f),
            Self::Region(error) => error.fmt(f),
            Self::NoRing => write!(f, "the stage has no such ring: open it with one"),
            Self::Tensor(tensor) => write!(
                f,
                "a tensor of dtype {}, rank {}, shape {} x {}: pass f32 rows of the stream's dim",
                tensor.dtype, tensor.rank, tensor.shape[0], tensor.shape[1]
            ),
            Self::TooManyPairs { max } => write!(
                f,
                "more than {max} pairs of metadata in one call: send several updates"
            ),
            Self::OutputTooSmall { needed, given } => write!(
                f,
                "{needed} bytes do not fit into {given}: make the staging area larger"
            ),
            Self::UnknownSlot { slot } => write!(f, "slot {slot} does not exist"),
            Self::NoGraph => write!(
                f,
                "the replica has no graph: open it with one, or pass ef 0"
            ),
            Self::Metric { metric } => write!(
                f,
                "metric {metric}: 0 is squared L2, 1 the dot product, 2 the cosine"
            ),
        }
    }
}

impl Error for CallError {}

const UNKNOWN_SLOT: i32 = -46;
const DELETED: i32 = -47;
const DIM: i32 = -44;
const FRAME_SIZE: i32 = -4;

/// Code of a header's fault.
pub(crate) const fn header_code(error: HeaderError) -> i32 {
    match error {
        HeaderError::Version { .. } => -16,
        HeaderError::UnknownOperation { .. } => -17,
        HeaderError::Flags { .. } => -18,
        HeaderError::Numbering { .. } => -19,
        HeaderError::UnannouncedDigest { .. } => -20,
        HeaderError::RingFields { .. } => -21,
        HeaderError::PayloadTooLarge { .. } => -22,
        HeaderError::Checksum { .. } => -23,
        _ => -31,
    }
}

/// Code of a frame's fault.
pub(crate) const fn record_code(error: RecordError) -> i32 {
    match error {
        RecordError::Truncated { .. } | RecordError::TrailingBytes { .. } => FRAME_SIZE,
        RecordError::Header(error) => header_code(error),
        _ => -32,
    }
}

/// Code of a replica's refusal.
pub(crate) const fn apply_code(error: ApplyError) -> i32 {
    match error.reason {
        Refusal::StaleEpoch { .. } => -40,
        Refusal::UnknownEpoch { .. } => -41,
        Refusal::Gap { .. } => -42,
        Refusal::Behind { .. } => -43,
        Refusal::Dim { .. } => DIM,
        Refusal::SlotCount { .. } => -45,
        Refusal::UnknownSlot { .. } => UNKNOWN_SLOT,
        Refusal::Deleted { .. } => DELETED,
        Refusal::Conflict { .. } => -48,
        Refusal::Repeated { .. } => REPEATED,
        Refusal::Metadata(_) => METADATA,
        Refusal::Store(_) => STORE_FULL,
        Refusal::Base { .. } => -52,
        Refusal::Diverged { .. } => -53,
        Refusal::NoGraph | Refusal::GraphParameters { .. } => -54,
        _ => -59,
    }
}

/// Numbers of a replica's refusal: the sequence, then what was expected and what was found.
pub(crate) fn apply_details(error: ApplyError) -> Details {
    let (expected, found) = match error.reason {
        Refusal::StaleEpoch { current, found } | Refusal::UnknownEpoch { current, found } => {
            (current.into(), found.into())
        }
        Refusal::Gap { expected } => (expected, error.sequence),
        Refusal::Behind { position, found } => (position, found),
        Refusal::Dim { expected, found } | Refusal::SlotCount { expected, found } => {
            (expected.into(), found.into())
        }
        Refusal::UnknownSlot { slot, slot_count } => (slot_count.into(), slot.into()),
        Refusal::Deleted { slot } | Refusal::Repeated { slot } => (0, slot.into()),
        Refusal::Conflict {
            last_sequence,
            prev_sequence,
            ..
        } => (last_sequence, prev_sequence),
        Refusal::Base { expected, found } => (expected, found),
        Refusal::Diverged { expected, computed } => (expected, computed),
        Refusal::Store(error) => store_details(error),
        _ => (0, 0),
    };
    [error.sequence, expected, found]
}

/// Room that a store has, and room that it needs.
pub(crate) fn store_details(error: StoreError) -> (u64, u64) {
    match error {
        StoreError::SlotsFull { capacity } => (capacity.into(), u64::from(capacity) + 1),
        StoreError::AttributesFull { needed, left } => (left as u64, needed as u64),
        _ => (0, 0),
    }
}

/// Numbers of a frame's fault: bytes needed and found.
pub(crate) const fn record_details(error: RecordError) -> Details {
    match error {
        RecordError::Truncated { needed, found } => [needed as u64, found as u64, 0],
        RecordError::TrailingBytes { count } => [0, count as u64, 0],
        _ => [0; 3],
    }
}

/// Numbers of a ring without room: bytes asked for, then records held or most bytes.
pub(crate) fn reserve_details(error: ReserveError) -> Details {
    match error {
        ReserveError::Full { unreleased, len } => [len.into(), unreleased.into(), 0],
        ReserveError::TooLarge { len, max } => [len as u64, max.into(), 0],
        _ => [0; 3],
    }
}

pub(crate) const REPEATED: i32 = -49;
pub(crate) const METADATA: i32 = -50;
pub(crate) const STORE_FULL: i32 = -51;
pub(crate) const RING_CORRUPT: i32 = -62;
/// A change that cannot be written for a reason of its own: id, values, header.
pub(crate) const CHANGE: i32 = -70;

/// Code of a ring without room.
pub(crate) const fn reserve_code(error: ReserveError) -> i32 {
    match error {
        ReserveError::Full { .. } => -60,
        ReserveError::TooLarge { .. } => -61,
        // A damaged ring, and whatever else makes it useless.
        _ => RING_CORRUPT,
    }
}

/// Numbers of a change that cannot become a record: 0, what was expected and what was found.
pub(crate) fn prepare_details(error: PrepareError) -> Details {
    match error {
        PrepareError::Dim { expected, found } => [0, expected.into(), found as u64],
        PrepareError::UnknownSlot { slot, slot_count } => [0, slot_count.into(), slot.into()],
        PrepareError::Deleted { slot } => [0, 0, slot.into()],
        PrepareError::SlotsFull { capacity } => [0, capacity as u64, capacity as u64 + 1],
        _ => [0; 3],
    }
}

/// Code of a change that cannot become a record.
pub(crate) const fn prepare_code(error: PrepareError) -> i32 {
    match error {
        PrepareError::Dim { .. } => DIM,
        PrepareError::UnknownSlot { .. } => UNKNOWN_SLOT,
        PrepareError::Deleted { .. } => DELETED,
        PrepareError::SlotsFull { .. } => STORE_FULL,
        PrepareError::Epoch { .. } => -41,
        _ => CHANGE,
    }
}
