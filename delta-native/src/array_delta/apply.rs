//! A stream and the old array into the new file.

use std::io::Write;

use delta_core::payload::{Payload, control::Control};
use delta_core::pipeline::apply::Applier;
use delta_core::pipeline::sequencer::Position;
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot};
use delta_core::stream::StreamReader;

use super::{ArrayDeltaError, ORIGIN_SIZE, ROW_LENGTH_MAX, Rows, attributes_size, file_hash};
use crate::memory::filled;
use crate::npy::NpyF32;

/// Writes the file that `delta` makes of the file that `old` was read from to `out`. The whole
/// delta is checked before the first byte is written. O(values + delta).
///
/// # Errors
/// See [`ArrayDeltaError`].
pub fn apply(old: &NpyF32, delta: &[u8], out: &mut impl Write) -> Result<(), ArrayDeltaError> {
    let origin = Origin::read(delta)?;
    let found = file_hash(old);
    if found != origin.old_hash {
        return Err(ArrayDeltaError::OtherOld {
            expected: origin.old_hash,
            found,
        });
    }
    let base = Rows::new(&old.data, origin.row_length);
    let too_many = |_| ArrayDeltaError::TooManyRows { rows: base.count() };
    let base_count = u32::try_from(base.count()).map_err(too_many)?;
    let slots = base.count() + origin.inserts;
    if slots != base.count().max(origin.values.div_ceil(origin.row_length)) {
        return Err(MISCOUNTED);
    }
    let mut rows = filled(slots, origin.row_length, 0.0_f32)?;
    for (number, row) in rows
        .chunks_exact_mut(origin.row_length)
        .take(base.count())
        .enumerate()
    {
        row.copy_from_slice(base.row(number));
    }
    let mut slots = filled(slots, 1, Slot::default())?;
    let mut attributes = filled(attributes_size(origin.inserts), 1, 0_u8)?;
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let dim = u32::try_from(origin.row_length).unwrap_or(u32::MAX);
    let mut store = SliceStore::with_base(dim, base_count, memory);
    let position = Position {
        digest: base.digest(),
        ..origin.position
    };
    let mut scratch = vec![0; Applier::scratch_size_max(dim)];
    let mut applier = Applier::new(position, &mut scratch);
    for record in StreamReader::new(delta) {
        applier.apply_delta(&record?, &mut store)?;
    }

    let values = store.rows().get(..origin.values);
    let live = origin.values.div_ceil(origin.row_length);
    let tombstones_fit = (0..store.slot_count())
        .zip(0_usize..)
        .all(|(slot, number)| store.is_deleted(slot) == (number >= live));
    let (Some(values), true) = (values, tombstones_fit) else {
        return Err(MISCOUNTED);
    };
    out.write_all(origin.header_bytes)?;
    out.write_all(bytemuck::cast_slice(values))?;
    Ok(())
}

const MISCOUNTED: ArrayDeltaError = ArrayDeltaError::NotArrays {
    reason: "it does not leave the rows that its start counts",
};

/// What the start says, and what it takes to apply the rest.
struct Origin<'d> {
    /// XXH3-64 of the old file.
    old_hash: u64,
    /// Values of the new array.
    values: usize,
    /// The new file before its values.
    header_bytes: &'d [u8],
    row_length: usize,
    /// Insert records in the delta.
    inserts: usize,
    /// Before the start.
    position: Position,
}

impl<'d> Origin<'d> {
    /// Reads the whole delta once.
    fn read(delta: &'d [u8]) -> Result<Self, ArrayDeltaError> {
        let mut origin = None;
        let mut inserts = 0;
        for record in StreamReader::new(delta) {
            let record = record?;
            if metadata_size(record.payload()) > 0 {
                let reason = "its rows carry metadata";
                return Err(ArrayDeltaError::NotArrays { reason });
            }
            match *record.payload() {
                Payload::Control(Control::Start {
                    dim,
                    consumer_bytes,
                    ..
                }) => {
                    let header = record.header();
                    let position = Position {
                        epoch: header.epoch,
                        sequence: header.sequence - 1,
                        digest: 0,
                    };
                    origin = Self::parse(dim as usize, consumer_bytes, position);
                }
                Payload::Insert(_) => inserts += 1,
                _ => {}
            }
        }
        let reason = "its start names no old file and no header";
        let origin = origin.ok_or(ArrayDeltaError::NotArrays { reason })?;
        Ok(Self { inserts, ..origin })
    }

    fn parse(row_length: usize, consumer_bytes: &'d [u8], position: Position) -> Option<Self> {
        let (fixed, header_bytes) = consumer_bytes.split_first_chunk::<ORIGIN_SIZE>()?;
        let [h0, h1, h2, h3, h4, h5, h6, h7, count @ ..] = *fixed;
        let values = usize::try_from(u64::from_le_bytes(count)).ok()?;
        let old_hash = u64::from_le_bytes([h0, h1, h2, h3, h4, h5, h6, h7]);
        (row_length <= ROW_LENGTH_MAX).then_some(Self {
            old_hash,
            values,
            header_bytes,
            row_length,
            inserts: 0,
            position,
        })
    }
}

/// Bytes of metadata in a payload.
fn metadata_size(payload: &Payload<'_>) -> usize {
    match payload {
        Payload::Insert(vector) | Payload::Update(vector) => vector.metadata().stored_size(),
        Payload::Batch(batch) => batch.metadata_size(),
        _ => 0,
    }
}
