//! The first inputs of every target: made of the golden vectors, small, and each one reaches the
//! code behind the first checks; and the inputs that have once shown a fault.

mod tensor;

use std::path::PathBuf;
use std::{fs, io};

use crate::oracle::frame::{self, HEADER_SIZE};
use crate::oracle::region::{PAYLOAD_OFFSET, PAYLOAD_SIZE, STAMP, Shape, set_word};
use crate::wire::{batches, first_lines, frames, golden_stream};

/// Where inputs that have shown a fault are kept, in a folder of their target's name.
pub fn regressions() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions")
}

/// The inputs that have shown a fault of the target of that name: (file name, input), in order.
///
/// # Errors
/// If one cannot be read.
pub fn regressions_of(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = match fs::read_dir(regressions().join(target)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        folder => folder?,
    };
    let read = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok((name, fs::read(entry.path())?))
    };
    let mut inputs = folder.map(read).collect::<io::Result<Vec<_>>>()?;
    inputs.sort();
    Ok(inputs)
}

/// The seeds of the target of that name.
///
/// # Panics
/// If there is no such target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "header_parse" => golden().chain(refused()).collect(),
        "record_stream" => record_streams(),
        "payload_vector" => payload_vectors(),
        "payload_graph" => graph_changes(),
        "codec_decode" => codec_values(),
        "codec_roundtrip" => codec_rows(),
        "kernel_differential" => kernel_rows(),
        "ring_region" => ring_regions(),
        "ring_hostile_consumer" => ring_operations(),
        "apply_state_machine" => apply_steps(),
        "graph_apply" => graph_steps(),
        "tensor_apply" => tensor::changes(),
        other => panic!("no target is called {other}"),
    }
}

fn golden() -> impl Iterator<Item = Vec<u8>> {
    frames("golden").into_iter().map(|(_, frame)| frame)
}

fn refused() -> impl Iterator<Item = Vec<u8>> {
    frames("refused").into_iter().map(|(_, frame)| frame)
}

/// The golden stream, plain and with every repair, and with each refused frame in it.
fn record_streams() -> Vec<Vec<u8>> {
    let stream = golden_stream();
    let start = frames("golden")[0].1.len();
    let mut seeds: Vec<_> = [0, 1, 3, 7, 15]
        .into_iter()
        .map(|mode| [&[mode][..], &stream].concat())
        .collect();
    seeds.extend(refused().map(|frame| {
        let (front, rest) = stream.split_at(start);
        [&[3], front, &frame, rest].concat()
    }));
    let batches = batches().into_iter();
    seeds.extend(batches.map(|(_, frame)| [&[1][..], &frame].concat()));
    seeds
}

fn payload_vectors() -> Vec<Vec<u8>> {
    golden()
        .chain(refused())
        .filter(|frame| frame[8] < 2)
        .map(|frame| {
            let is_insert = u8::from(frame[8] == 0);
            let compressed = (frame[9] & 1) << 1;
            let graph = frame[9] & 16;
            [
                &[is_insert | compressed | graph | 12][..],
                &frame[HEADER_SIZE..],
            ]
            .concat()
        })
        .collect()
}

/// All golden changes, and each refused one behind those that it is refused by.
fn graph_changes() -> Vec<Vec<u8>> {
    let framed = |bytes: Vec<u8>| [&[bytes.len() as u8][..], &bytes].concat();
    let golden = frames("graph")
        .into_iter()
        .flat_map(|(_, change)| framed(change));
    let refused = frames("graph-refused").into_iter();
    let mut seeds = vec![[0].into_iter().chain(golden).collect()];
    seeds.extend(refused.map(|(_, change)| [vec![1], framed(change)].concat()));
    seeds
}

/// Rows in each of the ways that the target knows, with every codec, exact and with a bound.
fn codec_rows() -> Vec<Vec<u8>> {
    let row = |kind: u8| {
        let words = (0..64_u32).map(|d| (0x3d00_0000 + d * 0x0003_1415) | (d & 1) << 31);
        let words = words.flat_map(|bits| bits.to_le_bytes());
        let changes = (0..64_u8).map(move |d| d.wrapping_mul(37) ^ kind);
        words.chain(changes).collect::<Vec<u8>>()
    };
    let mut seeds = Vec::new();
    for (codecs, kind) in [
        (0xff, 0),
        (0xff, 4),
        (4, 8),
        (8, 0x42),
        (0x10, 0x7c),
        (0x20, 3),
        (0x40, 0x41),
        (0x80, 0x4d),
        (0xff, 0xe5),
        (1, 0x0d),
        (0xff, 0x1d),
    ] {
        for bound in [0, 0x3b44_u16] {
            let [low, high] = bound.to_le_bytes();
            seeds.push([&[codecs, low, high, kind, 1, 2, 3, 4][..], &row(kind)].concat());
        }
    }
    seeds
}

/// The golden values, for rows of their dim, and the refused ones.
fn codec_values() -> Vec<Vec<u8>> {
    let rows = ["values", "values-refused"].map(first_lines).concat();
    let mut seeds: Vec<Vec<u8>> = rows
        .into_iter()
        .map(|(dim, tagged)| {
            let (tag, values) = tagged.split_first().expect("a tag");
            [&[*tag, dim, 0, 1, 2, 3, 4][..], values].concat()
        })
        .collect();
    // Gaps of one, two and three bytes in a long row.
    let sparse = [
        &[2, 0xff, 0x07, 9, 9, 9, 9, 5, 1, 0, 0, 0x80][..],
        &[0xac, 0x02, 0, 0, 0xc0, 0x7f, 0x80, 0x08, 1, 0, 0, 0],
    ];
    seeds.push(sparse.concat());
    seeds
}

fn kernel_rows() -> Vec<Vec<u8>> {
    let rows = |mode: u8, old: &[u32], edits: &[u8]| {
        let old: Vec<u8> = old.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let mut back = edits.to_vec();
        back.resize(old.len(), 0xff);
        [&[mode][..], &0x3f00_0000_u32.to_le_bytes(), &old, &back].concat()
    };
    let special: [u32; 8] = [
        0,
        1 << 31,
        0x7fc0_0000,
        0x7fc0_0001,
        0x7f80_0000,
        0xff80_0000,
        1,
        0x3f80_0000,
    ];
    let long: Vec<u32> = (0..150_u32).map(|d| d.wrapping_mul(0x9e37_79b9)).collect();
    let edits = [3, 0, 0, 0, 0x80, 0x3f, 77, 0, 1, 0, 0xc0, 0x7f];
    let le = |bits: &[u32]| {
        bits.iter()
            .flat_map(|bits| bits.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let swapped = le(&special.into_iter().rev().collect::<Vec<_>>());
    // Of like size and either sign: distances that are numbers.
    let numbers: Vec<u32> = long
        .iter()
        .map(|bits| bits & 0x807f_ffff | 0x3f00_0000)
        .collect();
    vec![
        rows(0, &special, &swapped),
        rows(0x32, &special[..5], &[0; 20]),
        rows(1, &long, &edits),
        rows(0xf3, &long[..97], &edits),
        rows(0, &numbers, &le(&numbers[1..])),
        rows(0x51, &numbers[..37], &edits),
    ]
}

/// Regions that hold the golden frames, and what is left of others.
fn ring_regions() -> Vec<Vec<u8>> {
    let shape = Shape {
        slots: 16,
        payload_bytes: 2432,
    };
    let mut region = vec![0; shape.size()];
    let mut cursor = 0;
    for (position, frame) in (0..).zip(golden()) {
        let (slot, size) = (shape.slot(position), frame.len() - HEADER_SIZE);
        region[slot..slot + HEADER_SIZE].copy_from_slice(&frame[..HEADER_SIZE]);
        set_word(&mut region, slot + PAYLOAD_OFFSET, cursor as u32);
        set_word(&mut region, slot + STAMP, shape.ready_stamp(position));
        let start = shape.payload_area() + cursor;
        region[start..start + size].copy_from_slice(&frame[HEADER_SIZE..]);
        cursor = (cursor + size).next_multiple_of(16);
    }
    let input = |shape: u8, repairs: u8, read: u32, ready: u8, scribbles: &[u8], bytes: &[u8]| {
        let count = (scribbles.len() / 6) as u8;
        let head = [shape, repairs];
        [
            &head[..],
            &read.to_le_bytes(),
            &[ready, count],
            scribbles,
            bytes,
        ]
        .concat()
    };
    let mut small = vec![0; 64 * 4];
    for (slot, size) in [40, 60, 0, 16].into_iter().enumerate() {
        set_word(&mut small, 64 * slot + PAYLOAD_SIZE, size);
        set_word(&mut small, 64 * slot + PAYLOAD_OFFSET, (slot % 2) as u32);
    }
    // Word 12 of a slot is its stamp.
    let scribble = [[76, 0, 7, 0, 0, 0], [12, 0, 1, 0, 0, 0]].concat();
    let trusted = [
        input(3, 1, 0, 0, &[], &region),
        input(3, 1, 0, 0, &scribble, &region),
        input(1, 0x27, u32::MAX - 1, 4, &[], &small),
        input(2, 7, 5, 3, &scribble, &small),
        input(0, 7, 1, 1, &[], &[]),
        input(0, 0, 0, 0, &[], &[]),
    ];
    let mut seeds = with_both_handles(&trusted);
    // Buffers that are too short; a payload that is larger than any producer's.
    seeds.push(input(7, 9, 0, 0, &[], &region));
    set_word(&mut small, PAYLOAD_SIZE, 65);
    seeds.push(input(5, 7, 0, 1, &[], &small));
    seeds
}

/// Each seed as it is, and for handles that do not trust their peer.
fn with_both_handles(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    const DISTRUST: u8 = 4;
    let mut all = seeds.to_vec();
    all.extend(seeds.iter().cloned().map(|mut seed| {
        seed[0] |= DISTRUST;
        seed
    }));
    all
}

/// Reserve, commit, batch, release, and a word of the hostile side.
fn ring_operations() -> Vec<Vec<u8>> {
    let honest = [
        0, 9, 9, 1, 30, 20, 3, 1, 2, 3, 12, 4, 2, 0, 64, 64, 0, 64, 64, 3, 9,
    ];
    let begin = |shape: u8, position: u32| [&[shape][..], &position.to_le_bytes()].concat();
    let repeated = |times: usize| honest.repeat(times);
    let seeds = [
        [begin(1, 0), repeated(4)].concat(),
        [begin(3, u32::MAX - 3), repeated(8)].concat(),
        [
            begin(0, u32::MAX),
            repeated(3),
            vec![5, 1, 2, 3, 4],
            repeated(3),
        ]
        .concat(),
        [
            begin(2, 7),
            repeated(2),
            vec![7, 6, 0, 8, 0, 0, 0],
            repeated(2),
        ]
        .concat(),
        [
            begin(1, 1),
            vec![6, 1, 0, 0, 0],
            repeated(2),
            vec![0, 50, 255],
        ]
        .concat(),
        // One given up; two that fill the ring; a read position beyond them, met twice.
        [
            begin(1, 0),
            vec![0, 5, 255, 0, 9, 9, 0, 64, 64, 5, 9, 9, 0, 0],
            vec![0, 64, 64, 0, 64, 64],
        ]
        .concat(),
    ];
    with_both_handles(&seeds)
}

/// The golden stream, over an empty base and over others, and steps that the composer reads.
fn apply_steps() -> Vec<Vec<u8>> {
    let stream = golden_stream();
    let mut seeds: Vec<Vec<u8>> = [1, 3, 7, 9, 15, 0x49]
        .into_iter()
        .map(|mode| [&[mode][..], &stream].concat())
        .collect();
    assert!(frame::header(&stream).is_some());
    for base in [0, 0x40] {
        let steps: Vec<u8> = (0..400_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        seeds.push([&[base][..], &steps].concat());
    }
    seeds
}

/// The golden changes as the records that carry them, and as other ones; refused ones behind them.
fn graph_steps() -> Vec<Vec<u8>> {
    let step = |mode: u8, slot: u8, change: &[u8]| {
        [&[mode, slot, change.len() as u8][..], change].concat()
    };
    let inserts = || frames("graph").into_iter().take(4);
    let golden: Vec<u8> = inserts()
        .flat_map(|(_, change)| step(0, 0, &change))
        .collect();
    let deletes = [step(2, 1, &[0, 1, 1]), step(6, 0, &[]), step(3, 0, &[0, 0])].concat();
    let mut seeds = vec![[&golden[..], &deletes].concat()];
    seeds.extend(
        frames("graph")
            .into_iter()
            .skip(4)
            .map(|(_, change)| [&golden[..], &step(1, 2, &change), &step(3, 0, &change)].concat()),
    );
    seeds.extend(
        frames("graph-refused")
            .into_iter()
            .map(|(_, change)| [&golden[..], &step(3, 0, &change), &step(8, 0, &[])].concat()),
    );
    seeds
}
