//! Old and new vectors of n entities: inserts of the old, then an update of each.

use super::Stream;
use super::build::Builder;
use super::error::StreamError;
use super::files::Files;

/// The stream of an array of shape `[2, n, dim]`, read from `file`. Ids are the numbers 0 to n - 1.
pub(super) fn build(
    files: &Files<'_>,
    file: String,
    [n, dim]: [u64; 2],
    data: Vec<f32>,
) -> Result<Stream, StreamError> {
    // The array held 2 * n rows, so this cannot saturate unless dim is 0, which the builder
    // refuses.
    let mut builder = Builder::new(files.name(), file, [n.saturating_mul(2), dim], data)?;
    let entities = builder.row_count() / 2;
    for row in 0..entities {
        builder.insert_numbered(row)?;
    }
    for slot in 0..entities {
        builder.update(slot, entities + slot, 0)?;
    }
    builder.finish()
}
