//! The consuming end.

use crate::{
    checkpoint::CheckpointMarker,
    header::DeltaHeader,
    pipeline::{
        apply::{Applier, BatchApplyError, BatchResult, Outcome, Undo},
        counters::Counters,
        sequencer::Position,
    },
    record::{Record, RecordError},
    retain::{Place, Retention, SeekError},
    store::{Cleaned, Cleanup, Rewind, SliceStore},
};
use core::fmt;

/// The memory that an [`ApplySession`] works in.
#[derive(Debug)]
pub struct ApplyMemory<'m> {
    /// As an [`Applier`] needs it.
    pub scratch: &'m mut [u8],
    /// How to take records back: what bounds how far [`ApplySession::seek`] goes back.
    pub undo: &'m mut [u8],
    /// The frames that are kept, to go forward again.
    pub bytes: &'m mut [u8],
    /// One for each frame that may be kept.
    pub places: &'m mut [Place],
}

/// Why a record was not applied, or a position not reached. The replica is at a record's boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionApplyError {
    /// Header and payload are no record.
    Record(RecordError),
    /// The replica refuses the record.
    Apply(BatchApplyError),
    /// The position is out of reach; nothing has changed.
    Seek(SeekError),
}

impl fmt::Display for SessionApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Record(error) => error.fmt(f),
            Self::Apply(error) => error.fmt(f),
            Self::Seek(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SessionApplyError {}

/// Applies records to a replica and goes back and forth among the last of them.
///
/// ```
/// use delta_core::header::{DeltaHeader, Operation};
/// use delta_core::pipeline::{sequencer::Position, session::{ApplyMemory, ApplySession}};
/// use delta_core::retain::Place;
/// use delta_core::store::{Replica, SliceMemory, SliceStore, Slot};
///
/// let (mut rows, mut slots) = ([1.0, 2.0], [Slot::default(); 1]);
/// let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut [] };
/// let store = SliceStore::with_base(2, 1, memory);
/// let (mut undo, mut bytes, mut places) = ([0; 512], [0; 512], [Place::default(); 8]);
/// let mut session = ApplySession::init_apply(store, Position::START, ApplyMemory {
///     scratch: &mut [], undo: &mut undo, bytes: &mut bytes, places: &mut places,
/// });
/// let slot_0 = [0, 0, 0, 0];
/// let delete = DeltaHeader::new(Operation::Delete, 1, 1).seal(&slot_0)?;
/// assert_eq!(session.apply_delta(delete, &slot_0)?, 1);
/// assert!(session.replica().is_deleted(0));
/// session.seek(0)?;
/// assert!(!session.replica().is_deleted(0));
/// session.seek(1)?;
/// assert_eq!(session.current_position().sequence, 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ApplySession<'m, R> {
    replica: R,
    applier: Applier<'m>,
    undo: Undo<'m>,
    retention: Retention<'m>,
    timestamp_us: u64,
    cleanup: Cleanup,
}

impl<'m, R: Rewind> ApplySession<'m, R> {
    /// A session over `replica`, which is at `position`.
    pub fn init_apply(replica: R, position: Position, memory: ApplyMemory<'m>) -> Self {
        let ApplyMemory {
            scratch,
            undo,
            bytes,
            places,
        } = memory;
        Self {
            replica,
            applier: Applier::new(position, scratch),
            undo: Undo::new(undo),
            retention: Retention::new(position.sequence, bytes, places),
            timestamp_us: 0,
            cleanup: Cleanup::default(),
        }
    }

    /// Counts what becomes of records in `counters`, which this session alone may feed.
    #[must_use]
    pub fn with_counters(mut self, counters: &'m Counters) -> Self {
        self.applier = self.applier.with_counters(counters);
        self
    }

    /// Applies one record, or skips it if it was applied before, and returns the sequence at which
    /// the replica is. O(change + rows changed).
    ///
    /// # Errors
    /// See [`SessionApplyError`]; nothing has changed then.
    pub fn apply_delta(
        &mut self,
        header: DeltaHeader,
        payload: &[u8],
    ) -> Result<u64, SessionApplyError> {
        let record = Record::with_header(header, payload).map_err(SessionApplyError::Record)?;
        let outcome = self
            .applier
            .apply_undoable(&record, &mut self.replica, &mut self.undo)
            .map_err(SessionApplyError::Apply)?;
        if outcome == Outcome::Applied {
            self.retain(&record);
        }
        Ok(self.current_position().sequence)
    }

    /// Applies several records, all or none. O(changes + rows changed).
    ///
    /// # Errors
    /// See [`SessionApplyError`]; nothing has changed then.
    pub fn apply_batch(
        &mut self,
        deltas: &[(DeltaHeader, &[u8])],
    ) -> Result<BatchResult, SessionApplyError> {
        for (header, payload) in deltas {
            Record::with_header(*header, payload).map_err(SessionApplyError::Record)?;
        }
        let before = self.current_position().sequence;
        let records = deltas
            .iter()
            .filter_map(|(header, payload)| Record::with_header(*header, payload).ok());
        let result = self
            .applier
            .apply_batch(records.clone(), &mut self.replica, &mut self.undo)
            .map_err(SessionApplyError::Apply)?;
        let mut retained = before;
        for record in records {
            // A record may stand in the batch again.
            if record.header().sequence > retained {
                retained = record.header().sequence;
                self.retain(&record);
            }
        }
        Ok(result)
    }

    /// What follows the record before this one is what follows from now on.
    fn retain(&mut self, record: &Record<'_>) {
        self.timestamp_us = record.header().timestamp_us;
        self.retention.truncate(record.header().sequence - 1);
        // One that does not fit cannot be gone forward to: the next seek says so.
        self.retention
            .append(record.header(), record.payload_bytes());
    }

    /// Epoch, sequence and digest after the last applied record.
    pub fn current_position(&self) -> Position {
        self.applier.current_position()
    }

    /// Brings the replica to the state after the record of `sequence`, back by taking records
    /// back, forward by applying those that were kept. O(records between, rows changed).
    ///
    /// # Errors
    /// [`SeekError::TooOld`]: a snapshot is needed; [`SeekError::NotYet`]: apply more records;
    /// nothing has changed in either case.
    pub fn seek(&mut self, sequence: u64) -> Result<(), SessionApplyError> {
        let current = self.current_position().sequence;
        let oldest = self.undo.oldest_sequence().unwrap_or(current);
        if sequence < oldest.min(current) {
            return Err(SessionApplyError::Seek(SeekError::TooOld { oldest }));
        }
        if sequence > current {
            for next in current + 1..=sequence {
                self.retention
                    .frame(next)
                    .map_err(SessionApplyError::Seek)?;
            }
        }
        while self.current_position().sequence > sequence {
            if self
                .applier
                .step_back(&mut self.replica, &mut self.undo)
                .is_none()
            {
                return Err(SessionApplyError::Seek(SeekError::TooOld { oldest }));
            }
        }
        while self.current_position().sequence < sequence {
            let next = self.current_position().sequence + 1;
            let frame = self
                .retention
                .frame(next)
                .map_err(SessionApplyError::Seek)?;
            let record = Record::parse(frame).map_err(SessionApplyError::Record)?;
            let outcome = self
                .applier
                .apply_undoable(&record, &mut self.replica, &mut self.undo)
                .map_err(SessionApplyError::Apply)?;
            // No frame leads nowhere; one that did would be met for ever.
            if outcome != Outcome::Applied {
                let oldest = self.current_position().sequence;
                return Err(SessionApplyError::Seek(SeekError::TooOld { oldest }));
            }
        }
        Ok(())
    }

    /// Where the replica is: to be kept, with its state, by a reader that wants to go on from it.
    pub fn checkpoint(&self) -> CheckpointMarker {
        CheckpointMarker {
            position: self.current_position(),
            slot_count: self.replica.slot_count(),
            timestamp_us: self.timestamp_us,
        }
    }

    /// The replica.
    pub fn replica(&self) -> &R {
        &self.replica
    }
}

impl ApplySession<'_, SliceStore<'_>> {
    /// Cleans up behind deletions that [`seek`](Self::seek) cannot take back any more, at most
    /// `slots_max` slots: for when there is nothing else to do. O(slots_max, and the row and
    /// metadata of each that is erased).
    pub fn clean_up(&mut self, slots_max: u32) -> Cleaned {
        let current = self.current_position().sequence;
        let oldest = self.undo.oldest_sequence().unwrap_or(current);
        self.cleanup.step(&mut self.replica, oldest, slots_max)
    }
}
