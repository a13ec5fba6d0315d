//! Diff and apply where the row is in memory, not in a cache: a random row of a table of 1 GiB.
//!
//! The new row, or the delta, is in a cache; the row is as it would be for the next update of a
//! large index. New rows are made without a look at the table, whose components can be computed.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use delta_core::kernel::apply::scatter;
use delta_core::kernel::diff::diff;
use delta_native::synthetic::{Random, base_row, slot};
use ruvector_delta_core::{Delta, DeltaOp, VectorDelta};

use super::diff::load_compare;
use crate::contest::{Contest, Unit};
use crate::timing::{Burst, batches};
use crate::workload::{PATTERNS, Workload};

const DIM: usize = 384;
const CHANGED_PERCENT: f64 = 5.0;
const TABLE_BYTES: usize = 1 << 30;
const ROWS: usize = TABLE_BYTES / (DIM * size_of::<f32>());
const ROWS_AT_ONCE: usize = 8;

/// The table, and changes to it.
type Table = Rc<RefCell<Vec<Vec<f32>>>>;

/// 384-d, 5% changed; none where the memory would not suffice.
pub fn contests() -> Vec<Contest> {
    if memory_available().is_some_and(|bytes| bytes < 2 * TABLE_BYTES as u64) {
        eprintln!("table: a table of 1 GiB does not fit the free memory, so it is not measured");
        return Vec::new();
    }
    let table: Table = Rc::new(RefCell::new((0..ROWS).map(row).collect()));
    let workload = Rc::new(Workload::new(DIM, CHANGED_PERCENT, PATTERNS, 1));
    vec![diffs(&table, &workload), applies(&table, &workload)]
}

/// Bytes that can be taken without swapping, where the system says so.
fn memory_available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The row of a slot, as the table has it.
fn row(slot: usize) -> Vec<f32> {
    let mut row = vec![0.0; DIM];
    base_row(slot as u64, &mut row);
    row
}

fn diffs(table: &Table, workload: &Rc<Workload>) -> Contest {
    let (mut indices, mut values) = (vec![0; DIM], vec![0.0; DIM]);
    let ours = in_table(table, new_row(workload), move |old, new| {
        diff(old, new, &mut indices, &mut values)
    });
    let ruvector = in_table(table, new_row(workload), |old, new| {
        VectorDelta::compute(old, new)
    });
    let limit = in_table(table, new_row(workload), |old, new| load_compare(old, new));
    let work = "diff 384-d, 5% changed, random row of 1 GiB";
    Contest::new(work, Unit::Nanoseconds, ours)
        .peer("ruvector-delta-core", None, ruvector)
        .peer("load_compare", None, limit)
}

fn applies(table: &Table, workload: &Rc<Workload>) -> Contest {
    let pairs = |step, workload: &Workload| {
        let mut random = Random::new(step);
        let indices = workload.pattern(step).to_vec();
        let values: Vec<f32> = indices.iter().map(|_| random.value()).collect();
        (indices, values)
    };
    let steps = Rc::clone(workload);
    let ours = in_table(
        table,
        move |step| pairs(step, &steps),
        |row, (indices, values)| scatter(row, indices, values).is_ok(),
    );
    let steps = Rc::clone(workload);
    let ruvector = in_table(
        table,
        move |step| {
            let (indices, values) = pairs(step, &steps);
            let pairs = indices.into_iter().zip(values);
            let ops = pairs.map(|(index, value)| DeltaOp::new(index, value));
            VectorDelta::from_sparse(ops.collect(), DIM)
        },
        |row, delta| delta.apply(row).is_ok(),
    );
    let work = "sparse apply 384-d, 5% changed, random row of 1 GiB";
    Contest::new(work, Unit::Nanoseconds, ours).peer("ruvector-delta-core", None, ruvector)
}

/// Makes the new row of a step without a look at the table.
fn new_row(workload: &Rc<Workload>) -> impl FnMut(u64) -> Vec<f32> + 'static {
    let workload = Rc::clone(workload);
    move |step| {
        let mut new = row(slot(step, ROWS));
        workload.change(step, &mut new);
        new
    }
}

/// Times `routine(row of the table, change)`; changes are made outside the measured time.
fn in_table<C: 'static, R: 'static>(
    table: &Table,
    mut make: impl FnMut(u64) -> C + 'static,
    mut routine: impl FnMut(&mut Vec<f32>, &C) -> R + 'static,
) -> Burst {
    let table = Rc::clone(table);
    batches(
        ROWS_AT_ONCE,
        Vec::with_capacity(ROWS_AT_ONCE),
        move |changes: &mut Vec<(usize, C)>, first_step| {
            changes.clear();
            let steps = (first_step..).take(ROWS_AT_ONCE);
            changes.extend(steps.map(|step| (slot(step, ROWS), make(step))));
        },
        move |changes, place| {
            let mut table = table.borrow_mut();
            let (slot, change) = changes.get(place)?;
            let row = table.get_mut(*slot)?;
            Some(routine(black_box(row), black_box(change)))
        },
    )
}
