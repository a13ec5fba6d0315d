//! Models of handles that come and go: made while the other side looks, or after one vanished at
//! any point of its work, with the other side going on meanwhile.
use super::sleep::Park;
use super::{batch, geometry, receive, send, take};
use crate::ring::{Fault, LoomMem, Polling, RegionError};
use loom::thread;

#[test]
fn loom_attach_to_a_region_in_the_making() {
    loom::model(|| {
        let mem = LoomMem::zeroed(geometry(2, 32));
        let maker = thread::spawn({
            let mem = mem.clone();
            move || {
                let (mut producer, _) = mem.create(1, Polling);
                send(&mut producer, 1, 16);
            }
        });
        let mut consumer = loop {
            match mem.attach_consumer(Polling) {
                Ok(consumer) => break consumer,
                Err(RegionError::NotReady) => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        receive(&mut consumer, 1, 16);
        maker.join().unwrap();
    });
}

/// Where a producer vanishes.
#[derive(Clone, Copy)]
enum Point {
    /// In the payload of a single record.
    Payload,
    /// Between a single record's header and its stamp.
    Header,
    /// In the making of a batch of three, which is taken back.
    Batch,
    /// Between the stamps of the second and the third record of a batch of three.
    SecondStamp,
    /// After the stamp of the third record of a batch of three, and before the first's.
    ThirdStamp,
}

/// A producer sends record 1 and vanishes in 9; a new one sends 2. A consumer gets 1 and 2, and
/// never 9.
fn restarted_producer(point: Point, position: u32) {
    loom::model(move || {
        let mem = LoomMem::zeroed(geometry(4, 128));
        let (producer, mut consumer) = mem.create(position, Polling);
        drop(producer);
        let sender = thread::spawn(move || {
            let doomed = mem.peer(Fault::None);
            let mut producer = doomed.attach_producer(Polling).unwrap();
            send(&mut producer, 1, 20);
            let nines = [(9, 16), (9, 0), (9, 16)];
            match point {
                Point::Payload => producer.reserve(64).unwrap().payload_mut().fill(9),
                Point::Header => {
                    doomed.vanish_after(0);
                    send(&mut producer, 9, 16);
                }
                Point::Batch => drop(batch(&mut producer, &nines)),
                Point::SecondStamp | Point::ThirdStamp => {
                    let stamps = if matches!(point, Point::SecondStamp) {
                        1
                    } else {
                        2
                    };
                    doomed.vanish_after(stamps);
                    batch(&mut producer, &nines).publish();
                }
            }
            let mut producer = mem.attach_producer(Polling).unwrap();
            send(&mut producer, 2, 30);
        });
        receive(&mut consumer, 1, 20);
        receive(&mut consumer, 2, 30);
        sender.join().unwrap();
        assert!(consumer.poll().unwrap().is_none());
    });
}

#[test]
fn loom_restarted_producer_after_part_of_a_record() {
    restarted_producer(Point::Payload, 0);
    restarted_producer(Point::Header, 0);
}

#[test]
fn loom_restarted_producer_after_part_of_a_batch() {
    restarted_producer(Point::Batch, 0);
    restarted_producer(Point::SecondStamp, 0);
    restarted_producer(Point::ThirdStamp, u32::MAX);
}

#[test]
fn loom_restarted_producer_in_a_full_ring() {
    loom::model(|| {
        let mem = LoomMem::zeroed(geometry(2, 32));
        let (mut producer, mut consumer) = mem.create(u32::MAX, Polling);
        send(&mut producer, 1, 16);
        send(&mut producer, 2, 16);
        drop(producer);
        let sender = thread::spawn(move || {
            let mut producer = mem.attach_producer(Polling).unwrap();
            send(&mut producer, 3, 16);
        });
        for number in 1..=3 {
            receive(&mut consumer, number, 16);
        }
        sender.join().unwrap();
    });
}

#[test]
fn loom_restarted_producer_announces_what_the_first_has_not() {
    loom::model(|| {
        let (mem, park) = (LoomMem::zeroed(geometry(2, 32)), Park::new());
        let (producer, mut consumer) = mem.create(0, park.clone());
        drop(producer);
        let sender = thread::spawn(move || {
            let doomed = mem.peer(Fault::None);
            let mut producer = doomed.attach_producer(park.clone()).unwrap();
            // The stamp is stored; the count is not, and nobody is woken.
            doomed.vanish_after(1);
            send(&mut producer, 1, 16);
            drop(mem.attach_producer(park).unwrap());
        });
        consumer.wait().unwrap();
        assert!(take(&mut consumer, 1, 16));
        sender.join().unwrap();
    });
}

/// A consumer vanishes with two records unreleased, a new one gets them again, and what follows.
fn restarted_consumer(position: u32) {
    loom::model(move || {
        let mem = LoomMem::zeroed(geometry(2, 32));
        let (mut producer, consumer) = mem.create(position, Polling);
        drop(consumer);
        let sender = thread::spawn(move || {
            for number in 1..=3 {
                send(&mut producer, number, 16);
            }
        });
        let doomed = mem.peer(Fault::None);
        let mut consumer = doomed.attach_consumer(Polling).unwrap();
        doomed.vanish_after(0);
        receive(&mut consumer, 1, 16);
        receive(&mut consumer, 2, 16);
        drop(consumer);
        let mut consumer = mem.attach_consumer(Polling).unwrap();
        for number in 1..=3 {
            receive(&mut consumer, number, 16);
        }
        sender.join().unwrap();
    });
}

#[test]
fn loom_restarted_consumer() {
    restarted_consumer(0);
}

#[test]
fn loom_restarted_consumer_position_wrap() {
    restarted_consumer(u32::MAX);
}

#[test]
fn loom_attached_consumer_looks_while_records_come() {
    loom::model(|| {
        let mem = LoomMem::zeroed(geometry(2, 32));
        let (mut producer, consumer) = mem.create(0, Polling);
        drop(consumer);
        let sender = thread::spawn(move || {
            send(&mut producer, 1, 16);
            send(&mut producer, 2, 16);
        });
        let mut consumer = mem.attach_consumer(Polling).unwrap();
        receive(&mut consumer, 1, 16);
        receive(&mut consumer, 2, 16);
        sender.join().unwrap();
    });
}

#[test]
fn loom_restarted_consumer_wakes_whom_the_first_has_not() {
    loom::model(|| {
        let (mem, park) = (LoomMem::zeroed(geometry(2, 32)), Park::new());
        let (mut producer, consumer) = mem.create(0, park.clone());
        drop(consumer);
        send(&mut producer, 1, 16);
        send(&mut producer, 2, 0);
        let sender = thread::spawn(move || producer.wait(16).unwrap());
        let doomed = mem.peer(Fault::None);
        let mut consumer = doomed.attach_consumer(park.clone()).unwrap();
        // The position is stored, and nobody is woken.
        doomed.vanish_after(1);
        assert!(take(&mut consumer, 1, 16));
        drop(consumer);
        let mut consumer = mem.attach_consumer(park).unwrap();
        sender.join().unwrap();
        assert!(take(&mut consumer, 2, 0));
    });
}
