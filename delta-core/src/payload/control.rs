//! Control payloads: where a stream starts, ends, changes its epoch, and how far the source of a
//! derived stream has been read (WIRE.md, section 3).

use super::{PayloadError, require_no_entity, require_zero, size_error};
use crate::{graph::GraphParameters, header::DeltaHeader};

/// Bytes of the fixed part of every control payload.
pub const CONTROL_SIZE: usize = 16;

/// A checked control payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control<'a> {
    /// The stream's first record. The header carries the digest of the base.
    Start {
        /// Components of a row, at least 1.
        dim: u32,
        /// Slots of the base.
        slot_count: u32,
        /// The stream's graph, if it has one.
        graph: Option<GraphParameters>,
        /// Bytes of the consumer's own, such as a file header.
        consumer_bytes: &'a [u8],
    },
    /// The stream's last record. The header carries the final digest.
    End {
        /// Records between start and end.
        record_count: u64,
    },
    /// A restarted writer goes on under a new epoch, which the header carries with the digest.
    Resync {
        /// Sequence of the last record before: the header's sequence less 1.
        position: u64,
    },
    /// How far the source of a derived stream has been read.
    Watermark {
        /// Epoch of the source.
        source_epoch: u32,
        /// Sequence of the source.
        source_sequence: u64,
    },
    /// The beginning of a range segment, which stands for the records after `from_sequence` up to
    /// the header's sequence. The header carries the digest after it.
    Range {
        /// Epoch where the segment can be applied.
        from_epoch: u32,
        /// Sequence where the segment can be applied.
        from_sequence: u64,
        /// Digest where the segment can be applied.
        from_digest: u64,
        /// Records that follow.
        record_count: u32,
        /// Their bytes.
        size: u64,
    },
    /// In a range segment: an entity that was inserted and deleted within the range.
    Erased {
        /// Its slot, the next one.
        slot: u32,
        /// What the terms of its row, id and metadata came to when it was deleted.
        sum: u64,
    },
}

/// The kind and three reserved bytes; then three words, of which the last two can be one u64.
type Fixed = [[u8; 4]; CONTROL_SIZE / 4];

const START: u8 = 0;
const END: u8 = 1;
const RESYNC: u8 = 2;
const WATERMARK: u8 = 3;
const RANGE: u8 = 4;
const ERASED: u8 = 5;

/// Bytes of the payload of a range.
pub const RANGE_SIZE: usize = 40;

/// What follows the fixed part of a range: digest, record count, 0, size.
type RangeRest = [[u8; 8]; 3];

impl<'a> Control<'a> {
    /// The name that the wire format and the `delta` command use.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::End { .. } => "end",
            Self::Resync { .. } => "resync",
            Self::Watermark { .. } => "watermark",
            Self::Range { .. } => "range",
            Self::Erased { .. } => "erased",
        }
    }

    /// Checks a control payload.
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn parse(header: &DeltaHeader, bytes: &'a [u8]) -> Result<Self, PayloadError> {
        require_no_entity(header)?;
        let (fixed, consumer_bytes) = bytes
            .split_first_chunk::<CONTROL_SIZE>()
            .ok_or(size_error(CONTROL_SIZE, bytes))?;
        let [[kind, reserved @ ..], word, low, high]: Fixed = bytemuck::cast(*fixed);
        let word = u32::from_le_bytes(word);
        let long = u64::from_le_bytes(bytemuck::cast([low, high]));
        if kind > ERASED {
            return Err(PayloadError::UnknownControl { found: kind });
        }
        require_zero(&reserved, 1)?;
        if !matches!(kind, START | RANGE) && !consumer_bytes.is_empty() {
            return Err(size_error(CONTROL_SIZE, bytes));
        }
        let has_digest = !matches!(kind, WATERMARK | ERASED);
        if has_digest && header.state_digest.is_none() {
            return Err(PayloadError::HeaderField { offset: 9 });
        }
        match kind {
            START => {
                let graph = GraphParameters::from_wire(high)
                    .map_err(|byte| PayloadError::GraphParameters { offset: 12 + byte })?;
                if word == 0 {
                    return Err(PayloadError::ZeroDim);
                }
                Ok(Self::Start {
                    dim: word,
                    slot_count: u32::from_le_bytes(low),
                    graph,
                    consumer_bytes,
                })
            }
            END => {
                require_zero(&word.to_le_bytes(), 4)?;
                Ok(Self::End { record_count: long })
            }
            RESYNC => {
                require_zero(&word.to_le_bytes(), 4)?;
                if header.sequence.checked_sub(1) != Some(long) {
                    return Err(PayloadError::HeaderField { offset: 0 });
                }
                Ok(Self::Resync { position: long })
            }
            RANGE => Self::parse_range(header, word, long, consumer_bytes),
            ERASED => Ok(Self::Erased {
                slot: word,
                sum: long,
            }),
            _ => Ok(Self::Watermark {
                source_epoch: word,
                source_sequence: long,
            }),
        }
    }

    fn parse_range(
        header: &DeltaHeader,
        epoch: u32,
        sequence: u64,
        rest: &[u8],
    ) -> Result<Self, PayloadError> {
        let fields: RangeRest = rest
            .try_into()
            .map(|rest: [u8; RANGE_SIZE - CONTROL_SIZE]| bytemuck::cast(rest))
            .map_err(|_| PayloadError::Size {
                expected: RANGE_SIZE as u64,
                found: (CONTROL_SIZE + rest.len()) as u64,
            })?;
        let [digest, [c0, c1, c2, c3, zero @ ..], size] = fields;
        require_zero(&zero, 28)?;
        if sequence >= header.sequence || epoch == 0 || epoch > header.epoch {
            return Err(PayloadError::HeaderField { offset: 0 });
        }
        Ok(Self::Range {
            from_epoch: epoch,
            from_sequence: sequence,
            from_digest: u64::from_le_bytes(digest),
            record_count: u32::from_le_bytes([c0, c1, c2, c3]),
            size: u64::from_le_bytes(size),
        })
    }

    /// Bytes of the payload.
    pub fn size(&self) -> usize {
        CONTROL_SIZE
            + match self {
                Self::Start { consumer_bytes, .. } => consumer_bytes.len(),
                Self::Range { .. } => RANGE_SIZE - CONTROL_SIZE,
                _ => 0,
            }
    }

    /// Writes the payload to the front of `out`; `None` if it is shorter than [`Self::size`].
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (kind, word, long) = match *self {
            Self::Start {
                dim,
                slot_count,
                graph,
                ..
            } => {
                let graph = u32::from_le_bytes(GraphParameters::to_wire(graph));
                (START, dim, u64::from(slot_count) | u64::from(graph) << 32)
            }
            Self::End { record_count } => (END, 0, record_count),
            Self::Resync { position } => (RESYNC, 0, position),
            Self::Watermark {
                source_epoch,
                source_sequence,
            } => (WATERMARK, source_epoch, source_sequence),
            Self::Range {
                from_epoch,
                from_sequence,
                ..
            } => (RANGE, from_epoch, from_sequence),
            Self::Erased { slot, sum } => (ERASED, slot, sum),
        };
        let (fixed, rest) = out.split_first_chunk_mut::<CONTROL_SIZE>()?;
        let [low, high] = bytemuck::cast(long.to_le_bytes());
        let fields: Fixed = [[kind, 0, 0, 0], word.to_le_bytes(), low, high];
        *fixed = bytemuck::cast(fields);
        if let Self::Start { consumer_bytes, .. } = self {
            rest.get_mut(..consumer_bytes.len())?
                .copy_from_slice(consumer_bytes);
        }
        if let Self::Range {
            from_digest,
            record_count,
            size,
            ..
        } = *self
        {
            let count = u64::from(record_count);
            let fields: RangeRest = [from_digest, count, size].map(u64::to_le_bytes);
            let bytes: [u8; RANGE_SIZE - CONTROL_SIZE] = bytemuck::cast(fields);
            *rest.first_chunk_mut()? = bytes;
        }
        Some(self.size())
    }
}
