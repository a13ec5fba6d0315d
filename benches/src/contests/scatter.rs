//! Changed components into a row that is in a first-level cache.

use std::hint::black_box;
use std::rc::Rc;

use delta_core::kernel::apply::scatter;
use ruvector_delta_core::{Delta, VectorDelta};

use super::DIMS;
use crate::contest::{Contest, Unit};
use crate::timing::{Burst, batches};
use crate::workload::{PATTERNS, Workload, pick};

/// Both dimensions, 1 to 50% changed.
pub fn contests() -> Vec<Contest> {
    DIMS.iter()
        .flat_map(|&dim| [1, 5, 10, 50].map(|percent| contest(dim, percent)))
        .collect()
}

fn contest(dim: usize, percent: u32) -> Contest {
    let workload = Workload::new(dim, f64::from(percent), PATTERNS, 1);
    let row = pick(workload.rows(), 0).clone();
    let (pairs, deltas): (Vec<_>, Vec<_>) = (0..PATTERNS as u64)
        .map(|step| {
            let mut new = row.clone();
            workload.change(step, &mut new);
            let indices = workload.pattern(step).to_vec();
            let values: Vec<f32> = indices
                .iter()
                .filter_map(|&index| new.get(index as usize))
                .copied()
                .collect();
            ((indices, values), VectorDelta::compute(&row, &new))
        })
        .unzip();
    let pairs = Rc::new(pairs);
    let ours = loaded(Rc::clone(&pairs), &row, |row, (indices, values)| {
        scatter(row, indices, values).is_ok()
    });
    let indexed = loaded(pairs, &row, |row, (indices, values)| {
        for (&index, &value) in indices.iter().zip(values) {
            match row.get_mut(index as usize) {
                Some(component) => *component = value,
                None => return false,
            }
        }
        true
    });
    let peer = loaded(Rc::new(deltas), &row, |row, delta| delta.apply(row).is_ok());
    let bar = (percent == 5).then_some(1.8);
    let work = format!("sparse apply {dim}-d, {percent}% changed, validated");
    Contest::new(work, Unit::Nanoseconds, ours)
        .peer("ruvector-delta-core", bar, peer)
        .peer("checked_loop", None, indexed)
}

/// Times `apply` on deltas that were copied before they are timed: where they lie is not the
/// kernel's doing.
fn loaded<D: Clone + 'static, R: 'static>(
    deltas: Rc<Vec<D>>,
    row: &[f32],
    mut apply: impl FnMut(&mut Vec<f32>, &D) -> R + 'static,
) -> Burst {
    const BATCH: usize = 16;
    batches(
        BATCH,
        (row.to_vec(), Vec::with_capacity(BATCH)),
        move |(_, loaded), first_step| {
            let steps = (first_step..).take(BATCH);
            loaded.clear();
            loaded.extend(steps.map(|step| pick(&deltas, step).clone()));
        },
        move |(row, loaded), place| loaded.get(place).map(|delta| apply(black_box(row), delta)),
    )
}
