//! The exported calls as a host makes them, by address. The arena is one per process, so each test
//! holds `HOST` while it uses it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use delta_core::header::{DeltaHeader, Operation};

use super::*;

static HOST: Mutex<()> = Mutex::new(());

fn host() -> MutexGuard<'static, ()> {
    HOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes at an offset into the arena, as a host does between calls; returns the address.
fn put(offset: usize, bytes: &[u8]) -> usize {
    let address = delta_arena() + offset;
    Access::lock()
        .unwrap()
        .bytes_mut(address, bytes.len())
        .unwrap()
        .copy_from_slice(bytes);
    address
}

fn put_row(offset: usize, bits: &[u32]) -> usize {
    put(offset, bytemuck::cast_slice(bits))
}

#[test]
fn counts_changed_bits_not_values() {
    let _host = host();
    let old = put_row(0, &[0x7fc0_0001, 0x0000_0000, 1, 2, 0x7fc0_0001]);
    let new = put_row(64, &[0x7fc0_0002, 0x8000_0000, 1, 2, 0x7fc0_0001]);
    assert_eq!(delta_count_changed(old, new, 5), 2);
    assert_eq!(delta_count_changed(old, old, 5), 0);
    assert_eq!(delta_count_changed(old, new, 0), 0);
}

#[test]
fn every_address_is_checked() {
    let _host = host();
    let (start, end) = (delta_arena(), delta_arena() + delta_arena_size());
    let outside = CallError::OutOfArena {
        address: 0,
        size: 0,
    }
    .code();
    assert_eq!(delta_count_changed(start - 4, start, 1), outside);
    assert_eq!(delta_count_changed(start, end, 1), outside);
    assert_eq!(delta_count_changed(end - 4, end - 4, 1), 0);
    assert_eq!(delta_count_changed(start, start, usize::MAX), outside);
    assert_eq!(
        delta_count_changed(start, start, usize::MAX / 4 + 2),
        outside
    );
    assert_eq!(
        delta_count_changed(start, start + 2, 1),
        CallError::Misaligned { address: 0 }.code()
    );
    assert_eq!(delta_row_digest(start, 1, end - 7), outside);
    assert_eq!(delta_row_digest(start, 1, end - 8), 0);
    assert_eq!(delta_header_check(0, 64), outside);
}

#[test]
fn writes_the_rows_digest_sum() {
    let _host = host();
    let row = put_row(0, &[0x3f80_0000, 0x8000_0000, 7]);
    assert_eq!(delta_row_digest(row, 3, row + 13), 0);
    let arena = Access::lock().unwrap();
    let sum = digest::row_sum(&[1.0, -0.0, f32::from_bits(7)]);
    assert_ne!(sum, 0);
    assert_eq!(arena.bytes(row + 13, 8).unwrap(), sum.to_le_bytes());
}

#[test]
fn checks_frames() {
    let _host = host();
    let payload = [3, 0, 0, 0];
    let header = DeltaHeader::new(Operation::Delete, 7, 1)
        .seal(&payload)
        .unwrap()
        .to_bytes();
    let frame = put(3, &[&header[..], &payload].concat());
    assert_eq!(delta_header_check(frame, 68), 0);
    assert_eq!(delta_header_check(frame, 67), -4);
    assert_eq!(delta_header_check(frame, 69), -4);
    assert_eq!(delta_header_check(frame, 63), -4);
    for (offset, code) in [
        (10, -16),
        (8, -17),
        (9, -18),
        (40, -19),
        (56, -20),
        (48, -21),
        (64, -23),
    ] {
        let byte = header.iter().chain(&payload).nth(offset).unwrap();
        put(3 + offset, &[byte ^ 0x81]);
        assert_eq!(delta_header_check(frame, 68), code, "byte {offset}");
        put(3 + offset, &[*byte]);
    }
    assert_eq!(delta_header_check(frame, 68), 0);
}

#[test]
fn a_second_caller_is_refused_until_the_first_is_done() {
    let _host = host();
    let first = Access::lock().unwrap();
    assert_eq!(
        delta_count_changed(delta_arena(), delta_arena(), 1),
        CallError::Busy.code()
    );
    drop(first);
    assert_eq!(delta_count_changed(delta_arena(), delta_arena(), 1), 0);
}
