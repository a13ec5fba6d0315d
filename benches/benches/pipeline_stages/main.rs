//! What the pipeline's stages cost: captures, gate, batches, deletions, compaction, checkpoints,
//! parallel apply; in the end a table of the figures beside their bars.

mod bars;
mod log;
mod rates;
mod workers;

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use criterion::{Criterion, Throughput, criterion_group};
use delta_benches::{PATTERNS, Workload, quick_criterion};
use delta_core::checkpoint::CheckpointMarker;
use delta_core::codec::CodecSet;
use delta_core::compact::{CompactMemory, Compactor, Touched};
use delta_core::graph::search::SliceRows;
use delta_core::pipeline::apply::{Applier, Undo};
use delta_core::pipeline::gate::{Gate, GateConfig, GlobalPreservation, LocalChange};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_native::cpu::vector_unit;

use log::{Memory, log, log_with, records};

/// What a gate costs is what a gated log takes longer.
fn gate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline/gate");
    let config = GateConfig {
        local: LocalChange::ANY,
        preservation: GlobalPreservation::ANY,
        resistance: GateConfig::OPEN.resistance,
        ..GateConfig::BALANCED
    };
    for (dim, percent, count) in [
        (384, 5.0, 65_536),
        (1_536, 5.0, 16_384),
        (384, 100.0, 8_192),
    ] {
        let workload = Workload::new(dim, percent, PATTERNS, 1_024);
        let log = log(&workload, count);
        let records = records(&log);
        let mut memory = Memory::new(&workload);
        let mut scratch = vec![0; 4 * dim];
        group.throughput(Throughput::Elements(records.len() as u64));
        for gated in [false, true] {
            let name = if gated { "gated" } else { "ungated" };
            group.bench_function(format!("{dim}d/{percent}%/{name}"), |b| {
                b.iter_custom(|rounds| {
                    let mut elapsed = Duration::ZERO;
                    for _ in 0..rounds {
                        memory.rows = workload.rows().concat();
                        let mut store = memory.store(dim);
                        let mut applier = Applier::new(log.base, &mut scratch);
                        let Ok(mut gate) = Gate::new(config) else {
                            unreachable!("a preset")
                        };
                        let start = Instant::now();
                        for record in &records {
                            let taken = if gated {
                                applier.apply_gated(record, &mut store, &mut gate).is_ok()
                            } else {
                                applier.apply_delta(record, &mut store).is_ok()
                            };
                            assert!(taken);
                        }
                        elapsed += start.elapsed();
                        assert_eq!(applier.applied(), records.len() as u64);
                    }
                    elapsed
                });
            });
        }
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
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline/batches");
    let mut scratch = vec![0; Applier::scratch_size_max(384)];
    let workload = Workload::new(384, 5.0, PATTERNS, 4_096);
    let log = log(&workload, 100);
    let mut memory = Memory::new(&workload);
    let hundred = records(&log);
    let mut undo = vec![0; 1 << 20];
    group.bench_function("100_updates/384d/5%", |b| {
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
    for (dim, percent, count, codecs) in [
        (384, 5.0, 65_536, CodecSet::ALL),
        (1_536, 5.0, 16_384, CodecSet::ALL),
        (1_536, 100.0, 8_192, CodecSet::PLAIN),
        (1_536, 100.0, 8_192, CodecSet::ALL),
    ] {
        let workload = Workload::new(dim, percent, PATTERNS, 1_024);
        let log = log_with(&workload, count, codecs);
        let name = if codecs == CodecSet::ALL {
            "all"
        } else {
            "plain"
        };
        let bytes = log.frames.iter().map(Vec::len).sum::<usize>();
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut touched = vec![Touched::default(); 1_024];
        let (mut index, mut rows) = (vec![0; 4_096], vec![0.0; 1_024 * dim]);
        let mut changed = vec![0; 1_024 * dim.div_ceil(64)];
        let mut out = vec![0; 1_024 * (200 + 6 * dim)];
        let base = workload.rows().concat();
        let mut scratch = vec![0; 4 * dim];
        group.bench_function(format!("{dim}d/{percent}%/{name}"), |b| {
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
                let mut compactor =
                    Compactor::with_base(dim, log.base, memory, base).on(vector_unit());
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
    let mut group = criterion.benchmark_group("pipeline/checkpoint");
    group.bench_function("write_and_read", |b| {
        b.iter(|| CheckpointMarker::parse(&black_box(&marker).to_bytes()));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = gate, apply, batches, compact, checkpoint, rates::rates, rates::hundred_inserts,
        rates::deletes, workers::workers, workers::four_workers
}

fn main() {
    let start = SystemTime::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    bars::print_since(start);
}
