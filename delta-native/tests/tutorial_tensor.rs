//! Tensors, from the first record to a cache that slides: a tutorial that runs.
//!
//! Writer and replica declare the same tensors; edits of the writer travel as records through a
//! ring, and after each the replica's bytes are the writer's.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::path::Path;

use delta_core::payload::tensor::{DType, Shape, Slab};
use delta_core::pipeline::apply::Outcome;
use delta_core::pipeline::tensor::TensorStream;
use delta_core::ring::{Consumer, Mem, Producer, StaticRing};
use delta_core::tensor::{Tensor, TensorEdit};
use delta_native::sample;
use delta_native::stream::{Operation, Stream};

/// Sends one edit and takes it out on the other side; returns the bytes of its frame.
fn replicate<M: Mem>(
    writer: &mut TensorStream<'_, '_>,
    replica: &mut TensorStream<'_, '_>,
    (tx, rx): (&mut Producer<M>, &mut Consumer<M>),
    edit: TensorEdit<'_>,
) -> usize {
    let header = writer.send(tx, 0, edit).unwrap();
    assert_eq!(replica.poll(rx).unwrap(), Some(Outcome::Applied));
    assert_eq!(
        replica.tensors()[0].as_bytes(),
        writer.tensors()[0].as_bytes()
    );
    assert_eq!(replica.current_position(), writer.current_position());
    64 + header.payload_size as usize
}

fn load(name: &str) -> Stream {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    Stream::load(&folder.join(name)).unwrap()
}

/// Item vectors of a recommender: a table to which rows are appended, and of which a few change.
#[test]
fn embeddings_are_a_table_of_rows() {
    let stream = load("bpr_files");
    let dim = stream.dim();
    let shape = Shape::new(&[0, dim]).unwrap();
    let size = stream.slots() as usize * dim as usize;
    let (mut memory, mut other) = (vec![0; size], vec![0; size]);
    let mut tensors = [Tensor::new(DType::F32, shape, &mut memory).unwrap()];
    let mut copies = [Tensor::new(DType::F32, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut tensors);
    let mut replica = TensorStream::new(&mut copies);
    let mut ring = StaticRing::<16, 4096>::new();
    let (mut tx, mut rx) = ring.split();

    let (mut updates, mut sent) = (0, 0);
    for event in stream.iter() {
        let elements = bytemuck::cast_slice(event.row);
        let edit = match event.operation {
            // A new row is put at the end of the first axis.
            Operation::Insert => {
                let (axis, start, count) = (0, event.slot, 1);
                let slab = Slab { axis, start, count };
                TensorEdit::Put { slab, elements }
            }
            // Of a row that is there only what differs is sent.
            _ => TensorEdit::Rows {
                start: event.slot,
                elements,
            },
        };
        let size = replicate(&mut writer, &mut replica, (&mut tx, &mut rx), edit);
        if event.operation == Operation::Update {
            updates += 1;
            sent += size;
        }
    }
    assert_eq!(
        replica.tensors()[0].shape().extents(),
        [stream.slots(), dim]
    );
    // Every component of these rows changes: a header and a prefix beside, and no more.
    assert!(
        sent <= updates * (4 * dim as usize + 64 + 16),
        "{sent} bytes for {updates} updates"
    );
}

/// Weights of an adapter in training: one long row that changes as a whole.
#[test]
fn weights_are_one_row() {
    let stream = load("lora_adam");
    let n = stream.dim();
    let shape = Shape::new(&[n]).unwrap();
    let (mut memory, mut other) = (vec![0; n as usize], vec![0; n as usize]);
    let mut tensors = [Tensor::new(DType::F32, shape, &mut memory).unwrap()];
    let mut copies = [Tensor::new(DType::F32, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut tensors);
    let mut replica = TensorStream::new(&mut copies);
    let mut ring = StaticRing::<4, 65_536>::new();
    let (mut tx, mut rx) = ring.split();
    for event in stream.iter() {
        let elements = bytemuck::cast_slice(event.row);
        let edit = TensorEdit::Rows { start: 0, elements };
        replicate(&mut writer, &mut replica, (&mut tx, &mut rx), edit);
    }
    assert_eq!(
        replica.current_position().sequence,
        stream.iter().len() as u64
    );
}

/// A partition number a node, derived anew after each year of edits: few nodes move.
#[test]
fn partition_assignments_are_sparse() {
    const PARTITIONS: usize = 8;
    let stream = &sample::streams().unwrap()[0];
    let nodes = stream.slots();
    let shape = Shape::new(&[0]).unwrap();
    let words = nodes.div_ceil(2) as usize;
    let (mut memory, mut other) = (vec![0; words], vec![0; words]);
    let mut tensors = [Tensor::new(DType::U16, shape, &mut memory).unwrap()];
    let mut copies = [Tensor::new(DType::U16, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut tensors);
    let mut replica = TensorStream::new(&mut copies);
    let mut ring = StaticRing::<4, 8192>::new();
    let (mut tx, mut rx) = ring.split();

    let mut rows: Vec<&[f32]> = Vec::new();
    let mut centres: Vec<Vec<f32>> = Vec::new();
    let (mut versions, mut sent, mut whole) = (0, 0, 0);
    let events: Vec<_> = stream.iter().collect();
    for version in events.chunk_by(|a, b| a.timestamp_us == b.timestamp_us) {
        for event in version {
            match event.operation {
                Operation::Insert => rows.push(event.row),
                Operation::Update => rows[event.slot as usize] = event.row,
                Operation::Delete => {}
            }
        }
        if centres.is_empty() {
            centres = rows
                .iter()
                .take(PARTITIONS)
                .map(|row| row.to_vec())
                .collect();
        }
        let assigned = cluster(&rows, &mut centres);
        let elements: Vec<u8> = assigned
            .iter()
            .flat_map(|part| part.to_le_bytes())
            .collect();
        let known = 2 * writer.tensors()[0].shape().elements() as usize;
        let through = (&mut tx, &mut rx);
        if elements.len() > known {
            // Nodes that are new are appended.
            let (axis, start) = (0, known as u32 / 2);
            let count = (elements.len() - known) as u32 / 2;
            let slab = Slab { axis, start, count };
            let edit = TensorEdit::Put {
                slab,
                elements: &elements[known..],
            };
            replicate(&mut writer, &mut replica, through, edit);
        }
        if elements[..known] != writer.tensors()[0].as_bytes()[..known] {
            let edit = TensorEdit::Rows {
                start: 0,
                elements: &elements,
            };
            sent += replicate(&mut writer, &mut replica, (&mut tx, &mut rx), edit);
            whole += elements.len();
            versions += 1;
        }
        assert_eq!(replica.tensors()[0].as_bytes(), elements);
    }
    assert!(versions >= 5, "{versions} versions move nodes");
    assert!(
        3 * sent < whole,
        "{sent} bytes for {whole} in {versions} versions"
    );
}

/// Lloyd's algorithm, a few rounds from where the centres are.
fn cluster(rows: &[&[f32]], centres: &mut [Vec<f32>]) -> Vec<u16> {
    let mut assigned = vec![0_u16; rows.len()];
    for _ in 0..3 {
        for (row, part) in rows.iter().zip(&mut assigned) {
            let distance = |centre: &Vec<f32>| -> f32 {
                row.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum()
            };
            let distances: Vec<f32> = centres.iter().map(distance).collect();
            let nearest = (0_u16..).zip(&distances).min_by(|a, b| a.1.total_cmp(b.1));
            *part = nearest.unwrap().0;
        }
        for (number, centre) in (0_u16..).zip(centres.iter_mut()) {
            let own = rows
                .iter()
                .zip(&assigned)
                .filter(|(_, part)| **part == number);
            let own: Vec<_> = own.map(|(row, _)| row).collect();
            if own.is_empty() {
                continue;
            }
            for (d, component) in centre.iter_mut().enumerate() {
                let sum: f32 = own.iter().map(|row| row[d]).sum();
                *component = sum / f32::from(own.len() as u16);
            }
        }
    }
    assigned
}

/// Keys of one layer of a decoder with 2 key-value heads of 64 components (those of Qwen2.5-0.5B),
/// for a window of 64 tokens: tokens are appended, wrong guesses are cut off, and when the window
/// is full its oldest block of 16 goes.
#[test]
fn a_key_value_cache_slides() {
    const HEADS: usize = 2;
    const HEAD_DIM: usize = 64;
    const WINDOW: u32 = 64;
    const BLOCK: u32 = 16;
    let stream = &sample::streams().unwrap()[0];
    let shape = Shape::new(&[HEADS as u32, 0, HEAD_DIM as u32]).unwrap();
    let words = HEADS * WINDOW as usize * HEAD_DIM / 2;
    let (mut memory, mut other) = (vec![0; words], vec![0; words]);
    let mut tensors = [Tensor::new(DType::F16, shape, &mut memory).unwrap()];
    let mut copies = [Tensor::new(DType::F16, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut tensors);
    let mut replica = TensorStream::new(&mut copies);
    let mut ring = StaticRing::<16, 65_536>::new();
    let (mut tx, mut rx) = ring.split();

    let rows = stream.iter().map(|event| event.row);
    let tokens = rows.flat_map(|row| row.chunks_exact(HEADS * HEAD_DIM));
    let (mut appends, mut evictions) = (0, 0);
    for (number, token) in tokens.take(600).enumerate() {
        let length = writer.tensors()[0].shape().extents()[1];
        let tokens = |start, count| Slab {
            axis: 1,
            start,
            count,
        };
        let mut edit = |edit| replicate(&mut writer, &mut replica, (&mut tx, &mut rx), edit);
        let keys: Vec<u8> = token
            .iter()
            .flat_map(|component| half::f16::from_f32(*component).to_le_bytes())
            .collect();
        let slab = tokens(length, 1);
        let elements = &keys;
        // One token: header, prefix, and the keys of both heads, wherever they lie.
        assert_eq!(
            edit(TensorEdit::Put { slab, elements }),
            64 + 16 + keys.len()
        );
        appends += 1;
        if number % 10 == 9 {
            let slab = tokens(length - 1, 2);
            edit(TensorEdit::Evict { slab });
        } else if length + 1 == WINDOW {
            let slab = tokens(0, BLOCK);
            edit(TensorEdit::Evict { slab });
            evictions += 1;
        }
    }
    assert!(
        appends == 600 && evictions > 20,
        "{appends} appends, {evictions} evictions"
    );
}

/// The same cache in pages: a pool of blocks that are put and freed in place.
#[test]
fn a_paged_cache_puts_and_clears_blocks() {
    const EXTENTS: [u32; 5] = [4, 2, 16, 2, 64]; // block, key or value, token, head, component
    let shape = Shape::new(&EXTENTS).unwrap();
    let words = shape.elements() as usize / 2;
    let (mut memory, mut other) = (vec![0; words], vec![0; words]);
    let mut tensors = [Tensor::new(DType::F16, shape, &mut memory).unwrap()];
    let mut copies = [Tensor::new(DType::F16, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut tensors);
    let mut replica = TensorStream::new(&mut copies);
    let mut ring = StaticRing::<4, 65_536>::new();
    let (mut tx, mut rx) = ring.split();

    let stream = &sample::streams().unwrap()[0];
    let components = stream.iter().flat_map(|event| event.row.iter());
    let cache: Vec<u8> = components
        .take(2 * shape.elements() as usize)
        .flat_map(|component| half::f16::from_f32(*component).to_le_bytes())
        .collect();
    let block_size = cache.len() / 8;
    for (number, elements) in (0..8).zip(cache.chunks_exact(block_size)) {
        let slab = Slab {
            axis: 0,
            start: number % EXTENTS[0],
            count: 1,
        };
        let mut edit = |edit| replicate(&mut writer, &mut replica, (&mut tx, &mut rx), edit);
        assert_eq!(
            edit(TensorEdit::Put { slab, elements }),
            64 + 16 + block_size
        );
        if number % 3 == 2 {
            // Freeing a block costs a header, whatever its size.
            assert_eq!(edit(TensorEdit::Clear { slab }), 64 + 16);
        }
    }
    let first = &replica.tensors()[0].as_bytes()[..block_size];
    assert_eq!(first, &cache[4 * block_size..5 * block_size]);
}
