//! Literal bytes and laws of every payload; each kind in a file of its own.

mod batch;
mod control;
mod metadata;
mod vector;

use super::{Payload, PayloadError};
use crate::header::{DeltaHeader, Operation};

/// A header as the laws need it: of any record but the first.
fn header(operation: Operation) -> DeltaHeader {
    DeltaHeader::new(operation, 100, 1)
}

#[test]
fn a_delete_is_a_slot() {
    let header = header(Operation::Delete);
    assert_eq!(
        Payload::parse(&header, &[1, 2, 0, 0]),
        Ok(Payload::Delete { slot: 0x201 })
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
fn graph_changes_are_not_supported() {
    let operation = Operation::ReindexLayers;
    assert_eq!(
        Payload::parse(&header(operation), &[]),
        Err(PayloadError::Unsupported { operation })
    );
}
