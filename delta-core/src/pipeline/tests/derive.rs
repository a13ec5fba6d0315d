//! Derived streams: their readers have exactly what the selection and the transform leave.

use super::{
    ATTRIBUTES, RandomLog, any_log, base_position,
    model::{SCRATCH, SLOTS},
    take_all,
};
use crate::{
    header::Operation,
    payload::{Payload, control::Control},
    pipeline::{
        apply::{Applier, Apply, Outcome},
        derive::{
            DeriveError, Derived, DerivedConfig, DerivedMemory, DropMetadata, Entity, Everything,
            Followed, IdShard, Identity, Namespace, Operations, Overflow, Project, Quantise,
            Select, SlotShard, Transform, route,
        },
        sequencer::{Position, SlotState},
    },
    record::Record,
    ring::StaticRing,
    store::{Replica, SliceMemory, SliceStore, Slot, state_digest},
    testing::{Memory, Pairs, bits_of, view},
};
use proptest::prelude::*;

/// Memory of a derived stream.
struct Room {
    rows: Vec<f32>,
    slots: [Slot; SLOTS],
    attributes: Vec<u8>,
    states: [SlotState; SLOTS],
    map: [u32; SLOTS],
    row: Vec<f32>,
    scratch: Vec<u8>,
}

impl Room {
    fn new(dim: usize) -> Self {
        Self {
            rows: vec![0.0; dim * SLOTS],
            slots: [Slot::default(); SLOTS],
            attributes: vec![0; ATTRIBUTES],
            states: [SlotState::default(); SLOTS],
            map: [0; SLOTS],
            row: vec![0.0; dim],
            scratch: vec![0; 2_000],
        }
    }

    fn memory(&mut self) -> DerivedMemory<'_> {
        DerivedMemory {
            store: SliceMemory {
                rows: &mut self.rows,
                slots: &mut self.slots,
                attributes: &mut self.attributes,
            },
            states: &mut self.states,
            map: &mut self.map,
            row: &mut self.row,
            scratch: &mut self.scratch,
        }
    }
}

/// Row, id, whether it is deleted, metadata.
type Expected = (Vec<u32>, Option<Vec<u8>>, bool, Pairs);

/// What a derived state must be: the live, selected entities in the order of the source's slots.
fn expected<S: Select, T: Transform>(
    source: &SliceStore<'_>,
    select: &S,
    transform: &T,
    deleted_at_start: &[bool],
) -> Vec<Expected> {
    let dim = usize::try_from(transform.dim(source.dim())).unwrap();
    let mut found = vec![];
    for slot in 0..source.slot_count() {
        let id = source.id(slot).unwrap_or_default();
        let was_deleted = deleted_at_start.get(slot as usize) == Some(&true);
        if was_deleted || !select.selects(&Entity::new(slot, id)) {
            continue;
        }
        let mut row = vec![0.0; dim];
        transform.row(source.row(slot).unwrap(), &mut row);
        let mut metadata = vec![];
        if transform.keeps_metadata() {
            source.visit_metadata(slot, &mut |key, value| {
                metadata.push((key.to_vec(), value.to_vec()));
            });
        }
        let id = source.id(slot).map(<[u8]>::to_vec);
        found.push((bits_of(&row), id, source.is_deleted(slot), metadata));
    }
    found
}

fn check<S: Select + Copy, T: Transform + Copy>(
    log: &RandomLog,
    cut: usize,
    select: S,
    transform: T,
) -> Result<(), TestCaseError> {
    let dim = usize::try_from(transform.dim(u32::try_from(log.dim).unwrap())).unwrap();
    let mut memory = Memory::new(log.dim, SLOTS, ATTRIBUTES);
    let mut source = memory.store_with_base(&log.base);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(base_position(&source), &mut scratch);
    for frame in &log.frames[..cut] {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut source).unwrap();
    }
    // The stream is derived from the middle of its source on; so small a ring blocks often.
    let mut ring = StaticRing::<4, 4_096>::new();
    let (mut tx, rx) = ring.split();
    let mut room = Room::new(dim);
    let config = DerivedConfig {
        watermark_every: 3,
        ..DerivedConfig::new(select, transform)
    };
    let position = applier.current_position();
    let mut derived = Derived::new(config, &source, position, room.memory()).unwrap();
    let deleted: Vec<_> = (0..source.slot_count())
        .map(|slot| source.is_deleted(slot))
        .collect();

    // Its reader starts from a snapshot of its state.
    let mut reader_memory = Memory::new(dim, SLOTS, ATTRIBUTES);
    let mut reader = reader_memory.store();
    copy(derived.store(), &mut reader);
    let mut scratch = [0; SCRATCH];
    let mut apply = Apply::new(rx, Applier::new(derived.position(), &mut scratch));
    for frame in &log.frames[cut..] {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut source).unwrap();
        while let Err(error) = derived.follow(&record, &source, &mut tx) {
            prop_assert!(error.is_full(), "{}", error);
            while apply.poll(&mut reader).unwrap().is_some() {}
        }
        let again = derived.follow(&record, &source, &mut tx);
        prop_assert_eq!(again, Ok(Followed::Duplicate));
    }
    while apply.poll(&mut reader).unwrap().is_some() {}
    prop_assert_eq!(apply.applier().current_position(), derived.position());
    prop_assert_eq!(derived.position().digest, state_digest(&reader));
    prop_assert_eq!(
        derived.source_position().1,
        applier.current_position().sequence
    );
    let shown: Vec<_> = view(&reader)
        .slots
        .into_iter()
        .map(|slot| (slot.row, slot.id, slot.deleted, slot.metadata))
        .collect();
    prop_assert_eq!(shown, expected(&source, &select, &transform, &deleted));
    Ok(())
}

/// A snapshot: everything that `from` has.
fn copy(from: &SliceStore<'_>, to: &mut SliceStore<'_>) {
    use crate::payload::metadata::{MetadataChanges, MetadataEdit, write_section};
    for slot in 0..from.slot_count() {
        let mut section = vec![];
        from.visit_metadata(slot, &mut |key, value| {
            let edit = MetadataEdit {
                key,
                old: None,
                new: Some(value),
            };
            let mut out = [0; 1_000];
            let (size, _) = write_section(&[edit], &mut out, None).unwrap();
            section.extend_from_slice(&out[..size]);
        });
        to.push(
            from.id(slot).unwrap_or_default(),
            MetadataChanges::parse(&section).unwrap(),
        );
        to.row_mut(slot).copy_from_slice(from.row(slot).unwrap());
    }
}

proptest! {
    #[test]
    fn prop_a_reader_has_what_selection_and_transform_leave(
        log in any_log(),
        cut in any::<proptest::sample::Index>(),
        shard in 0..2_u32,
    ) {
        let cut = cut.index(log.frames.len() + 1);
        check(&log, cut, Everything, Identity)?;
        check(&log, cut, SlotShard { shard, count: 2 }, Quantise { bits: 3, then: Identity })?;
        check(&log, cut, IdShard { shard, count: 2 }, Project { dims: &[1, 0, 30] })?;
        check(&log, cut, Namespace(b"b"), DropMetadata(Project { dims: &[0] }))?;
    }
}

/// A source of one base row that updates, one record each.
fn run_updates(
    overflow: Overflow,
    mut each: impl FnMut(Result<Followed, DeriveError>, u64),
) -> (bool, Position) {
    let (frames, _) = super::compact::updates(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]);
    let mut memory = Memory::new(2, 1, 0);
    let mut source = memory.store_with_base(&[0.0; 2]);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut ring = StaticRing::<2, 1_024>::new();
    let (mut tx, mut rx) = ring.split();
    let mut room = Room::new(2);
    let config = DerivedConfig {
        overflow,
        ..DerivedConfig::new(Everything, Identity)
    };
    let memory = room.memory();
    let mut derived = Derived::new(config, &source, Position::START, memory).unwrap();
    for frame in &frames {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut source).unwrap();
        each(
            derived.follow(&record, &source, &mut tx),
            record.header().sequence,
        );
    }
    let broken = derived.needs_resnapshot();
    derived
        .resnapshot(&source, applier.current_position(), 2)
        .unwrap();
    assert_eq!(take_all(&mut rx).len(), 2);
    assert!(!derived.needs_resnapshot());
    assert_eq!(bits_of(derived.store().rows()), bits_of(source.rows()));
    (broken, derived.position())
}

#[test]
fn a_full_ring_blocks_or_breaks_the_stream_off() {
    let (broken, _) = run_updates(Overflow::Block, |followed, sequence| match sequence {
        1 | 2 => assert_eq!(followed, Ok(Followed::Passed)),
        _ => assert!(followed.unwrap_err().is_full()),
    });
    assert!(!broken);
    let (broken, position) =
        run_updates(
            Overflow::DropAndResnapshot,
            |followed, sequence| match sequence {
                1 | 2 => assert_eq!(followed, Ok(Followed::Passed)),
                _ => assert_eq!(followed, Ok(Followed::Dropped)),
            },
        );
    assert!(broken);
    // A reader that missed the snapshot is told by the epoch.
    assert_eq!((position.epoch, position.sequence), (2, 2));
}

#[test]
fn operations_are_selected_and_silence_is_marked() {
    let (frames, _) = super::compact::updates(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]);
    let mut memory = Memory::new(2, 1, 0);
    let mut source = memory.store_with_base(&[0.0; 2]);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut ring = StaticRing::<8, 1_024>::new();
    let (mut tx, mut rx) = ring.split();
    let mut room = Room::new(2);
    let config = DerivedConfig {
        operations: Operations::ALL.without(Operation::Update),
        watermark_every: 2,
        ..DerivedConfig::new(Everything, Identity)
    };
    let memory = room.memory();
    let mut derived = Derived::new(config, &source, Position::START, memory).unwrap();
    for frame in &frames {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut source).unwrap();
        let followed = derived.follow(&record, &source, &mut tx);
        assert_eq!(followed, Ok(Followed::Skipped));
    }
    let sent = take_all(&mut rx);
    assert_eq!(sent.len(), 1);
    let record = Record::parse(&sent[0]).unwrap();
    let Payload::Control(Control::Watermark {
        source_epoch,
        source_sequence,
    }) = *record.payload()
    else {
        panic!("{record:?}");
    };
    assert_eq!((source_epoch, source_sequence), (1, 2));
    let set = Operations::NONE.with(Operation::Delete);
    assert!(set.has(Operation::Delete) && !set.has(Operation::Insert));
}

#[test]
fn a_route_offers_a_record_to_all_even_if_one_is_full() {
    let (frames, _) = super::compact::updates(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]);
    let mut memory = Memory::new(2, 1, 0);
    let mut source = memory.store_with_base(&[0.0; 2]);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let (mut first, mut second) = (StaticRing::<2, 1_024>::new(), StaticRing::<2, 1_024>::new());
    let ((tx0, mut rx0), (tx1, rx1)) = (first.split(), second.split());
    let mut rooms = [Room::new(2), Room::new(2)];
    let [room0, room1] = &mut rooms;
    let mut reader_memory = Memory::new(2, 1, 0);
    let mut reader = reader_memory.store_with_base(&[0.0; 2]);
    let config = DerivedConfig::new(Everything, Identity);
    let derive = |room: &mut Room| {
        // Leaked for the test's sake: both live as long as the array of outputs.
        let room = Box::leak(Box::new(std::mem::replace(room, Room::new(2))));
        Derived::new(config, &source, Position::START, room.memory()).unwrap()
    };
    let mut outputs = [(derive(room0), tx0), (derive(room1), tx1)];
    let mut scratch = [0; SCRATCH];
    let mut apply = Apply::new(rx1, Applier::new(outputs[1].0.position(), &mut scratch));
    for frame in &frames {
        let record = Record::parse(frame).unwrap();
        applier.apply_delta(&record, &mut source).unwrap();
        while let Err(error) = route(&record, &source, &mut outputs) {
            assert!(error.is_full());
            assert_eq!(outputs[1].0.source_position().1, record.header().sequence);
            assert_eq!(take_all(&mut rx0).len(), 2);
        }
        assert_eq!(apply.poll(&mut reader), Ok(Some(Outcome::Applied)));
    }
    assert_eq!(bits_of(reader.rows()), bits_of(source.rows()));
}
