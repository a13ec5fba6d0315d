//! A tutorial: streams derived from another, each with a reader of its own.
//!
//! A process stage that selects, transforms or splits records ends the stream and originates
//! others, with their own slots, sequences and digest. Here one source becomes a stream of some
//! documents' first components, and two halves of everything.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use delta_core::header::Operation;
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::derive::{
    Derived, DerivedConfig, DerivedMemory, DropMetadata, Entity, Followed, IdShard, Identity,
    Namespace, Operations, Overflow, Project, Quantise, Transform, route,
};
use delta_core::pipeline::sequencer::{Position, Prepared, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::ring::{Consumer, RawMem, StaticRing};
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

const DIM: usize = 4;
const ROW_DIM: u32 = 4;
const SLOTS: usize = 8;

/// The memory of a replica.
struct Memory {
    rows: [f32; DIM * SLOTS],
    slots: [Slot; SLOTS],
    attributes: [u8; 512],
}

impl Memory {
    fn new() -> Self {
        Self {
            rows: [0.0; DIM * SLOTS],
            slots: [Slot::default(); SLOTS],
            attributes: [0; 512],
        }
    }

    fn parts(&mut self) -> SliceMemory<'_> {
        SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut self.attributes,
        }
    }
}

/// What a derived stream works in.
struct Room {
    memory: Memory,
    states: [SlotState; SLOTS],
    map: [u32; SLOTS],
    row: [f32; DIM],
    scratch: [u8; 64],
}

impl Room {
    fn new() -> Self {
        Self {
            memory: Memory::new(),
            states: [SlotState::default(); SLOTS],
            map: [0; SLOTS],
            row: [0.0; DIM],
            scratch: [0; 64],
        }
    }

    fn parts(&mut self) -> DerivedMemory<'_> {
        DerivedMemory {
            store: self.memory.parts(),
            states: &mut self.states,
            map: &mut self.map,
            row: &mut self.row,
            scratch: &mut self.scratch,
        }
    }
}

/// The source's records, one behind the other.
fn source() -> Vec<Vec<u8>> {
    let mut states = [SlotState::default(); SLOTS];
    let mut sequencer = Sequencer::new(ROW_DIM, &mut states, 0, Position::START);
    let mut frames = vec![];
    let mut out = [0; 128];
    let mut send = |sequencer: &mut Sequencer<'_>,
                    change: &dyn Fn(&Sequencer<'_>, &mut [u8]) -> _| {
        let prepared: Prepared = change(sequencer, &mut out);
        let payload = &out[..prepared.header.payload_size as usize];
        frames.push([&prepared.header.to_bytes()[..], payload].concat());
        sequencer.commit(prepared);
    };
    let row = |first: f32| [first, 2.0, 3.0, 4.0];
    for (id, first) in [(&b"src/a"[..], 1.0), (b"doc/b", 2.0), (b"src/c", 3.0)] {
        send(&mut sequencer, &|sequencer, out| {
            sequencer
                .prepare_insert(id, &row(first), &[], out, None)
                .unwrap()
        });
    }
    send(&mut sequencer, &|sequencer, out| {
        sequencer
            .prepare_update(2, &row(3.0), &row(3.5), &[], out, None)
            .unwrap()
    });
    send(&mut sequencer, &|sequencer, out| {
        sequencer.prepare_delete(0, out).unwrap()
    });
    frames
}

/// A reader of a derived stream: an ordinary replica, which starts from the stream's base.
fn read(ring: Consumer<RawMem<'_>>, base: Position, store: &mut SliceStore<'_>) -> Position {
    let mut scratch = [0; 64];
    let mut apply = Apply::new(ring, Applier::new(base, &mut scratch));
    while apply.poll(store).unwrap().is_some() {}
    let position = apply.applier().current_position();
    assert_eq!(state_digest(store), position.digest);
    position
}

#[test]
fn some_documents_and_some_of_their_components() {
    let (mut memory, mut room) = (Memory::new(), Room::new());
    let mut replica = SliceStore::new(ROW_DIM, memory.parts());
    let mut scratch = [0; 64];
    let mut applier = Applier::new(Position::START, &mut scratch);

    // Documents under src/, without their deletions; two components, coarser, no metadata.
    let project = Project { dims: &[0, 3] };
    let transform = DropMetadata(Quantise {
        bits: 8,
        then: project,
    });
    let config = DerivedConfig {
        operations: Operations::ALL.without(Operation::Delete),
        ..DerivedConfig::new(Namespace(b"src/"), transform)
    };
    let mut derived = Derived::new(config, &replica, Position::START, room.parts()).unwrap();
    let base = derived.position();
    let mut ring = StaticRing::<16, 4096>::new();
    let (mut target, reader) = ring.split();

    let mut followed = vec![];
    for frame in &source() {
        let record = Record::parse(frame).unwrap();
        // First the replica of the source, then what it leaves for the derived stream.
        applier.apply_delta(&record, &mut replica).unwrap();
        followed.push(derived.follow(&record, &replica, &mut target).unwrap());
    }
    use Followed::{Passed, Skipped};
    assert_eq!(followed, [Passed, Skipped, Passed, Passed, Skipped]);

    let mut memory = Memory::new();
    let mut store = SliceStore::new(2, memory.parts());
    let end = read(reader, base, &mut store);
    assert_eq!(end, derived.position());
    assert_eq!(end.sequence, 3, "numbered anew, without gaps");
    assert_eq!((store.slot_count(), store.id(1)), (2, Some(&b"src/c"[..])));
    assert_eq!(store.row(1), Some(&[3.5, 4.0][..]));
    assert_eq!(derived.source_position(), (1, 5));
}

#[test]
fn a_route_splits_a_stream_and_none_of_its_outputs_blocks_the_others() {
    let (mut memory, mut rooms) = (Memory::new(), [Room::new(), Room::new()]);
    let mut replica = SliceStore::new(ROW_DIM, memory.parts());
    let mut scratch = [0; 64];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let (mut first, mut second) = (StaticRing::<16, 4096>::new(), StaticRing::<16, 4096>::new());
    let ((tx0, rx0), (tx1, rx1)) = (first.split(), second.split());

    // By hash of the id: an id that comes back is in the same part again.
    let mut room = rooms.iter_mut();
    let mut part = |shard, target| {
        let config = DerivedConfig {
            // A reader that is too slow is cut off and starts again from a snapshot.
            overflow: Overflow::DropAndResnapshot,
            ..DerivedConfig::new(IdShard { shard, count: 2 }, Identity)
        };
        let memory = room.next().unwrap().parts();
        (
            Derived::new(config, &replica, Position::START, memory).unwrap(),
            target,
        )
    };
    let mut outputs = [part(0, tx0), part(1, tx1)];
    let base = outputs[0].0.position();
    for frame in &source() {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut replica).unwrap();
        route(&record, &replica, &mut outputs).unwrap();
    }
    let mut entities = 0;
    for ((derived, _), reader) in outputs.iter().zip([rx0, rx1]) {
        assert!(!derived.needs_resnapshot());
        let mut memory = Memory::new();
        let mut store = SliceStore::new(ROW_DIM, memory.parts());
        assert_eq!(read(reader, base, &mut store), derived.position());
        entities += store.slot_count();
    }
    assert_eq!(entities, replica.slot_count());
}

/// A transform of one's own: rows of unit length.
#[derive(Clone, Copy)]
struct Normalise;

impl Transform for Normalise {
    fn dim(&self, source_dim: u32) -> u32 {
        source_dim
    }

    fn row(&self, source: &[f32], out: &mut [f32]) {
        let length = source.iter().map(|c| c * c).sum::<f32>().sqrt();
        for (out, component) in out.iter_mut().zip(source) {
            *out = component / length;
        }
    }
}

#[test]
fn a_transform_of_ones_own() {
    let (mut memory, mut room) = (Memory::new(), Room::new());
    let mut replica = SliceStore::new(ROW_DIM, memory.parts());
    let mut scratch = [0; 64];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let frames = source();
    let first = Record::parse(&frames[0]).unwrap();
    applier.apply_delta(&first, &mut replica).unwrap();
    // A derived stream may begin anywhere: its base is what it selects there.
    let position = applier.current_position();
    let config = DerivedConfig::new(|entity: &Entity<'_>| entity.slot == 0, Normalise);
    let derived = Derived::new(config, &replica, position, room.parts()).unwrap();
    let row = derived.store().row(0).unwrap();
    let length = row.iter().map(|c| c * c).sum::<f32>();
    assert!((length - 1.0).abs() < 1e-6);
}
