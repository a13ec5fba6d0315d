//! Diff, apply and digest, one row at a time, beside a loop that only loads and compares, memcpy
//! and `ruvector-delta-core`.
//!
//! The peer computes in float differences above 1e-7 and adds them on, so it is neither exact nor
//! idempotent; its figures stand here because it does the same job.

use std::hint::black_box;

use bytemuck::cast_slice;
use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use delta_benches::{PATTERNS, Workload, pick, quick_criterion, time_batches, time_changed_rows};
use delta_core::codec::{Base, Tag, Values, encode, encoded_size_max};
use delta_core::kernel::apply::{copy_bits_le, scatter};
use delta_core::kernel::diff::{count_changed, diff, for_each_changed};
use delta_core::kernel::digest::{lane_change, row_change_sum_le, row_sum};
use ruvector_delta_core::{Delta, VectorDelta};
use xxhash_rust::xxh3::xxh3_64;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const DIMS: [usize; 2] = [384, 1_536];

fn workload(dim: usize, changed_percent: u32) -> Workload {
    Workload::new(dim, f64::from(changed_percent), PATTERNS, 1)
}

/// A name with the share of changed components.
fn at(name: &str, changed_percent: u32) -> BenchmarkId {
    BenchmarkId::new(name, format!("{changed_percent}%"))
}

/// The lower bound of any diff: both rows are loaded and compared, nothing is found.
fn load_compare(old: &[f32], new: &[f32]) -> bool {
    old.iter()
        .zip(new)
        .fold(0, |any, (old, new)| any | (old.to_bits() ^ new.to_bits()))
        != 0
}

/// What one writes first.
fn push_loop(old: &[f32], new: &[f32], out: &mut Vec<(u32, f32)>) -> usize {
    out.clear();
    for (index, (old, new)) in (0..).zip(old.iter().zip(new)) {
        if old.to_bits() != new.to_bits() {
            out.push((index, *new));
        }
    }
    out.len()
}

fn diff_sparse(criterion: &mut Criterion) {
    for dim in DIMS {
        let mut group = criterion.benchmark_group(format!("diff/{dim}"));
        let (mut indices, mut values) = (vec![0; dim], vec![0.0; dim]);
        let mut pairs = Vec::with_capacity(dim);

        let unchanged = workload(dim, 0);
        group.bench_function("load_compare", |b| {
            time_changed_rows(b, &unchanged, |old, new| load_compare(old, new));
        });
        for percent in [0, 1, 5, 10, 50, 100] {
            let workload = workload(dim, percent);
            group.bench_function(at("delta", percent), |b| {
                time_changed_rows(b, &workload, |old, new| {
                    diff(old, new, &mut indices, &mut values)
                });
            });
        }
        for percent in [0, 5, 50] {
            let workload = workload(dim, percent);
            diff_peers(&mut group, percent, &workload, &mut pairs);
        }
        group.finish();
    }
}

fn diff_peers(
    group: &mut Group<'_>,
    percent: u32,
    workload: &Workload,
    pairs: &mut Vec<(u32, f32)>,
) {
    group.bench_function(at("push_loop", percent), |b| {
        time_changed_rows(b, workload, |old, new| push_loop(old, new, pairs));
    });
    group.bench_function(at("ruvector", percent), |b| {
        time_changed_rows(b, workload, VectorDelta::compute);
    });
    group.bench_function(at("delta_for_each", percent), |b| {
        time_changed_rows(b, workload, |old, new| {
            let mut sum = 0_u64;
            let flow = for_each_changed(old, new, |index, bits| {
                sum = sum.wrapping_add(u64::from(index ^ bits));
                std::ops::ControlFlow::Continue(())
            });
            (flow.is_ok(), sum)
        });
    });
}

/// What a writer does that finds all components changed: count, then copy the row.
fn diff_dense(criterion: &mut Criterion) {
    for dim in DIMS {
        let mut group = criterion.benchmark_group(format!("dense/{dim}"));
        let workload = workload(dim, 100);
        let mut copy = vec![0.0; dim];
        group.bench_function("memcpy_and_compare", |b| {
            time_changed_rows(b, &workload, |old, new| {
                copy.copy_from_slice(new);
                (load_compare(old, new), black_box(&mut copy).len())
            });
        });
        let mut payload = vec![0; dim * 4];
        group.bench_function("delta_count_and_copy", |b| {
            time_changed_rows(b, &workload, |old, new| {
                let changed = count_changed(old, new);
                payload.copy_from_slice(cast_slice::<f32, u8>(new));
                (changed, black_box(&mut payload).len())
            });
        });
        group.bench_function("ruvector", |b| {
            time_changed_rows(b, &workload, VectorDelta::compute);
        });
        group.finish();
    }
}

fn apply(criterion: &mut Criterion) {
    for dim in DIMS {
        let mut group = criterion.benchmark_group(format!("apply/{dim}"));
        apply_sparse(&mut group, &workload(dim, 5));
        let workload = workload(dim, 100);
        let mut row = vec![0.0; dim];
        group.bench_function("memcpy", |b| {
            time_changed_rows(b, &workload, |_, new| {
                row.copy_from_slice(new);
                black_box(&mut row).len()
            });
        });
        group.bench_function("delta_raw", |b| {
            time_changed_rows(b, &workload, |_, new| {
                copy_bits_le(black_box(&mut row), cast_slice(new))
            });
        });
        group.finish();
    }
}

fn apply_sparse(group: &mut Group<'_>, workload: &Workload) {
    let row = pick(workload.rows(), 0).clone();
    let changed = |step| {
        let mut new = row.clone();
        workload.change(step, &mut new);
        let indices = workload.pattern(step).to_vec();
        let values: Vec<f32> = indices
            .iter()
            .filter_map(|&index| new.get(index as usize))
            .copied()
            .collect();
        let mut bytes = vec![0; encoded_size_max(new.len())];
        let encoded = encode(Base::Row(&row), &new, &mut bytes);
        let (tag, size) = encoded.unwrap_or((Tag::Same, 0));
        bytes.truncate(size);
        let ours = ((indices, values), (tag as u8, bytes));
        (ours, VectorDelta::compute(&row, &new))
    };
    let (ours, peers): (Vec<_>, Vec<_>) = (0..PATTERNS as u64).map(changed).unzip();
    let (pairs, encoded): (Vec<_>, Vec<_>) = ours.into_iter().unzip();
    let dim = u32::try_from(row.len()).unwrap_or(u32::MAX);

    // What a replica does: parse, sum up the change for the digest, apply.
    group.bench_function(at("delta_values", 5), |b| {
        time_loaded(b, &encoded, &row, |row, (tag, bytes)| {
            Values::parse(*tag, bytes, dim).map(|values| {
                let sum = values.change_sum(row);
                values.apply(row);
                sum
            })
        });
    });
    group.bench_function(at("delta_scatter", 5), |b| {
        time_loaded(b, &pairs, &row, |row, (indices, values)| {
            scatter(row, indices, values)
        });
    });
    group.bench_function(at("ruvector", 5), |b| {
        time_loaded(b, &peers, &row, |row, delta| delta.apply(row).is_ok());
    });
}

/// Times `apply` on deltas that were copied before they are timed: where they lie is not the
/// kernel's doing.
fn time_loaded<D: Clone, R>(
    bencher: &mut Bencher<'_>,
    deltas: &[D],
    row: &[f32],
    mut apply: impl FnMut(&mut Vec<f32>, &D) -> R,
) {
    const BATCH: usize = 16;
    let mut state = (row.to_vec(), Vec::with_capacity(BATCH));
    time_batches(
        bencher,
        BATCH,
        &mut state,
        |(_, loaded), first_step| {
            loaded.clear();
            loaded.extend(
                (first_step..)
                    .take(BATCH)
                    .map(|step| pick(deltas, step).clone()),
            );
        },
        |(row, loaded), place| loaded.get(place).map(|delta| apply(black_box(row), delta)),
    );
}

fn digest(criterion: &mut Criterion) {
    for dim in DIMS {
        let mut group = criterion.benchmark_group(format!("digest/{dim}"));
        let workload = workload(dim, 5);
        group.bench_function("row_sum", |b| {
            time_changed_rows(b, &workload, |_, new| row_sum(new));
        });
        group.bench_function("row_change_sum_le", |b| {
            time_changed_rows(b, &workload, |old, new| {
                row_change_sum_le(old, cast_slice(new))
            });
        });
        group.bench_function("xxh3_of_row", |b| {
            time_changed_rows(b, &workload, |_, new| xxh3_64(cast_slice(new)));
        });
        let old = pick(workload.rows(), 0);
        group.bench_function(at("lane_changes", 5), |b| {
            let mut patterns = (0..PATTERNS as u64)
                .map(|step| workload.pattern(step))
                .cycle();
            b.iter(|| {
                let indices = patterns.next().unwrap_or_default();
                indices.iter().fold(0_u64, |sum, &index| {
                    let old = old.get(index as usize).map_or(0, |value| value.to_bits());
                    sum.wrapping_add(lane_change(index, old, old ^ 0x0012_3456))
                })
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = kernels;
    config = quick_criterion();
    targets = diff_sparse, diff_dense, apply, digest
}
criterion_main!(kernels);
