//! Two threads on two cores.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

/// The two cores that pairs of threads run on; `None` if this process has but one, and then no
/// figure of two threads means anything.
#[must_use]
pub fn two_cores() -> Option<(CoreId, CoreId)> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    match cores[..] {
        [first, .., last] => Some((first, last)),
        _ => None,
    }
}

/// Pins a thread to each of the two cores and says in words what came of it: how the threads of a
/// pair are placed.
#[must_use]
pub fn placement() -> String {
    let Some((first, second)) = two_cores() else {
        return "this process may use one core only: no figure of two threads is measured".into();
    };
    let pinned = [first, second].map(|core| {
        let thread = thread::spawn(move || pin(core));
        thread.join().unwrap_or(false)
    });
    if pinned != [true; 2] {
        return "threads cannot be pinned here: the system places them, on one core perhaps".into();
    }
    let same = match (physical(first), physical(second)) {
        (Some(first), Some(second)) if first == second => {
            "; they are two threads of ONE physical core"
        }
        _ => "",
    };
    format!(
        "pairs of threads are pinned to cores {} and {}{same}",
        first.id, second.id
    )
}

/// Pins this thread and looks whether its mask is now that core alone.
fn pin(core: CoreId) -> bool {
    core_affinity::set_for_current(core)
        && core_affinity::get_core_ids().is_some_and(|cores| cores == [core])
}

/// Package and core that a logical core belongs to, where the system says so.
fn physical(core: CoreId) -> Option<[String; 2]> {
    let read = |name: &str| {
        let folder = format!("/sys/devices/system/cpu/cpu{}/topology", core.id);
        std::fs::read_to_string(format!("{folder}/{name}")).ok()
    };
    Some([read("physical_package_id")?, read("core_id")?])
}

/// Runs `produce` and `consume` on a core each and returns the time from their common start to the
/// later end. Where cores cannot be chosen, the system places the threads ([`placement`]).
///
/// # Panics
///
/// If one of them does.
pub fn time_pair(produce: impl FnOnce() + Send, consume: impl FnOnce() + Send) -> Duration {
    let cores = two_cores();
    let barrier = Barrier::new(2);
    let ends = thread::scope(|scope| {
        let producer = scope.spawn(|| timed(cores.map(|(first, _)| first), &barrier, produce));
        let consumer = scope.spawn(|| timed(cores.map(|(_, second)| second), &barrier, consume));
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

/// Start and end of `work` on `core`, started together with the other side.
fn timed(core: Option<CoreId>, barrier: &Barrier, work: impl FnOnce()) -> (Instant, Instant) {
    if let Some(core) = core {
        core_affinity::set_for_current(core);
    }
    barrier.wait();
    let start = Instant::now();
    work();
    (start, Instant::now())
}
