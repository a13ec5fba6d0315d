//! The core's kernels and a peer's diff over one workload, for a host that takes the time.

use std::cell::RefCell;
use std::hint::black_box;

use delta_core::kernel::{apply, diff, digest, distance};
use ruvector_delta_core::{Delta, VectorDelta};

/// Pairs of rows with different patterns of change: more than a branch predictor learns.
const PATTERNS: usize = 1024;

struct Workload {
    old: Vec<Vec<f32>>,
    new: Vec<Vec<f32>>,
    indices: Vec<u32>,
    values: Vec<f32>,
    /// Of each pair of rows, the 5% of the components that a scatter sets. Made beforehand: what is
    /// loaded in wider words than it was just stored in is waited for.
    scattered: Vec<Vec<u32>>,
}

thread_local! {
    static WORKLOAD: RefCell<Option<Workload>> = const { RefCell::new(None) };
}

/// What can be timed, by number.
pub const KERNELS: [&str; 6] = [
    "diff",
    "count",
    "digest",
    "scatter",
    "distance",
    "peer_diff",
];

/// Makes the rows: `percent` of 100 components change.
#[unsafe(no_mangle)]
pub extern "C" fn setup(dim: usize, percent: u32) {
    let mut state = 0x9e37_79b9_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut row = || (0..dim).map(|_| random() as f32 / 4e9).collect::<Vec<_>>();
    let old: Vec<_> = (0..PATTERNS).map(|_| row()).collect();
    let mut new = old.clone();
    for value in new.iter_mut().flatten() {
        if random() % 100 < percent {
            *value += 0.5;
        }
    }
    let (indices, values) = (vec![0; dim], vec![0.0; dim]);
    let scattered = (0..PATTERNS).map(|_| {
        let indices = (0..dim as u32 / 20).map(|at| at * 20 + random() % 20);
        indices.collect()
    });
    let scattered = scattered.collect();
    let workload = Workload {
        old,
        new,
        indices,
        values,
        scattered,
    };
    WORKLOAD.set(Some(workload));
}

/// Runs a kernel over every pair of rows, `rounds` times.
#[unsafe(no_mangle)]
pub extern "C" fn run(kernel: usize, rounds: usize) -> u64 {
    WORKLOAD.with_borrow_mut(|workload| {
        let workload = workload.as_mut().expect("setup comes first");
        (0..rounds).fold(0, |sum: u64, _| sum.wrapping_add(pass(kernel, workload)))
    })
}

fn pass(kernel: usize, workload: &mut Workload) -> u64 {
    let Workload {
        old,
        new,
        indices,
        values,
        scattered,
    } = workload;
    let mut sum = 0_u64;
    for ((old, new), scattered) in old.iter_mut().zip(&*new).zip(&*scattered) {
        let result = match kernel {
            0 => diff::diff(old, new, indices, values).unwrap_or(0) as u64,
            1 => diff::count_changed(old, new).unwrap_or(0) as u64,
            2 => digest::row_sum(new),
            3 => apply::scatter(old, scattered, &values[..scattered.len()])
                .is_ok()
                .into(),
            4 => distance::distance(distance::Metric::SquaredL2, old, new)
                .to_bits()
                .into(),
            _ => {
                black_box(VectorDelta::compute(old, new));
                1
            }
        };
        sum = sum.wrapping_add(black_box(result));
    }
    sum
}

/// Pairs of rows that one round visits.
#[unsafe(no_mangle)]
pub extern "C" fn patterns() -> usize {
    PATTERNS
}
