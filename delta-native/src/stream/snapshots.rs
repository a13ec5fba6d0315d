//! Snapshots of one entity, a row a step: an insert, then updates.

use super::Stream;
use super::build::Builder;
use super::error::StreamError;
use super::files::Files;

/// The stream of an array of shape `[steps, n]`, read from `file`. The entity's id is `0`.
pub(super) fn build(
    files: &Files<'_>,
    file: String,
    shape: [u64; 2],
    data: Vec<f32>,
) -> Result<Stream, StreamError> {
    let mut builder = Builder::new(files.name(), file, shape, data)?;
    if builder.row_count() > 0 {
        let slot = builder.insert_numbered(0)?;
        for row in 1..builder.row_count() {
            builder.update(slot, row, 0)?;
        }
    }
    builder.finish()
}
