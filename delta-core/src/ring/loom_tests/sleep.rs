//! Models of sides that sleep: no wake-up is lost, or loom finds a deadlock.
use super::{batch, full_ring_with, geometry, header, send, take};
use crate::ring::{LoomMem, Notify, WaitWord};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;

/// Sleeps as on a futex: compares and waits under one lock, which the waker takes too.
#[derive(Clone)]
pub(super) struct Park(Arc<(Mutex<()>, Condvar)>);

impl Park {
    pub(super) fn new() -> Self {
        Self(Arc::new((Mutex::new(()), Condvar::new())))
    }
}

impl Notify<LoomMem> for Park {
    const SLEEPS: bool = true;

    fn wait(&self, word: WaitWord<'_, LoomMem>, expected: u32) {
        let (lock, condvar) = &*self.0;
        let guard = lock.lock().unwrap();
        if word.load() == expected {
            drop(condvar.wait(guard).unwrap());
        }
    }

    fn wake(&self, _word: WaitWord<'_, LoomMem>) {
        let (lock, condvar) = &*self.0;
        let guard = lock.lock().unwrap();
        condvar.notify_all();
        drop(guard);
    }
}

/// A sleeping consumer, and a producer that sleeps too where the ring is too small for `records`.
fn sleepers(slots: u32, records: u8) {
    loom::model(move || {
        let mem = LoomMem::zeroed(geometry(slots, 32));
        let (mut producer, mut consumer) = mem.create(0, Park::new());
        let sender = thread::spawn(move || {
            for number in 1..=records {
                producer.wait(0).unwrap();
                let grant = producer.reserve(0).unwrap();
                grant.commit(&header(number, 0)).unwrap();
            }
        });
        for number in 1..=records {
            consumer.wait().unwrap();
            assert!(take(&mut consumer, number, 0));
        }
        sender.join().unwrap();
    });
}

#[test]
fn loom_sleeping_consumer() {
    sleepers(2, 2);
}

#[test]
fn loom_both_sleep() {
    sleepers(2, 3);
}

#[test]
fn loom_sleeping_consumer_of_a_batch() {
    loom::model(|| {
        let mem = LoomMem::zeroed(geometry(2, 32));
        let (mut producer, mut consumer) = mem.create(0, Park::new());
        let sender = thread::spawn(move || batch(&mut producer, &[(1, 16), (2, 0)]).publish());
        consumer.wait().unwrap();
        assert!(take(&mut consumer, 1, 16));
        assert!(take(&mut consumer, 2, 0));
        sender.join().unwrap();
    });
}

#[test]
fn loom_sleeping_producer() {
    loom::model(|| {
        let mem = LoomMem::zeroed(geometry(2, 32));
        let (mut producer, mut consumer) = mem.create(0, Park::new());
        send(&mut producer, 1, 16);
        send(&mut producer, 2, 16);
        let sender = thread::spawn(move || {
            producer.wait(0).unwrap();
            send(&mut producer, 3, 0);
        });
        // Released at once, as an eighth of so small a ring is less than one record.
        assert!(take(&mut consumer, 1, 16));
        sender.join().unwrap();
    });
}

#[test]
fn loom_sleeping_producer_is_released_to() {
    loom::model(|| {
        let (mut producer, mut consumer) = full_ring_with(0, Park::new());
        let sender = thread::spawn(move || producer.wait(0).unwrap());
        // Less than what is released unasked, which only a consumer that looks at the flag, or one
        // that releases before it does something else, gives back.
        assert!(take(&mut consumer, 0, 0));
        consumer.release();
        sender.join().unwrap();
    });
}
