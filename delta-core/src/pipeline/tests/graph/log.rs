//! Random histories of rows and their graph: taken back record by record, and compacted.

use super::{GraphMemory, bytes};
use crate::{
    codec::Base,
    compact::{CompactError, RangeSegment},
    graph::{
        Adjacency, CheckedChange, Edit, GraphParameters, ListChange, Slots,
        encode::{Change, encode_edits},
        tests::SMALL,
    },
    kernel::distance::Metric,
    payload::vector::VectorChange,
    pipeline::{
        apply::{Applier, BatchApplyError, Undo},
        sequencer::{Position, PrepareError, Prepared, Sequencer, SlotState},
        tests::{
            Shown,
            compact::{Work, finish},
            shown,
        },
    },
    record::Record,
    store::{Replica, ReplicaGraph, SliceStore},
    testing::Memory,
};
use proptest::{collection::vec, prelude::*, sample::Index};

const DIM: usize = 2;
const SLOTS: usize = 20;
const ATTRIBUTES: usize = 2_000;
const PARAMETERS: GraphParameters = GraphParameters::new(SMALL, Metric::SquaredL2);

#[derive(Clone, Debug)]
struct ListStep {
    layer: u8,
    at: Index,
    kind: u8,
    bits: u16,
}

#[derive(Clone, Debug)]
struct Event {
    kind: u8,
    at: Index,
    level: u8,
    value: u8,
    lists: Vec<ListStep>,
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
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
fn frames_of(events: &[Event]) -> (Vec<Vec<u8>>, Position) {
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

fn memories() -> (Memory, GraphMemory) {
    (Memory::new(DIM, SLOTS, ATTRIBUTES), GraphMemory::new(SMALL))
}

fn replica<'a>(memory: &'a mut Memory, graph: &'a mut GraphMemory) -> SliceStore<'a> {
    let graph = ReplicaGraph::new(graph.graph(), Metric::SquaredL2);
    memory.store().with_graph(graph)
}

/// All that a replica has.
fn whole(store: &SliceStore<'_>) -> (Shown, Vec<u8>) {
    (shown(store), bytes(store.graph().unwrap().adjacency()))
}

fn records(frames: &[Vec<u8>]) -> Vec<Record<'_>> {
    frames
        .iter()
        .map(|frame| Record::parse(frame).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn prop_graph_changes_are_taken_back_in_every_byte(
        events in any_events(),
        cut in any::<Index>(),
    ) {
        let (frames, end) = frames_of(&events);
        prop_assume!(!frames.is_empty());
        let (mut memory, mut graph) = memories();
        let mut store = replica(&mut memory, &mut graph);
        let mut scratch = [0; 8 * DIM];
        let mut applier = Applier::new(Position::START, &mut scratch);
        let mut states = vec![];
        let mut bytes = vec![0; 1 << 17];
        let mut undo = Undo::new(&mut bytes);
        for record in records(&frames) {
            states.push((whole(&store), applier.current_position()));
            applier.apply_undoable(&record, &mut store, &mut undo).unwrap();
        }
        prop_assert_eq!(applier.current_position(), end);
        for expected in states.iter().rev() {
            applier.step_back(&mut store, &mut undo).unwrap();
            prop_assert_eq!(&(whole(&store), applier.current_position()), expected);
        }

        // A batch in which a record is missing changes nothing; whole, it leads to the end.
        let mut damaged = frames.clone();
        let missing = cut.index(frames.len());
        damaged.remove(missing);
        if missing < damaged.len() {
            let refused = applier.apply_batch(records(&damaged), &mut store, &mut undo);
            prop_assert!(matches!(refused, Err(BatchApplyError::Apply(_))));
            prop_assert_eq!(&(whole(&store), applier.current_position()), &states[0]);
        }
        let refused = applier.apply_batch(records(&frames), &mut store, &mut Undo::new(&mut []));
        let Err(BatchApplyError::UndoTooSmall { needed, .. }) = refused else {
            panic!("{refused:?}");
        };
        let mut bytes = vec![0; needed];
        let mut undo = Undo::new(&mut bytes);
        let result = applier.apply_batch(records(&frames), &mut store, &mut undo).unwrap();
        prop_assert_eq!(result.position, end);
        while applier.step_back(&mut store, &mut undo).is_some() {}
        prop_assert_eq!(&(whole(&store), applier.current_position()), &states[0]);
    }

    #[test]
    fn prop_a_compacted_log_with_a_graph_replays_as_the_log(
        events in any_events(),
        entities in 2..SLOTS,
    ) {
        let (frames, end) = frames_of(&events);
        prop_assume!(!frames.is_empty());
        let (mut memory, mut graph) = memories();
        let mut expected = replica(&mut memory, &mut graph);
        let mut scratch = [0; 8 * DIM];
        let mut applier = Applier::new(Position::START, &mut scratch);
        for record in records(&frames) {
            applier.apply_delta(&record, &mut expected).unwrap();
        }
        let whole_log = segments(&frames, SLOTS);
        prop_assert_eq!(whole_log.len(), 1);
        for segments in [&whole_log, &segments(&frames, entities)] {
            let (mut memory, mut graph) = memories();
            let mut store = replica(&mut memory, &mut graph);
            let mut scratch = [0; 8 * DIM];
            let mut applier = Applier::new(Position::START, &mut scratch);
            let mut undo = vec![0; 1 << 17];
            let mut undo = Undo::new(&mut undo);
            for bytes in segments {
                let segment = RangeSegment::parse(bytes).unwrap();
                applier.apply_range(&segment, &mut store, &mut undo).unwrap();
            }
            prop_assert_eq!(applier.current_position(), end);
            prop_assert_eq!(whole(&store), whole(&expected));

            // Idempotent, and segments merge.
            let mut work = Work::new(DIM, SLOTS, 4_000);
            let (mut base, mut named) = (GraphMemory::new(SMALL), [u32::MAX; 12]);
            let compactor = work.compactor(DIM, Position::START);
            let mut compactor = compactor.with_graph(base.graph(), &mut named);
            for bytes in segments {
                compactor.push_segment(&RangeSegment::parse(bytes).unwrap()).unwrap();
            }
            prop_assert_eq!(&finish(&mut compactor), &whole_log[0]);
        }
    }
}

/// The log in segments of at most so many entities.
fn segments(frames: &[Vec<u8>], entities: usize) -> Vec<Vec<u8>> {
    let (mut memory, mut graph) = memories();
    let base = replica(&mut memory, &mut graph);
    let mut scratch = [0; 8 * DIM];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut undo = vec![0; 1 << 17];
    let mut work = Work::new(DIM, entities, 4_000);
    let (mut range, mut named) = (GraphMemory::new(SMALL), [u32::MAX; 12]);
    let compactor = work.compactor_over(DIM, Position::START, base);
    let mut compactor = compactor.with_graph(range.graph(), &mut named);
    let mut segments = vec![];
    for record in records(frames) {
        while let Err(error) = compactor.push(&record) {
            assert!(matches!(error, CompactError::Full { .. }), "{error}");
            let bytes = finish(&mut compactor);
            let segment = RangeSegment::parse(&bytes).unwrap();
            let base = compactor.base_mut();
            applier
                .apply_range(&segment, base, &mut Undo::new(&mut undo))
                .unwrap();
            segments.push(bytes);
        }
    }
    segments.push(finish(&mut compactor));
    segments
}
