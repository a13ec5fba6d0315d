//! Times the kernels natively: `{"kernel-dim-percent": nanoseconds a row}`.

use std::time::Instant;

use wasm_bench_kernels::{KERNELS, patterns, run, setup};

/// Rounds of one measurement, of which the fastest counts.
const ROUNDS: usize = 20;
const REPEATS: usize = 7;

fn main() {
    let mut lines = Vec::new();
    for dim in [384, 1536] {
        for percent in [0, 5] {
            for (kernel, name) in KERNELS.iter().enumerate() {
                setup(dim, percent);
                run(kernel, 2);
                let times = (0..REPEATS).map(|_| {
                    let start = Instant::now();
                    run(kernel, ROUNDS);
                    start.elapsed().as_nanos() as f64 / (ROUNDS * patterns()) as f64
                });
                let fastest = times.fold(f64::INFINITY, f64::min);
                lines.push(format!("\"{name}-{dim}-{percent}\":{fastest:.1}"));
            }
        }
    }
    println!("{{{}}}", lines.join(","));
}
