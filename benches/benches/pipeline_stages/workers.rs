//! Parallel apply.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use delta_benches::{PATTERNS, Workload};
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_native::workers::{ShardedReplica, run};

use super::log::log;

/// Rows of 1,536 components in a table of a GiB.
pub(crate) fn workers(criterion: &mut Criterion) {
    const DIM: u32 = 1_536;
    const ROWS: u32 = (1 << 30) / (4 * DIM);
    const BATCH: usize = 1_024;
    let mut group = criterion.benchmark_group("pipeline/workers");
    group.sample_size(10);
    group.throughput(Throughput::Elements(BATCH as u64));
    let workload = Workload::new(DIM as usize, 100.0, 4, 1);
    let zero = vec![0.0; DIM as usize];
    for workers in [1, 2] {
        let Ok(mut replica) = ShardedReplica::new(DIM, ROWS, workers, Position::START) else {
            continue;
        };
        while replica.push_base(&zero) {}
        let mut states = vec![SlotState::default(); ROWS as usize];
        let mut sequencer = Sequencer::new(DIM, &mut states, ROWS, Position::START);
        let mut out = vec![0; 64 + 4 * DIM as usize];
        let mut step = 0_u32;
        // Every batch rewrites rows that no batch before it touched, as long as there are some.
        let ran = run(&replica, |session| {
            group.bench_function(format!("dense_1536d_1GiB/{workers}"), |b| {
                b.iter_custom(|count| {
                    let mut elapsed = Duration::ZERO;
                    let mut memory = Vec::new();
                    for _ in 0..count {
                        memory.clear();
                        for _ in 0..BATCH {
                            // An odd stride visits all slots in no order.
                            let slot = u64::from(step) * 104_729 % u64::from(ROWS);
                            let slot = u32::try_from(slot).unwrap_or(0);
                            let old = row_at(&workload, step.checked_sub(ROWS), &zero);
                            let new = row_at(&workload, Some(step), &zero);
                            let prepared =
                                sequencer.prepare_update(slot, &old, &new, &[], &mut out, None);
                            let Ok(prepared) = prepared else {
                                unreachable!("updates of existing rows")
                            };
                            let size = prepared.header.payload_size as usize;
                            memory.extend_from_slice(&prepared.header.to_bytes());
                            memory.extend_from_slice(out.get(..size).unwrap_or_default());
                            sequencer.commit(prepared);
                            step += 1;
                        }
                        let start = Instant::now();
                        let (result, back) = session.apply_batch(std::mem::take(&mut memory));
                        elapsed += start.elapsed();
                        assert!(result.is_ok(), "{result:?}");
                        memory = back;
                    }
                    elapsed
                });
            });
        });
        assert!(ran.is_ok());
    }
    group.finish();
}

/// What step `step` wrote.
fn row_at(workload: &Workload, step: Option<u32>, zero: &[f32]) -> Vec<f32> {
    let mut row = zero.to_vec();
    if let Some(step) = step {
        workload.change(u64::from(step), &mut row);
    }
    row
}

/// The sketch's configuration: sparse updates by four workers.
pub(crate) fn four_workers(criterion: &mut Criterion) {
    const DIM: u32 = 384;
    const ROWS: u32 = 4_096;
    const BATCH: usize = 4_096;
    let mut group = criterion.benchmark_group("pipeline/workers");
    let workload = Workload::new(DIM as usize, 5.0, PATTERNS, ROWS as usize);
    let log = log(&workload, 65_536);
    group.throughput(Throughput::Elements(log.frames.len() as u64));
    for workers in [1, 2, 4] {
        group.bench_function(format!("sparse_384d/{workers}"), |b| {
            b.iter_custom(|rounds| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..rounds {
                    let Ok(mut replica) = ShardedReplica::new(DIM, ROWS, workers, log.base) else {
                        unreachable!("there is memory")
                    };
                    assert!(workload.rows().iter().all(|row| replica.push_base(row)));
                    let batches: Vec<_> =
                        log.frames.chunks(BATCH).map(<[Vec<u8>]>::concat).collect();
                    let ran = run(&replica, |session| {
                        let start = Instant::now();
                        for batch in batches {
                            let (result, _) = session.apply_batch(batch);
                            assert!(result.is_ok(), "{result:?}");
                        }
                        start.elapsed()
                    });
                    elapsed += ran.unwrap_or_default();
                }
                elapsed
            });
        });
    }
    group.finish();
}
