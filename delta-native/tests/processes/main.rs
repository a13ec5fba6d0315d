//! A ring between two processes, one of which is killed (SIGKILL) at random points and started
//! again: every committed record arrives, in order, at least once, and no other does.
//!
//! The other process is this test's own program, started again. `DELTA_LONG=1` asks for the long
//! form: 10 million records and 200 kills a test.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod consumer;
mod journal;
mod peer;
mod producer;
mod records;

use std::thread;
use std::time::Duration;

use delta_core::ring::{Geometry, Polling};
use delta_native::region::{Role, SharedError, SharedRegion};

use journal::Journal;
use peer::Peer;
use records::Random;

/// How much a test does.
#[derive(Clone, Copy)]
struct Extent {
    /// At least so many records are sent.
    records: u64,
    kills: u32,
}

impl Extent {
    fn of_this_run() -> Self {
        match std::env::var_os("DELTA_LONG") {
            Some(value) if value == "1" => Self {
                records: 10_000_000,
                kills: 200,
            },
            _ => Self {
                records: 200_000,
                kills: 10,
            },
        }
    }

    /// The progress of one life, in records, after which it ends: none to twice the mean.
    fn quota(self, random: &mut Random) -> u64 {
        random.below(2 * self.records / u64::from(self.kills + 1))
    }
}

/// Small enough to be full and to wrap often.
fn geometry() -> Geometry {
    Geometry::new(256, 32_768).unwrap()
}

/// Waits until the killed side has made some progress, or for no longer than it takes to start: a
/// point that nobody has chosen.
fn wait_for_a_random_point(random: &mut Random, quota: u64, progress: impl Fn() -> u64) {
    let start = progress();
    let patience = match random.below(4) {
        // While it starts and attaches.
        0 => Duration::from_micros(random.below(20_000)),
        _ => Duration::from_secs(10),
    };
    let began = std::time::Instant::now();
    while progress() - start < quota && began.elapsed() < patience {
        thread::sleep(Duration::from_micros(50));
    }
    thread::sleep(Duration::from_micros(random.below(200)));
}

#[test]
fn a_killed_producer_loses_no_committed_record_and_shows_no_other() {
    if peer::is_child() {
        return producer::child();
    }
    producer::test(Extent::of_this_run());
}

#[test]
fn a_killed_consumer_reads_again_what_was_not_released() {
    if peer::is_child() {
        return consumer::child();
    }
    consumer::test(Extent::of_this_run());
}

#[test]
fn a_killed_process_gives_its_role_back() {
    if peer::is_child() {
        return hold_a_role();
    }
    let folder = tempfile::tempdir().unwrap();
    let region = SharedRegion::create_anonymous(geometry()).unwrap();
    let journal = Journal::create(&folder.path().join("journal"));
    let mut holder = Peer::start(
        "a_killed_process_gives_its_role_back",
        &region,
        &journal,
        &[],
    );
    while journal.read().acked == 0 {
        assert!(holder.is_alive(), "the peer failed");
        thread::sleep(Duration::from_millis(1));
    }
    let refused = region.untrusting_producer(Polling).unwrap_err();
    assert!(
        matches!(
            refused,
            SharedError::RoleTaken {
                role: Role::Producer
            }
        ),
        "{refused}"
    );
    drop(region.untrusting_consumer(Polling).unwrap());
    holder.kill();
    drop(region.untrusting_producer(Polling).unwrap());
}

/// Takes the producer's role, says so, and keeps it until it is killed.
fn hold_a_role() {
    let (region, journal) = peer::surroundings(geometry());
    let _producer = region.untrusting_producer(Polling).unwrap();
    journal.write(journal::Entry {
        acked: 1,
        ..journal::Entry::default()
    });
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}
