//! Process: moves checked records from ring to ring, from a ring to bytes that travel, and back.

use delta_core::header::{HEADER_SIZE, Operation};
use delta_core::pipeline::process::{Process, RelayError, relay};
use delta_core::record::{Record, RecordError};
use delta_core::ring::{CommitError, Corrupt, ReserveError};

use super::rings::{self, Source, Target};
use crate::context::Stage;
use crate::error::{self, CallError, Details, Fault};
use crate::layout::Layout;
use crate::memory::Staging;
use crate::tables;

/// Why a record was not passed on. It stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessFault {
    Call(CallError),
    Source(Corrupt),
    Record(RecordError),
    Target(ReserveError),
    Commit(CommitError),
    /// A failure of the core's that has no name here yet.
    Relay(RelayError),
}

impl Fault for ProcessFault {
    fn code(&self) -> i32 {
        match *self {
            Self::Call(error) => error.code(),
            Self::Source(_) => error::RING_CORRUPT,
            Self::Record(error) => error::record_code(error),
            Self::Target(error) => error::reserve_code(error),
            Self::Commit(_) | Self::Relay(_) => error::CHANGE,
        }
    }

    fn details(&self) -> Details {
        match *self {
            Self::Call(error) => error.details(),
            Self::Record(error) => error::record_details(error),
            Self::Target(error) => error::reserve_details(error),
            _ => [0; 3],
        }
    }
}

impl From<CallError> for ProcessFault {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<RelayError> for ProcessFault {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Source(error) => Self::Source(error),
            RelayError::Record(error) => Self::Record(error),
            RelayError::Target(error) => Self::Target(error),
            RelayError::Commit(error) => Self::Commit(error),
            other => Self::Relay(other),
        }
    }
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Records by operation: insert, update, delete, batch-update, reindex-layers, control.
    records: [u64; 6],
    /// Bytes of the frames.
    bytes: u64,
}

impl Counters {
    /// u64 words of the counters as hosts get them.
    pub(crate) const WORDS: usize = 7;

    pub(crate) const fn words(self) -> [u64; Self::WORDS] {
        let [insert, update, delete, batch, reindex, control] = self.records;
        [insert, update, delete, batch, reindex, control, self.bytes]
    }
}

impl Process for Counters {
    fn process(&mut self, record: &Record<'_>) {
        let kind = match record.header().operation {
            Operation::Insert => 0,
            Operation::Update => 1,
            Operation::Delete => 2,
            Operation::BatchUpdate => 3,
            Operation::ReindexLayers => 4,
            // Control, and kinds that this module does not know yet.
            _ => 5,
        };
        if let Some(records) = self.records.get_mut(kind) {
            *records += 1;
        }
        self.bytes += record.size() as u64;
    }
}

/// A relay between two rings, of which either may be missing.
pub(crate) struct ProcessStage {
    pub(crate) staging: Staging,
    source: Option<Source>,
    target: Option<Target>,
    pub(crate) counters: Counters,
}

impl Stage for ProcessStage {
    const TAG: u32 = u32::from_le_bytes(*b"DLTp");
    type Fault = ProcessFault;

    fn open(layout: &Layout) -> Result<Self, ProcessFault> {
        Ok(Self {
            staging: tables::staging(layout),
            source: layout.source.map(rings::source).transpose()?,
            target: layout.target.map(rings::target).transpose()?,
            counters: Counters::default(),
        })
    }
}

impl ProcessStage {
    /// Moves at most `max` records from ring to ring; returns how many: fewer if the source is
    /// empty or the target full.
    pub(crate) fn relay(&mut self, max: u32) -> Result<u32, ProcessFault> {
        let (Some(source), Some(target)) = (&mut self.source, &mut self.target) else {
            return Err(CallError::NoRing.into());
        };
        for moved in 0..max {
            // What the target has no room for comes again: it must not be counted twice.
            let mut counters = self.counters;
            match relay(source, &mut counters, target) {
                Ok(true) => self.counters = counters,
                Ok(false) | Err(RelayError::Target(ReserveError::Full { .. })) => return Ok(moved),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(max)
    }

    /// Moves records of the source to the staging area as frames, one behind another, as many as
    /// `size` bytes hold; returns the bytes. A first frame that does not fit is an error. Damage
    /// behind other frames is one of the next call: these have left the ring.
    pub(crate) fn take(&mut self, address: usize, size: usize) -> Result<u32, ProcessFault> {
        let mut written = 0;
        loop {
            match self.take_one(address, size, written) {
                Ok(0) => break,
                Ok(taken) => written += taken,
                Err(_) if written > 0 => break,
                Err(fault) => return Err(fault),
            }
        }
        // At most `size`, which is below 2^32 on wasm32.
        Ok(u32::try_from(written).unwrap_or(u32::MAX))
    }

    /// Moves one record to the `size` bytes at `address`, behind the `written` that hold others.
    /// Returns its bytes; 0 if none has arrived. An error leaves it in the ring.
    fn take_one(
        &mut self,
        address: usize,
        size: usize,
        written: usize,
    ) -> Result<usize, ProcessFault> {
        let source = self.source.as_mut().ok_or(CallError::NoRing)?;
        let out = self.staging.bytes_mut(address, size)?;
        let Some(received) = source.poll().map_err(ProcessFault::Source)? else {
            return Ok(0);
        };
        let (header, payload) = (received.header(), received.payload());
        let record = Record::from_parts(header, payload).map_err(ProcessFault::Record)?;
        let (needed, given) = (record.size(), size);
        let too_small = CallError::OutputTooSmall { needed, given };
        let frame = out.get_mut(written..written + needed).ok_or(too_small)?;
        if let Some((head, body)) = frame.split_first_chunk_mut::<HEADER_SIZE>() {
            *head = *header;
            body.copy_from_slice(payload);
        }
        self.counters.process(&record);
        received.done();
        Ok(needed)
    }

    /// Moves the frames in the staging area to the target; returns the bytes taken: fewer if the
    /// target is full. A first frame that is refused is an error; one behind others is that of the
    /// next call: these are in the ring.
    pub(crate) fn give(&mut self, address: usize, size: usize) -> Result<u32, ProcessFault> {
        let mut given = 0;
        while given < size {
            match self.give_one(address + given, size - given) {
                Ok(0) => break,
                Ok(bytes) => given += bytes,
                Err(_) if given > 0 => break,
                Err(fault) => return Err(fault),
            }
        }
        // At most `size`, which is below 2^32 on wasm32.
        Ok(u32::try_from(given).unwrap_or(u32::MAX))
    }

    /// Moves the first of the frames in the `size` bytes at `address`; returns its bytes, 0 if the
    /// target is full.
    fn give_one(&mut self, address: usize, size: usize) -> Result<usize, ProcessFault> {
        let target = self.target.as_mut().ok_or(CallError::NoRing)?;
        let frames = self.staging.bytes(address, size)?;
        let (record, _) = Record::split(frames).map_err(ProcessFault::Record)?;
        let mut grant = match target.reserve(record.payload_bytes().len()) {
            Ok(grant) => grant,
            Err(ReserveError::Full { .. }) => return Ok(0),
            Err(error) => return Err(ProcessFault::Target(error)),
        };
        grant.payload_mut().copy_from_slice(record.payload_bytes());
        grant
            .commit(&record.header().to_bytes())
            .map_err(ProcessFault::Commit)?;
        self.counters.process(&record);
        Ok(record.size())
    }

    /// Waits once: for a record, or if there is one for room to put it. Whether both are there.
    pub(crate) fn wait(&mut self) -> Result<bool, ProcessFault> {
        let source = self.source.as_mut().ok_or(CallError::NoRing)?;
        let polled = source.poll().map_err(ProcessFault::Source)?;
        let Some(size) = polled.map(|received| received.payload().len()) else {
            return source.wait_once().map_err(ProcessFault::Source);
        };
        match &mut self.target {
            Some(target) => target.wait_once(size).map_err(ProcessFault::Target),
            None => Ok(true),
        }
    }

    /// Checks the one frame at `address`.
    pub(crate) fn check(&self, address: usize, size: usize) -> Result<(), ProcessFault> {
        let frame = self.staging.bytes(address, size)?;
        Record::parse(frame).map(drop).map_err(ProcessFault::Record)
    }
}
