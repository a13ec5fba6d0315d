use super::{
    ATTRIBUTES, base_position,
    model::{DIM_MAX, Event, Primary, SCRATCH, SLOTS, any_event},
    take_all,
};
use crate::{
    codec::lz4::Lz4Scratch,
    pipeline::{
        apply::{Applier, Apply, Outcome},
        process::{PassThrough, relay},
        sequencer::SlotState,
    },
    ring::StaticRing,
    store::{Replica, state_digest},
    testing::{Memory, any_row, view},
};
use proptest::{collection::vec, prelude::*};

/// Dim, base rows, events, and after which of them the replica catches up.
fn any_history() -> impl Strategy<Value = (usize, Vec<f32>, Vec<(Event, bool)>)> {
    (1..=DIM_MAX, 0..4_usize).prop_flat_map(|(dim, rows)| {
        let events = vec((any_event(), any::<bool>()), 1..40);
        (Just(dim), any_row(dim * rows), events)
    })
}

proptest! {
    #[test]
    fn prop_random_history_replicates(
        (dim, base, events) in any_history(),
        compress in any::<bool>(),
    ) {
        // Four slots, and hardly room for two batches: the ring fills up often.
        let mut ring = StaticRing::<4, 1024>::new();
        let (tx, rx) = ring.split();
        let (mut slots, mut lz4) = ([SlotState::default(); SLOTS], Lz4Scratch::new());
        let lz4 = compress.then_some(&mut lz4);
        let mut primary = Primary::new(tx, &mut slots, lz4, dim, &base);

        let (mut memory, mut scratch) = (Memory::new(dim, SLOTS, ATTRIBUTES), [0; 1000]);
        let mut store = memory.store_with_base(&base);
        let applier = Applier::new(base_position(&store), &mut scratch);
        let mut apply = Apply::new(rx, applier);

        for (event, catch_up) in events {
            let done = primary.step(&event);
            if done && !catch_up {
                continue;
            }
            loop {
                while let Some(outcome) = apply.poll(&mut store).unwrap() {
                    prop_assert_eq!(outcome, Outcome::Applied);
                    let position = apply.applier().current_position();
                    prop_assert_eq!(position.digest, state_digest(&store));
                }
                prop_assert_eq!(apply.applier().current_position(), primary.capture.position());
                prop_assert_eq!(view(&store).slots, primary.slots());
                if done || primary.step(&event) {
                    break;
                }
                // Room for a whole record: it is taken at the next attempt.
                prop_assert_eq!(apply.poll(&mut store), Ok(None));
            }
        }
        while apply.poll(&mut store).unwrap().is_some() {}
        prop_assert_eq!(apply.applier().current_position(), primary.capture.position());
        prop_assert_eq!(view(&store).slots, primary.slots());
        prop_assert_eq!(apply.applier().applied(), primary.capture.position().sequence);
        prop_assert_eq!(apply.applier().duplicates(), 0);
    }

    #[test]
    fn prop_random_history_replicates_by_a_relay_and_twice_over(
        (dim, base, events) in any_history(),
    ) {
        let mut ring = StaticRing::<64, 65_536>::new();
        let (tx, mut rx) = ring.split();
        let mut slots = [SlotState::default(); SLOTS];
        let mut primary = Primary::new(tx, &mut slots, None, dim, &base);
        let mut second_ring = StaticRing::<64, 65_536>::new();
        let (mut second_tx, mut second_rx) = second_ring.split();
        for (event, _) in events {
            prop_assert!(primary.step(&event));
        }
        while relay(&mut rx, &mut PassThrough, &mut second_tx).unwrap() {}

        let mut memory = Memory::new(dim, SLOTS, ATTRIBUTES);
        let mut store = memory.store_with_base(&base);
        let mut scratch = [0; SCRATCH];
        let mut applier = Applier::new(base_position(&store), &mut scratch);
        let frames = take_all(&mut second_rx);
        for frame in &frames {
            let record = crate::record::Record::parse(frame).unwrap();
            prop_assert_eq!(applier.apply_delta(&record, &mut store), Ok(Outcome::Applied));
        }
        prop_assert_eq!(view(&store).slots, primary.slots());

        // At-least-once delivery: all of it again changes nothing.
        let before = (view(&store), applier.current_position());
        for frame in &frames {
            let record = crate::record::Record::parse(frame).unwrap();
            prop_assert_eq!(applier.apply_delta(&record, &mut store), Ok(Outcome::Duplicate));
        }
        prop_assert_eq!((view(&store), applier.current_position()), before);
        prop_assert_eq!(applier.duplicates(), frames.len() as u64);
        prop_assert_eq!(store.slot_count() as usize, primary.slots().len());
    }
}
