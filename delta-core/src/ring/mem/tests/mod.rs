//! Tests of a region's bytes, as if another process looked at them or damaged them.
mod arena;
mod copied;
mod damage;
mod format;
mod hostile;

use super::raw::RawMem;
use super::region::Region;
use super::sides::Sides;
use crate::ring::{Consumer, Geometry, Producer, RegionError, ReserveError};
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
        let _ = shared.format(position);
        shared
    }

    /// Writes an empty ring.
    fn format(&self, position: u32) -> Sides<RawMem<'static>> {
        // SAFETY: `base` is 128-aligned and as long as the geometry's region.
        let mem = unsafe { RawMem::from_parts(self.base, geometry()) };
        // SAFETY: no other ring uses it.
        unsafe { Sides::create(mem, position) }
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

const fn full(unreleased: u32, len: u32) -> ReserveError {
    ReserveError::Full { unreleased, len }
}
