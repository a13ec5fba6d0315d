//! An index, its capture, and replicas that take the bytes: equal lists, equal bytes, equal
//! answers.

mod wrong;

use super::{
    Memory, bytes,
    encode::Noted,
    hnsw::{Hnsw, Random, clustered},
};
use crate::graph::{
    Adjacency, EditError, Shape,
    capture::{Difference, GraphCapture, GraphCaptureError, IndexView},
    digest::graph_digest,
    encode::{Change, encode_edits},
    search::{Candidate, Neighbour, SearchScratch, SliceRows},
};
use crate::kernel::distance::{Metric, Query, distance};

const DIM: usize = 24;
const LINKS: usize = 8;

impl IndexView for Hnsw {
    fn level(&self, slot: u32) -> Option<u8> {
        let layers = self.lists.get(slot as usize)?;
        u8::try_from(layers.len() - 1).ok()
    }

    fn visit_neighbours(&self, layer: u8, slot: u32, visit: &mut dyn FnMut(u32)) {
        self.lists[slot as usize][usize::from(layer)]
            .iter()
            .for_each(|&to| visit(to));
    }

    fn entry(&self) -> Option<u32> {
        self.entry
    }
}

fn index() -> Hnsw {
    index_with(LINKS)
}

fn index_with(links: usize) -> Hnsw {
    Hnsw::new(DIM, links, 40, |a, b| distance(Metric::SquaredL2, a, b))
}

fn shape(nodes_max: u32) -> Shape {
    shape_with(nodes_max, LINKS)
}

fn shape_with(nodes_max: u32, links: usize) -> Shape {
    Shape {
        nodes_max,
        degree0_max: 2 * links as u8,
        degree_max: links as u8,
        upper_blocks_max: nodes_max / 4 + 8,
    }
}

/// Applies what was captured to a replica and commits it.
macro_rules! replicate {
    ($pending:expr, $replica:expr) => {{
        let pending = $pending.unwrap();
        let change = Change::parse(pending.bytes()).unwrap();
        let prepared = $replica.prepare(change).unwrap();
        prepared.expect_digest(pending.digest()).unwrap().commit();
        let size = pending.bytes().len();
        pending.commit();
        size
    }};
}

/// The sizes of the same edits in the general form, with removals by slot.
fn general_size(graph: &Adjacency<'_>, change: &[u8]) -> usize {
    let edits: Vec<_> = Change::parse(change).unwrap().edits().collect();
    let noted: Vec<_> = edits.iter().map(|edit| Noted::of(graph, edit)).collect();
    let mut out = [0; 4096];
    encode_edits(noted.iter().map(Noted::edit), &mut out).unwrap()
}

fn found(
    graph: &Adjacency<'_>,
    rows: &[f32],
    row: &[f32],
    count: usize,
    ef: usize,
) -> Vec<Neighbour> {
    let mut pool = vec![Candidate::default(); 2 * ef];
    let mut visited = vec![0; graph.node_count() as usize];
    let mut scratch = SearchScratch::new(&mut pool, &mut visited);
    let mut out = vec![Neighbour::default(); count];
    let query = Query::new(Metric::SquaredL2, row);
    let rows = SliceRows {
        dim: DIM,
        values: rows,
    };
    let count = graph
        .search(&rows, &query, ef, &mut scratch, &mut out)
        .unwrap();
    out.truncate(count);
    out
}

const NODES: usize = 1_500;

#[test]
fn replicas_of_an_index_have_its_lists_and_its_answers() {
    are_replicated(8);
}

#[test]
fn replicas_of_an_index_of_16_links_have_its_lists_and_its_answers() {
    are_replicated(16);
}

fn are_replicated(links: usize) {
    let mut random = Random(1);
    let data = clustered(NODES + 50, DIM, 20, &mut random);
    let (data, queries) = data.split_at(NODES);
    let (mut first, mut second) = (
        Memory::new(shape_with(2_000, links)),
        Memory::new(shape_with(2_000, links)),
    );
    let mut capture = GraphCapture::new(first.graph());
    let mut replica = second.graph();
    let mut index = index_with(links);
    let mut out = [0; 4096];
    let (mut short, mut general) = (0, 0);
    for row in data {
        let level = index.level(random.next());
        let slot = index.insert(row, level);
        let pending = capture.insert(&index, slot, &mut out);
        let size = replicate!(pending, replica);
        short += size;
        assert_eq!(out[0] & 0b11, 1, "an insert takes the insert form");
    }
    // The sizes again, from a capture whose shadow is one change behind.
    let mut third = Memory::new(shape_with(2_000, links));
    let mut behind = GraphCapture::new(third.graph());
    let mut again = index_with(links);
    for (row, lists) in data.iter().zip(&index.lists) {
        let slot = again.insert(row, lists.len() - 1);
        let pending = behind.insert(&again, slot, &mut out).unwrap();
        let size = pending.bytes().len();
        drop(pending);
        general += general_size(behind.shadow(), &out[..size]);
        behind.insert(&again, slot, &mut out).unwrap().commit();
    }
    assert_eq!(capture.first_difference(&index), Ok(None));
    assert_eq!(bytes(capture.shadow()), bytes(&replica));
    assert_eq!(bytes(behind.shadow()), bytes(&replica));
    assert_eq!(graph_digest(&replica), replica.digest());
    let (short, general) = (short / NODES, general / NODES);
    assert!(short <= 55, "an insert takes {short} bytes");
    assert!(general <= 120, "its edits take {general} bytes");
    assert!(short * 3 / 2 < general, "{short} and {general} bytes");
    answer_alike(&index, &capture, &replica, queries);
}

/// Both graphs give the index's own answers, nearly all of them right.
fn answer_alike(
    index: &Hnsw,
    capture: &GraphCapture<'_>,
    replica: &Adjacency<'_>,
    queries: &[Vec<f32>],
) {
    let mut hits = 0;
    for row in queries {
        let answers = found(replica, &index.rows, row, 10, 60);
        let primary = found(capture.shadow(), &index.rows, row, 10, 60);
        let own = index.search(row, 10, 60);
        assert_eq!(answers, primary);
        let answers: Vec<_> = answers
            .iter()
            .map(|near| (near.distance, near.slot))
            .collect();
        assert_eq!(answers, own);
        let mut exact: Vec<_> = (0..NODES as u32)
            .map(|slot| ((index.distance)(row, index.row(slot)), slot))
            .collect();
        exact.sort_by(|a, b| a.partial_cmp(b).unwrap());
        hits += answers
            .iter()
            .filter(|near| exact[..10].contains(near))
            .count();
    }
    let recall = hits as f64 / (10 * queries.len()) as f64;
    assert!(recall >= 0.95, "recall {recall}");
}

#[test]
fn updates_and_deletes_are_captured() {
    const NODES: u32 = 300;
    let mut random = Random(2);
    let data = clustered(NODES as usize * 2, DIM, 6, &mut random);
    let (mut first, mut second) = (Memory::new(shape(NODES)), Memory::new(shape(NODES)));
    let mut capture = GraphCapture::new(first.graph());
    let mut replica = second.graph();
    let mut index = index();
    let mut out = [0; 8192];
    for row in &data[..NODES as usize] {
        let level = index.level(random.next());
        let slot = index.insert(row, level);
        replicate!(capture.insert(&index, slot, &mut out), replica);
    }
    for (slot, row) in (0..NODES).step_by(3).zip(&data[NODES as usize..]) {
        if index.entry == Some(slot) {
            continue;
        }
        index.update(slot, row);
        replicate!(capture.update(&index, slot, &mut out), replica);
        assert_eq!(out[0], 0);
    }
    assert_eq!(capture.first_difference(&index), Ok(None));
    for slot in (0..NODES).step_by(7) {
        // A repair: the neighbours forget the node, which keeps its own list.
        for layer in 0..index.lists[slot as usize].len() {
            for to in index.lists[slot as usize][layer].clone() {
                index.lists[to as usize][layer].retain(|&back| back != slot);
            }
        }
        replicate!(capture.delete(&index, slot, &mut out), replica);
    }
    assert_eq!(capture.first_difference(&index), Ok(None));
    assert_eq!(bytes(capture.shadow()), bytes(&replica));
    assert_eq!(replica.tombstone_count(), NODES.div_ceil(7));
    for row in &data[..50] {
        let answers = found(&replica, &index.rows, row, 10, 40);
        assert_eq!(answers.len(), 10);
        assert!(answers.iter().all(|near| near.slot % 7 != 0));
        assert_eq!(answers, found(capture.shadow(), &index.rows, row, 10, 40));
    }
}

#[test]
fn an_insert_that_changes_more_than_links_takes_the_general_form() {
    let (mut first, mut second) = (Memory::new(shape(8)), Memory::new(shape(8)));
    let mut capture = GraphCapture::new(first.graph());
    let mut replica = second.graph();
    let mut index = index();
    let mut out = [0; 256];
    for slot in 0..5_u32 {
        index.insert(&[slot as f32; DIM], 0);
        replicate!(capture.insert(&index, slot, &mut out), replica);
    }
    index.insert(&[5.0; DIM], 1);
    // Node 4 is a neighbour of node 5, and takes node 0 besides.
    assert!(index.lists[5][0].contains(&4) && !index.lists[4][0].contains(&0));
    index.lists[4][0].push(0);
    replicate!(capture.insert(&index, 5, &mut out), replica);
    assert_eq!(out[0], 0);
    assert_eq!(capture.first_difference(&index), Ok(None));
    assert_eq!(bytes(capture.shadow()), bytes(&replica));
    assert_eq!(replica.entry(), Some(5));
}

#[test]
fn what_cannot_be_captured_leaves_the_shadow() {
    let mut memory = Memory::new(shape(8));
    let mut capture = GraphCapture::new(memory.graph());
    let mut index = index();
    let mut out = [0; 256];
    for slot in 0..4_u32 {
        index.insert(&[slot as f32; DIM], 0);
        capture.insert(&index, slot, &mut out).unwrap().commit();
    }
    let before = bytes(capture.shadow());
    let refused = |capture: &mut GraphCapture<'_>, index: &Hnsw, slot, size| {
        let mut out = [0; 256];
        let pending = capture.insert(index, slot, &mut out[..size]);
        pending.map(PendingDigest::of).unwrap_err()
    };
    let (node, size) = (GraphCaptureError::Node { slot: 4 }, 3);
    assert_eq!(refused(&mut capture, &index, 4, 256), node);
    let twice = GraphCaptureError::Refused(EditError::SlotNotNext {
        slot: 3,
        expected: 4,
    });
    assert_eq!(refused(&mut capture, &index, 3, 256), twice);
    index.insert(&[9.0; DIM], 0);
    let full = GraphCaptureError::BufferFull { size };
    assert_eq!(refused(&mut capture, &index, 4, size), full);
    index.lists[3][0].extend(0..16);
    index.lists[4][0] = vec![3];
    assert_eq!(
        refused(&mut capture, &index, 4, 256),
        GraphCaptureError::ListTooLong {
            layer: 0,
            slot: 3,
            degree_max: 16
        }
    );
    assert_eq!(
        capture.first_difference(&index),
        Err(GraphCaptureError::ListTooLong {
            layer: 0,
            slot: 3,
            degree_max: 16
        })
    );
    index.lists[3][0] = vec![0];
    assert_eq!(
        capture.first_difference(&index),
        Ok(Some(Difference::List { layer: 0, slot: 3 }))
    );
    assert_eq!(bytes(capture.shadow()), before);
}

/// What an error's test needs of a pending change: nothing that borrows.
#[derive(Debug)]
struct PendingDigest;

impl PendingDigest {
    fn of(_: crate::graph::capture::PendingChange<'_, '_, '_>) -> Self {
        Self
    }
}
