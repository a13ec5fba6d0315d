//! The producer is killed, and another goes on under a new epoch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use delta_core::ring::{Consumer, Notify, RawMem};
use delta_native::futex::Futex;
use delta_native::region::SharedRegion;

use crate::journal::{Entry, Journal};
use crate::peer::{self, Alarm, Peer, Watchful};
use crate::records::{Random, Sender, check};
use crate::{Extent, geometry, wait_for_a_random_point};

const TEST: &str = "a_killed_producer_loses_no_committed_record_and_shows_no_other";
const EPOCH: &str = "DELTA_TEST_EPOCH";
const LAST: &str = "DELTA_TEST_LAST";

/// Sends from behind what is acknowledged to `LAST`, or until it is killed.
pub(crate) fn child() {
    let (region, journal) = peer::surroundings(geometry());
    let epoch = peer::number(EPOCH);
    // SAFETY: the region's other side is the test's, and takes its role like this one.
    let ring = unsafe { region.producer(Futex) }.unwrap();
    let next = journal.read().acked + 1;
    let mut sender = Sender {
        ring,
        epoch: u32::try_from(epoch).unwrap(),
        next,
        random: Random(epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    let last = peer::number(LAST);
    while sender.next <= last {
        sender.send_some(last, |entry| journal.write(entry));
    }
}

/// What arrived of one epoch: all sequences from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arrived {
    epoch: u32,
    first: u64,
    last: u64,
}

/// A producer from its start to its end.
#[derive(Clone, Copy, Debug)]
struct Life {
    epoch: u32,
    /// The first sequence that it sends.
    first: u64,
    /// What it had told when it ended.
    told: Entry,
}

/// What the supervisor of the producers and the receiver tell each other.
struct Control {
    /// Either has failed.
    failed: AtomicBool,
    /// The receiver stops reading, so that records stay in the ring.
    pause: AtomicBool,
    /// Records that have arrived.
    progress: AtomicU64,
    /// The sequence at which the stream ends.
    end: AtomicU64,
}

/// Reads until the sequence `end` has come.
fn receive<'a, N: Notify<RawMem<'a>>>(
    ring: &mut Consumer<RawMem<'a>, N>,
    control: &Control,
) -> Vec<Arrived> {
    let mut epochs: Vec<Arrived> = Vec::new();
    loop {
        let last = epochs.last().map_or(0, |arrived| arrived.last);
        if control.end.load(Ordering::Acquire) == last {
            return epochs;
        }
        ring.wait().unwrap();
        while let Some(record) = ring.poll().unwrap() {
            while control.pause.load(Ordering::Relaxed) && !control.failed.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_micros(50));
            }
            let (epoch, sequence) = check(record.header(), record.payload());
            record.done();
            match epochs.last_mut() {
                Some(arrived) if arrived.epoch == epoch => {
                    assert_eq!(sequence, arrived.last + 1, "epoch {epoch}");
                    arrived.last = sequence;
                }
                before => {
                    assert!(before.is_none_or(|before| before.epoch < epoch));
                    let (first, last) = (sequence, sequence);
                    epochs.push(Arrived { epoch, first, last });
                }
            }
            control.progress.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Starts and kills producers, and lets the last one finish; gives their lives.
fn supervise(
    extent: Extent,
    region: &SharedRegion,
    journal: &Journal,
    control: &Control,
) -> Vec<Life> {
    let mut random = Random(0x5eed);
    let mut lives: Vec<Life> = Vec::new();
    for epoch in 1..=extent.kills + 1 {
        let acked = journal.read().acked;
        journal.write(Entry {
            acked,
            intended: acked,
            extra: 0,
        });
        let is_last = epoch == extent.kills + 1;
        let last = if is_last {
            // Known to the receiver beforehand, and none that may have arrived already.
            let intended = lives.iter().map(|life| life.told.intended).max();
            let last = extent.records.max(intended.unwrap_or(0) + 1);
            control.end.store(last, Ordering::Release);
            last
        } else {
            u64::MAX - 1
        };
        let numbers = [(EPOCH, epoch.into()), (LAST, last)];
        let producer = Peer::start(TEST, region, journal, &numbers);
        // Time for it to attach to what its predecessor has left, before that is read.
        thread::sleep(Duration::from_micros(random.below(10_000)));
        control.pause.store(false, Ordering::Relaxed);
        if is_last {
            producer.join();
        } else {
            let quota = extent.quota(&mut random);
            let progress = || control.progress.load(Ordering::Relaxed);
            wait_for_a_random_point(&mut random, quota, progress);
            control.pause.store(random.below(4) != 0, Ordering::Relaxed);
            thread::sleep(Duration::from_micros(random.below(200)));
            producer.kill();
        }
        let (first, told) = (acked + 1, journal.read());
        lives.push(Life { epoch, first, told });
    }
    lives
}

/// What of a life must have arrived, and what may have.
fn check_life(life: Life, arrived: Option<&Arrived>) {
    let Life { first, told, .. } = life;
    if let Some(arrived) = arrived {
        assert_eq!(arrived.first, first, "{life:?}");
    }
    let last = arrived.map_or(first - 1, |arrived| arrived.last);
    assert!(
        last >= told.acked,
        "a committed record is lost: {life:?} {arrived:?}"
    );
    assert!(
        last <= told.intended,
        "never committed: {life:?} {arrived:?}"
    );
    if told.extra == 1 {
        let is_whole = last == told.acked || last == told.intended;
        assert!(is_whole, "a part of a batch: {life:?} {arrived:?}");
    }
}

pub(crate) fn test(extent: Extent) {
    let folder = tempfile::tempdir().unwrap();
    let region = SharedRegion::create_anonymous(geometry()).unwrap();
    let journal = Journal::create(&folder.path().join("journal"));
    let control = &Control {
        failed: AtomicBool::new(false),
        pause: AtomicBool::new(false),
        progress: AtomicU64::new(0),
        end: AtomicU64::new(u64::MAX),
    };
    let (lives, epochs) = thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let _alarm = Alarm(&control.failed);
            // SAFETY: the region's other side is this program, and takes its role like this one.
            let mut ring = unsafe { region.consumer(Watchful(&control.failed)) }.unwrap();
            receive(&mut ring, control)
        });
        let _alarm = Alarm(&control.failed);
        let lives = supervise(extent, &region, &journal, control);
        (lives, receiver.join().unwrap())
    });
    let mut unfinished = 0;
    for &life in &lives {
        let arrived = epochs.iter().find(|arrived| arrived.epoch == life.epoch);
        check_life(life, arrived);
        unfinished += u32::from(life.told.acked < life.told.intended);
    }
    assert!(
        epochs
            .iter()
            .all(|arrived| lives.iter().any(|life| life.epoch == arrived.epoch))
    );
    let last = lives.last().map_or(0, |life| life.told.acked);
    assert!(last >= extent.records);
    // Otherwise no kill came while there was something to lose.
    assert!(unfinished > 0 && epochs.len() > 1);
    println!(
        "producer killed {} times, {unfinished} of them between announcing and acknowledging \
         records; {} records arrived of sequences 1..={last}, in {} epochs",
        extent.kills,
        control.progress.load(Ordering::Relaxed),
        epochs.len(),
    );
}
