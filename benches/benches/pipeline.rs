//! Capture -> ring -> apply on two threads: 4,096 rows, 1,024 change patterns, fresh values,
//! checksum and digest on.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delta_benches::threads::time_pair;
use delta_benches::{PATTERNS, Workload, quick_criterion};
use delta_core::pipeline::apply::{Applier, Apply};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::ring::StaticRing;
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};
use std::hint::spin_loop;
use std::time::Duration;

const ROWS: usize = 4_096;
const STEPS_MIN: u64 = 50_000;

/// Captures and applies `count` updates of the workload's rows.
fn updates(workload: &Workload, count: u64) -> Duration {
    let dim = u32::try_from(workload.dim()).unwrap_or(u32::MAX);
    let base_count = u32::try_from(ROWS).unwrap_or(u32::MAX);
    let mut primary = workload.rows().concat();
    let mut rows = primary.clone();
    let (mut states, mut slots) = (
        vec![SlotState::default(); ROWS],
        vec![Slot::default(); ROWS],
    );
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut [],
    };
    let mut store = SliceStore::with_base(dim, base_count, memory);
    let base = Position {
        digest: state_digest(&store),
        ..Position::START
    };
    let mut ring = Box::new(StaticRing::<4096, 720_896>::new());
    let (producer, consumer) = ring.split();
    let sequencer = Sequencer::new(dim, &mut states, base_count, base);
    let mut capture = Capture::new(producer, sequencer);
    let mut apply = Apply::new(consumer, Applier::new(base, &mut []));
    let write = || {
        let mut new = vec![0.0; workload.dim()];
        for step in 0..count {
            let slot = workload.slot(step);
            let start = slot * workload.dim();
            let Some(row) = primary.get_mut(start..start + workload.dim()) else {
                return;
            };
            new.copy_from_slice(row);
            workload.change(step, &mut new);
            let slot = u32::try_from(slot).unwrap_or(u32::MAX);
            while let Err(error) = capture.update(slot, row, &new) {
                assert!(error.is_full(), "{error}");
                spin_loop();
            }
            row.copy_from_slice(&new);
        }
    };
    let replicate = || {
        let mut left = count;
        while left > 0 {
            match apply.poll(&mut store) {
                Ok(Some(_)) => left -= 1,
                Ok(None) => spin_loop(),
                Err(error) => unreachable!("{error}"),
            }
        }
    };
    let elapsed = time_pair(write, replicate);
    assert_eq!(apply.applier().current_position(), capture.position());
    assert_eq!(state_digest(&store), capture.position().digest);
    elapsed
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of steps are below 2^52"
)]
fn pipeline(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline/capture_ring_apply");
    group.throughput(Throughput::Elements(1));
    for (dim, percent) in [(384, 5.0), (384, 100.0), (1_536, 5.0)] {
        let workload = Workload::new(dim, percent, PATTERNS, ROWS);
        let name = format!("{dim}d/{percent}%");
        group.bench_function(&name, |b| {
            b.iter_custom(|count| {
                // Threads and caches take a while to warm up: a sample has at least so many steps.
                let steps = count.max(STEPS_MIN);
                let elapsed = updates(&workload, steps).as_secs_f64();
                Duration::from_secs_f64(elapsed * count as f64 / steps as f64)
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = pipeline
}
criterion_main!(benches);
