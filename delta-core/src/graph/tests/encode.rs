//! Changes as literal bytes, and what is no change.

use super::{link, patch, replace};
use crate::graph::{
    Adjacency, Edit, ListChange,
    encode::{
        Change, ChangeEncodeError, ChangeError, Edge, InsertWriter, Link, encode_edges,
        encode_edits,
    },
};
use proptest::{collection::vec, prelude::*};

/// An edit with lists of its own; removals by place are told by slot.
pub(super) enum Noted {
    List {
        layer: u8,
        slot: u32,
        removed: Vec<u32>,
        added: Vec<u32>,
    },
    Other(Edit<'static>),
}

impl Noted {
    pub(super) fn of(graph: &Adjacency<'_>, edit: &Edit<'_>) -> Self {
        let (layer, slot, change) = match *edit {
            Edit::List {
                layer,
                slot,
                change,
            } => (layer, slot, change),
            Edit::Insert { slot, level } => return Self::Other(Edit::Insert { slot, level }),
            Edit::Entry { slot } => return Self::Other(Edit::Entry { slot }),
            Edit::Tombstone { slot } => return Self::Other(Edit::Tombstone { slot }),
            Edit::Clear => return Self::Other(Edit::Clear),
        };
        let current = graph.neighbours(layer, slot).unwrap_or(&[]);
        let (removed, added) = match change {
            ListChange::Replace(slots) => (current.to_vec(), slots.iter().collect()),
            ListChange::Patch { removed, added } => {
                (removed.iter().collect(), added.iter().collect())
            }
            ListChange::Link { removed, added } => {
                let places = (0..current.len()).filter(|place| removed >> place & 1 == 1);
                let removed = places.map(|place| current[place]).collect();
                (removed, added.into_iter().collect())
            }
        };
        Self::List {
            layer,
            slot,
            removed,
            added,
        }
    }

    pub(super) fn edit(&self) -> Edit<'_> {
        match self {
            Self::List {
                layer,
                slot,
                removed,
                added,
            } => patch(*layer, *slot, removed, added),
            Self::Other(edit) => *edit,
        }
    }
}

fn encoded(edits: &[Edit<'_>]) -> Vec<u8> {
    let mut out = [0xee; 4096];
    let size = encode_edits(edits.iter().copied(), &mut out).unwrap();
    for short in 0..size {
        let full = ChangeEncodeError::BufferFull { size: short };
        assert_eq!(
            encode_edits(edits.iter().copied(), &mut out[..short]),
            Err(full)
        );
    }
    encode_edits(edits.iter().copied(), &mut out[..size]).unwrap();
    out[..size].to_vec()
}

/// The edits, which are the same one by one and all together, from whichever on.
fn decoded(bytes: &[u8]) -> Vec<Edit<'_>> {
    let mut edits = Change::parse(bytes).unwrap().edits();
    let mut one_by_one = Vec::new();
    loop {
        let mut together = one_by_one.clone();
        edits.clone().for_each(|edit| together.push(edit));
        let Some(edit) = edits.next() else {
            assert_eq!(one_by_one, together);
            return one_by_one;
        };
        one_by_one.push(edit);
        assert!(together.starts_with(&one_by_one));
    }
}

/// No shorter bytes are a change of the same form with the same last edit.
fn assert_cut_off_is_refused(bytes: &[u8]) {
    let whole = decoded(bytes);
    for size in 0..bytes.len() {
        if let Ok(change) = Change::parse(&bytes[..size]) {
            assert!(change.edits().count() < whole.len());
        }
    }
}

#[test]
fn edits_have_their_literal_bytes() {
    let added: Vec<u32> = (100..120).collect();
    let edits = [
        Edit::Tombstone { slot: 300 },
        Edit::Insert {
            slot: 300,
            level: 2,
        },
        replace(0, 5, &[1, 7]),
        patch(0, 6, &[2, 3], &[300]),
        link(0, 200, 0b1001, Some(299)),
        link(0, 201, 0b1, None),
        patch(1, 0, &[], &added),
        Edit::Entry { slot: 300 },
    ];
    let bytes = encoded(&edits);
    let mut literal = vec![0x00]; // form
    literal.extend([0x01, 0xac, 0x02]); // tombstone 300
    literal.extend([0x12, 0xac, 0x02]); // insert 300, level 2
    literal.extend([0x03, 0x04]); // layer 0: four lists
    literal.extend([0x05, 0xff, 0x02, 0x01, 0x05]); // 5: all of 1, 7
    literal.extend([0x00, 0x21, 0x02, 0x00, 0x00]); // 6: without 2, 3, with the new node
    literal.extend([0xc1, 0x01, 0xfe, 0x05, 0x00, 0x03, 0x01]); // 200: not 0, 3, but 299
    literal.extend([0x00, 0xfe, 0x02, 0x00]); // 201: without place 0
    literal.extend([0x0b, 0x01]); // layer 1: one list
    literal.extend([0x00, 0x0e, 0x06, 0x8d, 0x03]); // 0: with 14 + 6 slots from 299 - 199 on
    literal.extend([0x00; 19]);
    literal.extend([0x04, 0xac, 0x02]); // entry 300
    assert_eq!(bytes, literal);
    assert_eq!(decoded(&bytes), edits);
    assert_cut_off_is_refused(&bytes);
    assert_eq!(decoded(&encoded(&[Edit::Clear])), [Edit::Clear]);
}

#[test]
fn an_insert_has_its_literal_bytes() {
    let mut out = [0xee; 32];
    let mut writer = InsertWriter::new(&mut out, 40, 1, true).unwrap();
    let linked = Link {
        is_linked: true,
        removed: 0,
    };
    let pruned = Link {
        is_linked: true,
        removed: 1 << 5,
    };
    let mask = Link {
        is_linked: false,
        removed: 0b111,
    };
    writer
        .layer(&[3, 10, 20, 37], &[linked, Link::default(), pruned, mask])
        .unwrap();
    writer.layer(&[], &[]).unwrap();
    let size = writer.finish().unwrap();
    // Layer 0: count 4, parameter 2; gaps 3, 6, 9, 16 as codes 0+11, 10+01, 110+10, 11110+00 (the
    // remainders least significant bit first); links 01; 00; 11, one lost, place 5; 10, a mask of
    // 3 bits. Layer 1: count 0. In the order of their bits:
    let bits = "00100000 01000 011 1001 11010 1111000 \
                10 00 11000101000 01111010000111 00000000";
    let mut literal = vec![0b0000_1101, 40];
    let bits: Vec<u8> = bits
        .bytes()
        .filter(|&c| c != b' ')
        .map(|c| c - b'0')
        .collect();
    literal.extend(bits.chunks(8).map(|byte| {
        byte.iter()
            .enumerate()
            .fold(0, |sum, (i, bit)| sum | bit << i)
    }));
    assert_eq!(out[..size], literal);
    let own = [3, 10, 20, 37];
    let edits = [
        Edit::Insert { slot: 40, level: 1 },
        link(0, 3, 0, Some(40)),
        link(0, 20, 1 << 5, Some(40)),
        link(0, 37, 0b111, None),
        replace(0, 40, &own),
        Edit::Entry { slot: 40 },
    ];
    assert_eq!(decoded(&out[..size]), edits);
    assert_cut_off_is_refused(&out[..size]);
    let last = size - 1;
    out[last] |= 0x80;
    let offset = last as u32;
    assert_eq!(
        Change::parse(&out[..size]),
        Err(ChangeError::Trailing { offset })
    );
    out[last] &= 0x7f;
    let trailing = Change::parse(&out[..=size]);
    assert!(matches!(trailing, Err(ChangeError::Trailing { .. })));
}

#[test]
fn edges_have_their_literal_bytes() {
    let edge = |from, to| Edge {
        from,
        to,
        weight: 1.0,
    };
    let mut out = [0xee; 64];
    let added = [edge(1, 2), edge(1, 9), edge(4, 0)];
    let size = encode_edges(2, &added, &[(1, 3), (2, 1)], Some(4), false, &mut out).unwrap();
    let mut literal = vec![0x0a, 2, 3, 0, 0, 0, 2, 0, 0, 0];
    for word in [1, 2, 1, 9, 4, 0, 1, 3, 2, 1, 4_u32] {
        literal.extend(word.to_le_bytes());
    }
    assert_eq!(out[..size], literal);
    let edits = [
        patch(2, 1, &[3], &[2, 9]),
        patch(2, 2, &[1], &[]),
        patch(2, 4, &[], &[0]),
        Edit::Entry { slot: 4 },
    ];
    assert_eq!(decoded(&out[..size]), edits);
    let mut weighted = [0; 80];
    let size = encode_edges(2, &added, &[(1, 3), (2, 1)], Some(4), true, &mut weighted).unwrap();
    assert_eq!(size, literal.len() + 12);
    assert_eq!(weighted[18..22], 1.0_f32.to_le_bytes());
    assert_eq!(decoded(&weighted[..size]), edits);
    for short in 0..literal.len() {
        assert!(Change::parse(&literal[..short]).is_err());
    }
    literal.push(0);
    assert_eq!(
        Change::parse(&literal),
        Err(ChangeError::Trailing { offset: 54 })
    );

    let unsorted = ChangeEncodeError::Unencodable { index: 1 };
    let refused = encode_edges(2, &[edge(1, 2), edge(1, 2)], &[], None, false, &mut out);
    assert_eq!(refused, Err(unsorted));
    let refused = encode_edges(2, &[edge(1, 2)], &[], None, false, &mut out[..17]);
    assert_eq!(refused, Err(ChangeEncodeError::BufferFull { size: 17 }));
}

#[test]
fn what_is_no_change() {
    let malformed = |offset| Err(ChangeError::Malformed { offset });
    for (bytes, error) in [
        (&[][..], Err(ChangeError::Empty)),
        (&[3], Err(ChangeError::UnknownForm { found: 3 })),
        (&[4], Err(ChangeError::UnknownForm { found: 4 })),
        (&[0, 0x09, 1], malformed(1)), // a tombstone with a level
        (&[0, 0x05], malformed(1)),    // no such operation
        (&[0, 0x01, 0x80, 0x00], malformed(1)), // a long varint
        (&[0, 0x03, 0x00], malformed(1)), // a group of no lists
        (&[0, 0x03, 0x01, 0x00, 0x0f], malformed(1)), // no such kind
        (&[0, 0x03, 0x02, 0x00, 0x10, 0x01], malformed(6)), // a list is missing
        (&[0, 0x03, 0x01, 0, 0xfe, 4, 3, 3], malformed(1)), // a place twice
        (&[0, 0x03, 0x01, 0, 0xfe, 2, 64], malformed(1)), // a place past 63
        (&[0, 0x03, 1, 0, 0xff, 0xff, 0xff, 3, 0], malformed(1)), // a count past the bytes
        (&[1], malformed(1)),
        (&[1, 0], malformed(2)),
        (&[2, 32, 0, 0, 0, 0, 0, 0, 0, 0], malformed(0)), // layer 32
        (&[2, 0, 255, 255, 255, 255, 0, 0, 0, 0], malformed(10)),
    ] {
        assert_eq!(Change::parse(bytes).map(|_| ()), error, "{bytes:x?}");
    }
    let past_last = [0, 0x03, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
    assert!(Change::parse(&past_last).is_err());
}

#[test]
fn edits_that_no_graph_accepts_are_not_written() {
    let refused = |edits: &[Edit<'_>]| encode_edits(edits.iter().copied(), &mut [0; 64]);
    let unencodable = |index| Err(ChangeEncodeError::Unencodable { index });
    assert_eq!(refused(&[replace(0, 0, &[2, 2])]), unencodable(0));
    assert_eq!(
        refused(&[patch(0, 3, &[], &[]), patch(0, 2, &[], &[])]),
        unencodable(1)
    );
    assert_eq!(refused(&[replace(32, 0, &[])]), unencodable(0));
    assert_eq!(refused(&[patch(0, 0, &[], &[5, 4])]), unencodable(0));
    assert!(InsertWriter::new(&mut [0; 9], 0, 32, false).is_none());
    let mut out = [0; 64];
    let mut writer = InsertWriter::new(&mut out, 9, 0, false).unwrap();
    assert_eq!(writer.layer(&[4, 4], &[Link::default(); 2]), None);
    let mut writer = InsertWriter::new(&mut out, 9, 0, false).unwrap();
    assert_eq!(writer.layer(&[4], &[]), None);
    let writer = InsertWriter::new(&mut out, 9, 0, false).unwrap();
    assert_eq!(writer.finish(), None);
}

fn ascending(count: usize) -> impl Strategy<Value = Vec<u32>> {
    vec((any::<u32>(), 0_u32..32), 0..count).prop_map(|slots| {
        let mut slots: Vec<u32> = slots.into_iter().map(|(slot, by)| slot >> by).collect();
        slots.retain(|&slot| slot < u32::MAX);
        slots.sort_unstable();
        slots.dedup();
        slots
    })
}

proptest! {
    #[test]
    fn prop_decode_inverts_encode(
        lists in vec((0_u8..32, any::<u32>(), 0_u8..3, ascending(40), ascending(40)), 0..12),
        tombstones in ascending(4),
        insert in proptest::option::of((any::<u32>(), 0_u8..32)),
        entry in proptest::option::of(any::<u32>()),
        mask in any::<u64>(),
    ) {
        let mut lists = lists;
        lists.retain(|list| list.1 < u32::MAX);
        lists.sort_by_key(|list| (list.0, list.1));
        lists.dedup_by_key(|list| (list.0, list.1));
        let mut edits: Vec<_> =
            tombstones.iter().map(|&slot| Edit::Tombstone { slot }).collect();
        edits.extend(insert.map(|(slot, level)| Edit::Insert { slot, level }));
        edits.extend(lists.iter().map(|(layer, slot, kind, a, b)| match kind {
            0 => replace(*layer, *slot, a),
            1 => patch(*layer, *slot, a, b),
            _ => link(*layer, *slot, mask, a.first().copied()),
        }));
        edits.extend(entry.map(|slot| Edit::Entry { slot }));
        let mut out = vec![0; 10_000];
        let size = encode_edits(edits.iter().copied(), &mut out).unwrap();
        prop_assert_eq!(decoded(&out[..size]), edits);
    }

    #[test]
    fn prop_insert_decode_inverts_encode(
        slot in any::<u32>(),
        layers in vec((ascending(60), vec((any::<bool>(), any::<u64>(), 0_u32..70), 60)), 1..4),
        becomes_entry in any::<bool>(),
    ) {
        let level = layers.len() as u8 - 1;
        let mut out = vec![0xee; 10_000];
        let mut writer = InsertWriter::new(&mut out, slot, level, becomes_entry).unwrap();
        let mut edits = vec![Edit::Insert { slot, level }];
        for (layer, (own, links)) in (0..).zip(&layers) {
            let links: Vec<Link> = links
                .iter()
                .take(own.len())
                .map(|&(is_linked, bits, by)| Link {
                    is_linked,
                    removed: bits.checked_shr(by).unwrap_or(0),
                })
                .collect();
            writer.layer(own, &links).unwrap();
            for (&neighbour, by) in own.iter().zip(&links) {
                if *by != Link::default() {
                    edits.push(link(layer, neighbour, by.removed, by.is_linked.then_some(slot)));
                }
            }
            if !own.is_empty() {
                edits.push(replace(layer, slot, own));
            }
        }
        if becomes_entry {
            edits.push(Edit::Entry { slot });
        }
        let size = writer.finish().unwrap();
        prop_assert_eq!(decoded(&out[..size]), edits);
    }

    #[test]
    fn prop_any_bytes_are_refused_or_read_whole(
        mut bytes in vec(any::<u8>(), 0..60),
        form in 0_u8..4,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = if form == 0 { 0 } else { *first & 0b1000_1100 | form };
        }
        if let Ok(change) = Change::parse(&bytes) {
            for edit in change.edits() {
                if let Edit::List { change: ListChange::Replace(slots), .. } = edit {
                    prop_assert_eq!(slots.iter().count(), slots.len());
                }
            }
        }
    }
}
