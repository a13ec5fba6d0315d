//! Tests of what a region holds, byte by byte, and of regions that somebody has damaged.
use super::access::Access;
use super::raw::RawMem;
use super::reader::Reader;
use super::recover::Start;
use super::region::Region;
use super::writer::Writer;
use crate::ring::{Consumer, Corrupt, Geometry, Producer, RegionError, ReserveError};
use core::ptr::NonNull;
use std::boxed::Box;
use std::vec::Vec;

/// 64 x 4 header bytes, 128 payload bytes, control block at 384.
const CONTROL: usize = 384;

fn geometry() -> Geometry {
    let geometry = Geometry::new(4, 128).unwrap();
    assert_eq!(geometry.control_offset(), CONTROL);
    geometry
}

#[repr(C, align(128))]
struct Memory([u8; CONTROL + 640]);

/// A region that is reached by raw pointers only, as if another process had it too.
struct Shared {
    base: NonNull<u8>,
}

impl Shared {
    /// Zeroed memory.
    fn zeroed() -> Self {
        let memory = Box::new(Memory([0; CONTROL + 640]));
        Self {
            base: NonNull::from(Box::leak(memory)).cast(),
        }
    }

    fn create(position: u32) -> Self {
        let shared = Self::zeroed();
        // SAFETY: `base` is 128-aligned and as long as the geometry's region, and no ring uses it.
        let _ = unsafe { RawMem::create(shared.base, geometry(), position) };
        shared
    }

    fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        assert!(offset + N <= size_of::<Memory>());
        // SAFETY: in bounds.
        let at = unsafe { self.base.add(offset) };
        // SAFETY: initialised bytes, and the tests here have one thread.
        unsafe { at.cast::<[u8; N]>().read_unaligned() }
    }

    fn word(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.read(offset))
    }

    fn set_word(&self, offset: usize, value: u32) {
        assert!(offset + 4 <= size_of::<Memory>());
        // SAFETY: in bounds.
        let at = unsafe { self.base.add(offset) };
        // SAFETY: writable bytes, and the tests here have one thread.
        unsafe { at.cast::<[u8; 4]>().write(value.to_le_bytes()) };
    }

    fn attach(&self) -> Result<Region<'static>, RegionError> {
        // SAFETY: the leaked memory is used as a region by the tests alone, which keep at most one
        // handle of each side in use.
        unsafe { Region::attach(self.base, size_of::<Memory>(), geometry()) }
    }

    fn split(&self) -> (Producer<RawMem<'static>>, Consumer<RawMem<'static>>) {
        self.attach().unwrap().split()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: `base` came from this type's leaked box; the tests' handles end before it.
        drop(unsafe { Box::from_raw(self.base.cast::<Memory>().as_ptr()) });
    }
}

/// All ones, but payload_size.
fn header(payload_size: u32) -> [u8; 64] {
    let mut header = [0xff; 64];
    header[28..32].copy_from_slice(&payload_size.to_le_bytes());
    header
}

fn send(producer: &mut Producer<RawMem<'_>>, payload: &[u8]) {
    let mut grant = producer.reserve(payload.len()).unwrap();
    grant.payload_mut().copy_from_slice(payload);
    grant
        .commit(&header(u32::try_from(payload.len()).unwrap()))
        .unwrap();
}

fn payloads(consumer: &mut Consumer<RawMem<'_>>) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let Some(record) = consumer.poll().unwrap() {
        payloads.push(record.payload().to_vec());
        record.done();
    }
    payloads
}

#[test]
fn a_new_region_has_the_control_block_of_the_format() {
    let shared = Shared::create(0);
    let control: [u8; 20] = shared.read(CONTROL);
    assert_eq!(control, *b"DLTA\x01\0\0\0\x04\0\0\0\x80\0\0\0\x01\0\0\0");
    assert_eq!(shared.read::<CONTROL>(0), [0; CONTROL]);
    assert_eq!(shared.read::<620>(CONTROL + 20), [0; 620]);
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
    let mut consumer = shared.attach().unwrap().into_consumer();
    let record = consumer.poll().unwrap().unwrap();
    assert_eq!(record.payload(), b"a");
    drop(consumer);
    let mut consumer = shared.attach().unwrap().into_consumer();
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
        let mut producer = shared.attach().unwrap().into_producer();
        assert_eq!(shared.word(112), 4);
        // After 64 + 32 bytes, 32 are left.
        send(&mut producer, &[3; 32]);
        assert_eq!(producer.reserve(1).unwrap_err(), full(3, 1));
        assert_eq!(
            payloads(&mut consumer),
            [vec![1; 64], vec![2; 30], vec![3; 32]]
        );
    }
    let mut producer = shared.attach().unwrap().into_producer();
    send(&mut producer, &[4; 64]);
    assert_eq!(payloads(&mut consumer), [vec![4; 64]]);
}

/// Two sides in the middle of their work, and their memory.
fn sides() -> (Shared, Producer<RawMem<'static>>, Consumer<RawMem<'static>>) {
    let shared = Shared::zeroed();
    // SAFETY: `base` is 128-aligned and as long as the geometry's region, and no ring uses it.
    let mem = unsafe { RawMem::create(shared.base, geometry(), 0) };
    assert_eq!(mem.geometry(), geometry());
    // SAFETY: the only writer of a new region.
    let writer = unsafe { Writer::new(mem.clone(), Start::empty(0)) };
    // SAFETY: the only reader of a new region.
    let reader = unsafe { Reader::new(mem, Start::empty(0)) };
    let (mut producer, mut consumer) = (Producer::new(writer), Consumer::new(reader));
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

const fn full(unreleased: u32, len: u32) -> ReserveError {
    ReserveError::Full { unreleased, len }
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
