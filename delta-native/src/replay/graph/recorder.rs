//! What travels, kept to be applied again and counted.

use delta_core::graph::encode::Change;
use delta_core::graph::{Edit, ListChange};
use delta_core::payload::{Payload, control::Control};
use delta_core::pipeline::process::Process;
use delta_core::record::Record;

/// A process stage that keeps every record.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// All records, one behind another.
    pub(super) stream: Vec<u8>,
    /// Their graph changes, each behind its size as a u32.
    pub(super) changes: Vec<u8>,
    pub(super) inserts: u64,
    /// Bytes of the graph changes of inserts.
    pub(super) insert_change_bytes: u64,
    /// Edges that changes took away.
    pub(super) edges_removed: u64,
    /// The end record has passed.
    pub(super) ended: bool,
}

impl Recorder {
    fn change(&mut self, change: Option<Change<'_>>) {
        let Some(change) = change else {
            return;
        };
        // A payload's size fits 32 bits.
        let size = u32::try_from(change.as_bytes().len()).unwrap_or(u32::MAX);
        self.changes.extend_from_slice(&size.to_le_bytes());
        self.changes.extend_from_slice(change.as_bytes());
        for edit in change {
            let Edit::List { change, .. } = edit else {
                continue;
            };
            self.edges_removed += match change {
                ListChange::Patch { removed, .. } => removed.iter().count() as u64,
                ListChange::Link { removed, .. } => u64::from(removed.count_ones()),
                // Captures replace only lists that were empty: those of new nodes.
                ListChange::Replace(_) => 0,
            };
        }
    }
}

impl Process for Recorder {
    fn process(&mut self, record: &Record<'_>) {
        self.stream.extend_from_slice(&record.header().to_bytes());
        self.stream.extend_from_slice(record.payload_bytes());
        match record.payload() {
            Payload::Insert(vector) => {
                let size = vector.graph().map_or(0, |change| change.as_bytes().len());
                self.inserts += 1;
                self.insert_change_bytes += size as u64;
                self.change(vector.graph());
            }
            Payload::Update(vector) => self.change(vector.graph()),
            Payload::Delete { graph, .. } => self.change(*graph),
            Payload::Reindex(change) => self.change(Some(*change)),
            Payload::Control(control) => self.ended |= matches!(control, Control::End { .. }),
            _ => {}
        }
    }
}
