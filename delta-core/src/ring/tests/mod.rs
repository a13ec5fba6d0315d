//! Tests of the ring through its public surface, in safe code.
mod model;
mod single_thread;
mod two_threads;

use super::{Consumer, Geometry, Mem, Notify, Producer, RawMem, Received, Region, ReserveError};
use std::vec;
use std::vec::Vec;

/// 16 slots in 4 KiB, control block included.
const EMBEDDED: Geometry = geometry(16, 2432);
const ONE_PAGE: Geometry = geometry(1024, 131_072);

const fn geometry(slots: u32, payload_bytes: u32) -> Geometry {
    match Geometry::new(slots, payload_bytes) {
        Ok(geometry) => geometry,
        Err(_) => panic!("a wrong geometry"),
    }
}

/// Memory for a region of any geometry, filled with garbage, aligned by hand: a region may begin
/// anywhere in a larger block.
struct Memory(Vec<u8>);

impl Memory {
    fn new(geometry: Geometry) -> Self {
        Self(vec![0xa5; geometry.region_size() + 128])
    }

    fn region(&mut self) -> &mut [u8] {
        let start = self.0.as_ptr().align_offset(128);
        let len = self.0.len() - 128;
        &mut self.0[start..start + len]
    }

    fn ring(
        &mut self,
        geometry: Geometry,
        position: u32,
    ) -> (Producer<RawMem<'_>>, Consumer<RawMem<'_>>) {
        Region::create_at(self.region(), geometry, position)
            .unwrap()
            .split()
    }
}

/// A header as a writer of records may leave it: its number everywhere but in payload_size, and
/// garbage in the fields that the ring writes.
fn header(number: u32, payload_size: usize) -> [u8; 64] {
    let mut header = [number.to_le_bytes()[0]; 64];
    header[..4].copy_from_slice(&number.to_le_bytes());
    header[24..28].copy_from_slice(&[0xee; 4]);
    header[28..32].copy_from_slice(&u32::try_from(payload_size).unwrap().to_le_bytes());
    header[48..52].copy_from_slice(&[0xdd; 4]);
    header
}

/// The same header as a consumer gets it.
fn received_header(number: u32, payload_size: usize) -> [u8; 64] {
    let mut header = header(number, payload_size);
    header[24..28].fill(0);
    header[48..52].fill(0);
    header
}

fn fill(payload: &mut [u8], number: u32) {
    for (byte, at) in payload.iter_mut().zip(0..) {
        *byte = content(number, at);
    }
}

const fn content(number: u32, at: u32) -> u8 {
    (number.wrapping_mul(31).wrapping_add(at) % 251) as u8
}

fn check<M: Mem, N: Notify<M>>(record: &Received<'_, M, N>, number: u32, payload_size: usize) {
    assert_eq!(
        *record.header(),
        received_header(number, payload_size),
        "record {number}"
    );
    assert_eq!(record.payload().len(), payload_size);
    assert_eq!(record.payload().as_ptr().addr() % 16, 0);
    for (&byte, at) in record.payload().iter().zip(0..) {
        assert_eq!(byte, content(number, at), "record {number}, byte {at}");
    }
}

fn send<M: Mem, N: Notify<M>>(
    producer: &mut Producer<M, N>,
    number: u32,
    size: usize,
) -> Result<(), ReserveError> {
    let mut grant = producer.reserve(size)?;
    fill(grant.payload_mut(), number);
    grant.commit(&header(number, size)).unwrap();
    Ok(())
}

fn receive<M: Mem, N: Notify<M>>(consumer: &mut Consumer<M, N>, number: u32, size: usize) {
    let record = consumer.poll().unwrap().expect("a record");
    check(&record, number, size);
    record.done();
}
