//! Batches of records, all or nothing, and back.

use super::{
    ATTRIBUTES, RandomLog, any_log, base_position,
    model::{SCRATCH, SLOTS},
    shown,
};
use crate::{
    header::{DeltaHeader, Operation},
    pipeline::{
        apply::{Applier, BatchApplyError, Refusal, Undo},
        counters::Counters,
    },
    record::Record,
    testing::{Memory, frame},
};
use proptest::{prelude::*, sample::Index};

fn records(frames: &[Vec<u8>]) -> Vec<Record<'_>> {
    frames
        .iter()
        .map(|frame| Record::parse(frame).unwrap())
        .collect()
}

/// Undo memory for any log of the tests.
const UNDO: usize = 1 << 20;

proptest! {
    #[test]
    fn prop_a_batch_is_applied_whole_or_not_at_all(
        log in any_log(),
        cut in any::<Index>(),
        damage in any::<Index>(),
    ) {
        let RandomLog { dim, base, frames } = log;
        let mut memory = Memory::new(dim, SLOTS, ATTRIBUTES);
        let mut store = memory.store_with_base(&base);
        let mut scratch = [0; SCRATCH];
        let mut applier = Applier::new(base_position(&store), &mut scratch);
        let mut bytes = vec![0; UNDO];
        let mut undo = Undo::new(&mut bytes);
        prop_assume!(!frames.is_empty());
        let (head, tail) = frames.split_at(cut.index(frames.len()));
        let result = applier.apply_batch(records(head), &mut store, &mut undo).unwrap();
        prop_assert_eq!(result.applied as usize, head.len());
        prop_assert_eq!(result.position, applier.current_position());

        // One record is no longer the next.
        let before = (shown(&store), applier.current_position(), applier.applied());
        let mut damaged = tail.to_vec();
        damaged.remove(damage.index(tail.len()));
        if damaged.len() > damage.index(tail.len()) {
            let result = applier.apply_batch(records(&damaged), &mut store, &mut undo);
            let gap = matches!(result, Err(BatchApplyError::Apply(error))
                if matches!(error.reason, Refusal::Gap { .. } | Refusal::UnknownEpoch { .. }));
            prop_assert!(gap, "{:?}", result);
            let after = (shown(&store), applier.current_position(), applier.applied());
            prop_assert_eq!(&before, &after);
        }

        // What is known is skipped, the rest applied, and all of that taken back step by step.
        let result = applier.apply_batch(records(&frames), &mut store, &mut undo).unwrap();
        prop_assert_eq!(result.duplicates as usize, head.len());
        prop_assert_eq!(result.applied as usize, tail.len());
        for expected in (0..tail.len()).rev() {
            let position = applier.step_back(&mut store, &mut undo).unwrap();
            prop_assert_eq!(position.sequence, (head.len() + expected) as u64);
            prop_assert_eq!(position.digest, shown(&store).1);
        }
        prop_assert_eq!((shown(&store), applier.current_position()), (before.0, before.1));
    }

    #[test]
    fn prop_undo_memory_that_suffices_by_its_bound_suffices(log in any_log()) {
        let RandomLog { dim, base, frames } = log;
        prop_assume!(!frames.is_empty());
        let mut memory = Memory::new(dim, SLOTS, ATTRIBUTES);
        let mut store = memory.store_with_base(&base);
        let before = shown(&store);
        let mut scratch = [0; SCRATCH];
        let mut applier = Applier::new(base_position(&store), &mut scratch);
        let refused = applier.apply_batch(records(&frames), &mut store, &mut Undo::new(&mut []));
        let Err(BatchApplyError::UndoTooSmall { needed, given: 0 }) = refused else {
            panic!("{refused:?}");
        };
        let mut bytes = vec![0; needed - 1];
        let refused = applier.apply_batch(records(&frames), &mut store, &mut Undo::new(&mut bytes));
        let given = needed - 1;
        prop_assert_eq!(refused, Err(BatchApplyError::UndoTooSmall { needed, given }));
        prop_assert_eq!(&shown(&store), &before);
        let mut bytes = vec![0; needed];
        let mut undo = Undo::new(&mut bytes);
        prop_assert!(applier.apply_batch(records(&frames), &mut store, &mut undo).is_ok());
        while applier.step_back(&mut store, &mut undo).is_some() {}
        prop_assert_eq!(shown(&store), before);
    }

    #[test]
    fn prop_a_full_undo_forgets_the_oldest(log in any_log(), room in 200..2_000_usize) {
        let RandomLog { dim, base, frames } = log;
        let (mut memory, mut oracle) =
            (Memory::new(dim, SLOTS, ATTRIBUTES), Memory::new(dim, SLOTS, ATTRIBUTES));
        let mut store = memory.store_with_base(&base);
        let mut scratch = [0; SCRATCH];
        let mut applier = Applier::new(base_position(&store), &mut scratch);
        let mut bytes = vec![0; room];
        let mut undo = Undo::new(&mut bytes);
        let mut kept = 0;
        for record in records(&frames) {
            match applier.apply_undoable(&record, &mut store, &mut undo) {
                Ok(_) => kept += 1,
                // A record too large for the memory: applied without.
                Err(BatchApplyError::UndoTooSmall { .. }) => {
                    applier.apply_delta(&record, &mut store).unwrap();
                    undo.clear();
                    kept = 0;
                }
                Err(error) => panic!("{error}"),
            }
        }
        let mut taken_back = 0;
        while applier.step_back(&mut store, &mut undo).is_some() {
            taken_back += 1;
        }
        prop_assert!(taken_back <= kept && (kept == 0 || taken_back > 0));
        let mut replayed = oracle.store_with_base(&base);
        let mut scratch = [0; SCRATCH];
        let mut again = Applier::new(base_position(&replayed), &mut scratch);
        for record in records(&frames[..frames.len() - taken_back]) {
            again.apply_delta(&record, &mut replayed).unwrap();
        }
        prop_assert_eq!(shown(&store), shown(&replayed));
        prop_assert_eq!(applier.current_position(), again.current_position());
    }
}

#[test]
fn a_refused_record_is_not_kept() {
    let mut memory = Memory::new(2, 2, 0);
    let mut store = memory.store_with_base(&[1.0, 2.0]);
    let mut scratch = [0; SCRATCH];
    let mut applier = Applier::new(base_position(&store), &mut scratch);
    let (mut bytes, position) = ([0; 256], applier.current_position());
    let mut undo = Undo::new(&mut bytes);
    let delete = frame(DeltaHeader::new(Operation::Delete, 1, 1), &[7, 0, 0, 0]);
    let record = Record::parse(&delete).unwrap();
    let refused = applier.apply_undoable(&record, &mut store, &mut undo);
    assert!(matches!(refused, Err(BatchApplyError::Apply(_))));
    assert!(undo.is_empty());
    assert_eq!(applier.step_back(&mut store, &mut undo), None);
    assert_eq!(applier.current_position(), position);
}

#[test]
fn a_record_twice_in_a_batch_is_counted_as_applied_once() {
    let mut memory = Memory::new(2, 2, 0);
    let mut store = memory.store_with_base(&[1.0, 2.0, 3.0, 4.0]);
    let counters = Counters::default();
    let mut applier = Applier::new(base_position(&store), &mut []).with_counters(&counters);
    let mut bytes = [0; 1_024];
    let mut undo = Undo::new(&mut bytes);
    let delete = |sequence, slot| {
        let header = DeltaHeader::new(Operation::Delete, sequence, 1);
        frame(header, &[slot, 0, 0, 0])
    };
    let frames = [delete(1, 0), delete(1, 0), delete(2, 1), delete(1, 0)];
    let result = applier.apply_batch(records(&frames), &mut store, &mut undo);
    let result = result.unwrap();
    assert_eq!((result.applied, result.duplicates), (2, 2));
    let counted = counters.snapshot();
    assert_eq!((counted.records, counted.duplicates), (2, 2));
    assert_eq!(counted.encoded_bytes, 2 * 68);
}
