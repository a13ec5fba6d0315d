//! Two arrays into a stream.

use std::io::Write;

use delta_core::payload::batch;
use delta_core::payload::control::CONTROL_SIZE;
use delta_core::pipeline::capture::{Capture, CaptureError};
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::{Consumer, Geometry, Mem, Region};

use super::{ArrayDeltaError, ROW_LENGTH, ROW_LENGTH_MAX, ROW_LENGTH_MIN, Rows, file_hash};
use crate::npy::NpyF32;
use crate::region::HeapRegion;

/// Bytes that a batch of updates should not exceed.
const BATCH_SIZE: usize = 1 << 16;
/// Records in the ring at any time: one is written out before the next is captured.
const SLOTS: u32 = 2;

/// What a delta holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffSummary {
    /// Components of a row.
    pub row_length: usize,
    /// Rows of the new array.
    pub rows: usize,
    /// Rows of both arrays that differ.
    pub updates: usize,
    /// Rows that only the new array has.
    pub inserts: usize,
    /// Rows that only the old array has.
    pub deletes: usize,
    /// Size of the delta.
    pub bytes: u64,
}

/// Writes the stream that turns `old` into `new` to `out`. O(values).
///
/// # Errors
/// See [`ArrayDeltaError`].
pub fn diff(
    old: &NpyF32,
    new: &NpyF32,
    out: &mut impl Write,
) -> Result<DiffSummary, ArrayDeltaError> {
    let row_length = row_length(old, new);
    let (old_rows, new_rows) = (
        Rows::new(&old.data, row_length),
        Rows::new(&new.data, row_length),
    );
    let rows = old_rows.count().max(new_rows.count());
    let too_many = ArrayDeltaError::TooManyRows { rows };
    let (Ok(base), Ok(_)) = (u32::try_from(old_rows.count()), u32::try_from(rows)) else {
        return Err(too_many);
    };
    let mut origin = file_hash(old).to_le_bytes().to_vec();
    origin.extend((new.data.len() as u64).to_le_bytes());
    origin.extend(&new.header_bytes);

    let batch_size = BATCH_SIZE.max(batch::PREFIX_SIZE + entry_size(row_length));
    let geometry = geometry(batch_size.max(CONTROL_SIZE + origin.len()), too_many)?;
    let mut region = HeapRegion::new(geometry.region_size())?;
    let (producer, consumer) = Region::create(region.as_mut_slice(), geometry)
        .map_err(ArrayDeltaError::Region)?
        .split();
    let mut slots = vec![SlotState::default(); rows];
    let dim = u32::try_from(row_length).unwrap_or(u32::MAX);
    let position = Position {
        digest: old_rows.digest(),
        ..Position::START
    };
    let sequencer = Sequencer::new(dim, &mut slots, base, position);
    let mut writer = StreamWriter {
        capture: Capture::new(producer, sequencer),
        consumer,
        out,
        records: 0,
        summary: DiffSummary {
            row_length,
            rows: new_rows.count(),
            ..DiffSummary::default()
        },
    };
    writer.send(0, |capture| capture.start(&origin))?;
    writer.updates(&old_rows, &new_rows, batch_size)?;
    for row in old_rows.count()..new_rows.count() {
        writer.summary.inserts += 1;
        let (id, values) = (row.to_string(), new_rows.row(row));
        writer.send(row, |capture| {
            capture.insert(id.as_bytes(), values, &[]).map(drop)
        })?;
    }
    for (slot, row) in (0..base).zip(0..).skip(new_rows.count()) {
        writer.summary.deletes += 1;
        writer.send(row, |capture| capture.delete(slot))?;
    }
    let records = writer.records - 1;
    writer.send(rows, |capture| capture.end(records))?;
    Ok(writer.summary)
}

fn row_length(old: &NpyF32, new: &NpyF32) -> usize {
    let axis = new.shape.last().filter(|_| new.shape.len() > 1);
    let axis = axis.and_then(|axis| usize::try_from(*axis).ok());
    axis.filter(|axis| (ROW_LENGTH_MIN..=ROW_LENGTH_MAX).contains(axis))
        .unwrap_or_else(|| old.data.len().max(new.data.len()).clamp(1, ROW_LENGTH))
}

fn entry_size(row_length: usize) -> usize {
    batch::ENTRY_PREFIX_SIZE_MAX + 4 * row_length
}

/// A ring that takes payloads of `payload_size`.
fn geometry(payload_size: usize, error: ArrayDeltaError) -> Result<Geometry, ArrayDeltaError> {
    // An insert has a prefix and an id where an entry of a batch has none.
    let area = (2 * (payload_size + 512)).next_multiple_of(16);
    let area = u32::try_from(area).ok();
    area.and_then(|area| Geometry::new(SLOTS, area).ok())
        .ok_or(error)
}

/// Captures into a ring and moves the records on to a file.
struct StreamWriter<'w, 'a, M: Mem, W> {
    capture: Capture<'a, M>,
    consumer: Consumer<M>,
    out: &'w mut W,
    /// Written so far.
    records: u64,
    summary: DiffSummary,
}

impl<'a, M: Mem, W: Write> StreamWriter<'_, 'a, M, W> {
    fn updates(
        &mut self,
        old: &Rows<'_>,
        new: &Rows<'_>,
        batch_size: usize,
    ) -> Result<(), ArrayDeltaError> {
        let common = old.count().min(new.count());
        let differs = |row: &usize| {
            let bits = |rows: &Rows<'_>| -> Vec<u32> {
                rows.row(*row).iter().map(|value| value.to_bits()).collect()
            };
            bits(old) != bits(new)
        };
        let mut changed = (0..common).filter(differs).peekable();
        let room = (batch_size - batch::PREFIX_SIZE) / entry_size(new.row_length);
        while let Some(&first) = changed.peek() {
            let failed = |error| ArrayDeltaError::Capture { row: first, error };
            let mut batch = self.capture.batch(batch_size).map_err(failed)?;
            for row in changed.by_ref().take(room) {
                let slot = u32::try_from(row).unwrap_or(u32::MAX);
                batch
                    .update(slot, old.row(row), new.row(row))
                    .map_err(|error| ArrayDeltaError::Batch { row, error })?;
                self.summary.updates += 1;
            }
            batch.commit().map_err(failed)?;
            self.drain()?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        row: usize,
        capture: impl FnOnce(&mut Capture<'a, M>) -> Result<(), CaptureError>,
    ) -> Result<(), ArrayDeltaError> {
        capture(&mut self.capture).map_err(|error| ArrayDeltaError::Capture { row, error })?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), ArrayDeltaError> {
        while let Some(received) = self.consumer.poll()? {
            self.out.write_all(received.header())?;
            self.out.write_all(received.payload())?;
            self.summary.bytes += (received.header().len() + received.payload().len()) as u64;
            self.records += 1;
            received.done();
        }
        Ok(())
    }
}
