//! The producing end.

use crate::{
    checkpoint::CheckpointMarker,
    header::{DeltaHeader, HEADER_SIZE},
    payload::{control::CONTROL_SIZE, metadata::MetadataEdit},
    pipeline::counters::Counters,
    pipeline::sequencer::{Position, PrepareError, Prepared, Sequencer, SlotState},
    retain::{Place, Retention, SeekError},
};
use core::fmt;

/// What a capture session starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureConfig {
    /// Components of every row, at least 1.
    pub dim: u32,
    /// Slots of the base.
    pub slot_count: u32,
    /// Epoch, sequence and digest of the base.
    pub position: Position,
}

/// The memory that a [`CaptureSession`] works in.
#[derive(Debug)]
pub struct CaptureMemory<'m> {
    /// One for each slot that the stream may use.
    pub slots: &'m mut [SlotState],
    /// The frames that are kept.
    pub bytes: &'m mut [u8],
    /// One for each frame that may be kept.
    pub places: &'m mut [Place],
}

/// Why a change was not captured. Nothing has changed, but the oldest frames may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The stream has not started, or has already.
    Started {
        /// Whether it has.
        started: bool,
    },
    /// The change is refused.
    Prepare(PrepareError),
    /// The memory for frames cannot even hold this one alone.
    FrameTooLarge {
        /// Bytes that may be needed.
        needed: usize,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Started { started: true } => write!(f, "the stream has started: start it once"),
            Self::Started { started: false } => {
                write!(f, "the stream has not started: call start_capture first")
            }
            Self::Prepare(error) => error.fmt(f),
            Self::FrameTooLarge { needed } => write!(
                f,
                "a frame of up to {needed} bytes does not fit the session: give more bytes"
            ),
        }
    }
}

impl core::error::Error for SessionError {}

/// Numbers changes and keeps their records until the reader has fetched them. See
/// [`session`](super) for an example.
///
/// ```
/// use delta_core::pipeline::sequencer::{Position, SlotState};
/// use delta_core::pipeline::session::{CaptureConfig, CaptureMemory, CaptureSession};
/// use delta_core::retain::Place;
///
/// let (mut slots, mut bytes) = ([SlotState::default(); 8], [0; 4096]);
/// let mut places = [Place::default(); 32];
/// let config = CaptureConfig { dim: 2, slot_count: 0, position: Position::START };
/// let mut session = CaptureSession::init_capture(config, CaptureMemory {
///     slots: &mut slots, bytes: &mut bytes, places: &mut places,
/// });
/// session.start_capture(b"mine")?;
/// let slot = session.insert(b"doc-1", &[1.0, 2.0], &[])?;
/// session.update(slot, &[1.0, 2.0], &[1.0, 2.5], &[])?;
/// let sequences: Vec<u64> = session.poll_deltas(10)?.map(|header| header.sequence).collect();
/// assert_eq!(sequences, [1, 2, 3]);
/// assert_eq!(session.get_payload(1)?[16..], *b"mine");
/// assert_eq!(session.get_frame(1)?[64..], *session.get_payload(1)?);
/// assert_eq!(session.checkpoint().position.sequence, 3);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CaptureSession<'m> {
    sequencer: Sequencer<'m>,
    retention: Retention<'m>,
    started: bool,
    timestamp_us: u64,
    /// Sequence of the last polled record.
    polled: u64,
}

impl<'m> CaptureSession<'m> {
    /// A session at `config`'s position that has captured nothing. O(slots), which it clears.
    ///
    /// # Panics
    /// As [`Sequencer::new`].
    pub fn init_capture(config: CaptureConfig, memory: CaptureMemory<'m>) -> Self {
        let CaptureMemory {
            slots,
            bytes,
            places,
        } = memory;
        let CaptureConfig {
            dim,
            slot_count,
            position,
        } = config;
        Self {
            sequencer: Sequencer::new(dim, slots, slot_count, position),
            retention: Retention::new(position.sequence, bytes, places),
            started: false,
            timestamp_us: 0,
            polled: position.sequence,
        }
    }

    /// Counts the records in `counters`, which this session alone may feed.
    #[must_use]
    pub fn with_counters(mut self, counters: &'m Counters) -> Self {
        self.sequencer = self.sequencer.with_counters(counters);
        self
    }

    /// Captures the start of the stream, with bytes of the caller's own; changes follow it.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn start_capture(&mut self, consumer_bytes: &[u8]) -> Result<(), SessionError> {
        if self.started {
            return Err(SessionError::Started { started: true });
        }
        self.record(CONTROL_SIZE + consumer_bytes.len(), |sequencer, out| {
            sequencer.prepare_start(consumer_bytes, out)
        })?;
        self.started = true;
        Ok(())
    }

    /// The time that the following records carry, microseconds since the Unix epoch.
    pub fn set_timestamp_us(&mut self, timestamp_us: u64) {
        self.timestamp_us = timestamp_us;
        self.sequencer.set_timestamp_us(timestamp_us);
    }

    /// Captures a new entity and returns its slot. O(dim + metadata).
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn insert(
        &mut self,
        id: &[u8],
        row: &[f32],
        metadata: &[MetadataEdit<'_>],
    ) -> Result<u32, SessionError> {
        let slot = self.sequencer.slot_count();
        self.change(
            Sequencer::insert_size_max(id, row, metadata),
            |sequencer, out| sequencer.prepare_insert(id, row, metadata, out, None),
        )?;
        Ok(slot)
    }

    /// Captures that the row of `slot` changes from `old` to `new`, and its metadata. O(dim).
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn update(
        &mut self,
        slot: u32,
        old: &[f32],
        new: &[f32],
        metadata: &[MetadataEdit<'_>],
    ) -> Result<(), SessionError> {
        self.change(
            Sequencer::update_size_max(new, metadata),
            |sequencer, out| sequencer.prepare_update(slot, old, new, metadata, out, None),
        )
    }

    /// Captures that the entity of `slot` is deleted.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn delete(&mut self, slot: u32) -> Result<(), SessionError> {
        self.change(4, |sequencer, out| sequencer.prepare_delete(slot, out))
    }

    fn change(
        &mut self,
        size_max: usize,
        prepare: impl FnOnce(&Sequencer<'m>, &mut [u8]) -> Result<Prepared, PrepareError>,
    ) -> Result<(), SessionError> {
        if !self.started {
            return Err(SessionError::Started { started: false });
        }
        self.record(size_max, prepare)
    }

    fn record(
        &mut self,
        size_max: usize,
        prepare: impl FnOnce(&Sequencer<'m>, &mut [u8]) -> Result<Prepared, PrepareError>,
    ) -> Result<(), SessionError> {
        let needed = HEADER_SIZE + size_max;
        let (head, payload) = self
            .retention
            .reserve(needed)
            .and_then(|place| place.split_first_chunk_mut::<HEADER_SIZE>())
            .ok_or(SessionError::FrameTooLarge { needed })?;
        let prepared = prepare(&self.sequencer, payload).map_err(SessionError::Prepare)?;
        *head = prepared.header.to_bytes();
        let size = HEADER_SIZE + prepared.header.payload_size as usize;
        self.retention.commit(size);
        self.sequencer.commit(prepared);
        Ok(())
    }

    /// The headers of the next records, at most `batch_max`, in their order. O(records).
    ///
    /// # Errors
    /// [`SeekError::TooOld`]: the reader was too slow, records are gone, it needs a snapshot.
    pub fn poll_deltas(
        &mut self,
        batch_max: u32,
    ) -> Result<impl Iterator<Item = DeltaHeader> + '_, SeekError> {
        let first = self.polled + 1;
        let oldest = self.retention.oldest();
        if first < oldest {
            return Err(SeekError::TooOld { oldest });
        }
        let last = self
            .retention
            .newest()
            .min(self.polled + u64::from(batch_max));
        self.polled = last;
        let retention = &self.retention;
        Ok((first..=last).filter_map(move |sequence| {
            let frame = retention.frame(sequence).ok()?;
            DeltaHeader::parse(frame.first_chunk()?).ok()
        }))
    }

    /// The payload of the record of `sequence`, as long as it is kept. O(1).
    ///
    /// # Errors
    /// See [`SeekError`].
    pub fn get_payload(&self, sequence: u64) -> Result<&[u8], SeekError> {
        let frame = self.get_frame(sequence)?;
        Ok(frame.get(HEADER_SIZE..).unwrap_or_default())
    }

    /// The whole frame of the record of `sequence`: header and payload. O(1).
    ///
    /// # Errors
    /// See [`SeekError`].
    pub fn get_frame(&self, sequence: u64) -> Result<&[u8], SeekError> {
        self.retention.frame(sequence)
    }

    /// Where the stream is: to be kept, with the state, by a writer that wants to go on from it.
    pub fn checkpoint(&self) -> CheckpointMarker {
        CheckpointMarker {
            position: self.sequencer.position(),
            slot_count: self.sequencer.slot_count(),
            timestamp_us: self.timestamp_us,
        }
    }
}
