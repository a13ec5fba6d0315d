//! The golden graph changes of WIRE.md, read from that file.

use super::{Memory, SMALL, bytes};
use crate::graph::{
    Adjacency, Edit, ListChange,
    digest::graph_digest,
    encode::{Change, InsertWriter, Link, encode_edits},
};

const WIRE: &str = include_str!("../../../WIRE.md");

/// The names and bytes of the fenced blocks of one kind.
fn blocks(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let fence = format!("```{kind} ");
    let of_block = |block: &'static str| {
        let (name, rest) = block.split_once('\n').unwrap();
        let (hex, _) = rest.split_once("```").unwrap();
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        let bytes = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8);
        (name, bytes.collect())
    };
    WIRE.split(fence.as_str()).skip(1).map(of_block).collect()
}

fn apply(graph: &mut Adjacency<'_>, name: &str, bytes: &[u8]) {
    let (_, digest) = name.split_once(' ').unwrap();
    let digest = u64::from_str_radix(digest, 16).unwrap();
    let change = Change::parse(bytes).unwrap();
    let prepared = graph.prepare(change).unwrap();
    prepared.expect_digest(digest).unwrap().commit();
    assert_eq!(graph_digest(graph), digest, "{name}");
}

#[test]
fn golden_changes_lead_to_their_digests() {
    let mut memory = Memory::new(SMALL);
    let mut graph = memory.graph();
    let changes = blocks("graph");
    assert_eq!(changes.len(), 9);
    for (name, bytes) in changes {
        apply(&mut graph, name, &bytes);
    }
    assert_eq!(bytes(&graph), bytes(&Memory::new(SMALL).graph()));
}

#[test]
fn golden_changes_are_written_to_the_same_bytes() {
    let mut out = [0; 128];
    for (name, bytes) in blocks("graph") {
        let edits: Vec<_> = Change::parse(&bytes).unwrap().edits().collect();
        let size = match bytes[0] & 0b11 {
            0 => encode_edits(edits, &mut out).unwrap(),
            1 => write_insert(&edits, &mut out),
            _ => continue,
        };
        assert_eq!(out[..size], bytes, "{name}");
    }
}

/// Every neighbour in the golden inserts either changed or is in the new node's list.
fn write_insert(edits: &[Edit<'_>], out: &mut [u8]) -> usize {
    let Edit::Insert { slot, level } = edits[0] else {
        panic!("an insert comes first");
    };
    let becomes_entry = edits.last() == Some(&Edit::Entry { slot });
    let mut writer = InsertWriter::new(out, slot, level, becomes_entry).unwrap();
    for of in 0..=level {
        let lists = || {
            edits.iter().filter_map(|edit| match *edit {
                Edit::List {
                    layer,
                    slot,
                    change,
                } if layer == of => Some((slot, change)),
                _ => None,
            })
        };
        let own: Vec<u32> = lists()
            .filter_map(|list| match list.1 {
                ListChange::Replace(slots) => Some(slots),
                _ => None,
            })
            .flatten()
            .collect();
        let link_of = |neighbour: &u32| {
            let change = lists().find(|list| list.0 == *neighbour);
            match change.map(|list| list.1) {
                Some(ListChange::Link { removed, added }) => Link {
                    is_linked: added == Some(slot),
                    removed,
                },
                _ => Link::default(),
            }
        };
        let links: Vec<Link> = own.iter().map(link_of).collect();
        writer.layer(&own, &links).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn refused_changes_are_refused_and_change_nothing() {
    let mut memory = Memory::new(SMALL);
    let mut graph = memory.graph();
    for (name, bytes) in blocks("graph").into_iter().take(4) {
        apply(&mut graph, name, &bytes);
    }
    let before = bytes(&graph);
    let refused = blocks("graph-refused");
    assert!(!refused.is_empty());
    for (name, change) in refused {
        let accepted = Change::parse(&change).is_ok_and(|change| graph.apply(change).is_ok());
        assert!(!accepted, "{name}");
        assert_eq!(bytes(&graph), before, "{name}");
    }
}
