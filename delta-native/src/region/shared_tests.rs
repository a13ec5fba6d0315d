use delta_core::ring::{Geometry, Polling, RegionError};

use super::*;
use crate::futex::Futex;

fn geometry() -> Geometry {
    Geometry::new(16, 2432).unwrap()
}

/// The header of a record of `size` payload bytes.
fn header(size: u8) -> [u8; 64] {
    let mut header = [0; 64];
    header[28] = size;
    header
}

/// Takes a side that polls and trusts.
fn producer(region: &SharedRegion) -> Result<Producer<RawMem<'_>, Held<Polling>>, SharedError> {
    // SAFETY: these tests write to the region by its handles alone.
    unsafe { region.producer(Polling) }
}

fn consumer(region: &SharedRegion) -> Result<Consumer<RawMem<'_>, Held<Polling>>, SharedError> {
    // SAFETY: as for `producer`.
    unsafe { region.consumer(Polling) }
}

fn send<N: for<'a> Notify<RawMem<'a>>>(ring: &mut Producer<RawMem<'_>, N>, payload: &[u8]) {
    let mut grant = ring.reserve(payload.len()).unwrap();
    grant.payload_mut().copy_from_slice(payload);
    grant
        .commit(&header(payload.len().try_into().unwrap()))
        .unwrap();
}

fn receive<N: for<'a> Notify<RawMem<'a>>>(ring: &mut Consumer<RawMem<'_>, N>, payload: &[u8]) {
    let record = ring.poll().unwrap().unwrap();
    assert_eq!(record.payload(), payload);
    record.done();
}

#[test]
fn a_role_is_taken_until_its_end_is_dropped() {
    let region = SharedRegion::create_anonymous(geometry()).unwrap();
    let peer = SharedRegion::open(&region.path_for_peers(), geometry()).unwrap();
    for _ in 0..2 {
        let (first, second) = (producer(&region).unwrap(), consumer(&peer).unwrap());
        for other in [&region, &peer] {
            let refused = producer(other).unwrap_err();
            assert!(matches!(
                refused,
                SharedError::RoleTaken {
                    role: Role::Producer
                }
            ));
            let refused = consumer(other).unwrap_err();
            assert!(matches!(
                refused,
                SharedError::RoleTaken {
                    role: Role::Consumer
                }
            ));
            assert!(
                refused.to_string().contains("wait until it ends"),
                "{refused}"
            );
        }
        drop((first, second));
    }
}

#[test]
fn a_region_in_a_file_outlives_its_handles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    let region = SharedRegion::create(&path, geometry()).unwrap();
    send(&mut producer(&region).unwrap(), b"kept");
    drop(region);
    let region = SharedRegion::open(&path, geometry()).unwrap();
    send(&mut producer(&region).unwrap(), b"and more");
    {
        let mut first = consumer(&region).unwrap();
        // Read and not released, as when its process is killed.
        assert_eq!(first.poll().unwrap().unwrap().payload(), b"kept");
    }
    let mut second = consumer(&region).unwrap();
    receive(&mut second, b"kept");
    receive(&mut second, b"and more");
    assert!(second.poll().unwrap().is_none());
}

#[test]
fn a_file_that_is_there_is_neither_overwritten_nor_misread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    drop(SharedRegion::create(&path, geometry()).unwrap());
    let refused = SharedRegion::create(&path, geometry()).unwrap_err();
    assert!(
        matches!(
            refused,
            SharedError::Io {
                action: "create",
                ..
            }
        ),
        "{refused}"
    );
    // Of another shape, and too small for it.
    let larger = Geometry::new(32, 2432).unwrap();
    let refused = SharedRegion::open(&path, larger).unwrap_err();
    let needed = larger.region_size();
    let too_small = RegionError::TooSmall { len: 4096, needed };
    assert!(
        matches!(refused, SharedError::Region(error) if error == too_small),
        "{refused}"
    );
    let smaller = Geometry::new(16, 2304).unwrap();
    let region = SharedRegion::open(&path, smaller).unwrap();
    let refused = region.untrusting_consumer(Polling).unwrap_err();
    assert!(
        matches!(refused, SharedError::Region(RegionError::NotReady)),
        "{refused}"
    );
    // A refused side is free again.
    drop(
        SharedRegion::open(&path, geometry())
            .unwrap()
            .untrusting_consumer(Polling)
            .unwrap(),
    );
}

#[test]
fn anonymous_memory_cannot_be_taken_away() {
    let region = SharedRegion::create_anonymous(geometry()).unwrap();
    let peer = File::options()
        .write(true)
        .open(region.path_for_peers())
        .unwrap();
    assert!(peer.set_len(0).is_err());
    assert!(peer.set_len(1 << 20).is_err());
    assert_eq!(peer.metadata().unwrap().len(), 4096);
}

#[test]
fn a_trusting_and_an_untrusting_side_understand_each_other() {
    let region = SharedRegion::create_anonymous(geometry()).unwrap();
    let mut sender = producer(&region).unwrap();
    let mut receiver = region.untrusting_consumer(Polling).unwrap();
    for number in 0..100_u8 {
        send(&mut sender, &vec![number; number.into()]);
        let mut payload = [0; 1216];
        let record = receiver.poll_into(&mut payload).unwrap().unwrap();
        assert_eq!(record.payload(), vec![number; number.into()]);
        record.done();
    }
    drop((sender, receiver));
    let mut sender = region.untrusting_producer(Polling).unwrap();
    let mut receiver = consumer(&region).unwrap();
    for number in 0..100_u8 {
        let payload = vec![number; number.into()];
        sender.send(&header(number), &payload).unwrap();
        receive(&mut receiver, &payload);
    }
}

#[test]
fn two_mappings_sleep_on_one_word() {
    let region = SharedRegion::create_anonymous(Geometry::new(2, 64).unwrap()).unwrap();
    let peer = SharedRegion::open(&region.path_for_peers(), region.geometry()).unwrap();
    let count = 2_000_u32;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: the region is written to by these two handles alone.
            let mut producer = unsafe { region.producer(Futex) }.unwrap();
            for number in 0..count {
                producer.wait(4).unwrap();
                send(&mut producer, &number.to_le_bytes());
            }
        });
        // SAFETY: as above.
        let mut consumer = unsafe { peer.consumer(Futex) }.unwrap();
        for number in 0..count {
            consumer.wait().unwrap();
            receive(&mut consumer, &number.to_le_bytes());
        }
    });
}
