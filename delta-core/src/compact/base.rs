//! The rows before a range.

use crate::graph::search::Rows;

/// No rows before the range are known: records that are relative to one cannot be compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoRows;

impl Rows for NoRows {
    fn row(&self, _: u32) -> Option<&[f32]> {
        None
    }
}
