//! Reading a segment.

use super::RangeError;
use crate::{
    graph::Edit,
    header::{DeltaHeader, HEADER_SIZE},
    payload::{
        Payload,
        control::{Control, RANGE_SIZE},
    },
    pipeline::sequencer::Position,
    record::Record,
};
use core::iter::FusedIterator;

/// A checked range segment: what stands for the records of (from, to].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeSegment<'a> {
    header: DeltaHeader,
    from: Position,
    digest: u64,
    record_count: u32,
    /// Frames that [`RangeSegment::parse`] has checked.
    records: &'a [u8],
}

impl<'a> RangeSegment<'a> {
    /// Checks exactly one segment. O(bytes).
    ///
    /// # Errors
    /// See [`RangeError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RangeError> {
        let (segment, rest) = Self::split(bytes)?;
        if !rest.is_empty() {
            let expected = (bytes.len() - rest.len()) as u64;
            let found = bytes.len() as u64;
            return Err(RangeError::Size { expected, found });
        }
        Ok(segment)
    }

    /// Checks the segment at the front of `bytes` and returns what follows it. O(segment).
    ///
    /// # Errors
    /// See [`RangeError`].
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RangeError> {
        let refused = |record| move |error| RangeError::Record { record, error };
        let (first, rest) = Record::split(bytes).map_err(refused(0))?;
        let header = *first.header();
        let Payload::Control(Control::Range {
            from_epoch: epoch,
            from_sequence: sequence,
            from_digest: digest,
            record_count,
            size,
        }) = *first.payload()
        else {
            return Err(RangeError::NoRange);
        };
        let sizes = RangeError::Size {
            expected: (HEADER_SIZE + RANGE_SIZE) as u64 + size,
            found: bytes.len() as u64,
        };
        let parts = usize::try_from(size)
            .ok()
            .and_then(|size| rest.split_at_checked(size));
        let (records, rest) = parts.ok_or(sizes)?;
        let segment = Self {
            header,
            from: Position {
                epoch,
                sequence,
                digest,
            },
            digest: header.state_digest.unwrap_or(0),
            record_count,
            records,
        };
        segment.check()?;
        Ok((segment, rest))
    }

    fn check(&self) -> Result<(), RangeError> {
        let mut left = self.records;
        let mut before = None;
        for record in 1..=self.record_count {
            let refused = |error| RangeError::Record { record, error };
            let (next, rest) = Record::split(left).map_err(refused)?;
            left = rest;
            let header = next.header();
            let key = place(next.payload()).ok_or(RangeError::Order { record })?;
            let range = self.from.sequence + 1..=self.header.sequence;
            let belongs = range.contains(&header.sequence) && header.epoch == self.header.epoch;
            if !belongs || before.is_some_and(|before| before >= key) {
                return Err(RangeError::Order { record });
            }
            before = Some(key);
        }
        if !left.is_empty() {
            let found = self.records.len() as u64;
            let expected = found - left.len() as u64;
            return Err(RangeError::Size { expected, found });
        }
        Ok(())
    }

    /// The header of the range's own record.
    pub fn header(&self) -> &DeltaHeader {
        &self.header
    }

    /// The position that a replica must be at.
    pub fn from(&self) -> Position {
        self.from
    }

    /// The position that the segment leads to.
    pub fn to(&self) -> Position {
        Position {
            epoch: self.header.epoch,
            sequence: self.header.sequence,
            digest: self.digest,
        }
    }

    /// The records: by ascending slots, an entity's delete behind its insert or update; before them
    /// what clears the graph, behind them its lists.
    pub fn records(&self) -> RangeRecords<'a> {
        RangeRecords { rest: self.records }
    }
}

/// Where a record stands in a segment, each place once; `None` if it belongs in none.
fn place(payload: &Payload<'_>) -> Option<u64> {
    const FIRST: u64 = 0;
    const LAST: u64 = u64::MAX;
    // An entity's delete follows its insert or update, or its node where it has neither.
    let of_slot = |slot: u32, is_delete: bool| 1 + 2 * u64::from(slot) + u64::from(is_delete);
    match payload {
        Payload::Insert(vector) | Payload::Update(vector) => Some(of_slot(vector.slot(), false)),
        Payload::Control(Control::Erased { slot, .. }) => Some(of_slot(*slot, false)),
        Payload::Delete { slot, .. } => Some(of_slot(*slot, true)),
        Payload::Reindex(change) => {
            let mut edits = change.edits();
            let told = edits.find(|edit| !matches!(edit, Edit::Tombstone { .. }));
            Some(match told {
                Some(Edit::Clear) => FIRST,
                Some(Edit::Insert { slot, .. }) => of_slot(slot, false),
                _ => LAST,
            })
        }
        _ => None,
    }
}

/// Iterator over the records of a [`RangeSegment`].
#[derive(Clone, Debug)]
pub struct RangeRecords<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RangeRecords<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (record, rest) = Record::split(self.rest).ok()?;
        self.rest = rest;
        Some(record)
    }
}

impl FusedIterator for RangeRecords<'_> {}
