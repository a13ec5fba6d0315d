//! A stream is read as the oracle reads it: the same records, and the same verdict where it ends.
//!
//! Input: a byte of [`Repairs`], then frames.

use delta_core::codec;
use delta_core::graph::{GraphParameters, encode::Change};
use delta_core::kernel::distance::Metric;
use delta_core::payload::batch::BatchPayload;
use delta_core::payload::metadata::{MetadataChanges, MetadataSection, SECTION_SIZE_MAX};
use delta_core::payload::{Payload, control::Control};
use delta_core::record::Record;
use delta_core::stream::StreamReader;

use super::header_parse;
use crate::oracle::graph_change::{self, Edit};
use crate::oracle::payload::{Entry, Metadata, Pairs, Row, Values};
use crate::oracle::stream::{Next, Stream};
use crate::oracle::values::Packed;
use crate::oracle::{frame, payload};
use crate::shape::{Repairs, repair};

pub fn run(input: &[u8]) {
    let Some((&mode, bytes)) = input.split_first() else {
        return;
    };
    let stream = repair(bytes, Repairs::from_mode(mode));
    agree_on_the_first_frame(&stream);
    let mut oracle = Stream::new(&stream);
    let mut reader = StreamReader::new(&stream);
    loop {
        let offset = reader.offset();
        let (found, expected) = (reader.next(), oracle.step());
        match (found, expected) {
            (Some(Ok(record)), Next::Frame(expected)) => {
                assert_eq!(same(&record), expected, "at byte {offset}");
            }
            (Some(Err(_)), Next::Frame(expected)) if expected.payload.has_broken_block() => break,
            (Some(Err(_)), Next::Refused) | (None, Next::Done) => break,
            (found, expected) => panic!("at byte {offset}: {found:?} for {expected:?}"),
        }
    }
    assert!(reader.next().is_none(), "a reader ends after an error");
}

/// A record on its own, whatever stands around it.
fn agree_on_the_first_frame(bytes: &[u8]) {
    match (Record::split(bytes), frame::split(bytes)) {
        (Ok((record, rest)), Some((expected, expected_rest))) => {
            assert_eq!(same(&record), expected);
            assert_eq!(rest, expected_rest);
            assert_eq!(record.size(), bytes.len() - rest.len());
            assert_eq!(Record::parse(bytes).is_ok(), rest.is_empty());
        }
        (Err(_), None) => {}
        (Err(_), Some((expected, _))) if expected.payload.has_broken_block() => {}
        (found, expected) => panic!("{found:?} for {expected:?}"),
    }
}

/// The core's record as the oracle has it.
pub fn same(record: &Record<'_>) -> frame::Frame {
    let payload = match record.payload() {
        Payload::Insert(vector) | Payload::Update(vector) => payload::Payload::Row(Row {
            slot: vector.slot(),
            dim: vector.dim(),
            values: same_values(vector.values(), vector.dim()),
            id: vector.id().to_vec(),
            graph: vector.graph().map(same_graph),
            metadata: same_metadata(vector.metadata()),
        }),
        Payload::Delete { slot, graph } => payload::Payload::Delete {
            slot: *slot,
            graph: graph.map(same_graph),
        },
        Payload::Reindex(change) => payload::Payload::Reindex(same_graph(*change)),
        Payload::Batch(batch) => payload::Payload::Batch {
            dim: batch.dim(),
            entries: same_entries(batch),
        },
        Payload::Control(control) => same_control(control),
        Payload::Tensor(tensor) => {
            let mut bytes = vec![0; tensor.size()];
            tensor.write(&mut bytes).expect("room for it");
            payload::Payload::Tensor(bytes)
        }
        other => panic!("a payload that the oracle does not know: {other:?}"),
    };
    frame::Frame {
        header: header_parse::same(record.header()),
        payload,
    }
}

/// The core's entries as the oracle has them.
fn same_entries(batch: &BatchPayload<'_>) -> Vec<Entry> {
    let mut scratch = vec![0xa5; SECTION_SIZE_MAX];
    let mut changes = batch.decode(&mut scratch).ok();
    let mut metadata = |entry| {
        let Some(changes) = &mut changes else {
            return Metadata::BrokenBlock;
        };
        let (same, changes) = changes.next().expect("as many entries");
        assert_eq!(same, entry, "with metadata and without");
        Metadata::Pairs(same_pairs(changes))
    };
    let entries = batch.entries().map(|entry| Entry {
        slot: entry.slot,
        prev_sequence: entry.prev_sequence,
        values: same_values(&entry.values, batch.dim()),
        metadata: metadata(entry),
    });
    entries.collect()
}

fn same_control(control: &Control<'_>) -> payload::Payload {
    match *control {
        Control::Start {
            dim,
            slot_count,
            graph,
            consumer_bytes,
        } => payload::Payload::Start {
            dim,
            slot_count,
            graph: graph.map_or([0; 3], same_parameters),
            own: consumer_bytes.to_vec(),
        },
        Control::End { record_count } => payload::Payload::End {
            count: record_count,
        },
        Control::Resync { .. } => payload::Payload::Resync,
        Control::Watermark {
            source_epoch,
            source_sequence,
        } => payload::Payload::Watermark {
            epoch: source_epoch,
            sequence: source_sequence,
        },
        Control::Range {
            from_epoch,
            from_sequence,
            from_digest,
            record_count,
            size,
        } => payload::Payload::Range {
            epoch: from_epoch,
            sequence: from_sequence,
            digest: from_digest,
            count: record_count,
            size,
        },
        Control::Erased { slot, sum } => payload::Payload::Erased { slot, sum },
        _ => panic!("a control that the oracle does not know: {control:?}"),
    }
}

/// What the oracle reads in the core's graph change: that both read the same edits is another
/// target's.
pub fn same_graph(change: Change<'_>) -> Vec<Edit> {
    graph_change::decode(change.as_bytes()).expect("a change that was parsed")
}

/// The core's parameters of a graph as the oracle has them.
pub fn same_parameters(parameters: GraphParameters) -> [u8; 3] {
    let metric = match parameters.metric {
        Metric::SquaredL2 => 1,
        Metric::Dot => 2,
        Metric::Cosine => 3,
        other => panic!("a metric that the oracle does not know: {other:?}"),
    };
    [parameters.degree0_max, parameters.degree_max, metric]
}

/// The core's values as the oracle has them.
pub fn same_values(values: &codec::Values<'_>, dim: u32) -> Values {
    match values {
        codec::Values::Same => Values::Same,
        codec::Values::Raw(raw) => Values::Raw(
            raw.as_bytes()
                .chunks_exact(4)
                .map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")))
                .collect(),
        ),
        codec::Values::Bytes(bytes) => {
            let bytes = bytes.as_bytes().iter();
            Values::Bytes(bytes.map(|&byte| f32::from(byte).to_bits()).collect())
        }
        codec::Values::Sparse(sparse) => Values::Sparse(sparse.iter().collect()),
        codec::Values::Grid(_)
        | codec::Values::Steps(_)
        | codec::Values::Ranks(_)
        | codec::Values::Flips(_) => Values::Packed(
            Packed::parse(values.tag() as u8, values.as_bytes(), dim)
                .expect("values that the core has parsed"),
        ),
        other => panic!("a codec that the oracle does not know: {other:?}"),
    }
}

/// The core's metadata as the oracle has them.
pub fn same_metadata(section: &MetadataSection<'_>) -> Metadata {
    let mut scratch = vec![0xa5; SECTION_SIZE_MAX];
    section
        .decode(&mut scratch)
        .map_or(Metadata::BrokenBlock, |changes| {
            Metadata::Pairs(same_pairs(changes))
        })
}

fn same_pairs(changes: MetadataChanges<'_>) -> Pairs {
    let pairs = changes.into_iter();
    pairs
        .map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)))
        .collect()
}
