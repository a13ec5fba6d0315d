//! Random histories, and their writer, which does what of them can be done.

use super::{DIM, SLOTS};
use crate::{
    codec::Base,
    graph::{
        Adjacency, CheckedChange, Edit, GraphParameters, ListChange, Slots,
        encode::{Change, encode_edits},
        tests::{Memory as GraphMemory, SMALL},
    },
    kernel::distance::Metric,
    payload::vector::VectorChange,
    pipeline::sequencer::{Position, PrepareError, Prepared, Sequencer, SlotState},
};
use proptest::{collection::vec, prelude::*, sample::Index};

const PARAMETERS: GraphParameters = GraphParameters::new(SMALL, Metric::SquaredL2);

#[derive(Clone, Debug)]
struct ListStep {
    layer: u8,
    at: Index,
    kind: u8,
    bits: u16,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    kind: u8,
    at: Index,
    level: u8,
    value: u8,
    lists: Vec<ListStep>,
}

pub(super) fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let list =
        (0..2_u8, any::<Index>(), 0..3_u8, any::<u16>()).prop_map(|(layer, at, kind, bits)| {
            ListStep {
                layer,
                at,
                kind,
                bits,
            }
        });
    let parts = (0..24_u8, any::<Index>(), 0..2_u8, 0..9_u8, vec(list, 0..4));
    let event = parts.prop_map(|(kind, at, level, value, lists)| Event {
        kind,
        at,
        level,
        value,
        lists,
    });
    vec(event, 1..40)
}

/// A writer of rows and a graph, and the frames that it has written.
struct Writer<'a> {
    sequencer: Sequencer<'a>,
    graph: Adjacency<'a>,
    rows: Vec<[f32; DIM]>,
    deleted: Vec<bool>,
    frames: Vec<Vec<u8>>,
}

/// A list's change that fits a graph in which `nodes` have `layer`.
fn list_change(
    step: &ListStep,
    current: &[u32],
    slot: u32,
    nodes: &[u32],
    degree_max: usize,
) -> (Vec<u32>, Vec<u32>) {
    let chosen = |bit: usize| step.bits >> (bit % 16) & 1 == 1;
    let others = nodes.iter().copied().filter(|&to| to != slot);
    let mut added: Vec<u32> = others
        .enumerate()
        .filter(|(i, _)| chosen(*i))
        .map(|(_, to)| to)
        .collect();
    if step.kind == 0 {
        added.truncate(degree_max);
        return (vec![], added);
    }
    let removed: Vec<u32> = current
        .iter()
        .copied()
        .enumerate()
        .filter(|(i, _)| chosen(i + 3))
        .map(|(_, to)| to)
        .collect();
    added.retain(|to| !current.contains(to));
    added.truncate(degree_max + removed.len() - current.len());
    (removed, added)
}

impl Writer<'_> {
    /// Does what the event says as far as it can be done.
    fn step(&mut self, event: &Event) {
        let slots = u32::try_from(self.rows.len()).unwrap();
        let slot = u32::try_from(event.at.index(self.rows.len().max(1))).unwrap();
        let next = self.graph.node_count();
        match event.kind {
            0..8 if self.rows.len() < SLOTS => self.insert(slots, event, next == slots),
            8 if self.rows.len() < SLOTS => self.insert(slots, event, false),
            9..13 => self.update(slot, event, false),
            13..15 => self.update(slot, event, true),
            15..18 => self.delete(slot, event),
            18..20 if next < slots => self.reindex(event, Some(next)),
            20 if event.value == 0 => self
                .send_change(vec![Edit::Clear], |sequencer, graph, out| {
                    sequencer.prepare_reindex(graph.as_ref().unwrap(), out)
                }),
            _ => self.reindex(event, None),
        }
    }

    fn insert(&mut self, slot: u32, event: &Event, has_node: bool) {
        let row = [f32::from(event.value), 1.0];
        let lists = self.lists(event, has_node.then_some((slot, event.level)));
        let edits = if has_node {
            self.node(slot, event.level, false, &lists)
        } else {
            vec![]
        };
        let before = self.frames.len();
        let id = slot.to_le_bytes();
        self.send_change(edits, |sequencer, graph, out| {
            let change = VectorChange {
                slot,
                base: Base::Zero,
                new: &row,
                id: &id,
                graph,
                metadata: &[],
            };
            sequencer.prepare_vector(&change, out, None)
        });
        if self.frames.len() > before {
            self.rows.push(row);
            self.deleted.push(false);
        }
    }

    fn update(&mut self, slot: u32, event: &Event, relinks: bool) {
        let Some(&old) = self.rows.get(slot as usize) else {
            return;
        };
        let new = [old[0], f32::from(event.value)];
        let lists = self.lists(event, None);
        let edits = if relinks { edits(&lists) } else { vec![] };
        let before = self.frames.len();
        self.send_change(edits, |sequencer, graph, out| {
            let change = VectorChange {
                slot,
                base: Base::Row(&old),
                new: &new,
                id: &[],
                graph,
                metadata: &[],
            };
            sequencer.prepare_vector(&change, out, None)
        });
        if self.frames.len() > before {
            self.rows[slot as usize] = new;
        }
    }

    fn delete(&mut self, slot: u32, event: &Event) {
        if self.deleted.get(slot as usize) != Some(&false) {
            return;
        }
        let lists = self.lists(event, None);
        let mut changes = vec![];
        if slot < self.graph.node_count() {
            changes.push(Edit::Tombstone { slot });
            changes.extend(edits(&lists));
        }
        let before = self.frames.len();
        self.send_change(changes, |sequencer, graph, out| {
            sequencer.prepare_delete_with_graph(slot, graph.as_ref(), out)
        });
        assert!(self.frames.len() > before);
        self.deleted[slot as usize] = true;
    }

    /// Links anew, or gives the next row without a node one.
    fn reindex(&mut self, event: &Event, node: Option<u32>) {
        let lists = self.lists(event, node.map(|slot| (slot, event.level)));
        let changes = match node {
            Some(slot) => self.node(slot, event.level, self.deleted[slot as usize], &lists),
            None => edits(&lists),
        };
        if !changes.is_empty() {
            self.send_change(changes, |sequencer, graph, out| {
                sequencer.prepare_reindex(graph.as_ref().unwrap(), out)
            });
        }
    }

    /// The edits that insert a node.
    fn node<'l>(&self, slot: u32, level: u8, deleted: bool, lists: &'l [NewList]) -> Vec<Edit<'l>> {
        let mut all = vec![];
        if deleted {
            all.push(Edit::Tombstone { slot });
        }
        all.push(Edit::Insert { slot, level });
        all.extend(edits(lists));
        if self.graph.entry().is_none() || level > self.graph.level_max() {
            all.push(Edit::Entry { slot });
        }
        all
    }

    fn lists(&self, event: &Event, new: Option<(u32, u8)>) -> Vec<NewList> {
        let level = |slot| match new {
            Some((inserted, level)) if slot == inserted => Some(level),
            _ => self.graph.level(slot),
        };
        let nodes = self.graph.node_count() + u32::from(new.is_some());
        let mut lists = vec![];
        for step in &event.lists {
            let with_layer: Vec<u32> = (0..nodes)
                .filter(|slot| level(*slot).is_some_and(|l| l >= step.layer))
                .collect();
            if with_layer.is_empty() {
                continue;
            }
            let slot = with_layer[step.at.index(with_layer.len())];
            let current = self.graph.neighbours(step.layer, slot).unwrap_or(&[]);
            let degree_max = SMALL.degree_max_of(step.layer).into();
            let (removed, added) = list_change(step, current, slot, &with_layer, degree_max);
            let places = current
                .iter()
                .zip(0..)
                .filter(|(to, _)| removed.contains(to));
            lists.push(NewList {
                layer: step.layer,
                slot,
                kind: step.kind,
                places: places.fold(0, |places, (_, place)| places | 1 << place),
                removed,
                added,
            });
        }
        lists.sort_by_key(|list| (list.layer, list.slot));
        lists.dedup_by_key(|list| (list.layer, list.slot));
        lists
    }

    /// Sends a record with `edits`, if graph and rows take it.
    fn send_change(
        &mut self,
        edits: Vec<Edit<'_>>,
        prepare: impl FnOnce(
            &Sequencer<'_>,
            Option<CheckedChange<'_>>,
            &mut [u8],
        ) -> Result<Prepared, PrepareError>,
    ) {
        let (mut change, mut out) = ([0; 512], [0; 1_024]);
        let size = encode_edits(edits.iter().copied(), &mut change).unwrap();
        let checked = match edits.is_empty() {
            true => None,
            false => match self.graph.check(Change::parse(&change[..size]).unwrap()) {
                Ok(checked) => Some(checked),
                Err(_) => return,
            },
        };
        let Ok(prepared) = prepare(&self.sequencer, checked, &mut out) else {
            return;
        };
        let header = prepared.header;
        self.frames
            .push([&header.to_bytes()[..], &out[..header.payload_size as usize]].concat());
        self.sequencer.commit(prepared);
        if let Some(checked) = checked {
            self.graph.make(checked);
        }
    }
}

struct NewList {
    layer: u8,
    slot: u32,
    kind: u8,
    places: u64,
    removed: Vec<u32>,
    added: Vec<u32>,
}

fn edits(lists: &[NewList]) -> Vec<Edit<'_>> {
    lists
        .iter()
        .map(|list| {
            let (removed, added) = (Slots::from(&list.removed[..]), Slots::from(&list.added[..]));
            let change = match list.kind {
                0 => ListChange::Replace(added),
                1 if list.added.len() < 2 => ListChange::Link {
                    removed: list.places,
                    added: list.added.first().copied(),
                },
                _ => ListChange::Patch { removed, added },
            };
            Edit::List {
                layer: list.layer,
                slot: list.slot,
                change,
            }
        })
        .collect()
}

/// The frames of a history, and where it ends.
pub(super) fn frames_of(events: &[Event]) -> (Vec<Vec<u8>>, Position) {
    let mut slots = [SlotState::default(); SLOTS];
    let mut memory = GraphMemory::new(SMALL);
    let sequencer = Sequencer::new(2, &mut slots, 0, Position::START).with_graph(PARAMETERS, 0);
    let mut writer = Writer {
        sequencer,
        graph: memory.graph(),
        rows: vec![],
        deleted: vec![],
        frames: vec![],
    };
    for event in events {
        writer.step(event);
    }
    (writer.frames, writer.sequencer.position())
}
