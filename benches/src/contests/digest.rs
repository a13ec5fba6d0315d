//! The part of the state digest that a row gives, whole and of a change, beside XXH3 of the row.

use std::rc::Rc;

use bytemuck::cast_slice;
use delta_core::kernel::digest::{lane_change, row_change_sum_le, row_sum};
use xxhash_rust::xxh3::xxh3_64;

use super::DIMS;
use crate::contest::{Contest, Unit};
use crate::timing::{Burst, calls, changed_rows};
use crate::workload::{PATTERNS, Workload, pick};

/// Both dimensions: a row, a change of all components, a change of 5%.
pub fn contests() -> Vec<Contest> {
    DIMS.iter().flat_map(|&dim| of_dim(dim)).collect()
}

fn of_dim(dim: usize) -> [Contest; 3] {
    let workload = Rc::new(Workload::new(dim, 5.0, PATTERNS, 1));
    let xxh3 = || changed_rows(&workload, |_, new| xxh3_64(cast_slice(new)));
    let contest = |what: &str, ours: Burst| {
        let work = format!("digest of {what}, {dim}-d");
        Contest::new(work, Unit::Nanoseconds, ours).peer("xxh3_of_row", None, xxh3())
    };
    let whole = changed_rows(&workload, |_, new| row_sum(new));
    let dense = changed_rows(&workload, |old, new| {
        row_change_sum_le(old, cast_slice(new))
    });
    let steps = Rc::clone(&workload);
    let sparse = calls(move |step| {
        let old = pick(steps.rows(), 0);
        steps.pattern(step).iter().fold(0_u64, |sum, &index| {
            let old = old.get(index as usize).map_or(0, |value| value.to_bits());
            sum.wrapping_add(lane_change(index, old, old ^ 0x0012_3456))
        })
    });
    [
        contest("a row", whole),
        contest("a change of all components", dense),
        contest("a change of 5%", sparse),
    ]
}
