//! Two threads on two cores.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Runs `produce` and `consume` on a core each and returns the time from their common start to the
/// later end. Where cores cannot be chosen, the system places the threads.
pub fn time_pair(produce: impl FnOnce() + Send, consume: impl FnOnce() + Send) -> Duration {
    let barrier = Barrier::new(2);
    let ends = thread::scope(|scope| {
        let producer = scope.spawn(|| timed(0, &barrier, produce));
        let consumer = scope.spawn(|| timed(1, &barrier, consume));
        [producer.join(), consumer.join()]
    });
    let ends: Vec<_> = ends.into_iter().flatten().collect();
    assert_eq!(ends.len(), 2, "both threads run to their end");
    let start = ends.iter().map(|(start, _)| *start).min();
    let end = ends.iter().map(|(_, end)| *end).max();
    start
        .zip(end)
        .map_or(Duration::ZERO, |(start, end)| end - start)
}

/// Start and end of `work` on the core of number `place`, started together with the other side.
fn timed(place: usize, barrier: &Barrier, work: impl FnOnce()) -> (Instant, Instant) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(place) {
        core_affinity::set_for_current(*core);
    }
    barrier.wait();
    let start = Instant::now();
    work();
    (start, Instant::now())
}
