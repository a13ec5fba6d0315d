//! Why a stream was refused.

use std::io;

use crate::memory::OutOfMemory;
use crate::npy::NpyError;

/// A stream was refused. Each message names the file (and line), what was found, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// One of its arrays is no array.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// There is no memory for a generated stream.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// Its list of events cannot be read.
    #[error("{file}: cannot be read; check that it exists and may be read")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A line of its list of events is refused.
    #[error("{file}, line {line}: {fault}")]
    Line {
        /// The file.
        file: String,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong in it.
        fault: LineFault,
    },
    /// No file belongs to the stem.
    #[error(
        "{stem}: no stream here; name a path so that PATH.npy exists, alone or with PATH.jsonl, \
         or PATH.init.npy with .step.npy, .row.npy and .new.npy"
    )]
    NotFound {
        /// The stem.
        stem: String,
    },
    /// Files of two shapes belong to the stem.
    #[error("{stem}: has both a .jsonl and files of row updates; rename one of the streams")]
    Ambiguous {
        /// The stem.
        stem: String,
    },
    /// A file of the shape is missing.
    #[error("{file}: is missing beside {beside}; put it there")]
    MissingFile {
        /// The missing file.
        file: String,
        /// A file that needs it.
        beside: String,
    },
    /// An array has another shape than its stream needs.
    #[error("{file}: has the shape {found:?}; it must be {expected}")]
    Shape {
        /// The file.
        file: String,
        /// Its shape.
        found: Vec<u64>,
        /// The shapes that would do.
        expected: &'static str,
    },
    /// The arrays of row updates have different lengths.
    #[error(
        "{file}: describes {rows} updates, but .step.npy has {steps} and .new.npy {new_rows}; \
         write the three together"
    )]
    Lengths {
        /// The file of row numbers.
        file: String,
        /// Its length.
        rows: u64,
        /// Length of the steps.
        steps: u64,
        /// Rows of the new values.
        new_rows: u64,
    },
    /// New rows are as long as the initial ones are not.
    #[error(
        "{file}: has rows of {new_dim} components, .init.npy of {init_dim}; write the two together"
    )]
    DimsDiffer {
        /// The file of new values.
        file: String,
        /// Components of an initial row.
        init_dim: u64,
        /// Components of a new row.
        new_dim: u64,
    },
    /// An update of a row that is not there.
    #[error(
        "{file}: holds row {row} at position {position}, but .init.npy has {rows} rows; correct it"
    )]
    RowOutOfRange {
        /// The file of row numbers.
        file: String,
        /// Position in it, from 0.
        position: usize,
        /// The number found.
        row: u32,
        /// Rows there are.
        rows: u32,
    },
    /// Step numbers that go back.
    #[error(
        "{file}: holds step {step} at position {position}, after step {before}; \
         sort the updates by step"
    )]
    StepDecreases {
        /// The file of steps.
        file: String,
        /// Position in it, from 0.
        position: usize,
        /// The step before it.
        before: u64,
        /// The step found.
        step: u64,
    },
    /// Rows without components.
    #[error("{file}: has rows of 0 components; a vector needs at least 1")]
    ZeroDim {
        /// The file.
        file: String,
    },
    /// No event at all.
    #[error("{file}: holds no event; give it at least one row")]
    Empty {
        /// The file.
        file: String,
    },
    /// More of something than 32 bits count.
    #[error("{file}: has more {what} than 32 bits count; split the stream")]
    TooLarge {
        /// The file.
        file: String,
        /// What there is too much of.
        what: &'static str,
    },
}

/// What is wrong with a line of a list of events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Nothing stands in it.
    #[error("is empty; remove it")]
    Empty,
    /// Bytes that are no text.
    #[error("is not UTF-8 from byte {position}; save the file as UTF-8")]
    NotUtf8 {
        /// Position in the line, from 0.
        position: usize,
    },
    /// Not a JSON object.
    #[error("is not a JSON object ({reason}, column {column}); write one object a line")]
    Json {
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// More inserts than the array's rows justify.
    #[error(
        "is one insert too many: {rows} rows justify {insert_max}; give inserts rows of their own"
    )]
    TooManyInserts {
        /// Inserts allowed.
        insert_max: u64,
        /// Rows of the array.
        rows: u32,
    },
    /// A key stands twice.
    #[error("has the key {key:?} twice; keep one")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A field that this operation needs is absent or null.
    #[error("has no {field:?}; {}", remedy(field))]
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A field that this operation has not.
    #[error("is an {operation} with {field:?}; remove that field or correct \"op\"")]
    UnexpectedField {
        /// Its name.
        field: &'static str,
        /// The line's operation.
        operation: &'static str,
    },
    /// A field of another type or range.
    #[error("has {found} as {field:?}; it must be {expected}")]
    BadField {
        /// Its name.
        field: &'static str,
        /// The start of its JSON text.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// An operation that does not exist.
    #[error("has the operation {found:?}; use \"insert\", \"update\" or \"delete\"")]
    UnknownOperation {
        /// The start of its name.
        found: String,
    },
    /// An id of 0 or more than 255 bytes.
    #[error("has an id of {id_bytes} bytes; use 1 to 255")]
    IdLength {
        /// Its length in UTF-8.
        id_bytes: usize,
    },
    /// A row that the array has not.
    #[error(
        "names row {row}, but the .npy has {rows} rows; correct \"row\" or write the array again"
    )]
    RowOutOfRange {
        /// The row found.
        row: u64,
        /// Rows there are.
        rows: u32,
    },
    /// An insert of an id that is there.
    #[error("inserts {id:?}, which is live; use \"update\", or delete it first")]
    InsertOfLive {
        /// The id.
        id: String,
    },
    /// An update or delete of an id that never was there.
    #[error("is an {operation} of {id:?}, which was never inserted; insert it first")]
    UnknownId {
        /// The id.
        id: String,
        /// The line's operation.
        operation: &'static str,
    },
    /// An update or delete of an id that was deleted.
    #[error("is an {operation} of {id:?}, which was deleted; insert it again first")]
    DeletedId {
        /// The id.
        id: String,
        /// The line's operation.
        operation: &'static str,
    },
    /// The row to be replaced is not the one the id has.
    #[error(
        "replaces row {prev} of {id:?}, whose live row is {live}; \
         correct \"prev\" or the order of lines"
    )]
    PrevNotLive {
        /// The id.
        id: String,
        /// The row named.
        prev: u64,
        /// The row the id has.
        live: u32,
    },
    /// A metadata key of 0 or more than 255 bytes.
    #[error("has a key of {key_bytes} bytes; use 1 to 255")]
    KeyLength {
        /// Its length in UTF-8.
        key_bytes: usize,
    },
    /// More metadata than a record carries.
    #[error(
        "has {metadata_bytes} bytes of metadata, a record carries {max_bytes}; move some elsewhere"
    )]
    MetadataTooLarge {
        /// Bytes of the pairs in a record.
        metadata_bytes: usize,
        /// The most there may be.
        max_bytes: usize,
    },
}

fn remedy(field: &str) -> &'static str {
    match field {
        "op" => "say \"insert\", \"update\" or \"delete\"",
        "id" => "give the entity's id, a string",
        "row" => "give the new vector's row in the .npy",
        "prev" => "give the row that is replaced",
        _ => "give the time in Unix seconds",
    }
}
