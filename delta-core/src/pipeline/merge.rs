//! Merging streams of several writers into one new stream.
//!
//! A replica only refuses conflicts. Where writers change the same entities apart from each other,
//! a [`Merge`] decides, row by row, by stamps: the greater one wins, the same at every place and in
//! whatever order they arrive, or a [`Resolve`] of the caller's own decides. What comes out is a
//! new stream with a sequencer of its own: replicas of it are bit-identical as ever.
//!
//! Rows are whole and absolute here, addressed by the merged stream's slots: which entity of which
//! writer is which slot is the caller's to know, by its ids.
//!
//! ```
//! use delta_core::pipeline::merge::{LastWriterWins, Merge, MergeMemory, Merged, Stamp};
//! use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
//!
//! let (mut states, mut stamps) = ([SlotState::default(); 4], [Stamp::default(); 4]);
//! let (mut rows, mut written, mut out) = ([0.0; 8], [0.0; 2], [0; 128]);
//! let sequencer = Sequencer::new(2, &mut states, 1, Position::START);
//! let memory = MergeMemory { rows: &mut rows, stamps: &mut stamps, written: &mut written };
//! let mut merge = Merge::new(sequencer, memory, LastWriterWins);
//!
//! let late = Stamp { timestamp_us: 20, epoch: 1, producer: 1, sequence: 5 };
//! let early = Stamp { timestamp_us: 10, epoch: 1, producer: 2, sequence: 9 };
//! assert!(matches!(merge.update(0, late, &[1.0, 2.0], &mut out)?, Merged::Changed(_)));
//! assert!(matches!(merge.update(0, early, &[7.0, 7.0], &mut out)?, Merged::Lost));
//! assert_eq!(merge.row(0), Some(&[1.0, 2.0][..]));
//! # Ok::<(), delta_core::pipeline::sequencer::PrepareError>(())
//! ```

use super::sequencer::{PrepareError, Sequencer};
use crate::header::DeltaHeader;

/// When and by whom a row was written. Stamps order by their fields, the first most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Microseconds since the Unix epoch, as the writer's adapter gave it.
    pub timestamp_us: u64,
    /// Epoch of the writer, from 1; 0: nobody has written the row.
    pub epoch: u32,
    /// The writer, by a number of the caller's.
    pub producer: u32,
    /// Sequence of the writer's record.
    pub sequence: u64,
}

/// What of two versions of a row stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The one that is there.
    Current,
    /// The one that comes.
    Incoming,
    /// What was written to `out`; the greater stamp stays with it.
    Written,
}

/// Decides between two versions of a row. To be the same whatever the order of arrival, it must be
/// commutative and associative.
pub trait Resolve {
    /// Decides; `out` has the incoming row's components and may be written.
    fn resolve(
        &mut self,
        current: (&Stamp, &[f32]),
        incoming: (&Stamp, &[f32]),
        out: &mut [f32],
    ) -> Choice;
}

/// The greater stamp wins; of equal stamps, what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastWriterWins;

impl Resolve for LastWriterWins {
    fn resolve(
        &mut self,
        (current, _): (&Stamp, &[f32]),
        (incoming, _): (&Stamp, &[f32]),
        _: &mut [f32],
    ) -> Choice {
        if incoming > current {
            Choice::Incoming
        } else {
            Choice::Current
        }
    }
}

/// What became of a row that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The merged stream has a record for it: its header; the payload stands in the output.
    Changed(DeltaHeader),
    /// Another version stays.
    Lost,
}

/// The memory that a [`Merge`] works in.
#[derive(Debug)]
pub struct MergeMemory<'m> {
    /// The rows of the merged stream's slots, `dim` components each.
    pub rows: &'m mut [f32],
    /// One for each slot.
    pub stamps: &'m mut [Stamp],
    /// At least `dim` components.
    pub written: &'m mut [f32],
}

/// Merges rows of several writers into one stream.
#[derive(Debug)]
pub struct Merge<'m, P> {
    sequencer: Sequencer<'m>,
    /// `dim` components a slot.
    rows: &'m mut [f32],
    /// One a slot.
    stamps: &'m mut [Stamp],
    /// `dim` components, for a resolver to write.
    written: &'m mut [f32],
    resolve: P,
}

impl<'m, P: Resolve> Merge<'m, P> {
    /// Merges into the stream of `sequencer`, whose slots' rows are in `memory`.
    ///
    /// # Panics
    /// If `memory.written` is shorter than a row.
    pub fn new(sequencer: Sequencer<'m>, memory: MergeMemory<'m>, resolve: P) -> Self {
        let dim = sequencer.dim() as usize;
        let MergeMemory {
            rows,
            stamps,
            written,
        } = memory;
        assert!(written.len() >= dim, "a row for the resolver");
        Self {
            sequencer,
            rows,
            stamps,
            written: written.get_mut(..dim).unwrap_or_default(),
            resolve,
        }
    }

    /// The merged row of a slot.
    pub fn row(&self, slot: u32) -> Option<&[f32]> {
        let dim = self.sequencer.dim() as usize;
        self.rows.get(slot as usize * dim..)?.get(..dim)
    }

    /// The merged stream: its position, and what is not merged, such as inserts.
    pub fn sequencer(&self) -> &Sequencer<'m> {
        &self.sequencer
    }

    /// Takes a writer's version of the row of `slot`, and writes the record of what that changes
    /// to `out`. O(dim).
    ///
    /// # Errors
    /// See [`PrepareError`]; nothing has changed then.
    pub fn update(
        &mut self,
        slot: u32,
        stamp: Stamp,
        row: &[f32],
        out: &mut [u8],
    ) -> Result<Merged, PrepareError> {
        self.sequencer.live(slot)?;
        self.sequencer.check_dim(row)?;
        let (dim, index) = (row.len(), slot as usize);
        let unknown = PrepareError::UnknownSlot {
            slot,
            slot_count: self.sequencer.slot_count(),
        };
        let current = self.stamps.get_mut(index).ok_or(unknown)?;
        let old = self
            .rows
            .get_mut(index * dim..)
            .and_then(|rows| rows.get_mut(..dim));
        let old = old.ok_or(unknown)?;
        let written = &mut *self.written;
        written.copy_from_slice(row);
        let choice = self.resolve.resolve((current, old), (&stamp, row), written);
        let (new, stamp) = match choice {
            Choice::Current => return Ok(Merged::Lost),
            Choice::Incoming => (row, stamp),
            Choice::Written => (&*written, stamp.max(*current)),
        };
        self.sequencer.set_timestamp_us(stamp.timestamp_us);
        let prepared = self
            .sequencer
            .prepare_update(slot, old, new, &[], out, None)?;
        let header = prepared.header;
        self.sequencer.commit(prepared);
        old.copy_from_slice(new);
        *current = stamp;
        Ok(Merged::Changed(header))
    }
}
