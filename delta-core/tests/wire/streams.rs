//! Whole streams: applied, compacted, written again.

use crate::{
    blocks::frames,
    memory::{GraphMemory, Memory},
};
use delta_core::{
    compact::{CompactMemory, Compactor, RangeSegment, Touched},
    graph::{Adjacency, GraphBuffers, Shape, digest::graph_digest},
    header::{DeltaHeader, HeaderError, Operation},
    kernel::distance::Metric,
    payload::tensor::{self, DType},
    pipeline::{
        apply::{Applier, Outcome, Undo},
        sequencer::Position,
        tensor::TensorStream,
    },
    record::{Record, RecordError},
    store::{Replica, ReplicaGraph, state_digest},
    stream::StreamReader,
    tensor::Tensor,
};

/// Compacts frames with a graph, if they have one, into one segment.
fn compacted(kind: &str, graph: Option<Adjacency<'_>>) -> Vec<u8> {
    let (mut touched, mut index, mut rows) = ([Touched::default(); 4], [0; 8], [0.0; 16]);
    let (mut changed, mut text, mut scratch) = ([0; 4], [0; 1024], [0; 65_534]);
    let memory = CompactMemory {
        touched: &mut touched,
        index: &mut index,
        rows: &mut rows,
        changed: &mut changed,
        text: &mut text,
        scratch: &mut scratch,
    };
    let (mut compactor, mut named) = (Compactor::new(4, Position::START, memory), [0; 4]);
    if let Some(graph) = graph {
        compactor = compactor.with_graph(graph, &mut named);
    }
    for (_, frame) in frames(kind) {
        compactor.push(&Record::parse(&frame).unwrap()).unwrap();
    }
    let mut out = vec![0; compactor.size_max()];
    let size = compactor.finish(&mut out).unwrap();
    out.truncate(size);
    out
}

#[test]
fn golden_segments_are_what_the_streams_compact_to_and_lead_to_their_ends() {
    let segments = frames("segment");
    assert_eq!(segments.len(), 2);
    for (name, bytes) in segments {
        let has_graph = name == "graph";
        let kind = if has_graph { "golden-graph" } else { "golden" };
        let (mut range, mut own) = (GraphMemory::new(), GraphMemory::new());
        let graph = has_graph.then(|| range.graph());
        assert_eq!(compacted(kind, graph), bytes, "{name}");

        let segment = RangeSegment::parse(&bytes).unwrap();
        let (mut memory, mut undo) = (Memory::new(), [0; 4096]);
        let mut store = memory.store();
        if has_graph {
            store = store.with_graph(ReplicaGraph::new(own.graph(), Metric::SquaredL2));
        }
        let mut applier = Applier::new(Position::START, &mut []);
        let applied = applier.apply_range(&segment, &mut store, &mut Undo::new(&mut undo));
        assert_eq!(applied, Ok(Outcome::Applied));
        let (_, last) = frames(kind).pop().unwrap();
        let last = *Record::parse(&last).unwrap().header();
        assert_eq!(applier.current_position().sequence, last.sequence);
        assert_eq!(Some(state_digest(&store)), last.state_digest);
    }
}

#[test]
fn golden_frames_are_one_stream_that_applies() {
    let stream: Vec<u8> = frames("golden")
        .into_iter()
        .flat_map(|(_, frame)| frame)
        .collect();
    let (mut memory, mut scratch) = (Memory::new(), [0; 65_534]);
    let mut store = memory.store();
    let mut applier = Applier::new(Position::START, &mut scratch);
    for record in StreamReader::new(&stream) {
        assert_eq!(
            applier.apply_delta(&record.unwrap(), &mut store),
            Ok(Outcome::Applied)
        );
    }
    let position = applier.current_position();
    assert_eq!((position.epoch, position.sequence), (2, 12));
    assert_eq!(position.digest, state_digest(&store));
    assert_eq!(store.id(0), Some(&b"a"[..]));
    assert_eq!(store.id(1), Some("δ/2".as_bytes()));
    assert!(store.is_deleted(0) && !store.is_deleted(1));
    assert_eq!(store.metadata(0, b"k"), None);
    assert_eq!(store.metadata(0, b"n"), Some(&b""[..]));
    assert_eq!(store.metadata(0, b"o"), Some(&b"12"[..]));
    assert_eq!(store.metadata(1, b"k"), Some(&[b'a'; 60][..]));
    let bits = |slot| {
        store
            .row(slot)
            .unwrap()
            .iter()
            .map(|v| v.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(0), [0x4040_0000, 0, 0x7fc0_0001, 0x3f00_0000]);
    assert_eq!(bits(1), [0.25, 0.125, -7.0, 1e-40].map(f32::to_bits));
}

#[test]
fn golden_graph_frames_are_one_stream_that_applies() {
    let shape = Shape {
        nodes_max: 4,
        degree0_max: 4,
        degree_max: 2,
        upper_blocks_max: 4,
    };
    let lengths = shape.lengths().unwrap();
    let buffers = GraphBuffers {
        neighbours0: &mut vec![0; lengths[0]],
        degrees0: &mut vec![0; lengths[1]],
        levels: &mut vec![0; lengths[2]],
        tombstones: &mut vec![0; lengths[3]],
        upper_base: &mut vec![0; lengths[4]],
        upper: &mut vec![0; lengths[5]],
    };
    let adjacency = Adjacency::new(shape, buffers).unwrap();
    let mut memory = Memory::new();
    let graph = ReplicaGraph::new(adjacency, Metric::SquaredL2);
    let mut store = memory.store().with_graph(graph);
    let mut applier = Applier::new(Position::START, &mut []);
    let stream: Vec<u8> = frames("golden-graph")
        .into_iter()
        .flat_map(|(_, frame)| frame)
        .collect();
    for record in StreamReader::new(&stream) {
        assert_eq!(
            applier.apply_delta(&record.unwrap(), &mut store),
            Ok(Outcome::Applied)
        );
    }
    let position = applier.current_position();
    assert_eq!(position.sequence, 9);
    assert_eq!(position.digest, state_digest(&store));
    assert!(store.is_deleted(2) && store.slot_count() == 4);
    let graph = store.graph().unwrap().adjacency();
    assert_eq!(graph_digest(graph), graph.digest());
    assert_eq!((graph.node_count(), graph.tombstone_count()), (3, 1));
    assert_eq!((graph.entry(), graph.level_max()), (Some(2), 1));
    assert_eq!(graph.neighbours(0, 0), Some(&[1][..]));
    assert_eq!(graph.neighbours(0, 1), Some(&[0, 2][..]));
    assert_eq!(graph.neighbours(0, 2), Some(&[0, 1][..]));
    assert_eq!(graph.neighbours(1, 0), Some(&[2][..]));
    assert_eq!(graph.neighbours(1, 2), Some(&[0][..]));
}

#[test]
fn golden_frames_are_emitted_to_the_same_bytes() {
    let all = [frames("golden"), frames("golden-graph")].concat();
    for (name, frame) in all {
        let record = Record::parse(&frame).unwrap();
        let mut emitted = record.header().to_bytes().to_vec();
        emitted.extend_from_slice(record.payload_bytes());
        assert_eq!(emitted, frame, "{name}");
        let sealed = DeltaHeader {
            checksum: 0,
            payload_size: 0,
            ..*record.header()
        };
        assert_eq!(
            sealed.seal(record.payload_bytes()).as_ref(),
            Ok(record.header()),
            "{name}"
        );
    }
}

#[test]
fn refused_frames_are_refused_for_what_they_are() {
    for (name, frame) in frames("refused") {
        let error = Record::parse(&frame).err();
        let error = error.unwrap_or_else(|| panic!("{name} was accepted"));
        let by_checksum = matches!(error, RecordError::Header(HeaderError::Checksum { .. }));
        assert_eq!(by_checksum, name == "checksum", "{name}: {error}");
        let by_length = matches!(error, RecordError::Truncated { .. });
        assert_eq!(by_length, name == "truncated", "{name}: {error}");
    }
}

#[test]
fn golden_tensor_payloads_lead_to_their_digests() {
    let (mut first, mut second) = ([0; 5], [0; 3]);
    let of = |extents: &[u32]| tensor::Shape::new(extents).unwrap();
    let mut tensors = [
        Tensor::new(DType::U16, of(&[3, 2]), &mut first).unwrap(),
        Tensor::new(DType::F32, of(&[3]), &mut second).unwrap(),
    ];
    let mut stream = TensorStream::new(&mut tensors);
    for (name, payload) in frames("tensor") {
        if !payload.is_empty() {
            let position = stream.current_position();
            let last_sequence = stream.tensors()[usize::from(payload[0])].last_sequence();
            let header = DeltaHeader {
                tensor: true,
                prev_sequence: last_sequence,
                ..DeltaHeader::new(Operation::Update, position.sequence + 1, position.epoch)
            };
            let header = header.seal(&payload).unwrap();
            let record = Record::with_header(header, &payload).unwrap();
            assert_eq!(stream.apply_delta(&record), Ok(Outcome::Applied), "{name}");
        }
        let (name, digest) = name.split_once(' ').unwrap();
        let found = format!("{:016x}", stream.current_position().digest);
        assert_eq!(found, digest, "{name}");
    }
    assert_eq!(stream.tensors()[0].shape().extents(), [1, 1, 3]);
    assert_eq!(stream.tensors()[0].as_bytes(), [11, 0, 12, 0, 13, 0]);
}
