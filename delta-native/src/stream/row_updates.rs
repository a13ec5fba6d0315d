//! Updates of numbered rows: an insert for each initial row, then the updates in order.

use super::Stream;
use super::build::Builder;
use super::error::StreamError;
use super::files::Files;
use crate::npy::{append_rows, read_u32_indices, read_u64_indices};
use crate::source::Source;

/// Loads `.init.npy`, `.step.npy`, `.row.npy` and `.new.npy`. Ids are the row numbers.
pub(super) fn load(files: &Files<'_>) -> Result<Stream, StreamError> {
    let [init, new] = [".init.npy", ".new.npy"].map(|ending| files.source(ending));
    let [step, row] = [".step.npy", ".row.npy"].map(|ending| files.source(ending));
    let mut data = Vec::new();
    let [init_rows, init_dim] = append_matrix(Source::from(&init), &mut data)?;
    let [new_rows, new_dim] = append_matrix(Source::from(&new), &mut data)?;
    if init_dim != new_dim {
        return Err(StreamError::DimsDiffer {
            file: new.name(),
            init_dim,
            new_dim,
        });
    }
    let steps = read_u64_indices(&step)?;
    let rows = read_u32_indices(&row)?;
    require_lengths(row.name(), rows.len(), steps.len(), new_rows)?;
    require_order(step.name(), &steps)?;

    let all_rows = init_rows.saturating_add(new_rows);
    let mut builder = Builder::new(files.name(), init.name(), [all_rows, init_dim], data)?;
    // Not more than all rows, which the builder counted in 32 bits.
    let init_rows = u32::try_from(init_rows).unwrap_or(u32::MAX);
    for slot in 0..init_rows {
        builder.insert_numbered(slot)?;
    }
    for ((position, &slot), new_row) in rows.iter().enumerate().zip(init_rows..) {
        if slot >= init_rows {
            let file = row.name();
            return Err(StreamError::RowOutOfRange {
                file,
                position,
                row: slot,
                rows: init_rows,
            });
        }
        builder.update(slot, new_row, 0)?;
    }
    builder.finish()
}

/// Appends the values of a two-dimensional array and returns its shape.
pub(super) fn append_matrix(
    source: Source<'_>,
    data: &mut Vec<f32>,
) -> Result<[u64; 2], StreamError> {
    let shape = append_rows(source, data)?.shape;
    match *shape.as_slice() {
        [rows, dim] => Ok([rows, dim]),
        _ => Err(StreamError::Shape {
            file: source.name(),
            found: shape,
            expected: "(rows, dim)",
        }),
    }
}

fn require_lengths(
    file: String,
    rows: usize,
    steps: usize,
    new_rows: u64,
) -> Result<(), StreamError> {
    let [rows, steps] = [rows, steps].map(|length| u64::try_from(length).unwrap_or(u64::MAX));
    if rows == steps && rows == new_rows {
        Ok(())
    } else {
        Err(StreamError::Lengths {
            file,
            rows,
            steps,
            new_rows,
        })
    }
}

fn require_order(file: String, steps: &[u64]) -> Result<(), StreamError> {
    let decrease = steps
        .iter()
        .zip(steps.iter().skip(1))
        .position(|(before, step)| step < before);
    match decrease.and_then(|at| Some((at + 1, *steps.get(at)?, *steps.get(at + 1)?))) {
        None => Ok(()),
        Some((position, before, step)) => Err(StreamError::StepDecreases {
            file,
            position,
            before,
            step,
        }),
    }
}
