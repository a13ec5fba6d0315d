//! The golden vectors of WIRE.md, read from that file: parsed, applied, and written again by the
//! pipeline to the same bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use delta_core::{
    codec::{DecodeError, Encoding, Tag, Values},
    compact::{CompactMemory, Compactor, RangeSegment, Touched},
    graph::{Adjacency, GraphBuffers, Shape, digest::graph_digest},
    header::{DeltaHeader, HeaderError, Operation},
    kernel::distance::Metric,
    payload::{
        Payload,
        batch::{BatchPayload, BatchWriter, RowUpdate},
        metadata::MetadataEdit,
        tensor::{self, DType},
    },
    pipeline::{
        apply::{Applier, Outcome, Undo},
        capture::Capture,
        sequencer::{Position, Sequencer, SlotState},
        tensor::TensorStream,
    },
    record::{Record, RecordError},
    ring::{Consumer, Mem, StaticRing},
    store::{Replica, ReplicaGraph, SliceMemory, SliceStore, Slot, state_digest},
    stream::StreamReader,
    tensor::Tensor,
};

const WIRE: &str = include_str!("../WIRE.md");

/// The frames of all fenced blocks of one kind, in order: `(name, bytes)`.
fn frames(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let fence = format!("```{kind} ");
    let frames: Vec<_> = WIRE
        .split(fence.as_str())
        .skip(1)
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (hex, _) = rest.split_once("```").unwrap();
            let digits: Vec<u8> = hex
                .chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
                .collect();
            (
                name,
                digits
                    .chunks(2)
                    .map(|pair| pair[0] << 4 | pair[1])
                    .collect(),
            )
        })
        .collect();
    assert!(!frames.is_empty(), "WIRE.md has {kind} blocks");
    frames
}

fn golden(name: &str) -> Vec<u8> {
    frames("golden")
        .into_iter()
        .find(|(found, _)| *found == name)
        .unwrap()
        .1
}

const NAN: f32 = f32::from_bits(0x7fc0_0001);
const SUBNORMAL: f32 = f32::from_bits(1);

struct Memory {
    rows: [f32; 16],
    slots: [Slot; 4],
    attributes: [u8; 512],
}

impl Memory {
    fn new() -> Self {
        Self {
            rows: [0.0; 16],
            slots: [Slot::default(); 4],
            attributes: [0; 512],
        }
    }

    fn store(&mut self) -> SliceStore<'_> {
        let Self {
            rows,
            slots,
            attributes,
        } = self;
        SliceStore::new(
            4,
            SliceMemory {
                rows,
                slots,
                attributes,
            },
        )
    }
}

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

const GRAPH: Shape = Shape {
    nodes_max: 4,
    degree0_max: 4,
    degree_max: 2,
    upper_blocks_max: 4,
};

struct GraphMemory {
    neighbours0: [u32; 16],
    bytes: [[u8; 4]; 2],
    tombstones: [u64; 1],
    upper_base: [u32; 4],
    upper: [u32; 12],
}

impl GraphMemory {
    fn new() -> Self {
        Self {
            neighbours0: [0; 16],
            bytes: [[0; 4]; 2],
            tombstones: [0],
            upper_base: [0; 4],
            upper: [0; 12],
        }
    }

    fn graph(&mut self) -> Adjacency<'_> {
        let [degrees0, levels] = &mut self.bytes;
        let buffers = GraphBuffers {
            neighbours0: &mut self.neighbours0,
            degrees0,
            levels,
            tombstones: &mut self.tombstones,
            upper_base: &mut self.upper_base,
            upper: &mut self.upper,
        };
        Adjacency::new(GRAPH, buffers).unwrap()
    }
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

/// Takes the record that was just captured out of the ring, as a frame, and moves the clock on.
fn take<M: Mem>(capture: &mut Capture<'_, M>, consumer: &mut Consumer<M>) -> Vec<u8> {
    let received = consumer.poll().unwrap().unwrap();
    let frame = [&received.header()[..], received.payload()].concat();
    received.done();
    capture.set_timestamp_us(1_700_000_000_000_001 + capture.position().sequence);
    frame
}

fn edit(
    key: &'static [u8],
    old: Option<&'static str>,
    new: Option<&'static str>,
) -> MetadataEdit<'static> {
    MetadataEdit {
        key,
        old: old.map(str::as_bytes),
        new: new.map(str::as_bytes),
    }
}

#[test]
fn a_batch_carries_metadata() {
    let (name, bytes) = frames("payload").remove(0);
    assert_eq!(name, "batch-metadata");
    let mut out = [0; 100];
    let mut writer = BatchWriter::new(100, 2);
    let metadata = [edit(b"a", Some("1"), None), edit(b"b", None, Some("x"))];
    for (prev_sequence, slot, new, metadata) in
        [(97, 300, [1.0, 2.0], &[][..]), (0, 1, [0.0; 2], &metadata)]
    {
        let update = RowUpdate {
            slot,
            old: &[0.0; 2],
            new: &new,
            metadata,
        };
        writer
            .push_as(Encoding::EXACT, &mut out, prev_sequence, &update)
            .unwrap();
    }
    let written = writer.finish(&mut out, None).unwrap();
    assert_eq!(written.payload, bytes);
    let header = DeltaHeader::new(Operation::BatchUpdate, 100, 1);
    let parsed = BatchPayload::parse(&header, &bytes).unwrap();
    let changes = parsed.decode(&mut []).unwrap();
    let pairs: Vec<_> = changes.flat_map(|(_, metadata)| metadata).collect();
    assert_eq!(pairs, [(&b"a"[..], None), (b"b", Some(&b"x"[..]))]);
}

/// The header of a batch with compressed metadata, as the vectors of its payload have it.
fn compressed_batch() -> DeltaHeader {
    DeltaHeader {
        compressed: true,
        ..DeltaHeader::new(Operation::BatchUpdate, 100, 1)
    }
}

#[test]
fn a_batch_carries_compressed_metadata() {
    let (name, bytes) = frames("payload").remove(1);
    assert_eq!(name, "batch-compressed");
    let parsed = BatchPayload::parse(&compressed_batch(), &bytes).unwrap();
    let mut scratch = [0; 52];
    let shown: Vec<_> = parsed
        .decode(&mut scratch)
        .unwrap()
        .flat_map(|(entry, metadata)| metadata.into_iter().map(move |pair| (entry.slot, pair)))
        .collect();
    let path = |value| (&b"path"[..], Some(value));
    assert_eq!(
        shown,
        [
            (300, path(&b"guide/wire-format.md"[..])),
            (1, path(b"guide/wire-layout.md"))
        ]
    );
}

#[test]
fn refused_payloads_of_compressed_batches_are_refused() {
    let blocks = frames("payload-refused");
    assert!(blocks.len() >= 5);
    for (name, bytes) in blocks {
        let header = compressed_batch();
        let parsed = BatchPayload::parse(&header, &bytes);
        let is_sound = parsed.is_ok_and(|batch| batch.decode(&mut [0; 100]).is_ok());
        assert!(!is_sound, "{name} was accepted");
    }
}

#[test]
fn capture_writes_the_golden_frames() {
    let mut ring = StaticRing::<16, 4096>::new();
    let (tx, mut rx) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = Capture::new(tx, Sequencer::new(4, &mut slots, 0, Position::START));
    capture.set_timestamp_us(1_700_000_000_000_001);

    capture.start(b"own").unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("start"));

    let a1 = [1.0, -0.0, NAN, SUBNORMAL];
    assert_eq!(
        capture.insert(b"a", &a1, &[edit(b"k", None, Some("v"))]),
        Ok(0)
    );
    assert_eq!(take(&mut capture, &mut rx), golden("insert-raw"));

    let b1 = [0.0, -2.5, 0.0, 0.0];
    let long = [b'a'; 60];
    let metadata = [MetadataEdit {
        key: b"k",
        old: None,
        new: Some(&long),
    }];
    assert_eq!(capture.insert("δ/2".as_bytes(), &b1, &metadata), Ok(1));
    let plain = take(&mut capture, &mut rx);
    assert_same_but_compression(&plain, &golden("insert-sparse-compressed"));

    let a2 = [1.0, 0.0, NAN, 0.5];
    let metadata = [
        edit(b"k", Some("v"), None),
        edit(b"n", None, Some("")),
        edit(b"o", None, Some("12")),
    ];
    capture
        .update_with_metadata(0, &a1, &a2, &metadata)
        .unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("update-sparse"));

    capture.update(1, &b1, &b1).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("update-same"));

    let (a3, b2) = ([3.0, 0.0, NAN, 0.5], [1.5, 2.5, -3.5, f32::NEG_INFINITY]);
    let mut batch = capture.batch(64).unwrap();
    batch.update(1, &b1, &b2).unwrap();
    batch.update(0, &a2, &a3).unwrap();
    batch.commit().unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("batch"));

    capture.delete(0).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("delete"));
    capture.resync(2).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("resync"));
    capture.watermark(5, 77).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("watermark"));
    capture.update(1, &b2, &[0.25, 0.125, -7.0, 1e-40]).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("update-raw"));
    assert_eq!(capture.insert(b"a", &[0.0, 0.0, 0.0, -0.5], &[]), Ok(2));
    assert_eq!(take(&mut capture, &mut rx), golden("insert-after-resync"));
    capture.end(10).unwrap();
    assert_eq!(take(&mut capture, &mut rx), golden("end"));
}

/// An LZ4 writer may choose another block than the golden one, and this one was given no scratch
/// to compress with: what is compared is what both decode to.
fn assert_same_but_compression(plain: &[u8], compressed: &[u8]) {
    let (plain, compressed) = (
        Record::parse(plain).unwrap(),
        Record::parse(compressed).unwrap(),
    );
    assert!(compressed.header().compressed && !plain.header().compressed);
    assert_eq!(
        plain.header().state_digest,
        compressed.header().state_digest
    );
    let (Payload::Insert(plain), Payload::Insert(compressed)) =
        (plain.payload(), compressed.payload())
    else {
        panic!("both are inserts");
    };
    let mut scratch = [0; 64];
    assert_eq!(
        plain.metadata().decode(&mut []).unwrap().as_bytes(),
        compressed
            .metadata()
            .decode(&mut scratch)
            .unwrap()
            .as_bytes()
    );
    assert_eq!(
        (plain.values(), plain.id()),
        (compressed.values(), compressed.id())
    );
}

/// The lines of all fenced blocks of one kind, in order, as bytes.
fn lines(kind: &str) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let fence = format!("```{kind} ");
    let blocks = WIRE.split(fence.as_str()).skip(1);
    let bytes = |line: &str| {
        let digits = line
            .chars()
            .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap());
        let digits: Vec<u8> = digits.collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    };
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (hex, _) = rest.split_once("```").unwrap();
            (name, hex.lines().map(bytes).collect())
        })
        .collect()
}

#[test]
fn golden_values_decode_to_the_row_after() {
    let words = |bytes: &[u8]| -> Vec<u32> {
        let words = bytes
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        words.collect()
    };
    let mut tags = vec![];
    for (name, lines) in lines("values") {
        let [encoded, old, new] = lines.as_slice() else {
            panic!("{name} has three lines");
        };
        let (old, new) = (words(old), words(new));
        let old: Vec<f32> = old.into_iter().map(f32::from_bits).collect();
        let dim = u32::try_from(new.len()).unwrap();
        let values = Values::parse(encoded[0], &encoded[1..], dim).unwrap();
        let mut scratch = vec![0; values.scratch_size()];
        let mut row = old.clone();
        values.decode(&old, &mut scratch).unwrap().apply(&mut row);
        let row: Vec<u32> = row.into_iter().map(f32::to_bits).collect();
        assert_eq!(row, new, "{name}");
        tags.push(values.tag());
    }
    for tag in Tag::ALL.into_iter().skip(3) {
        assert!(tags.contains(&tag), "{} has a vector", tag.name());
    }
}

#[test]
fn refused_values_are_refused() {
    let blocks = frames("values-refused");
    assert!(blocks.len() >= 20);
    for (name, bytes) in blocks {
        let (dim, tag) = (u32::from(bytes[0]), bytes[1]);
        let row = vec![0.5; dim as usize];
        let mut scratch = vec![0; 4 * row.len()];
        let decoded = Values::parse(tag, &bytes[2..], dim)
            .map_err(DecodeError::Values)
            .and_then(|values| values.decode(&row, &mut scratch).map(|_| ()));
        assert!(
            matches!(decoded, Err(DecodeError::Values(_))),
            "{name} was accepted"
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
