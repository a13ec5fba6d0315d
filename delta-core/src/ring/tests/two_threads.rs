//! Streams from one thread to another.
use super::{EMBEDDED, Memory, ONE_PAGE, check, fill, geometry, header, receive, send};
use crate::ring::{Geometry, Notify, RawMem, Region, ReserveError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

/// Sends `count` records of up to `size_max` bytes from one thread to another, in batches of
/// `batch` or singly.
fn across_threads(geometry: Geometry, count: u32, size_max: u32, batch: u32) {
    let size = move |number: u32| (number.wrapping_mul(2_654_435_761) % (size_max + 1)) as usize;
    let mut memory = Memory::new(geometry);
    let (mut producer, mut consumer) = memory.ring(geometry, u32::MAX - 1000);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut number = 0;
            while number < count {
                if batch == 1 {
                    match send(&mut producer, number, size(number)) {
                        Ok(()) => number += 1,
                        Err(ReserveError::Full { .. }) => thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                    continue;
                }
                let mut records = producer.batch();
                while records.len() < batch && number < count {
                    let Ok(mut grant) = records.reserve(size(number)) else {
                        break;
                    };
                    fill(grant.payload_mut(), number);
                    grant.commit(&header(number, size(number))).unwrap();
                    number += 1;
                }
                if records.is_empty() {
                    thread::yield_now();
                }
                records.publish();
            }
        });
        let mut number = 0;
        while number < count {
            match consumer.poll().unwrap() {
                Some(record) => {
                    check(&record, number, size(number));
                    record.done();
                    number += 1;
                }
                None => thread::yield_now(),
            }
        }
        assert!(consumer.poll().unwrap().is_none());
    });
}

#[test]
fn a_million_records_across_threads() {
    across_threads(Geometry::DEFAULT, 1_000_000, 40, 1);
}

#[test]
fn batches_across_threads() {
    across_threads(Geometry::DEFAULT, 200_000, 100, 32);
    across_threads(EMBEDDED, 50_000, 300, 8);
}

#[test]
fn small_rings_across_threads() {
    across_threads(EMBEDDED, 100_000, 1216, 1);
    across_threads(ONE_PAGE, 100_000, 600, 1);
    across_threads(geometry(2, 16), 50_000, 8, 1);
}

/// Sleeps as on a futex: compares and waits under one lock, which the waker takes too.
#[derive(Default)]
struct Park {
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Notify<RawMem<'_>> for &Park {
    const SLEEPS: bool = true;

    fn wait(&self, word: &AtomicU32, expected: u32) {
        let guard = self.lock.lock().unwrap();
        if word.load(Ordering::Relaxed) == expected {
            drop(self.condvar.wait(guard).unwrap());
        }
    }

    fn wake(&self, _word: &AtomicU32) {
        let guard = self.lock.lock().unwrap();
        self.condvar.notify_all();
        drop(guard);
    }
}

#[test]
fn sleepers_across_threads() {
    let (park, count) = (Park::default(), 20_000);
    let mut memory = Memory::new(EMBEDDED);
    let ring = Region::create(memory.region(), EMBEDDED).unwrap();
    let (mut producer, mut consumer) = ring.split_with(&park);
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                producer.wait(100).unwrap();
                send(&mut producer, number, 100).unwrap();
            }
        });
        for number in 0..count {
            consumer.wait().unwrap();
            receive(&mut consumer, number, 100);
        }
    });
}
