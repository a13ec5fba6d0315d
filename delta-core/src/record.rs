//! A record: header and payload, checked once, then panic-free.

use crate::{
    graph::encode::Change,
    header::{DeltaHeader, HEADER_SIZE, HeaderError, Operation},
    payload::{Payload, PayloadError},
};
use core::fmt;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end within the header or the payload.
    Truncated {
        /// Bytes that the record needs.
        needed: usize,
        /// Bytes found.
        found: usize,
    },
    /// Bytes stand behind the record where it should be alone.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The header is refused.
    Header(HeaderError),
    /// The payload is refused.
    Payload(PayloadError),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { needed, found } => write!(
                f,
                "a record of {needed} bytes is cut off after {found}: fetch it again"
            ),
            Self::TrailingBytes { count } => write!(
                f,
                "{count} bytes stand behind the record: pass exactly one frame"
            ),
            Self::Header(error) => error.fmt(f),
            Self::Payload(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RecordError {}

impl From<HeaderError> for RecordError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<PayloadError> for RecordError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

/// A checked record that borrows its payload: the header is in range, the checksum fits, and the
/// payload's accessors and iterators cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    header: DeltaHeader,
    payload_bytes: &'a [u8],
    payload: Payload<'a>,
}

impl<'a> Record<'a> {
    /// Checks a header and its payload, which may lie apart as in a ring. O(payload).
    ///
    /// # Errors
    /// See [`RecordError`].
    #[inline]
    pub fn from_parts(header: &[u8; HEADER_SIZE], payload: &'a [u8]) -> Result<Self, RecordError> {
        Self::assemble(DeltaHeader::parse(header)?, payload)
    }

    /// Checks a header's fields and the payload that belongs to it. O(payload).
    ///
    /// # Errors
    /// See [`RecordError`].
    #[inline]
    pub fn with_header(header: DeltaHeader, payload: &'a [u8]) -> Result<Self, RecordError> {
        header.check()?;
        Self::assemble(header, payload)
    }

    /// `header` is in range.
    #[inline]
    fn assemble(header: DeltaHeader, payload_bytes: &'a [u8]) -> Result<Self, RecordError> {
        let needed = header.payload_size as usize;
        if payload_bytes.len() < needed {
            return Err(RecordError::Truncated {
                needed: HEADER_SIZE + needed,
                found: HEADER_SIZE + payload_bytes.len(),
            });
        }
        if payload_bytes.len() > needed {
            return Err(RecordError::TrailingBytes {
                count: payload_bytes.len() - needed,
            });
        }
        header.verify(payload_bytes)?;
        let payload = Payload::parse(&header, payload_bytes)?;
        Ok(Self {
            header,
            payload_bytes,
            payload,
        })
    }

    /// Checks exactly one frame: header and payload, at any alignment. O(n).
    ///
    /// # Errors
    /// See [`RecordError`].
    ///
    /// ```
    /// use delta_core::{header::{DeltaHeader, Operation}, record::{Record, RecordError}};
    ///
    /// let slot = [9, 0, 0, 0];
    /// let header = DeltaHeader::new(Operation::Delete, 2, 1).seal(&slot)?;
    /// let mut frame = header.to_bytes().to_vec();
    /// frame.extend_from_slice(&slot);
    /// assert_eq!(Record::parse(&frame)?.header().sequence, 2);
    /// frame[64] ^= 1;
    /// assert!(matches!(Record::parse(&frame), Err(RecordError::Header(_))));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn parse(frame: &'a [u8]) -> Result<Self, RecordError> {
        let (record, rest) = Self::split(frame)?;
        if rest.is_empty() {
            Ok(record)
        } else {
            Err(RecordError::TrailingBytes { count: rest.len() })
        }
    }

    /// Checks the frame at the front of `bytes` and returns what follows it. O(frame).
    ///
    /// # Errors
    /// See [`RecordError`].
    #[inline]
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RecordError> {
        let found = bytes.len();
        let (header, rest) =
            bytes
                .split_first_chunk::<HEADER_SIZE>()
                .ok_or(RecordError::Truncated {
                    needed: HEADER_SIZE,
                    found,
                })?;
        let header = DeltaHeader::parse(header)?;
        let payload_size = header.payload_size as usize;
        let (payload, rest) =
            rest.split_at_checked(payload_size)
                .ok_or(RecordError::Truncated {
                    needed: HEADER_SIZE + payload_size,
                    found,
                })?;
        Ok((Self::assemble(header, payload)?, rest))
    }

    /// The header.
    #[inline]
    pub fn header(&self) -> &DeltaHeader {
        &self.header
    }

    /// The payload as it travels.
    #[inline]
    pub fn payload_bytes(&self) -> &'a [u8] {
        self.payload_bytes
    }

    /// The payload's parts.
    #[inline]
    pub fn payload(&self) -> &Payload<'a> {
        &self.payload
    }

    /// Whether the record changes the graph.
    #[inline]
    pub fn changes_graph(&self) -> bool {
        self.header.graph || self.header.operation == Operation::ReindexLayers
    }

    /// The record's change of the graph.
    #[inline]
    pub fn graph_change(&self) -> Option<Change<'a>> {
        match &self.payload {
            Payload::Insert(vector) | Payload::Update(vector) => vector.graph(),
            Payload::Delete { graph, .. } => *graph,
            Payload::Reindex(change) => Some(*change),
            Payload::Batch(_) | Payload::Tensor(_) | Payload::Control(_) => None,
        }
    }

    /// Bytes of the frame.
    #[inline]
    pub fn size(&self) -> usize {
        HEADER_SIZE + self.payload_bytes.len()
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
