//! Which components of a row changed, and to what.
//!
//! `ruvector-delta-core` computes float differences above 1e-7, so it is neither exact nor
//! idempotent; it stands here because it does the same job. `load_compare` is the limit: both rows
//! are loaded and compared, nothing is found.

use std::rc::Rc;

use delta_core::kernel::diff::diff_on;
use delta_native::cpu::vector_unit;
use ruvector_delta_core::{Delta, VectorDelta};

use super::DIMS;
use crate::contest::{Contest, Unit};
use crate::timing::changed_rows;
use crate::workload::{PATTERNS, Workload};

/// Both dimensions, from nothing to everything changed.
pub fn contests() -> Vec<Contest> {
    let shares = [0, 1, 5, 10, 50, 100];
    DIMS.iter()
        .flat_map(|&dim| shares.map(|percent| contest(dim, percent)))
        .collect()
}

fn contest(dim: usize, percent: u32) -> Contest {
    let workload = Rc::new(Workload::new(dim, f64::from(percent), PATTERNS, 1));
    let (mut indices, mut values) = (vec![0; dim], vec![0.0; dim]);
    let unit = vector_unit();
    let ours = changed_rows(&workload, move |old, new| {
        diff_on(unit, old, new, &mut indices, &mut values)
    });
    let (mut pairs, mut seed_pairs) = (Vec::with_capacity(dim), Vec::with_capacity(dim));
    let limit_bar = match percent {
        0 => Some(1.0 / 1.4),
        5 => Some(1.0 / 2.5),
        _ => None,
    };
    let ruvector_bar = matches!(percent, 0 | 5).then_some(10.0);
    Contest::new(
        format!("diff {dim}-d, {percent}% changed"),
        Unit::Nanoseconds,
        ours,
    )
    .peer(
        "ruvector-delta-core",
        ruvector_bar,
        changed_rows(&workload, VectorDelta::compute),
    )
    .peer(
        "load_compare",
        limit_bar,
        changed_rows(&workload, |old, new| load_compare(old, new)),
    )
    .peer(
        "push_loop",
        None,
        changed_rows(&workload, move |old, new| push_loop(old, new, &mut pairs)),
    )
    .peer(
        "epsilon_loop",
        None,
        changed_rows(&workload, move |old, new| {
            epsilon_loop(old, new, &mut seed_pairs)
        }),
    )
}

/// The lower bound of any diff.
#[must_use]
pub fn load_compare(old: &[f32], new: &[f32]) -> bool {
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

/// What one writes second: four lanes at a time, beyond an epsilon (which loses changes to NaN).
fn epsilon_loop(old: &[f32], new: &[f32], out: &mut Vec<(u32, f32)>) -> usize {
    out.clear();
    let (old, new) = (old.as_chunks::<4>().0, new.as_chunks::<4>().0);
    for (base, (old, new)) in (0..).step_by(4).zip(old.iter().zip(new)) {
        let mut changed = [false; 4];
        for ((changed, old), new) in changed.iter_mut().zip(old).zip(new) {
            *changed = (new - old).abs() > 1e-6;
        }
        if changed == [false; 4] {
            continue;
        }
        for ((index, changed), new) in (base..).zip(changed).zip(new) {
            if changed {
                out.push((index, *new));
            }
        }
    }
    out.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loops_find_what_the_kernel_finds() {
        let workload = Workload::new(384, 5.0, 8, 1);
        let old = &workload.rows()[0];
        let mut new = old.clone();
        workload.change(3, &mut new);
        let (mut indices, mut values) = ([0; 384], [0.0; 384]);
        let count = diff_on(vector_unit(), old, &new, &mut indices, &mut values).unwrap();
        let ours: Vec<_> = indices.into_iter().zip(values).take(count).collect();
        let (mut pushed, mut beyond) = (Vec::new(), Vec::new());
        assert_eq!(push_loop(old, &new, &mut pushed), count);
        assert_eq!(epsilon_loop(old, &new, &mut beyond), count);
        assert_eq!((&ours, &ours), (&pushed, &beyond));
        assert!(load_compare(old, &new) && !load_compare(old, old));
    }
}
