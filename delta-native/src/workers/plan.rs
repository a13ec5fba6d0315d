//! What more cores would bring: a simulation of a fork and its join, from measured costs.
//! `cargo run --release -p delta-native --example workers_plan` measures a machine and prints it.
//!
//! ```
//! use delta_native::workers::plan::{Costs, speedup};
//!
//! // Dense rows of 1,536 components, one record 2 us, its routing 30 ns.
//! let costs = Costs { record_ns: 2_000, route_ns: 30, wake_ns: 5_000, memory_share_max: 8 };
//! let two = speedup(2, 1_000, &costs);
//! assert!(two > 1.5 && two <= 2.0);
//! // More than eight times one core's traffic the memory does not carry.
//! assert!(speedup(64, 1_000, &costs) <= 8.0);
//! ```

/// Costs of a batch, as measured with one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Nanoseconds that a worker needs for one record.
    pub record_ns: u64,
    /// Nanoseconds that the calling thread needs to route one.
    pub route_ns: u64,
    /// Nanoseconds from routing to the worker's first record, and again for the join.
    pub wake_ns: u64,
    /// How many times one worker's memory traffic the machine carries.
    pub memory_share_max: u64,
}

/// By what factor `workers` are faster than one for batches of `records` over random slots.
///
/// The calling thread routes all records of the others, then does its own part; a worker starts
/// when its first record is there; the join waits for the last. Rates fall when more workers run
/// than the memory feeds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn speedup(workers: u64, records: u64, costs: &Costs) -> f64 {
    let alone = records * costs.record_ns;
    if workers <= 1 {
        return 1.0;
    }
    let starved = workers.max(costs.memory_share_max) * costs.record_ns;
    let record_ns = starved / costs.memory_share_max.max(1);
    let record_ns = record_ns.max(costs.record_ns);
    // The largest of the parts: a mean part, and two standard deviations of a binomial one.
    let mean = records as f64 / workers as f64;
    let largest = mean + 2.0 * (mean * (1.0 - 1.0 / workers as f64)).sqrt();
    let routing = (records - records / workers) as f64 * costs.route_ns as f64;
    let caller = routing + mean * record_ns as f64;
    // A worker that is faster than the routing waits for its records.
    let other = costs.wake_ns as f64 + (largest * record_ns as f64).max(routing);
    alone as f64 / (caller.max(other) + costs.wake_ns as f64)
}
