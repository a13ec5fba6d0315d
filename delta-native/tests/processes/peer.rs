//! The other process: this program, started again for the same test.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use delta_core::ring::{Geometry, Notify, SharedMem, WaitWord};
use delta_native::futex::Futex;
use delta_native::region::SharedRegion;

use crate::journal::Journal;

const REGION: &str = "DELTA_TEST_REGION";
const JOURNAL: &str = "DELTA_TEST_JOURNAL";
const SIGKILL: i32 = 9;

/// Whether this process was started by a test.
pub(crate) fn is_child() -> bool {
    std::env::var_os(REGION).is_some()
}

/// The region and the journal that the test has named.
pub(crate) fn surroundings(geometry: Geometry) -> (SharedRegion, Journal) {
    let path = |name| PathBuf::from(std::env::var_os(name).unwrap());
    let region = SharedRegion::open(&path(REGION), geometry).unwrap();
    (region, Journal::open(&path(JOURNAL)))
}

/// A number that the test has given.
pub(crate) fn number(name: &str) -> u64 {
    std::env::var(name).unwrap().parse().unwrap()
}

/// A process that this test has started, and ends at the latest when it ends itself.
pub(crate) struct Peer(Child);

impl Peer {
    /// Starts this program for the test called `test`, with some numbers.
    pub(crate) fn start(
        test: &str,
        region: &SharedRegion,
        journal: &Journal,
        numbers: &[(&str, u64)],
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture"])
            .env(REGION, region.path_for_peers())
            .env(JOURNAL, journal.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (name, number) in numbers {
            command.env(name, number.to_string());
        }
        Self(command.spawn().unwrap())
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Ends the process by SIGKILL, unless it has ended well before.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        let status = self.0.wait().unwrap();
        assert_eq!(status.signal(), Some(SIGKILL), "the peer failed: {status}");
    }

    /// Waits until the process ends, which it does well.
    pub(crate) fn join(mut self) {
        let status = self.0.wait().unwrap();
        assert!(status.success(), "the peer failed: {status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // After `kill` and `join` there is nothing left to end, which both calls tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sleeps on a futex, until another thread of this process has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watchful<'a>(pub(crate) &'a AtomicBool);

impl<M: SharedMem<Word = AtomicU32>> Notify<M> for Watchful<'_> {
    const SLEEPS: bool = true;

    fn wait(&self, word: WaitWord<'_, M>, expected: u32) {
        assert!(
            !self.0.load(Ordering::Relaxed),
            "the other thread has failed"
        );
        Notify::<M>::wait(&Futex, word, expected);
    }

    fn wake(&self, word: WaitWord<'_, M>) {
        Notify::<M>::wake(&Futex, word);
    }
}

/// Tells the other thread when this one panics.
pub(crate) struct Alarm<'a>(pub(crate) &'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
