//! Puts a stream together, for all shapes.

use super::error::StreamError;
use super::{Counts, Indices, Operation, Pair, Stream, wide};

/// Inserts that may share a row of the array, on average.
const ROW_SHARE_MAX: u64 = 16;
/// Values that inserts may need whatever the array holds.
const SMALL_VALUES: u64 = 1 << 20;

/// A stream in the making. Its rows are complete from the start; the shapes append events.
pub(super) struct Builder {
    stream: Stream,
    /// For errors.
    file: String,
    /// Rows in `stream.rows`.
    row_count: u32,
}

impl Builder {
    /// Begins a stream over `rows`, which holds `row_count * dim` values read from `file`.
    pub(super) fn new(
        name: String,
        file: String,
        [row_count, dim]: [u64; 2],
        rows: Vec<f32>,
    ) -> Result<Self, StreamError> {
        if dim == 0 {
            return Err(StreamError::ZeroDim { file });
        }
        let (Ok(row_count), Ok(dim)) = (u32::try_from(row_count), u32::try_from(dim)) else {
            return Err(StreamError::TooLarge {
                file,
                what: "rows or components",
            });
        };
        assert_eq!(
            wide(row_count).checked_mul(wide(dim)),
            Some(rows.len()),
            "rows are whole"
        );
        let stream = Stream {
            name,
            dim,
            rows,
            events: Vec::new(),
            ids: Vec::new(),
            pairs: Vec::new(),
            text: Vec::new(),
            counts: Counts::default(),
        };
        Ok(Self {
            stream,
            file,
            row_count,
        })
    }

    /// Rows that events may name: those below this.
    pub(super) fn row_count(&self) -> u32 {
        self.row_count
    }

    /// Inserts that the array justifies: [`ROW_SHARE_MAX`] for each of its rows, and some more of
    /// short rows. A primary and a replica hold a row for each.
    pub(super) fn insert_max(&self) -> u64 {
        let shared = u64::from(self.row_count).saturating_mul(ROW_SHARE_MAX);
        shared.saturating_add(SMALL_VALUES / u64::from(self.stream.dim))
    }

    /// Inserts so far.
    pub(super) fn inserts(&self) -> u64 {
        self.stream.counts.inserts
    }

    /// Adds a pair to the event that is appended next. Keys come in ascending order, 1 to 255 bytes
    /// long.
    pub(super) fn metadata(&mut self, key: &[u8], value: &[u8]) {
        let start = self.stream.text.len();
        self.stream.text.extend_from_slice(key);
        self.stream.text.extend_from_slice(value);
        // A longer key was refused with its line.
        let key_bytes = u8::try_from(key.len()).unwrap_or(u8::MAX);
        self.stream.pairs.push(Pair {
            start,
            end: self.stream.text.len(),
            key_bytes,
        });
    }

    /// Appends an insert and returns its slot.
    pub(super) fn insert(
        &mut self,
        row: u32,
        id: &[u8],
        timestamp_us: u64,
    ) -> Result<u32, StreamError> {
        let slot = u32::try_from(self.stream.ids.len()).map_err(|_| self.too_large("inserts"))?;
        let start = self.stream.text.len();
        self.stream.text.extend_from_slice(id);
        self.stream.ids.push(start..self.stream.text.len());
        self.stream.counts.inserts += 1;
        self.push(Operation::Insert, slot, row, timestamp_us)?;
        Ok(slot)
    }

    /// As [`insert`](Self::insert) for shapes without ids: the id is the decimal number of the row.
    pub(super) fn insert_numbered(&mut self, row: u32) -> Result<u32, StreamError> {
        self.insert(row, row.to_string().as_bytes(), 0)
    }

    /// Appends an update of a slot that was inserted.
    pub(super) fn update(
        &mut self,
        slot: u32,
        row: u32,
        timestamp_us: u64,
    ) -> Result<(), StreamError> {
        self.stream.counts.updates += 1;
        self.push(Operation::Update, slot, row, timestamp_us)
    }

    /// Appends a delete of a slot that was inserted.
    pub(super) fn delete(&mut self, slot: u32, timestamp_us: u64) -> Result<(), StreamError> {
        self.stream.counts.deletes += 1;
        self.push(Operation::Delete, slot, 0, timestamp_us)
    }

    fn push(
        &mut self,
        operation: Operation,
        slot: u32,
        row: u32,
        timestamp_us: u64,
    ) -> Result<(), StreamError> {
        assert!(
            operation == Operation::Delete || row < self.row_count,
            "rows were checked"
        );
        assert!(wide(slot) < self.stream.ids.len(), "slots were inserted");
        let pairs_end = u32::try_from(self.stream.pairs.len())
            .map_err(|_| self.too_large("pairs of metadata"))?;
        self.stream.events.push(Indices {
            timestamp_us,
            slot,
            row,
            pairs_end,
            operation,
        });
        Ok(())
    }

    /// The finished stream, if it has events.
    pub(super) fn finish(self) -> Result<Stream, StreamError> {
        if self.stream.events.is_empty() {
            return Err(StreamError::Empty { file: self.file });
        }
        let mut stream = self.stream;
        stream.events.shrink_to_fit();
        stream.ids.shrink_to_fit();
        stream.pairs.shrink_to_fit();
        stream.text.shrink_to_fit();
        Ok(stream)
    }

    fn too_large(&self, what: &'static str) -> StreamError {
        StreamError::TooLarge {
            file: self.file.clone(),
            what,
        }
    }
}
