//! Compaction: the records of (a, b] become one range segment, which has the last state of every
//! entity that they touched and drops the way to it (WIRE.md, section 10).
//!
//! Chains of updates merge into one; of an entity that is inserted and deleted within the range
//! its slot is left, and what it adds to the digest. Of a graph ([`Compactor::with_graph`]) every
//! list that changes is there once, as it is in the end; its tombstones keep their rows, through
//! which searches walk. Replaying the segment gives the state that replaying the records gives,
//! last sequences and digest included, and compacting a segment gives the same bytes again. The
//! workspace is the caller's and bounded: when it is full, the range so far is a segment, and the
//! rest another.
//!
//! ```
//! use delta_core::compact::{CompactMemory, Compactor, RangeSegment, Touched};
//! use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
//! use delta_core::record::Record;
//!
//! // A log: an insert and two updates of it.
//! let mut slots = [SlotState::default(); 4];
//! let mut sequencer = Sequencer::new(2, &mut slots, 0, Position::START);
//! let mut memory = ([Touched::default(); 8], [0; 16], [0.0; 16], [0; 8], [0; 256]);
//! let mut compactor = Compactor::new(2, Position::START, CompactMemory {
//!     touched: &mut memory.0, index: &mut memory.1, rows: &mut memory.2, changed: &mut memory.3,
//!     text: &mut memory.4, scratch: &mut [],
//! });
//! let mut out = [0; 128];
//! let rows = [[1.0, 2.0], [1.5, 2.0], [1.5, 2.5]];
//! let prepared = sequencer.prepare_insert(b"a", &rows[0], &[], &mut out, None)?;
//! let header = prepared.header;
//! sequencer.commit(prepared);
//! compactor.push(&Record::with_header(header, &out[..header.payload_size as usize])?)?;
//! for step in rows.windows(2) {
//!     let prepared = sequencer.prepare_update(0, &step[0], &step[1], &[], &mut out, None)?;
//!     let header = prepared.header;
//!     sequencer.commit(prepared);
//!     compactor.push(&Record::with_header(header, &out[..header.payload_size as usize])?)?;
//! }
//!
//! let mut segment = [0; 512];
//! let size = compactor.finish(&mut segment)?;
//! let segment = RangeSegment::parse(&segment[..size])?;
//! assert_eq!((segment.from().sequence, segment.to()), (0, sequencer.position()));
//! assert_eq!(segment.records().count(), 1);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod base;
mod emit;
mod error;
mod graph;
mod rows;
mod segment;
mod touched;
mod workspace;

pub use base::NoRows;
pub use error::{CompactError, RangeError};
pub use segment::{RangeRecords, RangeSegment};
pub use touched::Touched;
pub use workspace::CompactMemory;

use crate::{
    graph::{Adjacency, CheckedChange, search::Rows},
    header::{DeltaHeader, HEADER_SIZE},
    kernel::VectorUnit,
    payload::{Payload, control::Control},
    pipeline::sequencer::Position,
    record::Record,
};
use emit::Span;
use graph::RangeGraph;
use workspace::Workspace;

/// Takes the records of a range one by one and writes the segment that stands for them.
#[derive(Debug)]
pub struct Compactor<'m, B = NoRows> {
    work: Workspace<'m>,
    from: Position,
    epoch: u32,
    sequence: u64,
    /// Digest after the last record, if it said so.
    digest: Option<u64>,
    timestamp_us: u64,
    /// Rows at `from`.
    base: B,
    /// The graph after the last record.
    graph: Option<RangeGraph<'m>>,
    unit: VectorUnit,
}

impl<'m> Compactor<'m> {
    /// Compacts what follows `from` in a stream of rows of `dim` components.
    ///
    /// # Panics
    /// If `dim` is 0.
    pub fn new(dim: u32, from: Position, memory: CompactMemory<'m>) -> Self {
        Self::with_base(dim, from, memory, NoRows)
    }
}

impl<'m, B: Rows> Compactor<'m, B> {
    /// As [`Compactor::new`], with the rows as they are at `from`, against which relative records
    /// are decoded.
    ///
    /// # Panics
    /// If `dim` is 0.
    pub fn with_base(dim: u32, from: Position, memory: CompactMemory<'m>, base: B) -> Self {
        assert!(dim > 0, "a row has at least one component");
        Self {
            work: Workspace::new(dim, memory),
            from,
            epoch: from.epoch,
            sequence: from.sequence,
            digest: Some(from.digest),
            timestamp_us: 0,
            base,
            graph: None,
            unit: VectorUnit::BASELINE,
        }
    }

    /// Decodes on this unit of the processor: the same segment, sooner.
    #[must_use]
    pub fn on(mut self, unit: VectorUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Compacts the stream's graph too, which is `graph` at the range's beginning and follows the
    /// records from there. `named` has a word for each node that it can hold; it is cleared.
    ///
    /// # Panics
    /// If `named` is shorter.
    #[must_use]
    pub fn with_graph(mut self, graph: Adjacency<'m>, named: &'m mut [u32]) -> Self {
        self.graph = Some(RangeGraph::new(graph, named));
        self
    }

    /// The rows at the range's beginning: to be brought to the end of a segment, by applying it,
    /// before the first record of the next range is pushed. Only relative records are decoded
    /// against them.
    pub fn base_mut(&mut self) -> &mut B {
        &mut self.base
    }

    /// Where the range begins.
    pub fn from(&self) -> Position {
        self.from
    }

    /// Sequence of the last record taken.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// No record was taken since the last segment.
    pub fn is_empty(&self) -> bool {
        self.sequence == self.from.sequence
    }

    /// Takes the next record. O(change).
    ///
    /// # Errors
    /// See [`CompactError`]; nothing has changed then. On [`CompactError::Full`] call
    /// [`finish`](Self::finish) and push the record again: it begins the next range.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), CompactError> {
        let header = record.header();
        let expected = self.sequence + 1;
        if header.sequence != expected {
            let found = header.sequence;
            return Err(CompactError::Sequence { expected, found });
        }
        let resync = matches!(record.payload(), Payload::Control(Control::Resync { .. }));
        if header.epoch < self.epoch || (header.epoch > self.epoch) != resync {
            let (expected, found) = (self.epoch, header.epoch);
            return Err(CompactError::Epoch { expected, found });
        }
        self.take(record)?;
        self.advance(header, header.sequence);
        Ok(())
    }

    /// Takes a whole segment that begins where the records so far end. O(segment).
    ///
    /// # Errors
    /// As [`push`](Self::push). [`CompactError::Full`] leaves the range half taken where it cannot
    /// hold the segment: give this compactor more memory and begin anew.
    pub fn push_segment(&mut self, segment: &RangeSegment<'_>) -> Result<(), CompactError> {
        let (expected, found) = (self.sequence, segment.from().sequence);
        if found != expected || segment.from().epoch != self.epoch {
            return Err(CompactError::Sequence { expected, found });
        }
        for record in segment.records() {
            self.take(&record)?;
        }
        self.advance(segment.header(), segment.to().sequence);
        Ok(())
    }

    fn advance(&mut self, header: &DeltaHeader, sequence: u64) {
        self.sequence = sequence;
        self.epoch = header.epoch;
        self.timestamp_us = header.timestamp_us;
        self.digest = header.state_digest;
    }

    #[inline]
    fn take(&mut self, record: &Record<'_>) -> Result<(), CompactError> {
        let checked = self.check_graph(record)?;
        self.take_rows(record)?;
        if let (Some(graph), Some(checked)) = (&mut self.graph, checked) {
            graph.make(checked);
        }
        Ok(())
    }

    #[inline]
    fn check_graph<'r>(
        &self,
        record: &Record<'r>,
    ) -> Result<Option<CheckedChange<'r>>, CompactError> {
        let sequence = record.header().sequence;
        match (record.graph_change(), &self.graph) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(CompactError::NoGraph { sequence }),
            (Some(change), Some(graph)) => {
                let checked = graph.check(change);
                let refused = |error| CompactError::Graph { sequence, error };
                checked.map(Some).map_err(refused)
            }
        }
    }

    /// Most bytes that [`finish`](Self::finish) writes.
    pub fn size_max(&self) -> usize {
        let graph = |graph: &RangeGraph<'_>| graph.size_max(HEADER_SIZE);
        self.work.size_max() + self.graph.as_ref().map_or(0, graph)
    }

    /// Writes the segment of the records so far to the front of `out`, and begins the next range
    /// behind it. Returns its bytes. O(workspace in use, sorted by slot, and nodes of the graph).
    ///
    /// # Errors
    /// [`CompactError::OutputTooSmall`] and [`CompactError::NoDigest`]; nothing has changed then.
    pub fn finish(&mut self, out: &mut [u8]) -> Result<usize, CompactError> {
        let (needed, given) = (self.size_max(), out.len());
        if given < needed {
            return Err(CompactError::OutputTooSmall { needed, given });
        }
        let digest = self.digest.ok_or(CompactError::NoDigest {
            sequence: self.sequence,
        })?;
        let to = Position {
            epoch: self.epoch,
            sequence: self.sequence,
            digest,
        };
        let span = Span {
            from: self.from,
            to,
            timestamp_us: self.timestamp_us,
        };
        let size = emit::write(&mut self.work, self.graph.as_ref(), span, out)
            .ok_or(CompactError::OutputTooSmall { needed, given })?;
        self.work.clear();
        if let Some(graph) = &mut self.graph {
            graph.begin();
        }
        self.from = to;
        Ok(size)
    }
}
