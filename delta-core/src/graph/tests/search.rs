//! Searches of small graphs whose answers can be told by eye.

use super::{Memory, SMALL, replace};
use crate::graph::{
    Adjacency, Edit,
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
    let found = search(&graph, &LINE, 5.0, 4, 4, 4).unwrap();
    assert_eq!(found, [(5, 0.0), (4, 1.0), (6, 1.0), (3, 4.0)]);
    assert_eq!(search(&graph, &LINE, 5.0, 1, 3, 3).unwrap(), found[..3]);
    assert_eq!(search(&graph, &LINE, 9.0, 2, 2, 0).unwrap(), []);
    assert_eq!(search(&graph, &LINE, 0.0, 20, 20, 20).unwrap().len(), 8);
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
fn a_missing_row_is_the_furthest() {
    let mut memory = Memory::new(SMALL);
    let graph = line(&mut memory);
    let found = search(&graph, &LINE[..7], 7.0, 8, 8, 8).unwrap();
    assert_eq!(found[..2], [(6, 1.0), (5, 4.0)]);
    assert_eq!(found[7].0, 7);
    assert_eq!(found[7].1.to_bits(), 0x7fc0_0000);
}

#[test]
fn a_scratch_too_small_is_refused_and_an_empty_graph_has_no_answer() {
    let mut memory = Memory::new(SMALL);
    assert_eq!(search(&memory.graph(), &[], 0.0, 1, 1, 1), Ok(vec![]));
    let mut graph = line(&mut memory);
    let refused = |candidates, nodes| Err(SearchError::Scratch { candidates, nodes });
    assert_eq!(search(&graph, &LINE, 0.0, 4, 3, 1), refused(4, 8));
    assert_eq!(search(&graph, &LINE, 0.0, 1, 3, 4), refused(4, 8));
    graph.apply([Edit::Insert { slot: 8, level: 0 }]).unwrap();
    assert_eq!(search(&graph, &LINE, 0.0, 1, 1, 1), refused(1, 9));
}

#[test]
fn a_scratch_serves_more_searches_than_it_has_epochs() {
    let mut memory = Memory::new(SMALL);
    let graph = line(&mut memory);
    let (mut pool, mut visited) = ([Candidate::default(); 4], [0; 8]);
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
