//! Regions that something other than the ring has written to.
use super::{CONTROL, Shared, full, payloads, send};
use crate::ring::mem::raw::RawMem;
use crate::ring::{Consumer, Corrupt, Polling, Producer, ReserveError};
use std::vec;

/// Two sides in the middle of their work, and their memory.
fn sides() -> (Shared, Producer<RawMem<'static>>, Consumer<RawMem<'static>>) {
    let shared = Shared::zeroed();
    let (writer, reader) = shared.format(0).split(&Polling);
    let (mut producer, mut consumer) = (
        Producer::new(writer, Polling),
        Consumer::new(reader, Polling),
    );
    send(&mut producer, &[1; 20]);
    assert_eq!(payloads(&mut consumer), [vec![1; 20]]);
    (shared, producer, consumer)
}

#[test]
fn a_damaged_record_poisons_the_consumer() {
    let stamp = |found| Corrupt::Stamp {
        position: 1,
        found,
        ready: 4,
    };
    let cases = [
        (112, 1, stamp(1)),
        (112, 8, stamp(8)),
        (112, u32::MAX - 3, stamp(u32::MAX - 3)),
        (
            88,
            16,
            Corrupt::PayloadOffset {
                position: 1,
                offset: 16,
                cursor: 32,
            },
        ),
        (
            88,
            u32::MAX,
            Corrupt::PayloadOffset {
                position: 1,
                offset: u32::MAX,
                cursor: 32,
            },
        ),
        (
            92,
            97,
            Corrupt::PayloadEnd {
                position: 1,
                offset: 32,
                size: 97,
            },
        ),
        (
            92,
            u32::MAX,
            Corrupt::PayloadEnd {
                position: 1,
                offset: 32,
                size: u32::MAX,
            },
        ),
    ];
    for (offset, value, corrupt) in cases {
        let (shared, mut producer, mut consumer) = sides();
        send(&mut producer, &[2; 20]);
        let before = shared.word(offset);
        shared.set_word(offset, value);
        assert_eq!(consumer.poll().unwrap_err(), corrupt);
        // Repairing the region does not help.
        shared.set_word(offset, before);
        assert_eq!(consumer.poll().unwrap_err(), corrupt);
    }
}

#[test]
fn a_payload_at_zero_is_accepted_before_the_end() {
    let (shared, mut producer, mut consumer) = sides();
    send(&mut producer, &[2; 20]);
    shared.set_word(88, 0);
    assert_eq!(consumer.poll().unwrap().unwrap().payload(), [1; 20]);
}

#[test]
fn a_damaged_read_position_poisons_the_producer() {
    // Released are 0 and 1 of four published; 5 was never published.
    for found in [5, 0, u32::MAX, 1 << 31] {
        let (shared, mut producer, mut consumer) = sides();
        send(&mut producer, &[2; 60]);
        send(&mut producer, &[3; 16]);
        assert_eq!(producer.reserve(30).unwrap_err(), full(2, 30));
        let record = consumer.poll().unwrap().unwrap();
        record.done();
        shared.set_word(CONTROL + 256, found);
        let corrupt = Corrupt::ReadPosition {
            found,
            released: 1,
            published: 3,
        };
        let error = ReserveError::Corrupt(corrupt);
        assert_eq!(producer.reserve(30).unwrap_err(), error);
        shared.set_word(CONTROL + 256, 2);
        assert_eq!(producer.reserve(30).unwrap_err(), error);
        assert_eq!(producer.batch().reserve(30).unwrap_err(), error);
    }
}

#[test]
fn a_damaged_oldest_record_is_noticed_by_the_producer() {
    for offset in [144, 8, u32::MAX] {
        let (shared, mut producer, mut consumer) = sides();
        send(&mut producer, &[2; 60]);
        send(&mut producer, &[3; 16]);
        consumer.poll().unwrap().unwrap().done();
        shared.set_word(152, offset);
        let corrupt = Corrupt::PayloadOffset {
            position: 2,
            offset,
            cursor: 112,
        };
        assert_eq!(
            producer.reserve(30).unwrap_err(),
            ReserveError::Corrupt(corrupt)
        );
    }
}
