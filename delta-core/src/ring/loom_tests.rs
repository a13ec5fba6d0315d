//! Models of the ring: loom runs each in every order that its threads and the memory allow.
use super::{Consumer, Fault, Geometry, LoomMem, Notify, Polling, Producer, ReserveError};
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::panic::UnwindSafe;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

fn geometry(slots: u32, payload_bytes: u32) -> Geometry {
    Geometry::new(slots, payload_bytes).unwrap()
}

/// The header of record `number` with a payload of `size` bytes; number in the first and the last
/// byte, so that a torn header shows.
fn header(number: u8, size: usize) -> [u8; 64] {
    let mut header = [0; 64];
    header[0] = number;
    header[28] = u8::try_from(size).unwrap();
    header[63] = number;
    header
}

/// Sends one record, waiting for room: `size` bytes of payload, each the number.
fn send(producer: &mut Producer<LoomMem>, number: u8, size: usize) {
    loop {
        match producer.reserve(size) {
            Ok(mut grant) => {
                grant.payload_mut().fill(number);
                return grant.commit(&header(number, size)).unwrap();
            }
            Err(ReserveError::Full { .. }) => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Takes one record if there is one, and checks that it is `number`, whole.
fn take<N: Notify<LoomMem>>(consumer: &mut Consumer<LoomMem, N>, number: u8, size: usize) -> bool {
    let Some(record) = consumer.poll().unwrap() else {
        return false;
    };
    assert_eq!(*record.header(), header(number, size));
    assert_eq!(record.payload().len(), size);
    assert!(record.payload().iter().all(|&byte| byte == number));
    record.done();
    true
}

fn receive(consumer: &mut Consumer<LoomMem>, number: u8, size: usize) {
    while !take(consumer, number, size) {
        thread::yield_now();
    }
}

/// One thread sends records of the `sizes`, numbered from 1, another receives them.
fn stream(geometry: Geometry, position: u32, fault: Fault, sizes: &'static [usize]) {
    loom::model(move || {
        let (mut producer, mut consumer) = LoomMem::ring_at(geometry, position, fault, Polling);
        let numbered = || (1..).zip(sizes.iter().copied());
        let sender = thread::spawn(move || {
            for (number, size) in numbered() {
                send(&mut producer, number, size);
            }
        });
        for (number, size) in numbered() {
            receive(&mut consumer, number, size);
        }
        sender.join().unwrap();
        assert!(consumer.poll().unwrap().is_none());
    });
}

#[test]
fn loom_single() {
    stream(geometry(2, 64), 0, Fault::None, &[20, 0]);
}

#[test]
fn loom_batch_of_two() {
    loom::model(|| {
        let (mut producer, mut consumer) = LoomMem::ring(geometry(4, 64));
        let sender = thread::spawn(move || {
            let mut batch = producer.batch();
            for number in 1..=2 {
                let mut grant = batch.reserve(16).unwrap();
                grant.payload_mut().fill(number);
                grant.commit(&header(number, 16)).unwrap();
            }
            batch.publish();
        });
        receive(&mut consumer, 1, 16);
        // The first was there, so the second is.
        assert!(take(&mut consumer, 2, 16));
        sender.join().unwrap();
    });
}

#[test]
fn loom_payload_wrap() {
    // Offsets 0, 32, and 0 again once the first is released.
    stream(geometry(4, 64), 0, Fault::None, &[32, 20, 32]);
}

#[test]
fn loom_position_wrap() {
    stream(geometry(2, 64), u32::MAX, Fault::None, &[4, 0, 4]);
}

#[test]
fn loom_abort() {
    loom::model(|| {
        let (mut producer, mut consumer) = LoomMem::ring(geometry(2, 64));
        let sender = thread::spawn(move || {
            producer.reserve(32).unwrap().payload_mut().fill(9);
            let mut batch = producer.batch();
            batch.reserve(16).unwrap().commit(&header(9, 16)).unwrap();
            drop(batch);
            send(&mut producer, 1, 16);
        });
        receive(&mut consumer, 1, 16);
        sender.join().unwrap();
        assert!(consumer.poll().unwrap().is_none());
    });
}

#[test]
fn loom_full_release_reserve() {
    stream(geometry(2, 32), 0, Fault::None, &[16, 16, 16, 16]);
}

#[test]
fn loom_undone_is_read_again() {
    loom::model(|| {
        let (mut producer, mut consumer) = LoomMem::ring(geometry(2, 32));
        let sender = thread::spawn(move || {
            for number in 1..=3 {
                send(&mut producer, number, 16);
            }
        });
        for number in 1..=3 {
            while consumer.poll().unwrap().is_none() {
                thread::yield_now();
            }
            assert!(take(&mut consumer, number, 16));
        }
        sender.join().unwrap();
    });
}

/// Sleeps as on a futex: compares and waits under one lock, which the waker takes too.
#[derive(Clone)]
struct Park(Arc<(Mutex<()>, Condvar)>);

impl Park {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(()), Condvar::new())))
    }
}

impl Notify<LoomMem> for Park {
    const SLEEPS: bool = true;

    fn wait(&self, word: &AtomicU32, expected: u32) {
        let (lock, condvar) = &*self.0;
        let guard = lock.lock().unwrap();
        if word.load(Ordering::Relaxed) == expected {
            drop(condvar.wait(guard).unwrap());
        }
    }

    fn wake(&self, _word: &AtomicU32) {
        let (lock, condvar) = &*self.0;
        let guard = lock.lock().unwrap();
        condvar.notify_all();
        drop(guard);
    }
}

/// A sleeping consumer, and a producer that sleeps too where the ring is too small for `records`.
fn sleepers(slots: u32, records: u8, fault: Fault) {
    loom::model(move || {
        let (mut producer, mut consumer) =
            LoomMem::ring_at(geometry(slots, 32), 0, fault, Park::new());
        let sender = thread::spawn(move || {
            for number in 1..=records {
                producer.wait(0).unwrap();
                producer
                    .reserve(0)
                    .unwrap()
                    .commit(&header(number, 0))
                    .unwrap();
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
    sleepers(2, 2, Fault::None);
}

#[test]
fn loom_sleeping_producer() {
    sleepers(2, 3, Fault::None);
}

#[test]
fn loom_finds_a_missing_fence() {
    let report = report(|| sleepers(2, 2, Fault::NoFence));
    assert!(report.contains("deadlock"), "{report}");
}

/// The model that needs every ordering, with a mistake.
fn broken_stream(fault: Fault) -> String {
    report(move || stream(geometry(2, 32), 0, fault, &[16, 16, 16]))
}

/// Runs a model that must fail, and gives what loom says of it.
fn report(model: impl FnOnce() + UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(model).expect_err("the model passes");
    let texts = [
        panic.downcast_ref::<String>().cloned(),
        panic.downcast_ref::<&str>().map(|&text| text.into()),
    ];
    texts.into_iter().flatten().collect::<Vec<_>>().concat()
}

#[test]
fn loom_finds_publish_before_write() {
    for fault in [Fault::PublishOnReserve, Fault::PublishBeforeHeader] {
        let report = broken_stream(fault);
        assert!(
            report.contains("Causality violation"),
            "{fault:?}: {report}"
        );
    }
}

#[test]
fn loom_finds_each_weakened_ordering() {
    for fault in [
        Fault::StampStoreRelaxed,
        Fault::StampLoadRelaxed,
        Fault::ReadPositionStoreRelaxed,
        Fault::ReadPositionLoadRelaxed,
    ] {
        let report = broken_stream(fault);
        assert!(
            report.contains("Causality violation"),
            "{fault:?}: {report}"
        );
    }
}
