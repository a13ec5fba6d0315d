//! Every target over its seeds and over mutations of them, without libFuzzer and with any compiler;
//! and the oracles against the golden vectors.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use delta_fuzz::oracle::frame::{self, HEADER_SIZE};
use delta_fuzz::oracle::graph::{Graph, Limits};
use delta_fuzz::oracle::graph_change::decode;
use delta_fuzz::oracle::payload::Payload;
use delta_fuzz::oracle::state::{Outcome, State};
use delta_fuzz::oracle::stream::{Next, Stream};
use delta_fuzz::targets::payload_graph::GOLDEN_CHANGES;
use delta_fuzz::{seeds, targets, wire};

/// Mutations of each seed.
const MUTATIONS: u32 = 400;

fn xorshift(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// A few bytes set, one flipped bit, or the end cut off.
fn mutate(seed: &[u8], random: &mut u32) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + xorshift(random) % 4 {
        let at = xorshift(random) as usize % bytes.len().max(1);
        let Some(byte) = bytes.get_mut(at) else {
            continue;
        };
        match xorshift(random) % 4 {
            0 => *byte ^= 1 << (xorshift(random) % 8),
            1 => *byte = [0, 1, 0x7f, 0x80, 0xff][xorshift(random) as usize % 5],
            2 => *byte = xorshift(random) as u8,
            _ => bytes.truncate(at + 1),
        }
    }
    bytes
}

fn replay(name: &str) {
    let (_, run) = targets::ALL
        .into_iter()
        .find(|(found, _)| *found == name)
        .unwrap();
    let mut random = 0x9e37_79b9;
    for seed in seeds::of(name) {
        run(&seed);
        for _ in 0..MUTATIONS {
            run(&mutate(&seed, &mut random));
        }
    }
    for (file, input) in seeds::regressions_of(name).unwrap() {
        println!("{file}");
        run(&input);
    }
    run(&[]);
}

macro_rules! replays {
    ($($target:ident),*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names = [$(stringify!($target)),*];
            assert_eq!(names.as_slice(), targets::ALL.map(|(name, _)| name));
        }
    };
}

replays!(
    header_parse,
    record_stream,
    payload_vector,
    payload_graph,
    codec_decode,
    codec_roundtrip,
    kernel_differential,
    ring_region,
    ring_hostile_consumer,
    apply_state_machine,
    graph_apply,
    tensor_apply
);

#[test]
fn every_target_has_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let files = fs::read_dir(folder).unwrap();
    let name = |file: io::Result<DirEntry>| file.unwrap().file_name().into_string().unwrap();
    let mut files: Vec<String> = files.map(name).collect();
    files.sort();
    let mut names = targets::ALL.map(|(name, _)| format!("{name}.rs"));
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn regressions_belong_to_targets() {
    for entry in fs::read_dir(seeds::regressions()).unwrap() {
        let folder = entry.unwrap().file_name().into_string().unwrap();
        let is_target = targets::ALL.iter().any(|(name, _)| *name == folder);
        assert!(is_target || folder == "README.md", "{folder}");
    }
}

#[test]
fn the_seeds_are_small() {
    let sizes = targets::ALL.map(|(name, _)| seeds::of(name).iter().map(Vec::len).sum::<usize>());
    assert!(sizes.iter().sum::<usize>() < 200_000, "{sizes:?}");
    assert!(sizes.iter().all(|&size| size > 0), "{sizes:?}");
}

#[test]
fn the_oracle_reads_and_applies_the_golden_stream() {
    let bytes = wire::golden_stream();
    let (mut stream, mut state) = (Stream::new(&bytes), State::new(4));
    let mut last = None;
    for (name, frame) in wire::frames("golden") {
        let Next::Frame(read) = stream.step() else {
            panic!("{name} is refused");
        };
        assert_eq!(read.header.to_bytes(), frame[..HEADER_SIZE], "{name}");
        assert_eq!(state.apply(&read), Outcome::Applied, "{name}");
        assert_eq!(state.digest(), read.header.state_digest, "{name}");
        last = Some(read.payload);
    }
    assert_eq!(stream.step(), Next::Done);
    let count = wire::frames("golden").len() as u64 - 2;
    assert_eq!(last, Some(Payload::End { count }));
}

#[test]
fn the_oracle_applies_the_golden_graph_stream() {
    let bytes = wire::stream("golden-graph");
    let (mut stream, mut state) = (Stream::new(&bytes), State::new(4));
    state.graph = Some(Graph::new(Limits {
        nodes_max: 4,
        degree0_max: 4,
        degree_max: 2,
        upper_lists_max: 4,
    }));
    state.metric = 1;
    for (name, _) in wire::frames("golden-graph") {
        let Next::Frame(read) = stream.step() else {
            panic!("{name} is refused");
        };
        assert_eq!(state.apply(&read), Outcome::Applied, "{name}");
        assert_eq!(state.digest(), read.header.state_digest, "{name}");
    }
    assert_eq!(stream.step(), Next::Done);
}

#[test]
fn the_oracle_refuses_the_refused_frames() {
    for (name, frame) in wire::frames("refused") {
        let taken = frame::split(&frame)
            .filter(|(frame, rest)| rest.is_empty() && !frame.payload.has_broken_block());
        assert_eq!(taken, None, "{name}");
    }
}

#[test]
fn the_oracle_reads_the_golden_batches_and_refuses_the_refused() {
    let is_golden = |name| ["batch-metadata", "batch-compressed"].contains(&name);
    let batches = wire::batches();
    assert!(batches.iter().filter(|(name, _)| is_golden(name)).count() == 2);
    for (name, frame) in batches {
        let taken = frame::split(&frame)
            .filter(|(frame, rest)| rest.is_empty() && !frame.payload.has_broken_block());
        assert_eq!(taken.is_some(), is_golden(name), "{name}");
    }
}

#[test]
fn the_oracle_makes_the_golden_graph_changes_and_refuses_the_refused() {
    let limits = Limits {
        nodes_max: 12,
        degree0_max: 4,
        degree_max: 2,
        upper_lists_max: 8,
    };
    let mut graph = Graph::new(limits);
    let mut early = None;
    for (index, (name, change)) in wire::frames("graph").into_iter().enumerate() {
        if index == GOLDEN_CHANGES {
            early = Some(graph.clone());
        }
        let edits = decode(&change).expect(name);
        graph = graph.after(&edits).expect(name);
        let (_, digest) = name.split_once(' ').unwrap();
        assert_eq!(format!("{:016x}", graph.digest()), digest, "{name}");
    }
    let early = early.expect("more than the first changes");
    for (name, change) in wire::frames("graph-refused") {
        let taken = decode(&change).and_then(|edits| early.after(&edits));
        assert_eq!(taken, None, "{name}");
    }
}
