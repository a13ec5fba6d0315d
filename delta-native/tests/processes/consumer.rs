//! The consumer is killed, and another reads on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use delta_native::futex::Futex;
use delta_native::region::SharedRegion;

use crate::journal::{Entry, Journal};
use crate::peer::{self, Alarm, Peer, Watchful};
use crate::records::{Random, Sender, check};
use crate::{Extent, geometry, wait_for_a_random_point};

const TEST: &str = "a_killed_consumer_reads_again_what_was_not_released";
const LAST: &str = "DELTA_TEST_LAST";

/// Reads on to `LAST`, or until it is killed. Each record is noted as processed before it is
/// consumed, as an application would store its position.
pub(crate) fn child() {
    let (region, journal) = peer::surroundings(geometry());
    let Entry {
        acked: mut processed,
        extra: mut repeated,
        ..
    } = journal.read();
    let last = peer::number(LAST);
    // SAFETY: the region's other side is the test's, and takes its role like this one.
    let mut ring = unsafe { region.consumer(Futex) }.unwrap();
    let mut before = None;
    while before != Some(last) {
        ring.wait().unwrap();
        while let Some(record) = ring.poll().unwrap() {
            let (_, sequence) = check(record.header(), record.payload());
            match before {
                Some(before) => assert_eq!(sequence, before + 1),
                // No gap, and no more again than a ring holds.
                None => {
                    let range = processed.saturating_sub(256) + 1..=processed + 1;
                    assert!(range.contains(&sequence), "{sequence} is not in {range:?}");
                }
            }
            before = Some(sequence);
            repeated += u64::from(sequence <= processed);
            processed = processed.max(sequence);
            journal.write(Entry {
                acked: processed,
                intended: 0,
                extra: repeated,
            });
            record.done();
        }
    }
}

/// Starts and kills consumers, and lets the last one finish.
fn supervise(extent: Extent, region: &SharedRegion, journal: &Journal, last: &AtomicU64) {
    let mut random = Random(0xc0ffee);
    for _ in 0..extent.kills {
        let consumer = Peer::start(TEST, region, journal, &[(LAST, u64::MAX)]);
        let quota = extent.quota(&mut random);
        wait_for_a_random_point(&mut random, quota, || journal.read().acked);
        consumer.kill();
    }
    // Further than the producer can be by now: a ring and a run ahead.
    let end = extent.records.max(journal.read().acked + 1000);
    last.store(end, Ordering::Relaxed);
    Peer::start(TEST, region, journal, &[(LAST, end)]).join();
}

pub(crate) fn test(extent: Extent) {
    let folder = tempfile::tempdir().unwrap();
    let region = SharedRegion::create(&folder.path().join("ring"), geometry()).unwrap();
    let journal = Journal::create(&folder.path().join("journal"));
    let (failed, last) = (&AtomicBool::new(false), &AtomicU64::new(u64::MAX - 1));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _alarm = Alarm(failed);
            // SAFETY: the region's other side is this program, and takes its role like this one.
            let ring = unsafe { region.producer(Watchful(failed)) }.unwrap();
            let mut sender = Sender {
                ring,
                epoch: 1,
                next: 1,
                random: Random(0xabcd),
            };
            while sender.next <= last.load(Ordering::Relaxed) {
                sender.send_some(last.load(Ordering::Relaxed), |_| {});
            }
        });
        let _alarm = Alarm(failed);
        supervise(extent, &region, &journal, last);
    });
    let Entry {
        acked,
        extra: repeated,
        ..
    } = journal.read();
    assert!(acked >= extent.records);
    // Otherwise no kill came between a record's processing and its release.
    assert!(repeated > 0);
    println!(
        "consumer killed {} times; all of {acked} records were processed, {repeated} repeatedly",
        extent.kills
    );
}
