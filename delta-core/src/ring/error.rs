//! What can go wrong in a ring: one small enum for each operation.
use core::fmt;

/// Why a reservation was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReserveError {
    /// There is no room yet: try again when the consumer has released records.
    Full {
        /// Records that are not released: published ones and those of the batch at hand.
        unreleased: u32,
        /// Bytes of payload asked for.
        len: u32,
    },
    /// The payload never fits into this ring, however empty.
    TooLarge {
        /// Bytes of payload asked for.
        len: usize,
        /// The ring's largest payload, in bytes.
        max: u32,
    },
    /// The region was damaged from outside of the ring.
    Corrupt(Corrupt),
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full { unreleased, len } => write!(
                f,
                "no room for {len} bytes beside {unreleased} unreleased records: publish an open \
                 batch, let the consumer release, and try again"
            ),
            Self::TooLarge { len, max } => write!(
                f,
                "{len} bytes never fit: split the payload into parts of at most {max} bytes or \
                 make the ring's payload area larger"
            ),
            Self::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl core::error::Error for ReserveError {}

/// Why a commit was refused; the grant is aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitError {
    /// The header's payload_size (bytes 28..32) is more than was reserved.
    PayloadSize {
        /// As the header has it, in bytes.
        payload_size: u32,
        /// As reserved, in bytes.
        reserved: u32,
    },
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PayloadSize {
                payload_size,
                reserved,
            } => write!(
                f,
                "the header's payload_size is {payload_size}, but {reserved} bytes were reserved: \
                 reserve as many as the record may need"
            ),
        }
    }
}

impl core::error::Error for CommitError {}

/// Why a record was not copied into a ring; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no room for it.
    Reserve(ReserveError),
    /// The header's payload_size (bytes 28..32) is more than the payload given.
    PayloadSize {
        /// As the header has it, in bytes.
        payload_size: u32,
        /// As given, in bytes.
        len: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Reserve(error) => error.fmt(f),
            Self::PayloadSize { payload_size, len } => write!(
                f,
                "the header's payload_size is {payload_size}, but {len} bytes were given: pass the \
                 whole payload"
            ),
        }
    }
}

impl core::error::Error for SendError {}

/// Why a record was not copied out of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyError {
    /// The buffer does not hold the payload; the record stays unread.
    TooSmall {
        /// Bytes that the payload has.
        needed: u32,
        /// Bytes of the buffer.
        len: usize,
    },
    /// The region was damaged, or its producer breaks the rules.
    Corrupt(Corrupt),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooSmall { needed, len } => write!(
                f,
                "a payload of {needed} bytes does not fit into {len}: poll with a buffer of the \
                 geometry's max_payload bytes"
            ),
            Self::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl core::error::Error for CopyError {}

/// A region that breaks the ring's rules: something other than the ring wrote to it. The handle
/// that found it is poisoned, since nothing in the region can be trusted any more; a new ring and
/// a resynchronisation are the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corrupt {
    /// A slot's stamp is neither ready nor empty.
    Stamp {
        /// The record's position.
        position: u32,
        /// The slot's stamp.
        found: u32,
        /// The stamp of a readable record; an empty slot's is `slots` less.
        ready: u32,
    },
    /// A payload begins neither at the cursor nor at 0.
    PayloadOffset {
        /// The record's position.
        position: u32,
        /// As the header has it.
        offset: u32,
        /// The end of the payload before it.
        cursor: u32,
    },
    /// A payload ends beyond the payload area.
    PayloadEnd {
        /// The record's position.
        position: u32,
        /// As the header has it.
        offset: u32,
        /// As the header has it, in bytes.
        size: u32,
    },
    /// A payload is larger than any that a producer can send.
    PayloadSize {
        /// The record's position.
        position: u32,
        /// As the header has it, in bytes.
        size: u32,
        /// The ring's largest payload, in bytes.
        max: u32,
    },
    /// The consumer's position went back, or past what was published.
    ReadPosition {
        /// As found in the control block.
        found: u32,
        /// The lowest position that is possible.
        released: u32,
        /// The highest position that is possible.
        published: u32,
    },
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("corrupt ring: ")?;
        match *self {
            Self::Stamp {
                position,
                found,
                ready,
            } => {
                write!(
                    f,
                    "stamp {found} at position {position}, where {ready} means ready"
                )
            }
            Self::PayloadOffset {
                position,
                offset,
                cursor,
            } => {
                write!(
                    f,
                    "payload offset {offset} at position {position}, not {cursor} or 0"
                )
            }
            Self::PayloadEnd {
                position,
                offset,
                size,
            } => {
                write!(
                    f,
                    "{size} payload bytes at {offset}, position {position}, pass the end"
                )
            }
            Self::PayloadSize {
                position,
                size,
                max,
            } => {
                write!(
                    f,
                    "{size} payload bytes at position {position}, more than {max}"
                )
            }
            Self::ReadPosition {
                found,
                released,
                published,
            } => {
                write!(
                    f,
                    "read position {found} is not in {released}..={published}"
                )
            }
        }?;
        f.write_str("; make a new ring and resynchronise the replica")
    }
}

impl core::error::Error for Corrupt {}

/// Why memory was refused as a ring region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// The memory does not begin at a multiple of 128.
    Alignment {
        /// The memory's address modulo 128.
        remainder: usize,
    },
    /// The memory is smaller than the geometry's region.
    TooSmall {
        /// Bytes given.
        len: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// The control block does not begin with the ring's magic.
    Magic {
        /// The word found.
        found: u32,
    },
    /// The region has a version that is not known here.
    Version {
        /// The version found.
        found: u32,
    },
    /// The region has another geometry than asked for.
    Geometry {
        /// Slots in the control block.
        slots: u32,
        /// Payload bytes in the control block.
        payload_bytes: u32,
    },
    /// The creator has not finished the region.
    NotReady,
    /// The region breaks the ring's rules.
    Corrupt(Corrupt),
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Alignment { remainder } => write!(
                f,
                "the memory begins {remainder} bytes after a multiple of 128: align it to 128"
            ),
            Self::TooSmall { len, needed } => {
                write!(f, "{len} bytes of memory: this geometry needs {needed}")
            }
            Self::Magic { found } => {
                write!(
                    f,
                    "magic {found:#010x} is not a ring's: create the region first"
                )
            }
            Self::Version { found } => {
                write!(
                    f,
                    "region version {found} is not known: use the release that made it"
                )
            }
            Self::Geometry {
                slots,
                payload_bytes,
            } => write!(
                f,
                "the region has {slots} slots and {payload_bytes} payload bytes: attach with these"
            ),
            Self::NotReady => f.write_str("the region is not finished: attach again later"),
            Self::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl core::error::Error for RegionError {}
