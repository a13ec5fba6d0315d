//! What the pipeline's stages cost: gate, batches, compaction, checkpoints, parallel apply.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delta_benches::{PATTERNS, Workload, quick_criterion};
use delta_core::checkpoint::CheckpointMarker;
use delta_core::compact::{CompactMemory, Compactor, Touched};
use delta_core::graph::search::SliceRows;
use delta_core::pipeline::apply::{Applier, Undo};
use delta_core::pipeline::gate::{Gate, GateConfig, Step};
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};
use delta_native::workers::{ShardedReplica, run};

/// The frames of `count` updates of a workload's rows, one behind the other.
struct Log {
    frames: Vec<Vec<u8>>,
    base: Position,
}

fn slot_of(workload: &Workload, step: u64) -> (usize, u32) {
    let slot = workload.slot(step);
    (slot, u32::try_from(slot).unwrap_or(u32::MAX))
}

fn log(workload: &Workload, count: u64) -> Log {
    let dim = u32::try_from(workload.dim()).unwrap_or(u32::MAX);
    let mut rows = workload.rows().to_vec();
    let slot_count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut states = vec![SlotState::default(); rows.len()];
    let base = Position {
        digest: digest(workload),
        ..Position::START
    };
    let mut sequencer = Sequencer::new(dim, &mut states, slot_count, base);
    let mut out = vec![0; 64 + 5 * workload.dim()];
    let mut frames = Vec::new();
    for step in 0..count {
        let (index, slot) = slot_of(workload, step);
        let Some(row) = rows.get_mut(index) else {
            continue;
        };
        let mut new = row.clone();
        workload.change(step, &mut new);
        let prepared = sequencer.prepare_update(slot, row, &new, &[], &mut out, None);
        let Ok(prepared) = prepared else {
            unreachable!("updates of existing rows")
        };
        let size = prepared.header.payload_size as usize;
        let payload = out.get(..size).unwrap_or_default();
        frames.push([&prepared.header.to_bytes()[..], payload].concat());
        sequencer.commit(prepared);
        *row = new;
    }
    Log { frames, base }
}

/// A replica's memory.
struct Memory {
    rows: Vec<f32>,
    slots: Vec<Slot>,
}

impl Memory {
    fn new(workload: &Workload) -> Self {
        Self {
            rows: workload.rows().concat(),
            slots: vec![Slot::default(); workload.rows().len()],
        }
    }

    fn store(&mut self, dim: usize) -> SliceStore<'_> {
        let slot_count = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut [],
        };
        SliceStore::with_base(u32::try_from(dim).unwrap_or(1), slot_count, memory)
    }
}

fn digest(workload: &Workload) -> u64 {
    state_digest(&Memory::new(workload).store(workload.dim()))
}

fn records(log: &Log) -> Vec<Record<'_>> {
    let frames = log.frames.iter();
    frames
        .filter_map(|frame| Record::parse(frame).ok())
        .collect()
}

fn gate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline/gate");
    group.throughput(Throughput::Elements(1));
    for (dim, percent) in [(384, 5.0), (1_536, 5.0), (384, 100.0)] {
        let workload = Workload::new(dim, percent, PATTERNS, 1_024);
        let log = log(&workload, 1_024);
        let records = records(&log);
        let mut memory = Memory::new(&workload);
        let store = memory.store(dim);
        let config = GateConfig {
            resistance: GateConfig::OPEN.resistance,
            ..GateConfig::BALANCED
        };
        let Ok(mut gate) = Gate::new(config) else {
            unreachable!("a preset")
        };
        let mut turn = records.iter().cycle();
        group.bench_function(format!("measure_assess_commit/{dim}d/{percent}%"), |b| {
            b.iter(|| {
                if let Some(record) = turn.next() {
                    let step = Step::of(record, &store);
                    black_box(gate.assess(&step));
                    gate.commit(&step);
                }
            });
        });
    }
    group.finish();
}

fn apply(criterion: &mut Criterion) {
    let mut scratch = vec![0; Applier::scratch_size_max(384)];
    let mut group = criterion.benchmark_group("pipeline/apply");
    let workload = Workload::new(384, 5.0, PATTERNS, 4_096);
    let log = log(&workload, 65_536);
    group.throughput(Throughput::Elements(log.frames.len() as u64));
    let mut memory = Memory::new(&workload);
    group.bench_function("one_worker/384d/5%", |b| {
        b.iter_custom(|count| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..count {
                memory.rows = workload.rows().concat();
                let mut store = memory.store(384);
                let mut applier = Applier::new(log.base, &mut scratch);
                let start = Instant::now();
                for frame in &log.frames {
                    let Ok(record) = Record::parse(frame) else {
                        unreachable!("our own frames")
                    };
                    assert!(applier.apply_delta(&record, &mut store).is_ok());
                }
                elapsed += start.elapsed();
            }
            elapsed
        });
    });
    group.throughput(Throughput::Elements(100));
    let hundred: Vec<_> = records(&log).into_iter().take(100).collect();
    let mut undo = vec![0; 1 << 20];
    group.bench_function("batch_of_100_updates/384d/5%", |b| {
        b.iter_custom(|count| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..count {
                memory.rows = workload.rows().concat();
                let mut store = memory.store(384);
                let mut applier = Applier::new(log.base, &mut scratch);
                let mut undo = Undo::new(&mut undo);
                let start = Instant::now();
                let result = applier.apply_batch(hundred.iter().copied(), &mut store, &mut undo);
                elapsed += start.elapsed();
                assert!(result.is_ok_and(|result| result.applied == 100));
            }
            elapsed
        });
    });
    group.finish();
}

fn compact(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline/compact");
    for (dim, percent, count) in [(384, 5.0, 65_536), (1_536, 100.0, 8_192)] {
        let workload = Workload::new(dim, percent, PATTERNS, 1_024);
        let log = log(&workload, count);
        let bytes = log.frames.iter().map(Vec::len).sum::<usize>();
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut touched = vec![Touched::default(); 1_024];
        let (mut index, mut rows) = (vec![0; 4_096], vec![0.0; 1_024 * dim]);
        let mut changed = vec![0; 1_024 * dim.div_ceil(64)];
        let mut out = vec![0; 1_024 * (200 + 6 * dim)];
        let base = workload.rows().concat();
        let mut scratch = vec![0; 4 * dim];
        group.bench_function(format!("{dim}d/{percent}%"), |b| {
            b.iter(|| {
                let memory = CompactMemory {
                    touched: &mut touched,
                    index: &mut index,
                    rows: &mut rows,
                    changed: &mut changed,
                    text: &mut [],
                    scratch: &mut scratch,
                };
                let dim = u32::try_from(dim).unwrap_or(1);
                let base = SliceRows {
                    dim: dim as usize,
                    values: &base,
                };
                let mut compactor = Compactor::with_base(dim, log.base, memory, base);
                for frame in &log.frames {
                    let Ok(record) = Record::parse(frame) else {
                        unreachable!("our own frames")
                    };
                    assert!(compactor.push(&record).is_ok());
                }
                black_box(compactor.finish(&mut out).is_ok())
            });
        });
    }
    group.finish();
}

fn checkpoint(criterion: &mut Criterion) {
    let marker = CheckpointMarker {
        position: Position::START,
        slot_count: 7,
        timestamp_us: 1,
    };
    criterion.bench_function("pipeline/checkpoint/write_and_read", |b| {
        b.iter(|| CheckpointMarker::parse(&black_box(&marker).to_bytes()));
    });
}

/// Rows of 1,536 components in a table of a GiB.
fn workers(criterion: &mut Criterion) {
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

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = gate, apply, compact, checkpoint, workers
}
criterion_main!(benches);
