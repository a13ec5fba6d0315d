//! What a region holds, byte by byte, and attaching to one.
use super::{CONTROL, Shared, full, geometry, payloads, send};
use crate::ring::{Corrupt, Polling, Region, RegionError};
use std::vec;

#[test]
fn a_new_region_has_the_control_block_of_the_format() {
    let shared = Shared::create(0);
    let control: [u8; 20] = shared.read(CONTROL);
    assert_eq!(control, *b"DLTA\x01\0\0\0\x04\0\0\0\x80\0\0\0\x01\0\0\0");
    assert_eq!(shared.read::<CONTROL>(0), [0; CONTROL]);
    assert_eq!(shared.read::<620>(CONTROL + 20), [0; 620]);
    assert_eq!(shared.read::<640>(CONTROL), geometry().control_block());
}

#[test]
fn zeroed_memory_with_a_control_block_is_an_empty_ring() {
    let shared = Shared::zeroed();
    assert_eq!(shared.attach().unwrap_err(), RegionError::NotReady);
    for (word, value) in [(0, 0x4154_4c44), (4, 1), (8, 4), (12, 128), (16, 1)] {
        shared.set_word(CONTROL + word, value);
    }
    let (mut producer, mut consumer) = shared.split();
    assert!(consumer.poll().unwrap().is_none());
    send(&mut producer, b"first");
    assert_eq!(payloads(&mut consumer), [b"first"]);
}

#[test]
fn stamps_offsets_and_payloads_lie_where_the_format_says() {
    let shared = Shared::create(0);
    let (mut producer, mut consumer) = shared.split();
    send(&mut producer, b"sixteen and one.!");
    send(&mut producer, b"");
    send(&mut producer, b"abc");
    // Stamps: position - index + slots = 4 in the first lap; the fourth slot is empty.
    assert_eq!([48, 112, 176, 240].map(|at| shared.word(at)), [4, 4, 4, 0]);
    assert_eq!([24, 88, 152].map(|at| shared.word(at)), [0, 32, 32]);
    assert_eq!([28, 92, 156].map(|at| shared.word(at)), [17, 0, 3]);
    assert_eq!(shared.read::<17>(256), *b"sixteen and one.!");
    assert_eq!(shared.read::<3>(256 + 32), *b"abc");
    for (start, end) in [(0, 24), (32, 48), (52, 64)] {
        let slot: [u8; 64] = shared.read(0);
        assert!(slot[start..end].iter().all(|&byte| byte == 0xff));
    }
    // Nothing is released before the ring is found empty, or an eighth (here: one) is read.
    assert_eq!(shared.word(CONTROL + 256), 0);
    let record = consumer.poll().unwrap().unwrap();
    assert_eq!(record.header()[24..28], [0; 4]);
    assert_eq!(record.header()[48..52], [0; 4]);
    record.done();
    assert_eq!(shared.word(CONTROL + 256), 1);
    assert_eq!(payloads(&mut consumer), [&b""[..], b"abc"]);
    assert_eq!(shared.word(CONTROL + 256), 3);
    send(&mut producer, b"");
    send(&mut producer, b"");
    assert_eq!([48, 240].map(|at| shared.word(at)), [8, 4]);
    // A producer that polls leaves the other words alone.
    assert_eq!(
        [128, 384, 512].map(|word| shared.word(CONTROL + word)),
        [0; 3]
    );
}

#[test]
fn stamps_wrap_with_the_positions() {
    let shared = Shared::create(u32::MAX - 1);
    // Slots 2 and 3 hold the last positions, 0 and 1 the first of the next round.
    assert_eq!(
        [48, 112, 176, 240].map(|at| shared.word(at)),
        [0, 0, u32::MAX - 3, u32::MAX - 3]
    );
    let (mut producer, mut consumer) = shared.split();
    for _ in 0..4 {
        send(&mut producer, b"x");
    }
    assert_eq!([48, 112, 176, 240].map(|at| shared.word(at)), [4, 4, 0, 0]);
    assert_eq!(payloads(&mut consumer).len(), 4);
    assert_eq!(shared.word(CONTROL + 256), 2);
}

#[test]
fn attach_refuses_what_is_not_its_region() {
    let shared = Shared::create(0);
    let cases = [
        (0, 7, RegionError::Magic { found: 7 }),
        (4, 2, RegionError::Version { found: 2 }),
        (
            8,
            8,
            RegionError::Geometry {
                slots: 8,
                payload_bytes: 128,
            },
        ),
        (
            12,
            144,
            RegionError::Geometry {
                slots: 4,
                payload_bytes: 144,
            },
        ),
        (16, 0, RegionError::NotReady),
    ];
    for (word, value, error) in cases {
        let before = shared.word(CONTROL + word);
        shared.set_word(CONTROL + word, value);
        assert_eq!(shared.attach().unwrap_err(), error);
        shared.set_word(CONTROL + word, before);
    }
    // SAFETY: too small to be accessed.
    let error = unsafe { Region::attach(shared.base, 1023, geometry()) }.unwrap_err();
    assert_eq!(
        error,
        RegionError::TooSmall {
            len: 1023,
            needed: 1024
        }
    );
    // SAFETY: in bounds.
    let inside = unsafe { shared.base.add(64) };
    // SAFETY: at a wrong place: not accessed.
    let error = unsafe { Region::attach(inside, 1024, geometry()) }.unwrap_err();
    assert_eq!(error, RegionError::Alignment { remainder: 64 });
}

#[test]
fn attach_refuses_impossible_records() {
    let cases = [
        // Stamp of the second slot; its payload's offset and size.
        (
            112,
            5,
            Corrupt::Stamp {
                position: 1,
                found: 5,
                ready: 4,
            },
        ),
        (
            88,
            64,
            Corrupt::PayloadOffset {
                position: 1,
                offset: 64,
                cursor: 16,
            },
        ),
        (
            92,
            113,
            Corrupt::PayloadEnd {
                position: 1,
                offset: 16,
                size: 113,
            },
        ),
        (
            24,
            8,
            Corrupt::PayloadOffset {
                position: 0,
                offset: 8,
                cursor: 0,
            },
        ),
    ];
    for (offset, value, corrupt) in cases {
        let shared = Shared::create(0);
        let (mut producer, _) = shared.split();
        send(&mut producer, b"a");
        send(&mut producer, b"b");
        shared.set_word(offset, value);
        assert_eq!(shared.attach().unwrap_err(), RegionError::Corrupt(corrupt));
    }
}

#[test]
fn an_attached_consumer_reads_again_what_was_not_released() {
    let shared = Shared::create(u32::MAX);
    let (mut producer, consumer) = shared.split();
    drop(consumer);
    for payload in [b"a", b"b", b"c"] {
        send(&mut producer, payload);
    }
    let mut consumer = shared.attach().unwrap().into_consumer(Polling);
    let record = consumer.poll().unwrap().unwrap();
    assert_eq!(record.payload(), b"a");
    drop(consumer);
    let mut consumer = shared.attach().unwrap().into_consumer(Polling);
    assert_eq!(payloads(&mut consumer), [b"a", b"b", b"c"]);
    // The producer lives on and has its space back: 4 x 32 bytes need all of it.
    for _ in 0..3 {
        send(&mut producer, &[7; 32]);
    }
    assert_eq!(payloads(&mut consumer), vec![vec![7; 32]; 3]);
}

#[test]
fn an_attached_producer_goes_on_and_clears_an_unfinished_batch() {
    let shared = Shared::create(2);
    let mut consumer = {
        let (mut producer, consumer) = shared.split();
        send(&mut producer, &[1; 64]);
        send(&mut producer, &[2; 30]);
        consumer
    };
    // Position 4 is empty; 5 was published by a batch that never published its first.
    shared.set_word(112, 8);
    {
        let mut producer = shared.attach().unwrap().into_producer(Polling);
        assert_eq!(shared.word(112), 4);
        // After 64 + 32 bytes, 32 are left.
        send(&mut producer, &[3; 32]);
        assert_eq!(producer.reserve(1).unwrap_err(), full(3, 1));
        assert_eq!(
            payloads(&mut consumer),
            [vec![1; 64], vec![2; 30], vec![3; 32]]
        );
    }
    let mut producer = shared.attach().unwrap().into_producer(Polling);
    send(&mut producer, &[4; 64]);
    assert_eq!(payloads(&mut consumer), [vec![4; 64]]);
}
