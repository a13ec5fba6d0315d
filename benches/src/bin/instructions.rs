//! `instructions NAME COUNT`: does one piece of work so many times and nothing else, for an
//! instruction counter; `instructions --list` names them. `cargo xtask instructions` counts twice,
//! so that what is done once cancels.

use std::hint::black_box;
use std::process::ExitCode;

use delta_benches::{Workload, pick};
use delta_core::codec::{Base, Values, encode, encoded_size_max};
use delta_core::kernel::apply::scatter;
use delta_core::kernel::diff::{count_changed, diff};
use delta_core::kernel::digest::row_sum;
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::StaticRing;
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};

/// Few enough to be made in no time, enough to meet every branch.
const PATTERNS: usize = 16;
const DIM: usize = 384;

/// A piece of work and its name.
type Job = (&'static str, fn(u64));

const JOBS: &[Job] = &[
    ("diff_384_of_0_percent", |count| diffs(0.0, count)),
    ("diff_384_of_5_percent", |count| diffs(5.0, count)),
    ("diff_384_of_100_percent", |count| diffs(100.0, count)),
    ("count_changed_384", counts),
    ("scatter_384_of_5_percent", scatters),
    ("row_sum_384", sums),
    ("encode_384_of_5_percent", encodes),
    ("decode_apply_384_of_5_percent", decodes),
    ("ring_round_trip", ring),
    ("capture_apply_384_of_5_percent", pipeline),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [word] if word == "--list" => {
            JOBS.iter().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        [name, count] => {
            let job = JOBS.iter().find(|(known, _)| known == name);
            match job.zip(count.parse().ok()) {
                Some(((_, work), count)) => {
                    work(count);
                    ExitCode::SUCCESS
                }
                None => ExitCode::FAILURE,
            }
        }
        _ => ExitCode::FAILURE,
    }
}

/// A row, and the rows that changes turn it into.
fn rows(changed_percent: f64) -> (Vec<f32>, Vec<Vec<f32>>) {
    let workload = Workload::new(DIM, changed_percent, PATTERNS, 1);
    let old = pick(workload.rows(), 0).clone();
    let new = (0..PATTERNS as u64).map(|step| {
        let mut new = old.clone();
        workload.change(step, &mut new);
        new
    });
    let new = new.collect();
    (old, new)
}

fn diffs(changed_percent: f64, count: u64) {
    let (old, new) = rows(changed_percent);
    let (mut indices, mut values) = ([0; DIM], [0.0; DIM]);
    for step in 0..count {
        let new = black_box(pick(&new, step));
        black_box(diff(black_box(&old), new, &mut indices, &mut values).is_ok());
    }
}

fn counts(count: u64) {
    let (old, new) = rows(5.0);
    for step in 0..count {
        black_box(count_changed(black_box(&old), black_box(pick::<Vec<f32>>(&new, step))).is_ok());
    }
}

fn scatters(count: u64) {
    let workload = Workload::new(DIM, 5.0, PATTERNS, 1);
    let mut row = pick(workload.rows(), 0).clone();
    let values = row.clone();
    for step in 0..count {
        let indices = black_box(workload.pattern(step));
        let values = values.get(..indices.len()).unwrap_or_default();
        black_box(scatter(black_box(&mut row), indices, values).is_ok());
    }
}

fn sums(count: u64) {
    let (_, new) = rows(5.0);
    for step in 0..count {
        black_box(row_sum(black_box(pick::<Vec<f32>>(&new, step))));
    }
}

fn encodes(count: u64) {
    let (old, new) = rows(5.0);
    let mut out = vec![0; encoded_size_max(DIM)];
    for step in 0..count {
        let new = black_box(pick(&new, step));
        black_box(encode(Base::Row(black_box(&old)), new, &mut out).is_ok());
    }
}

fn decodes(count: u64) {
    let (mut row, new) = rows(5.0);
    let mut out = vec![0; encoded_size_max(DIM)];
    let encoded = new.iter().filter_map(|new| {
        let (tag, size) = encode(Base::Row(&row), new, &mut out).ok()?;
        Some((tag as u8, out.get(..size)?.to_vec()))
    });
    let encoded: Vec<_> = encoded.collect();
    let mut scratch = vec![0; encoded_size_max(DIM)];
    let dim = u32::try_from(DIM).unwrap_or(u32::MAX);
    for step in 0..count {
        let (tag, bytes) = black_box(pick(&encoded, step));
        let values = Values::parse(*tag, bytes, dim).ok();
        if let Some(change) = values.and_then(|values| values.decode(&row, &mut scratch).ok()) {
            black_box(change.change_sum(&row));
            change.apply(black_box(&mut row));
        }
    }
}

/// One record of 64 bytes in and out.
fn ring(count: u64) {
    let mut ring = Box::new(StaticRing::<64, 4_096>::new());
    let (mut producer, mut consumer) = ring.split();
    let mut header = [0; 64];
    for step in 0..count {
        if let Some(sequence) = header.first_chunk_mut() {
            *sequence = step.to_le_bytes();
        }
        if let Ok(grant) = producer.reserve(0) {
            let sent = grant.commit(black_box(&header));
            assert!(sent.is_ok(), "the record fits its grant");
        }
        if let Ok(Some(received)) = consumer.poll() {
            black_box(received.header());
            received.done();
        }
    }
}

/// One update from the write hook into the replica.
fn pipeline(count: u64) {
    let (old, new) = rows(5.0);
    let dim = u32::try_from(DIM).unwrap_or(u32::MAX);
    let (mut rows, mut slots) = (old.clone(), [Slot::default()]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut [],
    };
    let mut store = SliceStore::with_base(dim, 1, memory);
    let base = Position {
        digest: state_digest(&store),
        ..Position::START
    };
    let mut ring = Box::new(StaticRing::<64, 65_536>::new());
    let (producer, consumer) = ring.split();
    let mut states = [SlotState::default()];
    let mut capture = Capture::new(producer, Sequencer::new(dim, &mut states, 1, base));
    let mut apply = Apply::new(consumer, Applier::new(base, &mut []));
    let mut last = &old;
    for step in 0..count {
        let new = black_box(pick(&new, step));
        let captured = capture.update(0, last, new);
        assert!(captured.is_ok(), "the ring is empty");
        let applied = apply.poll(&mut store);
        assert!(matches!(applied, Ok(Some(_))), "it was captured");
        last = new;
    }
}
