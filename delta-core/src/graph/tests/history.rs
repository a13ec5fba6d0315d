//! Any history of edits: replicas stay equal in every byte, digests equal those computed from
//! nothing, and a refused set leaves all bytes as they were.

use super::{Memory, SMALL, bytes, link, patch, replace};
use crate::graph::{
    Adjacency, Edit, ListChange,
    digest::graph_digest,
    encode::{Change, encode_edits},
};
use proptest::{collection::vec, prelude::*};

/// A list's change, of slots that may or may not be.
#[derive(Clone, Debug)]
struct ListStep {
    layer: u8,
    slot: u32,
    kind: u8,
    removed: Vec<u32>,
    added: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    slot: u32,
    level: u8,
    lists: Vec<ListStep>,
    has_entry: bool,
}

fn slots() -> impl Strategy<Value = Vec<u32>> {
    vec(0_u32..12, 0..4)
}

fn any_step() -> impl Strategy<Value = Step> {
    let list = (0_u8..2, 0_u32..12, 0_u8..6, slots(), slots()).prop_map(
        |(layer, slot, kind, removed, added)| ListStep {
            layer,
            slot,
            kind,
            removed,
            added,
        },
    );
    (0_u8..16, 0_u32..12, 0_u8..8, vec(list, 0..5), any::<bool>()).prop_map(
        |(kind, slot, level, lists, has_entry)| Step {
            kind,
            slot,
            level,
            lists,
            has_entry,
        },
    )
}

/// Bends most steps so that the graph takes them: nodes that exist, edges that are or are not
/// there.
fn bent(graph: &Adjacency<'_>, mut step: Step) -> Step {
    let nodes = graph.node_count() + u32::from(step.kind > 8);
    if step.kind == 0 || nodes == 0 {
        return step;
    }
    for list in &mut step.lists {
        list.slot %= nodes;
        let current = graph.neighbours(list.layer, list.slot).unwrap_or(&[]);
        if list.kind > 2 {
            list.removed = current.iter().step_by(2).copied().collect();
        }
        let (slot, removed) = (list.slot, list.removed.clone());
        for to in &mut list.added {
            *to %= nodes;
        }
        list.added.sort_unstable();
        list.added.dedup();
        let (kind, layer) = (list.kind, list.layer);
        list.added.retain(|&to| {
            to != slot
                && (kind == 0 || !current.contains(&to) && !removed.contains(&to))
                && graph.level(to).unwrap_or(0) >= layer
        });
    }
    step.lists.sort_by_key(|list| (list.layer, list.slot));
    step.lists.dedup_by_key(|list| (list.layer, list.slot));
    step
}

fn edits<'a>(graph: &Adjacency<'_>, step: &'a Step) -> Vec<Edit<'a>> {
    let mut edits = Vec::new();
    let next = graph.node_count();
    let level = step.level.saturating_sub(5);
    match step.kind {
        1 if step.level == 0 => return vec![Edit::Clear],
        2 => edits.push(Edit::Tombstone { slot: step.slot }),
        9.. => edits.push(Edit::Insert { slot: next, level }),
        _ => {}
    }
    edits.extend(step.lists.iter().map(|list| match list.kind {
        0 => replace(list.layer, list.slot, &list.added),
        1 | 3.. => patch(list.layer, list.slot, &list.removed, &list.added),
        2 => link(
            list.layer,
            list.slot,
            u64::from(list.slot & 3),
            list.added.first().copied(),
        ),
    }));
    if step.has_entry || next == 0 || (step.kind > 8 && level > graph.level_max()) {
        let slot = if step.kind > 8 && level >= graph.level_max() {
            next
        } else {
            graph.entry().unwrap_or(0)
        };
        edits.push(Edit::Entry { slot });
    }
    edits
}

proptest! {
    #[test]
    fn prop_replicas_are_equal_bytes_after_any_history(steps in vec(any_step(), 0..60)) {
        let (mut first, mut second) = (Memory::new(SMALL), Memory::new(SMALL));
        let (mut primary, mut replica) = (first.graph(), second.graph());
        let mut out = [0; 512];
        for step in steps {
            let step = bent(&primary, step);
            let edits = edits(&primary, &step);
            let before = bytes(&primary);
            let Ok(prepared) = primary.prepare(edits.iter().copied()) else {
                prop_assert_eq!(bytes(&primary), before);
                continue;
            };
            let digest = prepared.digest();
            prepared.commit();
            prop_assert_eq!(digest, graph_digest(&primary));
            prop_assert_eq!(digest, primary.digest());

            let size = encode_edits(edits.iter().copied(), &mut out).unwrap();
            refuse_damaged(&mut replica, &out[..size], digest, &bytes(&primary));
            let change = Change::parse(&out[..size]).unwrap();
            replica.prepare(change).unwrap().expect_digest(digest).unwrap().commit();
            prop_assert_eq!(bytes(&replica), bytes(&primary));
            assert_sound(&primary);

            // A second time, a change that was not absolute is refused, or makes no difference.
            let again = replica.prepare(change).map(|prepared| prepared.digest());
            let absolute = edits.iter().all(|edit| match edit {
                Edit::Clear | Edit::Entry { .. } => true,
                Edit::List { change: ListChange::Replace(_), .. } => true,
                Edit::List { change: ListChange::Patch { removed, added }, .. } => {
                    removed.is_empty() && added.is_empty()
                }
                _ => false,
            });
            if absolute {
                prop_assert_eq!(again, Ok(digest));
            }
        }
    }
}

/// A change with any bit wrong is refused, or leads to the very graph that it should have (a bit of
/// an edit that changes nothing).
fn refuse_damaged(replica: &mut Adjacency<'_>, change: &[u8], digest: u64, right: &[u8]) {
    let before = bytes(replica);
    for bit in 0..change.len() * 8 {
        let mut damaged = change.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok(damaged) = Change::parse(&damaged) else {
            continue;
        };
        let Ok(prepared) = replica.prepare(damaged) else {
            continue;
        };
        let Ok(prepared) = prepared.expect_digest(digest) else {
            continue;
        };
        if right == before {
            prepared.commit();
            assert_eq!(bytes(replica), before);
        }
    }
    assert_eq!(bytes(replica), before);
}

/// What the accessors promise, read from the lists alone.
fn assert_sound(graph: &Adjacency<'_>) {
    let mut edges = 0;
    for slot in 0..graph.node_count() {
        for layer in 0..=graph.level(slot).unwrap() {
            let list = graph.neighbours(layer, slot).unwrap();
            edges += list.len() as u64;
            assert!(list.len() <= usize::from(graph.shape().degree_max_of(layer)));
            assert!(list.is_sorted_by(|a, b| a < b));
            assert!(
                list.iter()
                    .all(|&to| to != slot && graph.level(to).unwrap() >= layer)
            );
        }
        assert!(
            graph
                .neighbours(graph.level(slot).unwrap() + 1, slot)
                .is_none()
        );
    }
    assert_eq!(edges, graph.edge_count());
    let levels = (0..graph.node_count()).filter_map(|slot| graph.level(slot));
    assert_eq!(
        levels.max(),
        graph.entry().and_then(|slot| graph.level(slot))
    );
}
