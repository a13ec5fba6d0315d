//! Streams from one thread to another.
use super::{EMBEDDED, Memory, ONE_PAGE, check, fill, geometry, header, receive, send};
use crate::ring::{Geometry, Mem, Notify, Producer, RawMem, Region, ReserveError, WaitWord};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

/// Lets the other thread run; panics if it has failed, as it would never come.
fn pause(failed: &AtomicBool) {
    assert!(
        !failed.load(Ordering::Relaxed),
        "the other thread has failed"
    );
    thread::yield_now();
}

/// Tells the other thread when this one panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// So many records, and fewer where an interpreter counts every access.
const fn few(count: u32) -> u32 {
    if cfg!(miri) { 100 } else { count }
}

/// A stream of `count` records of up to `size_max` bytes, in batches of `batch`, 1 for singly.
#[derive(Clone, Copy)]
struct Stream {
    count: u32,
    size_max: u32,
    batch: u32,
}

impl Stream {
    const fn size(self, number: u32) -> usize {
        (number.wrapping_mul(2_654_435_761) % (self.size_max + 1)) as usize
    }

    /// Sends `number` and, in a batch, what follows it; gives the next.
    fn send<M: Mem>(self, producer: &mut Producer<M>, mut number: u32) -> u32 {
        if self.batch == 1 {
            return match send(producer, number, self.size(number)) {
                Ok(()) => number + 1,
                Err(ReserveError::Full { .. }) => number,
                Err(error) => panic!("{error}"),
            };
        }
        let mut records = producer.batch();
        while records.len() < self.batch && number < self.count {
            let mut grant = match records.reserve(self.size(number)) {
                Ok(grant) => grant,
                Err(ReserveError::Full { .. }) => break,
                Err(error) => panic!("{error}"),
            };
            fill(grant.payload_mut(), number);
            grant.commit(&header(number, self.size(number))).unwrap();
            number += 1;
        }
        records.publish();
        number
    }

    /// Sends the stream from one thread to another, which checks it.
    fn run(self, geometry: Geometry) {
        let failed = &AtomicBool::new(false);
        let mut memory = Memory::new(geometry);
        let (mut producer, mut consumer) = memory.ring(geometry, u32::MAX - 1000);
        thread::scope(|scope| {
            scope.spawn(move || {
                let _alarm = Alarm(failed);
                let mut number = 0;
                while number < self.count {
                    let next = self.send(&mut producer, number);
                    if next == number {
                        pause(failed);
                    }
                    number = next;
                }
            });
            let _alarm = Alarm(failed);
            let mut number = 0;
            while number < self.count {
                match consumer.poll().unwrap() {
                    Some(record) => {
                        check(&record, number, self.size(number));
                        record.done();
                        number += 1;
                    }
                    None => pause(failed),
                }
            }
            assert!(consumer.poll().unwrap().is_none());
        });
    }
}

#[test]
fn a_million_records_across_threads() {
    Stream {
        count: few(1_000_000),
        size_max: 40,
        batch: 1,
    }
    .run(Geometry::DEFAULT);
}

#[test]
fn batches_across_threads() {
    Stream {
        count: few(200_000),
        size_max: 100,
        batch: 32,
    }
    .run(Geometry::DEFAULT);
    Stream {
        count: few(50_000),
        size_max: 300,
        batch: 8,
    }
    .run(EMBEDDED);
}

#[test]
fn small_rings_across_threads() {
    Stream {
        count: few(100_000),
        size_max: 1216,
        batch: 1,
    }
    .run(EMBEDDED);
    Stream {
        count: few(100_000),
        size_max: 600,
        batch: 1,
    }
    .run(ONE_PAGE);
    Stream {
        count: few(50_000),
        size_max: 8,
        batch: 1,
    }
    .run(geometry(2, 16));
}

/// Sleeps as on a futex: compares and waits under one lock, which the waker takes too.
#[derive(Default)]
struct Park {
    lock: Mutex<()>,
    condvar: Condvar,
    failed: AtomicBool,
}

impl Park {
    fn wake_all(&self) {
        let guard = self.lock.lock().unwrap();
        self.condvar.notify_all();
        drop(guard);
    }
}

impl Notify<RawMem<'_>> for &Park {
    const SLEEPS: bool = true;

    fn wait(&self, word: WaitWord<'_, RawMem<'_>>, expected: u32) {
        let mut guard = self.lock.lock().unwrap();
        if word.load() == expected && !self.failed.load(Ordering::Relaxed) {
            guard = self.condvar.wait(guard).unwrap();
        }
        drop(guard);
        assert!(
            !self.failed.load(Ordering::Relaxed),
            "the other thread has failed"
        );
    }

    fn wake(&self, _word: WaitWord<'_, RawMem<'_>>) {
        self.wake_all();
    }
}

/// Wakes the other thread when this one panics.
struct AlarmClock<'a>(&'a Park);

impl Drop for AlarmClock<'_> {
    fn drop(&mut self) {
        drop(Alarm(&self.0.failed));
        self.0.wake_all();
    }
}

#[test]
fn sleepers_across_threads() {
    let (park, count) = (&Park::default(), few(20_000));
    let mut memory = Memory::new(EMBEDDED);
    let ring = Region::create(memory.region(), EMBEDDED).unwrap();
    let (mut producer, mut consumer) = ring.split_with(park);
    thread::scope(|scope| {
        scope.spawn(move || {
            let _alarm = AlarmClock(park);
            for number in 0..count {
                producer.wait(100).unwrap();
                send(&mut producer, number, 100).unwrap();
            }
        });
        let _alarm = AlarmClock(park);
        for number in 0..count {
            consumer.wait().unwrap();
            receive(&mut consumer, number, 100);
        }
    });
}
