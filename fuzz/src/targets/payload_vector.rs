//! A row's payload is read as the oracle reads it, and what was read can be written again and means
//! the same.
//!
//! Input: a byte of [`Mode`], then the payload.

use delta_core::codec::{Base, lz4::Lz4Scratch};
use delta_core::header::{DeltaHeader, Operation, vector_id_hash};
use delta_core::payload::metadata::MetadataEdit;
use delta_core::payload::vector::{VectorChange, VectorPayload};

use super::{header_parse, record_stream};
use crate::oracle::bytes::Bytes;
use crate::oracle::payload::{self, Metadata, Payload, Row};

/// Rows longer than this are parsed only.
const DIM_MAX: u32 = 4096;

struct Mode {
    is_insert: bool,
    compressed: bool,
    /// The payload carries a graph change.
    graph: bool,
    /// The header carries the hash of the id that the payload seems to have.
    right_hash: bool,
    /// The writer may compress.
    compresses: bool,
}

pub fn run(input: &[u8]) {
    let Some((&mode, payload)) = input.split_first() else {
        return;
    };
    let mode = Mode {
        is_insert: mode & 1 != 0,
        compressed: mode & 2 != 0,
        right_hash: mode & 4 != 0,
        compresses: mode & 8 != 0,
        graph: mode & 16 != 0,
    };
    let header = header(&mode, payload);
    let found = VectorPayload::parse(&header, payload);
    let expected = match payload::read(&header_parse::same(&header), payload) {
        Some(Payload::Row(row)) => Some(row),
        _ => None,
    };
    match (found, expected) {
        (Ok(vector), Some(expected)) => {
            assert_eq!(same(&vector), expected);
            if expected.dim <= DIM_MAX {
                write_again(&expected, mode.is_insert, mode.compresses);
            }
        }
        (Err(_), None) => {}
        (Err(_), Some(expected)) if expected.metadata == Metadata::BrokenBlock => {}
        (found, expected) => panic!("{found:?} for {expected:?}"),
    }
}

fn header(mode: &Mode, payload: &[u8]) -> DeltaHeader {
    let operation = match mode.is_insert {
        true => Operation::Insert,
        false => Operation::Update,
    };
    let tag = payload.first().map_or(0, |first| first & 0x7f);
    let mut header = DeltaHeader::new(operation, 7, 1);
    header.compressed = mode.compressed;
    header.graph = mode.graph;
    header.lossy = matches!(tag, 5 | 6);
    header.relative = matches!(tag, 3 | 5 | 7) && !mode.is_insert;
    if let (true, Some(id)) = (mode.right_hash, id_of(payload)) {
        header.vector_id_hash = vector_id_hash(id);
    }
    header.seal(payload).expect("the fuzzer's inputs are small")
}

/// The id that a payload seems to have.
fn id_of(payload: &[u8]) -> Option<&[u8]> {
    let mut rest = Bytes(payload);
    let _tag = rest.u8()?;
    let (_slot, _dim) = (rest.varint()?, rest.varint()?);
    let (id_size, values_size) = (rest.u8()?, rest.varint()?);
    rest.take(values_size as usize)?;
    rest.take(id_size.into())
}

fn same(vector: &VectorPayload<'_>) -> Row {
    Row {
        slot: vector.slot(),
        dim: vector.dim(),
        values: record_stream::same_values(vector.values(), vector.dim()),
        id: vector.id().to_vec(),
        graph: vector.graph().map(record_stream::same_graph),
        metadata: record_stream::same_metadata(vector.metadata()),
    }
}

/// Writes the change that `row` says, and reads it back. Pairs of an insert that remove a key
/// change nothing and are not written.
fn write_again(row: &Row, is_insert: bool, compresses: bool) {
    let Metadata::Pairs(mut pairs) = row.metadata.clone() else {
        return;
    };
    pairs.retain(|(_, value)| !is_insert || value.is_some());
    let old: Vec<u32> = match is_insert {
        true => vec![0; row.dim as usize],
        false => (0..row.dim).map(|d| d.wrapping_mul(0x9e37_79b9)).collect(),
    };
    let mut new = old.clone();
    if row.values.apply(&mut new).is_none() {
        return;
    }
    let floats = |bits: &[u32]| bits.iter().map(|&b| f32::from_bits(b)).collect::<Vec<_>>();
    let (old_row, new_row) = (floats(&old), floats(&new));
    let metadata: Vec<MetadataEdit<'_>> = pairs
        .iter()
        .map(|(key, value)| MetadataEdit {
            key,
            // Something else than the new value: equal ones are not written.
            old: value.is_none().then_some(&[][..]),
            new: value.as_deref(),
        })
        .collect();
    let change = VectorChange {
        slot: row.slot,
        base: if is_insert {
            Base::Zero
        } else {
            Base::Row(&old_row)
        },
        new: &new_row,
        id: &row.id,
        graph: None,
        metadata: &metadata,
    };
    let mut lz4 = compresses.then(|| Box::new(Lz4Scratch::new()));
    let mut out = vec![0xa5; change.payload_size_max()];
    let written = change
        .write(&mut out, lz4.as_deref_mut())
        .expect("the size that the change names suffices");
    let (size, compressed) = (written.size, written.compressed);
    out.truncate(size);

    let mode = Mode {
        is_insert,
        compressed,
        graph: false,
        right_hash: true,
        compresses,
    };
    let header = header(&mode, &out);
    let again = VectorPayload::parse(&header, &out).expect("what was written can be read");
    let again = same(&again);
    let mut row_again = old;
    again.values.apply(&mut row_again).expect("sound values");
    assert_eq!(row_again, new, "the row after the change");
    assert_eq!(
        (again.slot, again.dim, &again.id),
        (row.slot, row.dim, &row.id)
    );
    assert_eq!(again.metadata, Metadata::Pairs(pairs.clone()));

    // Too little room is an error or enough, never a panic.
    let mut short = vec![0; size.saturating_sub(1 + usize::from(row.slot as u8))];
    let refused = change.write(&mut short, lz4.as_deref_mut());
    assert!(refused.is_err(), "{size} bytes do not fit {}", short.len());
}
