use super::{Replica, SliceMemory, SliceStore, Slot, StoreError, nearest, state_digest};
use crate::{
    digest::{id_term, pair_term, row_term, tombstone_term},
    graph::search::Neighbour,
    kernel::digest::row_sum,
    kernel::distance::{Metric, Query, order_key},
    payload::metadata::{MetadataChanges, MetadataEdit, section_size_max, write_section},
    testing::{Memory, Pairs, view},
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::Index,
};
use std::collections::BTreeMap;

/// A plain section that sets keys to new values or removes them.
fn section(changes: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
    let edits: Vec<_> = changes
        .iter()
        .map(|&(key, new)| MetadataEdit {
            key,
            old: if new.is_none() { Some(b"") } else { None },
            new,
        })
        .collect();
    let mut out = vec![0; section_size_max(&edits)];
    let (size, _) = write_section(&edits, &mut out, None).unwrap();
    out.truncate(size);
    out
}

fn pairs(store: &SliceStore<'_>, slot: u32) -> Pairs {
    view(store).slots[slot as usize].metadata.clone()
}

fn pair(key: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (key.to_vec(), value.to_vec())
}

#[test]
fn an_empty_store_has_nothing() {
    let mut memory = Memory::new(2, 3, 10);
    let store = memory.store();
    assert_eq!(
        (store.dim(), store.slot_count(), store.capacity()),
        (2, 0, 3)
    );
    assert_eq!(store.next_row(), Ok(&[0.0, 0.0][..]));
    assert_eq!(state_digest(&store), 0);
    assert!(store.rows().is_empty());
}

#[test]
fn slots_that_do_not_exist_have_nothing() {
    let mut memory = Memory::new(2, 3, 10);
    let mut store = memory.store();
    store.push(b"", MetadataChanges::default());
    for slot in [1, 2, 3, u32::MAX] {
        assert_eq!(store.row(slot), None);
        assert_eq!(store.last_sequence(slot), None);
        assert_eq!(store.id(slot), None);
        assert_eq!(store.metadata(slot, b"k"), None);
        assert!(!store.is_deleted(slot));
        store.set_last_sequence(slot, 9);
        store.mark_deleted(slot);
        store.change_metadata(slot, MetadataChanges::default());
        assert!(store.row_mut(slot).is_empty());
    }
    store.push(b"", MetadataChanges::default());
    assert_eq!(store.last_sequence(1), Some(0));
    assert!(!store.is_deleted(1));
}

#[test]
fn a_slot_keeps_what_it_was_given() {
    let mut memory = Memory::new(2, 3, 100);
    let mut store = memory.store();
    let metadata = section(&[(b"a", Some(b"1")), (b"b", Some(b""))]);
    store.push(b"id-0", MetadataChanges::parse(&metadata).unwrap());
    store.row_mut(0).copy_from_slice(&[1.0, -0.0]);
    store.set_last_sequence(0, 5);
    store.push(b"", MetadataChanges::default());
    store.mark_deleted(0);

    assert_eq!(store.id(0), Some(&b"id-0"[..]));
    assert_eq!(store.id(1), None);
    assert_eq!(store.metadata(0, b"a"), Some(&b"1"[..]));
    assert_eq!(store.metadata(0, b"b"), Some(&b""[..]));
    assert_eq!(store.metadata(0, b"c"), None);
    assert!(store.is_deleted(0) && !store.is_deleted(1));
    assert_eq!(store.last_sequence(0), Some(5));
    assert_eq!(store.rows(), [1.0, -0.0, 0.0, 0.0]);
    let digest = row_term(0, row_sum(&[1.0, -0.0]))
        .wrapping_add(id_term(0, b"id-0"))
        .wrapping_add(tombstone_term(0))
        .wrapping_add(pair_term(0, b"a", b"1"))
        .wrapping_add(pair_term(0, b"b", b""));
    assert_eq!(state_digest(&store), digest);
}

#[test]
fn metadata_changes_are_merged_by_key() {
    let mut memory = Memory::new(1, 1, 200);
    let mut store = memory.store();
    let first = section(&[(b"b", Some(b"1")), (b"d", Some(b"2")), (b"f", Some(b"3"))]);
    store.push(b"x", MetadataChanges::parse(&first).unwrap());
    let second = section(&[
        (b"a", Some(b"before all")),
        (b"b", None),
        (b"c", None), // was not there
        (b"d", Some(b"longer")),
        (b"g", Some(b"after all")),
    ]);
    store.change_metadata(0, MetadataChanges::parse(&second).unwrap());
    let expected = [
        pair(b"a", b"before all"),
        pair(b"d", b"longer"),
        pair(b"f", b"3"),
        pair(b"g", b"after all"),
    ];
    assert_eq!(pairs(&store, 0), expected);
    assert_eq!(store.id(0), Some(&b"x"[..]));
    let all = section(&[(b"a", None), (b"d", None), (b"f", None), (b"g", None)]);
    store.change_metadata(0, MetadataChanges::parse(&all).unwrap());
    assert_eq!(pairs(&store, 0), []);
    assert_eq!(store.attributes_size(), 9 + 1);
}

#[test]
fn refuses_what_it_has_no_slot_for() {
    let mut memory = Memory::new(2, 1, 0);
    let mut store = memory.store();
    store.push(b"", MetadataChanges::default());
    assert_eq!(store.next_row(), Err(StoreError::SlotsFull { capacity: 1 }));
}

/// Of changes that are made together each has room beside the others, or none is made.
#[test]
fn reserves_for_all_changes_of_a_record() {
    let metadata = section(&[(b"k", Some(b"abc"))]);
    let metadata = MetadataChanges::parse(&metadata).unwrap();
    let none = MetadataChanges::default();
    let (a, b) = (9 + 5 + 1 + 3, 9 + 1);
    for (bytes, fits) in [
        (2 * b + 2 * (a + 1), true),
        (2 * b + 2 * (a + 1) - 1, false),
    ] {
        let mut memory = Memory::new(1, 2, bytes);
        let mut store = memory.store();
        store.push(b"i", none);
        store.push(b"j", none);
        let first = store.reserve_more_attributes(0, metadata, 0);
        assert_eq!(first, Ok(a + 1));
        assert_eq!(store.reserve_more_attributes(1, none, a + 1), first);
        let second = store.reserve_more_attributes(1, metadata, a + 1);
        if fits {
            assert_eq!(second, Ok(2 * (a + 1)));
            store.change_metadata(0, metadata);
            store.change_metadata(1, metadata);
            assert_eq!(pairs(&store, 1), [pair(b"k", b"abc")]);
        } else {
            let (needed, left) = (2 * (a + 1), bytes - 2 * b);
            assert_eq!(second, Err(StoreError::AttributesFull { needed, left }));
        }
    }
}

/// The documented need: 9 bytes and the id, 5 bytes a pair with key and value, and the largest
/// once more.
#[test]
fn refuses_what_it_has_no_bytes_for() {
    let metadata = section(&[(b"k", Some(b"abc"))]);
    let metadata = MetadataChanges::parse(&metadata).unwrap();
    let (a, b) = (9 + 2 + 5 + 1 + 3, 9 + 1);
    for (bytes, left) in [(a + b + a, a), (a + b + a - 1, a - 1)] {
        let mut memory = Memory::new(1, 3, bytes);
        let mut store = memory.store();
        assert_eq!(store.reserve_attributes(0, b"id", metadata), Ok(()));
        store.push(b"id", metadata);
        assert_eq!(
            store.reserve_attributes(1, b"j", MetadataChanges::default()),
            Ok(())
        );
        store.push(b"j", MetadataChanges::default());
        assert_eq!(store.attributes_size(), a + b);
        let again = store.reserve_attributes(0, b"", metadata);
        if left < a {
            assert_eq!(again, Err(StoreError::AttributesFull { needed: a, left }));
        } else {
            assert_eq!(again, Ok(()));
            // However often: what is replaced gives its room back.
            for _ in 0..5 {
                assert_eq!(store.reserve_attributes(0, b"", metadata), Ok(()));
                store.change_metadata(0, metadata);
                assert_eq!(store.attributes_size(), a + b);
                assert_eq!(pairs(&store, 0), [pair(b"k", b"abc")]);
                assert_eq!(
                    (store.id(0), store.id(1)),
                    (Some(&b"id"[..]), Some(&b"j"[..]))
                );
            }
        }
        assert_eq!(
            store.reserve_attributes(0, b"", MetadataChanges::default()),
            Ok(())
        );
    }
}

#[test]
fn what_lies_behind_a_base_is_cleared() {
    let (mut rows, mut attributes) = ([1.0; 7], [0xaa; 40]);
    let mut slots = [Slot {
        last_sequence: 9,
        attributes: 1,
        deleted: true,
        erased: true,
    }; 4];
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut attributes,
    };
    let mut store = SliceStore::with_base(2, 1, memory);
    // Three rows fit the seven components.
    assert_eq!((store.slot_count(), store.capacity()), (1, 3));
    assert_eq!(store.row(0), Some(&[1.0, 1.0][..]));
    assert_eq!(
        (store.last_sequence(0), store.is_deleted(0)),
        (Some(0), false)
    );
    assert_eq!((store.id(0), pairs(&store, 0)), (None, vec![]));
    store.push(b"", MetadataChanges::default());
    assert_eq!(store.row(1), Some(&[0.0, 0.0][..]));
    assert_eq!(
        (store.last_sequence(1), store.is_deleted(1)),
        (Some(0), false)
    );
}

#[test]
fn a_base_row_can_be_given_metadata_but_no_id() {
    let mut memory = Memory::new(1, 1, 100);
    let mut store = memory.store_with_base(&[1.0]);
    let metadata = section(&[(b"k", Some(b"v"))]);
    store.change_metadata(0, MetadataChanges::parse(&metadata).unwrap());
    assert_eq!(pairs(&store, 0), [pair(b"k", b"v")]);
    assert_eq!(store.id(0), None);
}

#[test]
#[should_panic(expected = "at least one component")]
fn a_store_has_a_dim() {
    Memory::new(0, 1, 0).store();
}

#[test]
#[should_panic(expected = "more slots than the memory")]
fn a_base_fits_the_memory() {
    let (mut rows, mut slots) = ([0.0; 3], [Slot::default(); 2]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut [],
    };
    SliceStore::with_base(2, 2, memory);
}

/// Id, pairs, bytes.
type ModelSlot = (Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>, usize);
type Keys = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Step {
    Push(Vec<u8>, Keys),
    Change(Index, Keys),
}

fn any_step() -> impl Strategy<Value = Step> {
    let changes = || btree_map(vec(0..4_u8, 1..3), option::of(vec(any::<u8>(), 0..9)), 0..4);
    prop_oneof![
        1 => (vec(any::<u8>(), 0..4), changes()).prop_map(|(id, keys)| Step::Push(id, keys)),
        3 => (any::<Index>(), changes()).prop_map(|(at, keys)| Step::Change(at, keys)),
    ]
}

/// Bytes of a slot's attributes by the documented formula.
fn documented_size(id: &[u8], pairs: &BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
    9 + id.len()
        + pairs
            .iter()
            .map(|(key, value)| 5 + key.len() + value.len())
            .sum::<usize>()
}

proptest! {
    #[test]
    fn prop_attributes_match_a_map(
        steps in vec(any_step(), 1..60),
        bytes in 20..200_usize,
    ) {
        const SLOTS: usize = 6;
        let mut memory = Memory::new(1, SLOTS, bytes);
        let mut store = memory.store();
        let mut model: Vec<ModelSlot> = vec![];
        for step in steps {
            let (slot, id, keys) = match step {
                Step::Push(id, keys) if model.len() < SLOTS => {
                    model.push((id.clone(), BTreeMap::new(), 0));
                    (model.len() - 1, id, keys)
                }
                Step::Change(at, keys) if !model.is_empty() => {
                    (at.index(model.len()), vec![], keys)
                }
                _ => continue,
            };
            let list: Vec<_> = keys.iter().map(|(key, new)| (&key[..], new.as_deref())).collect();
            let bytes_of_changes = section(&list);
            let changes = MetadataChanges::parse(&bytes_of_changes).unwrap();
            let mut after = model[slot].1.clone();
            for (key, new) in keys.clone() {
                match new {
                    Some(value) => after.insert(key, value),
                    None => after.remove(&key),
                };
            }
            let is_push = slot == store.slot_count() as usize;
            let needed = documented_size(&model[slot].0, &after);
            let left = bytes - model.iter().map(|(_, _, size)| size).sum::<usize>();
            let untouched = id.is_empty() && keys.is_empty();
            let reserved = store.reserve_attributes(u32::try_from(slot).unwrap(), &id, changes);
            if needed > left && !untouched {
                prop_assert_eq!(reserved, Err(StoreError::AttributesFull { needed, left }));
                if is_push {
                    model.pop();
                }
                continue;
            }
            prop_assert_eq!(reserved, Ok(()));
            if is_push {
                store.push(&id, changes);
            } else {
                store.change_metadata(u32::try_from(slot).unwrap(), changes);
            }
            let size = if untouched { model[slot].2 } else { needed };
            (model[slot].1, model[slot].2) = (after, size);

            prop_assert_eq!(store.attributes_size(), model.iter().map(|m| m.2).sum::<usize>());
            for (shown, (id, pairs, _)) in view(&store).slots.iter().zip(&model) {
                prop_assert_eq!(shown.id.clone().unwrap_or_default(), id.clone());
                prop_assert_eq!(shown.metadata.clone(), Pairs::from_iter(pairs.clone()));
            }
        }
    }
}

proptest! {
    #[test]
    fn prop_the_nearest_are_the_first_of_all_sorted(
        rows in vec((prop_oneof![Just(f32::NAN), Just(-0.0), -2.0_f32..2.0], any::<bool>()), 0..20),
        count in 0_usize..24,
    ) {
        let mut memory = Memory::new(1, rows.len(), 300);
        let mut store = memory.store();
        for (slot, &(value, is_deleted)) in (0..).zip(&rows) {
            store.push(b"", MetadataChanges::default());
            store.row_mut(slot)[0] = value;
            if is_deleted {
                store.mark_deleted(slot);
            }
        }
        let query = Query::new(Metric::SquaredL2, &[0.5]);
        let mut all: Vec<_> = (0..store.slot_count())
            .filter(|&slot| !store.is_deleted(slot))
            .map(|slot| (query.distance_to(store.row(slot).unwrap()), slot))
            .map(|(distance, slot)| (order_key(distance), slot, distance.to_bits()))
            .collect();
        all.sort_unstable();
        all.truncate(count);
        let mut found = vec![Neighbour::default(); count];
        let found_count = nearest(&store, &query, &mut found);
        let found: Vec<_> = found[..found_count]
            .iter()
            .map(|near| (order_key(near.distance), near.slot, near.distance.to_bits()))
            .collect();
        prop_assert_eq!(found, all);
    }
}
