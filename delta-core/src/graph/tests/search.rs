//! Searches of small graphs whose answers can be told by eye.

use super::{Memory, SMALL, replace};
use crate::graph::{
    Adjacency, Edit, ListChange, Shape, Slots,
    search::{Candidate, Neighbour, SearchError, SearchScratch, SliceRows},
};
use crate::kernel::distance::{Metric, Query};
use crate::simd::tests::vector_units;

/// Eight nodes in a line, at 0.0, 1.0, ..., each linked to the next and the one before.
fn line(memory: &mut Memory) -> Adjacency<'_> {
    let mut graph = memory.graph();
    graph
        .apply([Edit::Insert { slot: 0, level: 0 }, Edit::Entry { slot: 0 }])
        .unwrap();
    for slot in 1..8 {
        graph
            .apply([
                Edit::Insert { slot, level: 0 },
                super::link(0, slot - 1, 0, Some(slot)),
                replace(0, slot, &[slot - 1]),
            ])
            .unwrap();
    }
    graph
}

const LINE: [f32; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

fn bits(found: &[Neighbour]) -> Vec<(u32, u32)> {
    let bits = |near: &Neighbour| (near.slot, near.distance.to_bits());
    found.iter().map(bits).collect()
}

fn search(
    graph: &Adjacency<'_>,
    values: &[f32],
    at: f32,
    ef: usize,
    pool: usize,
    count: usize,
) -> Result<Vec<(u32, f32)>, SearchError> {
    let (mut pool, mut visited) = (vec![Candidate::default(); pool], vec![9; 8]);
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut out = vec![Neighbour::default(); count];
    let row = [at];
    let query = Query::new(Metric::SquaredL2, &row);
    let rows = SliceRows { dim: 1, values };
    let found = graph.search(&rows, &query, ef, &mut scratch, &mut out)?;
    for unit in vector_units() {
        let mut again = vec![Neighbour::default(); count];
        let found_again = graph.search(&rows, &query.on(unit), ef, &mut scratch, &mut again);
        assert_eq!(
            (found_again, bits(&again)),
            (Ok(found), bits(&out)),
            "{unit:?}"
        );
    }
    let found = out.iter().take(found);
    Ok(found.map(|near| (near.slot, near.distance)).collect())
}

#[test]
fn the_nearest_come_first_and_equals_by_slot() {
    let mut memory = Memory::new(SMALL);
    let graph = line(&mut memory);
    let found = search(&graph, &LINE, 5.0, 4, 8, 4).unwrap();
    assert_eq!(found, [(5, 0.0), (4, 1.0), (6, 1.0), (3, 4.0)]);
    assert_eq!(search(&graph, &LINE, 5.0, 1, 6, 3).unwrap(), found[..3]);
    assert_eq!(search(&graph, &LINE, 9.0, 2, 4, 0).unwrap(), []);
    assert_eq!(search(&graph, &LINE, 0.0, 20, 40, 20).unwrap().len(), 8);
}

#[test]
fn tombstones_are_passed_through_and_never_returned() {
    let mut memory = Memory::new(SMALL);
    let mut graph = line(&mut memory);
    for slot in 1..6 {
        graph.apply([Edit::Tombstone { slot }]).unwrap();
    }
    let found = search(&graph, &LINE, 6.0, 2, 8, 2).unwrap();
    assert_eq!(found, [(6, 0.0), (7, 1.0)]);
    let found = search(&graph, &LINE, 3.0, 3, 8, 3).unwrap();
    assert_eq!(found, [(0, 9.0), (6, 9.0), (7, 16.0)]);
    for slot in [0, 6, 7] {
        graph.apply([Edit::Tombstone { slot }]).unwrap();
    }
    assert_eq!(search(&graph, &LINE, 3.0, 3, 8, 3).unwrap(), []);
}

#[test]
fn the_size_of_the_scratch_changes_no_answer() {
    let mut memory = Memory::new(SMALL);
    let mut graph = line(&mut memory);
    for slot in 1..6 {
        graph.apply([Edit::Tombstone { slot }]).unwrap();
    }
    for (ef, expected) in [
        (3, [(0, 9.0), (6, 9.0), (7, 16.0)].as_slice()),
        (2, &[(0, 9.0), (6, 9.0)]),
        (1, &[(0, 9.0)]),
    ] {
        for pool in [2 * ef, 2 * ef + 1, 100] {
            let found = search(&graph, &LINE, 3.0, ef, pool, ef).unwrap();
            assert_eq!(found, expected, "ef {ef}, {pool} candidates");
        }
    }
}

/// Tombstones near the query, more than there is room for, keep no live node out.
#[test]
fn many_tombstones_take_no_live_nodes_place() {
    const NODES: u32 = 40;
    let mut memory = Memory::new(Shape {
        nodes_max: NODES,
        degree0_max: 40,
        ..SMALL
    });
    let mut graph = memory.graph();
    let all: Vec<u32> = (1..NODES).collect();
    let from_all = |slot| {
        [
            Edit::Insert { slot, level: 0 },
            Edit::List {
                layer: 0,
                slot,
                change: ListChange::Replace(if slot == 0 {
                    Slots::EMPTY
                } else {
                    Slots::from(&[0])
                }),
            },
        ]
    };
    for slot in 0..NODES {
        let entry = (slot == 0).then_some(Edit::Entry { slot });
        graph
            .apply(Vec::from_iter(from_all(slot).into_iter().chain(entry)))
            .unwrap();
    }
    let change = ListChange::Replace(Slots::from(all.as_slice()));
    graph
        .apply([Edit::List {
            layer: 0,
            slot: 0,
            change,
        }])
        .unwrap();
    // Slot 0 is the hub and the furthest, 1 to 4 are live, the others nearer to the query.
    for slot in 5..NODES {
        graph.apply([Edit::Tombstone { slot }]).unwrap();
    }
    let values: Vec<f32> = (0..NODES).map(|slot| (NODES - slot) as f32).collect();
    let (mut pool, mut visited) = ([Candidate::default(); 8], [0; NODES as usize]);
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut out = [Neighbour::default(); 4];
    let query = Query::new(Metric::SquaredL2, &[0.0]);
    let rows = SliceRows {
        dim: 1,
        values: &values,
    };
    assert_eq!(
        graph.search(&rows, &query, 4, &mut scratch, &mut out),
        Ok(4)
    );
    assert_eq!(out.map(|near| near.slot), [4, 3, 2, 1]);
}

#[test]
fn a_missing_row_is_the_furthest() {
    let mut memory = Memory::new(SMALL);
    let graph = line(&mut memory);
    let found = search(&graph, &LINE[..7], 7.0, 8, 16, 8).unwrap();
    assert_eq!(found[..2], [(6, 1.0), (5, 4.0)]);
    assert_eq!(found[7].0, 7);
    assert_eq!(found[7].1.to_bits(), 0x7fc0_0000);
}

#[test]
fn a_scratch_too_small_is_refused_and_an_empty_graph_has_no_answer() {
    let mut memory = Memory::new(SMALL);
    assert_eq!(search(&memory.graph(), &[], 0.0, 1, 2, 1), Ok(vec![]));
    let mut graph = line(&mut memory);
    let refused = |candidates, nodes| Err(SearchError::Scratch { candidates, nodes });
    assert_eq!(search(&graph, &LINE, 0.0, 4, 7, 1), refused(8, 8));
    assert_eq!(search(&graph, &LINE, 0.0, 1, 7, 4), refused(8, 8));
    graph.apply([Edit::Insert { slot: 8, level: 0 }]).unwrap();
    assert_eq!(search(&graph, &LINE, 0.0, 1, 2, 1), refused(2, 9));
}

#[test]
fn a_scratch_serves_more_searches_than_it_has_epochs() {
    let mut memory = Memory::new(SMALL);
    let graph = line(&mut memory);
    let (mut pool, mut visited) = ([Candidate::default(); 8], [0; 8]);
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut out = [Neighbour::default(); 1];
    let rows = SliceRows {
        dim: 1,
        values: &LINE,
    };
    let query = Query::new(Metric::SquaredL2, &[3.0]);
    for _ in 0..65_600 {
        let found = graph.search(&rows, &query, 4, &mut scratch, &mut out);
        assert_eq!((found, out[0].slot), (Ok(1), 3));
    }
}
