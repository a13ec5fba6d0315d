//! Captures, inserts and deletions.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use delta_benches::{PATTERNS, Workload};
use delta_core::pipeline::apply::{Applier, Undo};
use delta_core::pipeline::sequencer::{Position, PrepareError, Prepared, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::store::{Cleanup, SliceMemory, SliceStore, Slot};

use super::log::{Memory, digest, slot_of};

const DIM: u32 = 384;

/// Updates numbered, encoded and sealed into one buffer.
pub(crate) fn rates(criterion: &mut Criterion) {
    const CAPTURES: u64 = 16_384;
    let mut group = criterion.benchmark_group("pipeline/capture");
    group.throughput(Throughput::Elements(CAPTURES));
    let workload = Workload::new(DIM as usize, 5.0, PATTERNS, 4_096);
    let base = Position {
        digest: digest(&workload),
        ..Position::START
    };
    let mut states = vec![SlotState::default(); 4_096];
    let mut out = vec![0; 64 + 5 * DIM as usize];
    group.bench_function("updates/384d/5%", |b| {
        b.iter_custom(|rounds| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..rounds {
                let mut rows = workload.rows().to_vec();
                let mut sequencer = Sequencer::new(DIM, &mut states, 4_096, base);
                let mut new = vec![0.0; DIM as usize];
                for step in 0..CAPTURES {
                    let (index, slot) = slot_of(&workload, step);
                    let Some(row) = rows.get_mut(index) else {
                        continue;
                    };
                    new.copy_from_slice(row);
                    workload.change(step, &mut new);
                    let start = Instant::now();
                    let prepared = sequencer.prepare_update(slot, row, &new, &[], &mut out, None);
                    commit(&mut sequencer, prepared);
                    elapsed += start.elapsed();
                    row.copy_from_slice(&new);
                }
            }
            elapsed
        });
    });
    group.finish();
}

fn commit(sequencer: &mut Sequencer<'_>, prepared: Result<Prepared, PrepareError>) -> usize {
    let Ok(prepared) = prepared else {
        unreachable!("changes that fit")
    };
    let size = prepared.header.payload_size as usize;
    sequencer.commit(prepared);
    size
}

/// A batch of 100 inserts, all or none.
pub(crate) fn hundred_inserts(criterion: &mut Criterion) {
    let workload = Workload::new(DIM as usize, 5.0, 1, 100);
    let mut states = vec![SlotState::default(); 100];
    let mut sequencer = Sequencer::new(DIM, &mut states, 0, Position::START);
    let mut out = vec![0; 512 + 5 * DIM as usize];
    let mut frames = Vec::new();
    for (row, number) in workload.rows().iter().zip(0_u32..) {
        let id = number.to_le_bytes();
        let prepared = sequencer.prepare_insert(&id, row, &[], &mut out, None);
        let Ok(prepared) = prepared else {
            unreachable!("new ids")
        };
        let size = prepared.header.payload_size as usize;
        let payload = out.get(..size).unwrap_or_default();
        frames.push([&prepared.header.to_bytes()[..], payload].concat());
        sequencer.commit(prepared);
    }
    let frames = frames.iter();
    let records: Vec<_> = frames
        .filter_map(|frame| Record::parse(frame).ok())
        .collect();
    let mut scratch = vec![0; Applier::scratch_size_max(DIM)];
    let mut undo = vec![0; 1 << 16];
    let mut rows = vec![0.0; 100 * DIM as usize];
    let mut slots = vec![Slot::default(); 100];
    let mut attributes = vec![0; 1 << 13];
    let mut group = criterion.benchmark_group("pipeline/batches");
    group.bench_function("100_inserts/384d", |b| {
        b.iter_custom(|rounds| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..rounds {
                let memory = SliceMemory {
                    rows: &mut rows,
                    slots: &mut slots,
                    attributes: &mut attributes,
                };
                let mut store = SliceStore::new(DIM, memory);
                let mut applier = Applier::new(Position::START, &mut scratch);
                let mut undo = Undo::new(&mut undo);
                let start = Instant::now();
                let result = applier.apply_batch(records.iter().copied(), &mut store, &mut undo);
                elapsed += start.elapsed();
                assert!(result.is_ok_and(|result| result.applied == 100));
            }
            elapsed
        });
    });
    group.finish();
}

/// A deletion's mark, and the idle steps of a bounded budget that give up the rows later.
pub(crate) fn deletes(criterion: &mut Criterion) {
    const ROWS: u32 = 4_096;
    const CLEANED_AT_ONCE: u32 = 64;
    let mut group = criterion.benchmark_group("pipeline/delete");
    group.throughput(Throughput::Elements(ROWS.into()));
    let workload = Workload::new(DIM as usize, 5.0, 1, ROWS as usize);
    let base = Position {
        digest: digest(&workload),
        ..Position::START
    };
    let mut states = vec![SlotState::default(); ROWS as usize];
    let mut sequencer = Sequencer::new(DIM, &mut states, ROWS, base);
    let mut out = [0; 4];
    let mut frames = Vec::new();
    for slot in 0..ROWS {
        let prepared = sequencer.prepare_delete(slot, &mut out);
        let Ok(prepared) = prepared else {
            unreachable!("rows that live")
        };
        frames.push([&prepared.header.to_bytes()[..], &out].concat());
        sequencer.commit(prepared);
    }
    let frames = frames.iter();
    let records: Vec<_> = frames
        .filter_map(|frame| Record::parse(frame).ok())
        .collect();
    let mut memory = Memory::new(&workload);
    for cleans in [false, true] {
        let name = if cleans { "clean_up" } else { "mark" };
        group.bench_function(format!("{name}/384d"), |b| {
            b.iter_custom(|rounds| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..rounds {
                    memory.rows = workload.rows().concat();
                    let mut store = memory.store(DIM as usize);
                    let mut applier = Applier::new(base, &mut []);
                    let start = Instant::now();
                    for record in &records {
                        assert!(applier.apply_delta(record, &mut store).is_ok());
                    }
                    let marked = start.elapsed();
                    let start = Instant::now();
                    let (mut cleanup, mut erased) = (Cleanup::default(), 0);
                    while erased < ROWS {
                        erased += cleanup.step(&mut store, u64::MAX, CLEANED_AT_ONCE).erased;
                    }
                    elapsed += if cleans { start.elapsed() } else { marked };
                }
                elapsed
            });
        });
    }
    group.finish();
}
