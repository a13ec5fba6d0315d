//! Literal bytes and laws of every payload; each kind in a file of its own.

mod batch;
mod batch_metadata;
mod control;
mod metadata;
mod vector;

use super::{Payload, PayloadError};
use crate::{
    graph::{Edit, encode::ChangeError},
    header::{DeltaHeader, Operation},
};

/// A header as the laws need it: of any record but the first.
fn header(operation: Operation) -> DeltaHeader {
    DeltaHeader::new(operation, 100, 1)
}

#[test]
fn a_delete_is_a_slot() {
    let header = header(Operation::Delete);
    assert_eq!(
        Payload::parse(&header, &[1, 2, 0, 0]),
        Ok(Payload::Delete {
            slot: 0x201,
            graph: None
        })
    );
    for found in [0, 3, 5] {
        assert_eq!(
            Payload::parse(&header, &[0; 8][..found]),
            Err(PayloadError::Size {
                expected: 4,
                found: found as u64
            })
        );
    }
}

#[test]
fn a_delete_carries_a_graph_change() {
    let header = DeltaHeader {
        graph: true,
        ..header(Operation::Delete)
    };
    let parsed = Payload::parse(&header, &[9, 0, 0, 0, 0, 1, 9]).unwrap();
    let Payload::Delete { slot: 9, graph } = parsed else {
        panic!("{parsed:?} is no delete of slot 9");
    };
    let edits: Vec<_> = graph.unwrap().edits().collect();
    assert_eq!(edits, [Edit::Tombstone { slot: 9 }]);
    assert_eq!(
        Payload::parse(&header, &[9, 0, 0, 0]),
        Err(ChangeError::Empty.into())
    );
    assert_eq!(
        Payload::parse(&header, &[9, 0, 0, 0, 3]),
        Err(ChangeError::UnknownForm { found: 3 }.into())
    );
}

#[test]
fn a_reindex_is_a_graph_change() {
    let header = header(Operation::ReindexLayers);
    let parsed = Payload::parse(&header, &[0, 0]).unwrap();
    let Payload::Reindex(change) = parsed else {
        panic!("{parsed:?} is no reindex");
    };
    assert!(change.edits().eq([Edit::Clear]));
    assert_eq!(Payload::parse(&header, &[]), Err(ChangeError::Empty.into()));
    for (header, offset) in [
        (
            DeltaHeader {
                vector_id_hash: 1,
                ..header
            },
            12,
        ),
        (
            DeltaHeader {
                prev_sequence: 1,
                ..header
            },
            40,
        ),
    ] {
        assert_eq!(
            Payload::parse(&header, &[0, 0]),
            Err(PayloadError::HeaderField { offset })
        );
    }
}
