//! Lists of events: an object a line, vectors by their row in an array beside it.

mod line;

use std::collections::HashMap;
use std::io::BufRead;

use super::Stream;
use super::build::Builder;
use super::error::{LineFault, StreamError};
use super::files::Files;
use super::row_updates::append_matrix;
use crate::source::Source;
use line::{Change, Line};

/// Loads `.npy` and `.jsonl`. Memory beside the stream: the longest line, and a table of the ids.
pub(super) fn load(files: &Files<'_>) -> Result<Stream, StreamError> {
    let array = files.source(".npy");
    let mut data = Vec::new();
    let shape = append_matrix(Source::from(&array), &mut data)?;
    let list = files.source(".jsonl");
    let file = list.name();
    let io_error = |source| StreamError::Io {
        file: file.clone(),
        source,
    };
    let mut reader = Source::from(&list).open().map_err(io_error)?.reader;
    let mut history = History {
        builder: Builder::new(files.name(), file.clone(), shape, data)?,
        entities: HashMap::new(),
    };
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(io_error)? == 0 {
            break;
        }
        let refused = |fault| StreamError::Line {
            file: file.clone(),
            line,
            fault,
        };
        let event = text_of(&bytes).and_then(line::parse).map_err(refused)?;
        history.append(event, refused)?;
    }
    history.builder.finish()
}

/// A line without its end.
fn text_of(bytes: &[u8]) -> Result<&str, LineFault> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| LineFault::NotUtf8 {
        position: error.valid_up_to(),
    })?;
    if text.trim_ascii().is_empty() {
        Err(LineFault::Empty)
    } else {
        Ok(text)
    }
}

/// The events up to a line, and what every id is after them.
struct History {
    builder: Builder,
    entities: HashMap<String, Entity>,
}

struct Entity {
    slot: u32,
    /// Row in the array; `None` after a delete.
    live_row: Option<u32>,
}

impl History {
    /// Appends an event if it continues the history; `refused` makes the error of a line that does
    /// not.
    fn append(
        &mut self,
        line: Line<'_>,
        refused: impl Fn(LineFault) -> StreamError,
    ) -> Result<(), StreamError> {
        let Line {
            change,
            id,
            timestamp_us,
            metadata,
        } = line;
        let rows = self.builder.row_count();
        for (key, value) in metadata {
            self.builder.metadata(key.as_bytes(), value.as_bytes());
        }
        match change {
            Change::Insert { row } => {
                let row = existing_row(row, rows).map_err(&refused)?;
                if self
                    .entities
                    .get(&id)
                    .is_some_and(|entity| entity.live_row.is_some())
                {
                    return Err(refused(LineFault::InsertOfLive { id }));
                }
                let insert_max = self.builder.insert_max();
                if self.builder.inserts() >= insert_max {
                    return Err(refused(LineFault::TooManyInserts { insert_max, rows }));
                }
                let slot = self.builder.insert(row, id.as_bytes(), timestamp_us)?;
                self.entities.insert(
                    id,
                    Entity {
                        slot,
                        live_row: Some(row),
                    },
                );
            }
            Change::Update { row, prev } => {
                let row = existing_row(row, rows).map_err(&refused)?;
                let entity = live(&mut self.entities, id, prev, "update").map_err(&refused)?;
                self.builder.update(entity.slot, row, timestamp_us)?;
                entity.live_row = Some(row);
            }
            Change::Delete { prev } => {
                let entity = live(&mut self.entities, id, prev, "delete").map_err(&refused)?;
                self.builder.delete(entity.slot, timestamp_us)?;
                entity.live_row = None;
            }
        }
        Ok(())
    }
}

fn existing_row(row: u64, rows: u32) -> Result<u32, LineFault> {
    match u32::try_from(row) {
        Ok(existing) if existing < rows => Ok(existing),
        _ => Err(LineFault::RowOutOfRange { row, rows }),
    }
}

/// The entity of a live id whose row is `prev`.
fn live<'a>(
    entities: &'a mut HashMap<String, Entity>,
    id: String,
    prev: u64,
    operation: &'static str,
) -> Result<&'a mut Entity, LineFault> {
    match entities.get_mut(&id) {
        None => Err(LineFault::UnknownId { id, operation }),
        Some(Entity { live_row: None, .. }) => Err(LineFault::DeletedId { id, operation }),
        Some(Entity {
            live_row: Some(live),
            ..
        }) if u64::from(*live) != prev => Err(LineFault::PrevNotLive {
            id,
            prev,
            live: *live,
        }),
        Some(entity) => Ok(entity),
    }
}
