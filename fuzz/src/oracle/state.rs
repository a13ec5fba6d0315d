//! Section 6: what a reader does with a frame, on a copy of its whole state.

use std::collections::BTreeMap;

use super::digest;
use super::frame::Frame;
use super::graph::Graph;
use super::graph_change::Edit;
use super::payload::{Metadata, Pairs, Payload};

/// A reader, its state included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub dim: u32,
    pub slots: Vec<Slot>,
    pub graph: Option<Graph>,
    /// Of the graph, as a start says it.
    pub metric: u8,
    pub epoch: u32,
    pub position: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The bits of every component.
    pub row: Vec<u32>,
    pub id: Option<Vec<u8>>,
    pub metadata: BTreeMap<Vec<u8>, Vec<u8>>,
    pub is_deleted: bool,
    pub last_sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Applied,
    Duplicate,
    StaleEpoch,
    UnknownEpoch,
    Gap,
    Diverged,
    /// Any other refusal.
    Refused,
}

impl State {
    /// An empty state before the first record.
    pub fn new(dim: u32) -> Self {
        Self {
            dim,
            slots: Vec::new(),
            graph: None,
            metric: 0,
            epoch: 1,
            position: 0,
        }
    }

    /// The digest, from the definition and the whole state.
    pub fn digest(&self) -> u64 {
        let graph = self.graph.as_ref().map_or(0, Graph::digest);
        (0..)
            .zip(&self.slots)
            .fold(graph, |sum: u64, (number, slot)| {
                let id = slot.id.as_ref().map(|id| digest::id_term(number, id));
                let tombstone = slot.is_deleted.then(|| digest::tombstone_term(number));
                let pairs = slot
                    .metadata
                    .iter()
                    .map(|(key, value)| digest::pair_term(number, key, value));
                pairs.chain(id).chain(tombstone).fold(
                    sum.wrapping_add(digest::row_term(number, &slot.row)),
                    u64::wrapping_add,
                )
            })
    }

    /// Takes a frame, or says why not and stays as it was.
    pub fn apply(&mut self, frame: &Frame) -> Outcome {
        let header = &frame.header;
        let is_resync = frame.payload == Payload::Resync;
        if header.sequence <= self.position && header.epoch <= self.epoch {
            return Outcome::Duplicate;
        }
        if header.epoch < self.epoch {
            return Outcome::StaleEpoch;
        }
        if (header.epoch > self.epoch) != is_resync {
            return Outcome::UnknownEpoch;
        }
        if header.sequence != self.position + 1 {
            return Outcome::Gap;
        }
        let mut next = self.clone();
        if next.change(frame).is_none() {
            return Outcome::Refused;
        }
        if header.has_digest() && next.digest() != header.state_digest {
            return Outcome::Diverged;
        }
        next.position = header.sequence;
        next.epoch = header.epoch;
        *self = next;
        Outcome::Applied
    }

    /// Makes the change without a look at sequence, epoch and digest. After `None` the state is
    /// of no use.
    pub fn change(&mut self, frame: &Frame) -> Option<()> {
        let (sequence, prev_sequence) = (frame.header.sequence, frame.header.prev_sequence);
        match &frame.payload {
            Payload::Row(row) if frame.header.operation == 0 => {
                if row.dim != self.dim || row.slot as usize != self.slots.len() {
                    return None;
                }
                let mut slot = Slot {
                    row: vec![0; self.dim as usize],
                    id: Some(row.id.clone()),
                    metadata: BTreeMap::new(),
                    is_deleted: false,
                    last_sequence: sequence,
                };
                row.values.apply(&mut slot.row)?;
                slot.change_metadata(&row.metadata)?;
                self.slots.push(slot);
                self.change_graph(row.graph.as_deref())?;
            }
            Payload::Row(row) => {
                if row.dim != self.dim {
                    return None;
                }
                let slot = self.live(row.slot, prev_sequence)?;
                row.values.apply(&mut slot.row)?;
                slot.change_metadata(&row.metadata)?;
                slot.last_sequence = sequence;
                self.change_graph(row.graph.as_deref())?;
            }
            Payload::Delete { slot, graph } => {
                let state = self.live(*slot, prev_sequence)?;
                state.is_deleted = true;
                state.last_sequence = sequence;
                self.change_graph(graph.as_deref())?;
            }
            Payload::Reindex(edits) => self.change_graph(Some(edits))?,
            Payload::Batch { dim, entries } => {
                if *dim != self.dim {
                    return None;
                }
                // A slot that stands twice has this very sequence the second time, and no entry
                // can follow that.
                for entry in entries {
                    let slot = self.live(entry.slot, entry.prev_sequence)?;
                    entry.values.apply(&mut slot.row)?;
                    slot.change_metadata(&entry.metadata)?;
                    slot.last_sequence = sequence;
                }
            }
            Payload::Tensor(_) => return None,
            Payload::Start {
                dim,
                slot_count,
                graph,
                ..
            } => {
                let fits = *dim == self.dim
                    && *slot_count as usize == self.slots.len()
                    && *graph == self.declared();
                return fits.then_some(());
            }
            // A segment's own are no records of a stream.
            Payload::Range { .. } | Payload::Erased { .. } => return None,
            Payload::End { .. } | Payload::Resync | Payload::Watermark { .. } => {}
        }
        Some(())
    }

    /// What a start says of the graph.
    fn declared(&self) -> [u8; 3] {
        self.graph.as_ref().map_or([0; 3], |graph| {
            let limits = graph.limits;
            let (degree0, degree) = (limits.degree0_max as u8, limits.degree_max as u8);
            [degree0, degree, self.metric]
        })
    }

    /// The graph's part of a record that has changed the rows.
    fn change_graph(&mut self, edits: Option<&[Edit]>) -> Option<()> {
        let Some(graph) = &self.graph else {
            return edits.is_none().then_some(());
        };
        let edits = edits.unwrap_or_default();
        let after = graph.after(edits)?;
        let is_deleted = |slot: u32| {
            let row = self.slots.get(slot as usize);
            row.is_some_and(|row| row.is_deleted)
        };
        let rows_gone = edits.iter().all(|edit| match edit {
            Edit::Tombstone(slot) => is_deleted(*slot),
            _ => true,
        });
        let nodes = 0..after.levels.len() as u32;
        let nodes_gone = nodes
            .filter(|&slot| is_deleted(slot))
            .all(|slot| after.tombstones.contains(&slot));
        let fits = after.levels.len() <= self.slots.len() && rows_gone && nodes_gone;
        self.graph = Some(after);
        fits.then_some(())
    }

    /// A slot that exists, is no tombstone, and was last touched by `prev_sequence`.
    fn live(&mut self, slot: u32, prev_sequence: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(slot as usize)?;
        (!slot.is_deleted && slot.last_sequence == prev_sequence).then_some(slot)
    }
}

impl Slot {
    fn change_metadata(&mut self, metadata: &Metadata) -> Option<()> {
        let Metadata::Pairs(pairs) = metadata else {
            return None;
        };
        for (key, value) in pairs as &Pairs {
            match value {
                Some(value) => self.metadata.insert(key.clone(), value.clone()),
                None => self.metadata.remove(key),
            };
        }
        Some(())
    }
}
