//! Timing of pieces of work that are far shorter than reading a clock.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::workload::{Workload, pick};

/// Does some work so many times and says how long it took.
pub type Burst = Box<dyn FnMut(u64) -> Duration>;

/// Rows that stay in a first-level cache of 32 KiB beside the old row.
const CACHED_BYTES: usize = 24 * 1024;

/// Times `routine(old, new)` over rows that are new at every call: as many as a first-level cache
/// holds are changed outside the measured time, then visited. So the kernels are measured, neither
/// the memory nor the making of the input.
pub fn changed_rows<R: 'static>(
    workload: &Rc<Workload>,
    mut routine: impl FnMut(&Vec<f32>, &Vec<f32>) -> R + 'static,
) -> Burst {
    let workload = Rc::clone(workload);
    let old = pick(workload.rows(), 0).clone();
    let rows_at_once = (CACHED_BYTES / (workload.dim() * size_of::<f32>())).max(1);
    let rows = vec![old.clone(); rows_at_once];
    let before = old.clone();
    batches(
        rows_at_once,
        rows,
        move |rows, first_step| {
            for (step, row) in (first_step..).zip(rows) {
                row.copy_from_slice(&before);
                workload.change(step, row);
            }
        },
        move |rows, place| {
            let Some(new) = rows.get(place) else {
                unreachable!("a batch has as many rows")
            };
            routine(black_box(&old), black_box(new))
        },
    )
}

/// Times `routine(state, place)` for every place below `batch`, again and again;
/// `prepare(state, first_step)` runs outside the measured time before each batch of steps. What
/// reading the clock takes is subtracted from each batch.
///
/// # Panics
///
/// If `batch` is 0.
pub fn batches<S: 'static, R: 'static>(
    batch: usize,
    mut state: S,
    mut prepare: impl FnMut(&mut S, u64) + 'static,
    mut routine: impl FnMut(&mut S, usize) -> R + 'static,
) -> Burst {
    assert!(batch > 0, "an empty batch never ends");
    let mut first_step = 0;
    Box::new(move |iterations| {
        let clock = clock_cost();
        let mut left = iterations;
        let mut elapsed = Duration::ZERO;
        while left > 0 {
            prepare(&mut state, first_step);
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(batch);
            let start = Instant::now();
            for place in 0..count {
                black_box(routine(&mut state, place));
            }
            elapsed += start.elapsed().saturating_sub(clock);
            left -= count as u64;
            first_step += batch as u64;
        }
        elapsed
    })
}

/// Times `routine(step)`, called in a row.
pub fn calls<R: 'static>(mut routine: impl FnMut(u64) -> R + 'static) -> Burst {
    let mut step = 0;
    Box::new(move |iterations| {
        let start = Instant::now();
        for _ in 0..iterations {
            black_box(routine(step));
            step += 1;
        }
        start.elapsed()
    })
}

/// The least time that two readings of the clock in a row lie apart.
fn clock_cost() -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let readings = (0..10_000).map(|_| {
            let start = Instant::now();
            start.elapsed()
        });
        readings.min().unwrap_or_default()
    })
}

/// `each` times `count`.
#[must_use]
pub fn times(each: Duration, count: u64) -> Duration {
    Duration::from_secs_f64(each.as_secs_f64() * as_f64(count))
}

/// A count as a float.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of steps and nanoseconds are below 2^52"
)]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}
