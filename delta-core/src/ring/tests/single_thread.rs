//! Each rule of the ring on its own, on one thread.
use super::{EMBEDDED, Memory, ONE_PAGE, check, fill, geometry, header, receive, send};
use crate::ring::{
    CommitError, Consumer, Corrupt, Geometry, GeometryError, Producer, RawMem, Region, RegionError,
    ReserveError, StaticRing,
};
use std::string::ToString;

#[test]
fn geometry_has_the_regions_of_the_format() {
    let default = Geometry::DEFAULT;
    assert_eq!((default.slots(), default.payload_bytes()), (4096, 720_896));
    assert_eq!(default.control_offset(), 15 * 65_536);
    assert_eq!(default.region_size(), 15 * 65_536 + 640);
    assert_eq!(default.max_payload(), 360_448);
    assert_eq!(EMBEDDED.region_size(), 4096);
    // 2 x 64 + 16 = 144: the control block begins at the next multiple of 128.
    assert_eq!(geometry(2, 16).control_offset(), 256);
    assert_eq!(geometry(1 << 24, 1 << 30).region_size(), (1 << 31) + 640);
}

#[test]
fn geometry_refuses_what_the_format_does_not_have() {
    for slots in [0, 1, 3, 12, (1 << 24) + 1, 1 << 25, u32::MAX] {
        assert_eq!(
            Geometry::new(slots, 64),
            Err(GeometryError::Slots { slots })
        );
    }
    for payload_bytes in [0, 8, 17, (1 << 30) + 16, u32::MAX] {
        let error = GeometryError::PayloadBytes { payload_bytes };
        assert_eq!(Geometry::new(2, payload_bytes), Err(error));
    }
}

#[test]
fn create_refuses_small_and_unaligned_memory() {
    let mut memory = Memory::new(EMBEDDED);
    let region = memory.region();
    let error = Region::create(&mut region[..4095], EMBEDDED).unwrap_err();
    assert_eq!(
        error,
        RegionError::TooSmall {
            len: 4095,
            needed: 4096
        }
    );
    let error = Region::create(&mut region[16..], EMBEDDED).unwrap_err();
    assert_eq!(error, RegionError::Alignment { remainder: 16 });
}

#[test]
fn a_committed_record_is_received_as_it_was() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, 0);
    assert!(consumer.poll().unwrap().is_none());
    for (number, size) in [(1, 0), (2, 1), (3, 15), (4, 16), (5, 17), (6, 100)] {
        send(&mut producer, number, size).unwrap();
        receive(&mut consumer, number, size);
        assert!(consumer.poll().unwrap().is_none());
    }
}

#[test]
fn a_grant_is_exact_and_aligned() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, _consumer) = memory.ring(EMBEDDED, 0);
    for size in [0, 1, 16, 33] {
        let mut grant = producer.reserve(size).unwrap();
        assert_eq!(grant.payload_mut().len(), size);
        assert_eq!(grant.payload_mut().as_ptr().addr() % 16, 0);
        grant.commit(&header(1, 0)).unwrap();
    }
}

#[test]
fn a_commit_may_use_less_but_not_more() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, 0);
    let mut grant = producer.reserve(100).unwrap();
    fill(&mut grant.payload_mut()[..20], 1);
    grant.commit(&header(1, 20)).unwrap();
    let error = producer
        .reserve(100)
        .unwrap()
        .commit(&header(2, 101))
        .unwrap_err();
    assert_eq!(
        error,
        CommitError::PayloadSize {
            payload_size: 101,
            reserved: 100
        }
    );
    send(&mut producer, 3, 100).unwrap();
    receive(&mut consumer, 1, 20);
    receive(&mut consumer, 3, 100);
}

#[test]
fn a_dropped_grant_or_batch_leaves_no_trace() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, 0);
    producer.reserve(64).unwrap().payload_mut().fill(0xff);
    let mut batch = producer.batch();
    for number in 10..14 {
        batch
            .reserve(64)
            .unwrap()
            .commit(&header(number, 64))
            .unwrap();
    }
    assert_eq!(batch.len(), 4);
    drop(batch);
    assert!(consumer.poll().unwrap().is_none());
    send(&mut producer, 1, 32).unwrap();
    receive(&mut consumer, 1, 32);
    assert!(consumer.poll().unwrap().is_none());
}

/// Its slots are stamped already, and nothing has taken that back.
#[test]
fn a_leaked_batch_leaves_no_trace() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, u32::MAX - 1);
    for round in 0..2 {
        let mut batch = producer.batch();
        for number in 10..14 {
            let grant = batch.reserve(64).unwrap();
            grant.commit(&header(number, 64)).unwrap();
        }
        core::mem::forget(batch);
        if round == 0 {
            send(&mut producer, 1, 32).unwrap();
        } else {
            let mut batch = producer.batch();
            batch.reserve(32).unwrap().payload_mut().fill(1);
            let mut grant = batch.reserve(32).unwrap();
            fill(grant.payload_mut(), 1);
            grant.commit(&header(1, 32)).unwrap();
            batch.publish();
        }
        receive(&mut consumer, 1, 32);
        assert!(consumer.poll().unwrap().is_none());
    }
}

#[test]
fn a_batch_is_visible_only_when_published() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, u32::MAX - 1);
    let mut batch = producer.batch();
    assert!(batch.is_empty());
    for number in 1..=3 {
        let mut grant = batch.reserve(20).unwrap();
        fill(grant.payload_mut(), number);
        grant.commit(&header(number, 20)).unwrap();
        assert!(consumer.poll().unwrap().is_none());
    }
    // An aborted grant in a batch takes only itself away.
    batch.reserve(40).unwrap().payload_mut().fill(0);
    batch.publish();
    for number in 1..=3 {
        receive(&mut consumer, number, 20);
    }
    assert!(consumer.poll().unwrap().is_none());
    producer.batch().publish();
    assert!(consumer.poll().unwrap().is_none());
}

#[test]
fn a_batch_that_fills_the_ring_is_told() {
    let mut memory = Memory::new(geometry(2, 64));
    let (mut producer, mut consumer) = memory.ring(geometry(2, 64), 0);
    let mut batch = producer.batch();
    batch.reserve(0).unwrap().commit(&header(1, 0)).unwrap();
    batch.reserve(0).unwrap().commit(&header(2, 0)).unwrap();
    assert_eq!(
        batch.reserve(0).unwrap_err(),
        ReserveError::Full {
            unreleased: 2,
            len: 0
        }
    );
    batch.publish();
    receive(&mut consumer, 1, 0);
    receive(&mut consumer, 2, 0);
}

#[test]
fn full_of_slots_until_released() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, 0);
    for number in 0..16 {
        send(&mut producer, number, 0).unwrap();
    }
    let full = ReserveError::Full {
        unreleased: 16,
        len: 0,
    };
    assert_eq!(send(&mut producer, 16, 0), Err(full));
    // An eighth of the slots is 2: one is held back, two are released.
    receive(&mut consumer, 0, 0);
    assert_eq!(send(&mut producer, 16, 0), Err(full));
    receive(&mut consumer, 1, 0);
    send(&mut producer, 16, 0).unwrap();
    send(&mut producer, 17, 0).unwrap();
    assert_eq!(send(&mut producer, 18, 0), Err(full));
    for number in 2..18 {
        receive(&mut consumer, number, 0);
    }
}

#[test]
fn full_of_payload_until_released() {
    let shape = geometry(1024, 1024);
    let mut memory = Memory::new(shape);
    let (mut producer, mut consumer) = memory.ring(shape, 0);
    send(&mut producer, 1, 512).unwrap();
    send(&mut producer, 2, 512).unwrap();
    assert_eq!(
        send(&mut producer, 3, 1),
        Err(ReserveError::Full {
            unreleased: 2,
            len: 1
        })
    );
    receive(&mut consumer, 1, 512);
    // 1 to 512 is free, but the cursor must stay below the second record's 512.
    assert_eq!(
        send(&mut producer, 3, 512),
        Err(ReserveError::Full {
            unreleased: 1,
            len: 512
        })
    );
    send(&mut producer, 3, 496).unwrap();
    receive(&mut consumer, 2, 512);
    receive(&mut consumer, 3, 496);
    send(&mut producer, 4, 512).unwrap();
    receive(&mut consumer, 4, 512);
}

#[test]
fn too_large_is_another_error_than_full() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, _consumer) = memory.ring(EMBEDDED, 0);
    let max = EMBEDDED.max_payload();
    assert_eq!(max, 1216);
    producer
        .reserve(1216)
        .unwrap()
        .commit(&header(1, 1216))
        .unwrap();
    for len in [1217, 2432, usize::MAX] {
        assert_eq!(
            producer.reserve(len).unwrap_err(),
            ReserveError::TooLarge { len, max }
        );
    }
}

#[test]
fn release_and_an_empty_poll_give_back_all() {
    let mut memory = Memory::new(ONE_PAGE);
    let (mut producer, mut consumer) = memory.ring(ONE_PAGE, 0);
    let fill_up = |producer: &mut Producer<RawMem<'_>>, numbers| {
        for number in numbers {
            send(producer, number, 0).unwrap();
        }
        let full = ReserveError::Full {
            unreleased: 1024,
            len: 0,
        };
        assert_eq!(send(producer, 0, 0), Err(full));
    };
    fill_up(&mut producer, 0..1024);
    receive(&mut consumer, 0, 0);
    fill_up(&mut producer, 0..0);
    consumer.release();
    fill_up(&mut producer, 1024..1025);
    // Every 128th releases; the last is held back until the ring is found empty.
    for number in 1..1025 {
        receive(&mut consumer, number, 0);
    }
    send(&mut producer, 1025, 0).unwrap();
    receive(&mut consumer, 1025, 0);
    assert!(consumer.poll().unwrap().is_none());
    fill_up(&mut producer, 0..1024);
}

#[test]
fn a_dropped_consumer_releases() {
    let mut memory = Memory::new(ONE_PAGE);
    let (mut producer, mut consumer) = memory.ring(ONE_PAGE, 0);
    for number in 0..1024 {
        send(&mut producer, number, 0).unwrap();
    }
    receive(&mut consumer, 0, 0);
    drop(consumer);
    send(&mut producer, 1024, 0).unwrap();
}

#[test]
fn a_record_without_done_is_read_again() {
    let mut memory = Memory::new(EMBEDDED);
    let (mut producer, mut consumer) = memory.ring(EMBEDDED, 0);
    send(&mut producer, 1, 40).unwrap();
    send(&mut producer, 2, 40).unwrap();
    for _ in 0..3 {
        check(&consumer.poll().unwrap().unwrap(), 1, 40);
    }
    receive(&mut consumer, 1, 40);
    receive(&mut consumer, 2, 40);
}

#[test]
fn a_static_ring_starts_empty_at_each_split() {
    let mut ring = StaticRing::<16, 2432>::new();
    assert_eq!(size_of_val(&ring), 4096);
    for _ in 0..2 {
        let (mut producer, mut consumer) = ring.split();
        assert_eq!(
            (producer.geometry(), consumer.geometry()),
            (EMBEDDED, EMBEDDED)
        );
        assert!(consumer.poll().unwrap().is_none());
        for number in 0..40 {
            send(&mut producer, number, 300).unwrap();
            receive(&mut consumer, number, 300);
            assert!(consumer.poll().unwrap().is_none());
        }
        send(&mut producer, 41, 8).unwrap();
    }
}

#[test]
fn errors_name_the_remedy() {
    let full = ReserveError::Full {
        unreleased: 3,
        len: 100,
    }
    .to_string();
    assert!(
        full.contains("100 bytes") && full.contains("try again"),
        "{full}"
    );
    let large = ReserveError::TooLarge { len: 900, max: 512 }.to_string();
    assert!(large.contains("at most 512 bytes"), "{large}");
    let corrupt = Corrupt::Stamp {
        position: 7,
        found: 9,
        ready: 8,
    }
    .to_string();
    assert!(corrupt.contains("stamp 9 at position 7"), "{corrupt}");
    assert!(corrupt.contains("resynchronise"), "{corrupt}");
}

#[test]
fn handles_can_be_sent() {
    const fn is_send<T: Send>() {}
    is_send::<Producer<RawMem<'_>>>();
    is_send::<Consumer<RawMem<'_>>>();
    const fn is_sync<T: Sync>() {}
    is_sync::<StaticRing<2, 16>>();
}
