//! What an exported call answers when it refuses its arguments.

use core::error::Error;
use core::fmt;

use delta_core::header::HeaderError;

/// Why a call was refused. Over the C ABI it is [`CallError::code`], always negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// What the pointer and size name is not wholly inside the arena.
    OutOfArena {
        /// The pointer as it was passed.
        address: usize,
        /// Bytes from there on.
        size: usize,
    },
    /// The address of a row is not a multiple of 4.
    Misaligned {
        /// The pointer as it was passed.
        address: usize,
    },
    /// Another thread is inside a call.
    Busy,
    /// A frame is shorter than a header, or not as long as its header says.
    FrameSize {
        /// Bytes that were passed.
        size: usize,
        /// Bytes that the frame must have; the header's alone if there are fewer.
        needed: u64,
    },
    /// The frame's header is refused.
    Header(HeaderError),
}

impl CallError {
    /// The number that the C ABI returns.
    ///
    /// | code | refused because |
    /// |---|---|
    /// | -1 | outside the arena |
    /// | -2 | a row that is not 4-aligned |
    /// | -3 | another thread is inside a call |
    /// | -4 | the frame's size |
    /// | -16 | version |
    /// | -17 | operation |
    /// | -18 | flags |
    /// | -19 | sequence, previous sequence or epoch |
    /// | -20 | a digest that no flag announces |
    /// | -21 | ring fields outside a ring |
    /// | -22 | payload too large |
    /// | -23 | checksum |
    /// | -31 | a check of the header that has no number yet |
    pub const fn code(self) -> i32 {
        match self {
            Self::OutOfArena { .. } => -1,
            Self::Misaligned { .. } => -2,
            Self::Busy => -3,
            Self::FrameSize { .. } => -4,
            Self::Header(HeaderError::Version { .. }) => -16,
            Self::Header(HeaderError::UnknownOperation { .. }) => -17,
            Self::Header(HeaderError::Flags { .. }) => -18,
            Self::Header(HeaderError::Numbering { .. }) => -19,
            Self::Header(HeaderError::UnannouncedDigest { .. }) => -20,
            Self::Header(HeaderError::RingFields { .. }) => -21,
            Self::Header(HeaderError::PayloadTooLarge { .. }) => -22,
            Self::Header(HeaderError::Checksum { .. }) => -23,
            Self::Header(_) => -31,
        }
    }
}

impl From<HeaderError> for CallError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfArena { address, size } => write!(
                f,
                "{size} bytes at {address:#x} are not inside the arena: write to delta_arena() and \
                 stay below delta_arena_size()"
            ),
            Self::Misaligned { address } => {
                write!(f, "a row at {address:#x}: place rows at multiples of 4")
            }
            Self::Busy => write!(
                f,
                "another thread is inside a call: call from one at a time"
            ),
            Self::FrameSize { size, needed } => {
                write!(
                    f,
                    "a frame of {size} bytes, it must have {needed}: fetch the rest"
                )
            }
            Self::Header(error) => error.fmt(f),
        }
    }
}

impl Error for CallError {}
