//! All components changed: a writer counts them, finds that raw values are smallest, and copies the
//! row.

use std::hint::black_box;
use std::rc::Rc;

use bytemuck::cast_slice;
use delta_core::kernel::apply::copy_bits_le;
use delta_core::kernel::diff::count_changed;
use ruvector_delta_core::{Delta, VectorDelta};

use super::DIMS;
use super::diff::load_compare;
use crate::contest::{Contest, Unit};
use crate::timing::changed_rows;
use crate::workload::{PATTERNS, Workload};

/// Both dimensions, into a payload and out of it.
pub fn contests() -> Vec<Contest> {
    DIMS.iter()
        .flat_map(|&dim| [diff(dim), apply(dim)])
        .collect()
}

fn workload(dim: usize) -> Rc<Workload> {
    Rc::new(Workload::new(dim, 100.0, PATTERNS, 1))
}

fn diff(dim: usize) -> Contest {
    let workload = workload(dim);
    let mut payload = vec![0; dim * 4];
    let ours = changed_rows(&workload, move |old, new| {
        let changed = count_changed(old, new);
        payload.copy_from_slice(cast_slice::<f32, u8>(new));
        (changed, black_box(&mut payload).len())
    });
    let mut copy = vec![0.0; dim];
    let limit = changed_rows(&workload, move |old, new| {
        copy.copy_from_slice(new);
        (load_compare(old, new), black_box(&mut copy).len())
    });
    let work = format!("dense diff {dim}-d into a payload");
    Contest::new(work, Unit::Nanoseconds, ours)
        .peer("memcpy_and_compare", 0.5, limit)
        .peer(
            "ruvector-delta-core",
            None,
            changed_rows(&workload, VectorDelta::compute),
        )
}

fn apply(dim: usize) -> Contest {
    let workload = workload(dim);
    let mut row = vec![0.0; dim];
    let ours = changed_rows(&workload, move |_, new| {
        copy_bits_le(black_box(&mut row), cast_slice(new))
    });
    let mut row = vec![0.0; dim];
    let memcpy = changed_rows(&workload, move |_, new| {
        row.copy_from_slice(new);
        black_box(&mut row).len()
    });
    let work = format!("dense apply {dim}-d");
    Contest::new(work, Unit::Nanoseconds, ours).peer("memcpy", None, memcpy)
}
