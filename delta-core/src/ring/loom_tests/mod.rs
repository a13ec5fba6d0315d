//! Models of the ring: loom runs each in every order that its threads and the memory allow.
mod attach;
mod sleep;

use super::{Batch, Consumer, Fault, Geometry, LoomMem, Notify, Polling, Producer, ReserveError};
use loom::thread;
use std::panic::UnwindSafe;
use std::string::String;
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
fn send<N: Notify<LoomMem>>(producer: &mut Producer<LoomMem, N>, number: u8, size: usize) {
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

fn receive<N: Notify<LoomMem>>(consumer: &mut Consumer<LoomMem, N>, number: u8, size: usize) {
    while !take(consumer, number, size) {
        thread::yield_now();
    }
}

/// A batch of the `records`, each a number and a size, written and not published.
fn batch<'p, N: Notify<LoomMem>>(
    producer: &'p mut Producer<LoomMem, N>,
    records: &[(u8, usize)],
) -> Batch<'p, LoomMem, N> {
    let mut batch = producer.batch();
    for &(number, size) in records {
        let mut grant = batch.reserve(size).unwrap();
        grant.payload_mut().fill(number);
        grant.commit(&header(number, size)).unwrap();
    }
    batch
}

/// One thread sends records of the `sizes`, numbered from 1, another receives them.
fn stream(geometry: Geometry, position: u32, fault: Fault, sizes: &'static [usize]) {
    loom::model(move || {
        let mem = LoomMem::zeroed(geometry);
        let (mut producer, mut consumer) = mem.create(position, Polling);
        if fault != Fault::None {
            producer = mem.peer(fault).attach_producer(Polling).unwrap();
        }
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

/// Two threads: a batch of two records, each as large as half of the payload area, from `position`.
fn batch_of_two(position: u32) {
    loom::model(move || {
        let mem = LoomMem::zeroed(geometry(2, 64));
        let (mut producer, mut consumer) = mem.create(position, Polling);
        let sender = thread::spawn(move || {
            batch(&mut producer, &[(1, 32), (2, 20)]).publish();
            send(&mut producer, 3, 32);
        });
        receive(&mut consumer, 1, 32);
        // The first was there, so the second is.
        assert!(take(&mut consumer, 2, 20));
        receive(&mut consumer, 3, 32);
        sender.join().unwrap();
    });
}

#[test]
fn loom_batch() {
    batch_of_two(0);
}

#[test]
fn loom_batch_position_wrap() {
    batch_of_two(u32::MAX);
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
            drop(batch(&mut producer, &[(9, 16), (9, 0)]));
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

/// A ring of 16 slots, full of records of `size` bytes, whose consumer releases two records or more
/// at a time.
fn full_ring_with<N: Notify<LoomMem> + Clone>(
    size: usize,
    notify: N,
) -> (Producer<LoomMem, N>, Consumer<LoomMem, N>) {
    let (mut producer, consumer) = LoomMem::zeroed(geometry(16, 256)).create(0, notify);
    for number in 0..16 {
        send(&mut producer, number, size);
    }
    (producer, consumer)
}

#[test]
fn loom_lazy_release() {
    loom::model(|| {
        let (mut producer, mut consumer) = full_ring_with(0, Polling);
        let sender = thread::spawn(move || {
            send(&mut producer, 16, 0);
            send(&mut producer, 17, 0);
        });
        // One is held back; two are released; the third is held back, and released by the drop.
        for number in 0..3 {
            assert!(take(&mut consumer, number, 0));
        }
        drop(consumer);
        sender.join().unwrap();
    });
}

#[test]
fn loom_lazy_release_of_payload() {
    loom::model(|| {
        let (mut producer, mut consumer) = full_ring_with(16, Polling);
        let sender = thread::spawn(move || send(&mut producer, 16, 16));
        assert!(take(&mut consumer, 0, 16));
        assert!(take(&mut consumer, 1, 16));
        sender.join().unwrap();
        for number in 2..17 {
            assert!(take(&mut consumer, number, 16));
        }
    });
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
        let report = report(move || stream(geometry(2, 32), 0, fault, &[16, 16, 16]));
        assert!(
            report.contains("Causality violation"),
            "{fault:?}: {report}"
        );
    }
}
