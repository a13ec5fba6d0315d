//! The exported calls as a host makes them, by address, over memory of the test's.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "helpers outside of a test function, which the lints' exception for tests misses"
)]

use delta_core::ring::Geometry;

use crate::error::CallError;
use crate::exports::{apply, capture, process};
use crate::layout::Layout;

const DIM: usize = 4;
const CAPACITY: usize = 8;
const STAGING_SIZE: usize = 4096;
const SLOTS: u32 = 8;
const PAYLOAD_BYTES: u32 = 4096;

/// Memory that lies where it is for ever, as a linear memory does.
fn piece(size: usize) -> usize {
    const ALIGN: usize = 128;
    let bytes = Box::leak(vec![0_u8; size + ALIGN].into_boxed_slice());
    bytes
        .as_mut_ptr()
        .expose_provenance()
        .next_multiple_of(ALIGN)
}

/// Writes to an address, as a host does between calls.
fn put(address: usize, bytes: &[u8]) {
    let to = core::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the tests write to pieces of their own alone, which have room, between calls.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

fn get<const N: usize>(address: usize) -> [u8; N] {
    // SAFETY: as in `put`; the pieces are initialised.
    unsafe { core::ptr::with_exposed_provenance::<[u8; N]>(address).read_unaligned() }
}

fn ring() -> usize {
    let geometry = Geometry::new(SLOTS, PAYLOAD_BYTES).unwrap();
    let address = piece(geometry.region_size());
    put(
        address + geometry.control_offset(),
        &geometry.control_block(),
    );
    address
}

/// The words of a layout with the pieces that every stage has.
struct Host {
    context: usize,
    staging: usize,
    words: [u64; Layout::WORDS],
}

impl Host {
    fn new(context_size: usize) -> Self {
        let (context, staging) = (piece(context_size.max(256)), piece(STAGING_SIZE));
        let mut words = [0; Layout::WORDS];
        let all = [2, DIM, CAPACITY, staging, STAGING_SIZE];
        for (word, value) in words.iter_mut().zip(all) {
            *word = value as u64;
        }
        Self {
            context,
            staging,
            words,
        }
    }

    fn with_store(mut self) -> Self {
        let pieces = [
            (11, 4 * DIM * CAPACITY),
            (12, 16 * CAPACITY),
            (13, 16 * CAPACITY),
            (14, 1024),
            (16, 65_536),
            (19, 8 * CAPACITY),
            (21, 16 * CAPACITY),
            (23, 2 * CAPACITY),
        ];
        for (word, size) in pieces {
            self.words[word] = piece(size) as u64;
        }
        (self.words[15], self.words[17]) = (1024, 65_536);
        (self.words[20], self.words[22]) = (CAPACITY as u64, CAPACITY as u64);
        self
    }

    /// `first`: 5 for the ring that is read, 8 for the one that is written.
    fn with_ring(mut self, first: usize, address: usize) -> Self {
        let shape = [address as u64, SLOTS.into(), PAYLOAD_BYTES.into()];
        self.words[first..first + 3].copy_from_slice(&shape);
        self
    }

    fn open(self, open: extern "C" fn(usize) -> i32) -> Self {
        put(self.context, bytemuck::cast_slice(&self.words));
        assert_eq!(open(self.context), 0);
        self
    }

    fn position(&self, position: extern "C" fn(usize, usize) -> i32) -> [u64; 3] {
        assert_eq!(position(self.context, self.staging), 0);
        bytemuck::cast(get::<24>(self.staging))
    }
}

struct Stages {
    capture: Host,
    process: Host,
    apply: Host,
}

fn stages() -> Stages {
    let (captured, relayed) = (ring(), ring());
    Stages {
        capture: Host::new(capture::delta_capture_context_size())
            .with_store()
            .with_ring(8, captured)
            .open(capture::delta_capture_open),
        process: Host::new(process::delta_process_context_size())
            .with_ring(5, captured)
            .with_ring(8, relayed)
            .open(process::delta_process_open),
        apply: Host::new(apply::delta_apply_context_size())
            .with_store()
            .with_ring(5, relayed)
            .open(apply::delta_apply_open),
    }
}

/// Inserts a row of these bits under a one-byte id.
fn insert(host: &Host, bits: [u32; DIM]) -> i32 {
    put(host.staging, bytemuck::bytes_of(&bits));
    put(host.staging + 16, b"a\x01k\x02v");
    let id = host.staging + 16;
    capture::delta_capture_insert(host.context, host.staging, id, 1, id + 1, 4)
}

#[test]
fn a_row_travels_through_three_stages_bit_for_bit() {
    let Stages {
        capture,
        process,
        apply,
    } = stages();
    let bits = [0x7fc0_0001, 0x8000_0000, 1, 0xff80_0001];
    assert_eq!(insert(&capture, bits), 0);
    assert_eq!(process::delta_process_relay(process.context, 9), 1);
    assert_eq!(apply::delta_apply_poll(apply.context, 9), 1);
    let position = capture.position(capture::delta_capture_position);
    assert_eq!(apply.position(apply::delta_apply_position), position);
    assert_eq!(apply::delta_apply_digest(apply.context, apply.staging), 0);
    assert_eq!(get(apply.staging), position[2].to_le_bytes());

    assert_eq!(apply::delta_apply_rows(apply.context, apply.staging), 0);
    let descriptor: [u32; 8] = bytemuck::cast(get::<32>(apply.staging));
    assert_eq!(descriptor[2..], [1, 2, 1, 4, 0, 0]);
    let address = u64::from_le_bytes(get(apply.staging));
    let row: [u32; DIM] = bytemuck::cast(get::<16>(usize::try_from(address).unwrap()));
    assert_eq!(row, bits);
    assert_eq!(apply::delta_apply_id(apply.context, 0, apply.staging), 1);
    let size = apply::delta_apply_metadata(apply.context, 0, apply.staging, 64);
    assert_eq!(size, 10);
    assert_eq!(get(apply.staging), *b"\x01\0\0\0k\x01\0\0\0v");
}

#[test]
fn a_refused_call_returns_its_code_and_leaves_numbers() {
    let Stages { capture, apply, .. } = stages();
    assert_eq!(insert(&capture, [0; DIM]), 0);
    let before = capture.position(capture::delta_capture_position);
    let update = |slot, row| capture::delta_capture_update(capture.context, slot, row, 0, 0);
    assert_eq!(update(0, capture.staging - 16), -1);
    assert_eq!(update(0, capture.staging + 4), -2);
    assert_eq!(update(7, capture.staging), -46);
    assert_eq!(get(capture.context + 8), (-46_i32).to_le_bytes());
    assert_eq!(get(capture.context + 16 + 16), 7_u64.to_le_bytes());
    assert_eq!(capture.position(capture::delta_capture_position), before);
    assert_eq!(
        apply::delta_apply_frames(apply.context, apply.staging, 64),
        -10
    );
    let search = |query, k, metric, ef| {
        apply::delta_apply_search(apply.context, query, k, metric, ef, apply.staging)
    };
    assert_eq!(search(apply.staging, 1, 0, 0), 0);
    assert_eq!(search(apply.staging - 16, 1, 0, 0), -1);
    assert_eq!(search(apply.staging, 9, 0, 0), -13);
    assert_eq!(search(apply.staging, 1, 3, 0), -14);
    assert_eq!(search(apply.staging, 1, 0, 4), -15);
    assert_eq!(apply::delta_apply_is_deleted(apply.context, 0), -46);
}

/// Inserts two entities, then changes their rows at once: to 1 and 2 in every component, with
/// `sections` at the end of the staging area.
fn update_two(host: &Host, sections: &[u8]) -> i32 {
    assert_eq!(insert(host, [0; DIM]), 0);
    assert_eq!(insert(host, [0; DIM]), 1);
    let (slots, tensor, rows) = (host.staging, host.staging + 16, host.staging + 48);
    put(slots, bytemuck::cast_slice(&[0_u32, 1]));
    let dim = DIM as u32;
    let fields = [rows as u32, (rows >> 32) as u32, 1, 2, 2, dim, 0, 0];
    put(tensor, bytemuck::cast_slice(&fields));
    put(rows, bytemuck::cast_slice(&[[1.0_f32; DIM], [2.0; DIM]]));
    let place = rows + 8 * DIM;
    put(place, sections);
    let size = sections.len();
    capture::delta_capture_update_many(host.context, slots, 2, tensor, place, size)
}

#[test]
fn rows_that_change_together_change_their_metadata_too() {
    let Stages {
        capture,
        process,
        apply,
    } = stages();
    // `k` goes and `l` comes in the first; nothing in the second.
    assert_eq!(
        update_two(&capture, b"\x07\0\0\0\x01k\0\x01l\x02w\0\0\0\0"),
        0
    );
    assert_eq!(process::delta_process_relay(process.context, 9), 3);
    assert_eq!(apply::delta_apply_poll(apply.context, 9), 3);
    let position = capture.position(capture::delta_capture_position);
    assert_eq!(apply.position(apply::delta_apply_position), position);
    assert_eq!(apply::delta_apply_digest(apply.context, apply.staging), 0);
    assert_eq!(get(apply.staging), position[2].to_le_bytes());
    for (slot, pair) in [
        (0, b"\x01\0\0\0l\x01\0\0\0w"),
        (1, b"\x01\0\0\0k\x01\0\0\0v"),
    ] {
        let size = apply::delta_apply_metadata(apply.context, slot, apply.staging, 64);
        assert_eq!((size, get(apply.staging)), (10, *pair));
    }
}

#[test]
fn sections_that_are_not_one_a_row_are_refused() {
    let sections: [&[u8]; 6] = [
        b"\0\0\0\0",
        b"\0\0\0\0\0\0\0",
        b"\0\0\0\0\x05\0\0\0\x01l\x02w",
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0",
        b"\x02\0\0\0\x01l\0\0\0\0",
    ];
    for sections in sections {
        let Stages { capture, .. } = stages();
        assert_eq!(update_two(&capture, sections), -50, "{sections:?}");
        let [_, sequence, _] = capture.position(capture::delta_capture_position);
        assert_eq!(sequence, 2);
    }
}

#[test]
fn metadata_of_rows_that_change_together_has_room_for_all_or_is_refused() {
    let Stages { capture, .. } = stages();
    let section = |size: usize| {
        let value = [b"\x01l".as_slice(), &[0x80 | (size + 1) as u8 & 0x7f, 3]].concat();
        let section = [value, vec![7; size]].concat();
        [&(section.len() as u32).to_le_bytes()[..], &section].concat()
    };
    // Each would fit the 1,024 bytes on its own.
    let sections = [section(500), section(500)].concat();
    assert_eq!(update_two(&capture, &sections), -51);
    let [_, sequence, _] = capture.position(capture::delta_capture_position);
    assert_eq!(sequence, 2);
}

#[test]
fn frames_before_damage_are_taken_and_the_next_call_tells_of_it() {
    let Stages {
        capture, process, ..
    } = stages();
    for slot in 0..3 {
        assert_eq!(insert(&capture, [0; DIM]), slot);
    }
    // The lowest byte of the third record's time, which its checksum covers.
    let ring = usize::try_from(process.words[5]).unwrap();
    put(ring + 2 * 64 + 16, &[1]);
    let take = || process::delta_process_take(process.context, process.staging, STAGING_SIZE);
    let frames = take();
    assert!(frames > 128);
    let first = usize::try_from(frames).unwrap() / 2;
    let check = process::delta_process_check(process.context, process.staging, first);
    assert_eq!(check, 0);
    assert_eq!((take(), take()), (-23, -23));
    assert_eq!(
        process::delta_process_counters(process.context, process.staging),
        0
    );
    assert_eq!(get(process.staging), 2_u64.to_le_bytes());
}

#[test]
fn frames_before_a_refused_one_are_given_and_the_next_call_tells_of_it() {
    let Stages {
        capture, process, ..
    } = stages();
    for slot in 0..2 {
        assert_eq!(insert(&capture, [0; DIM]), slot);
    }
    let take = process::delta_process_take(process.context, process.staging, STAGING_SIZE);
    let size = usize::try_from(take).unwrap();
    let first = size / 2;
    // The lowest byte of the second record's time.
    put(process.staging + first + 16, &[1]);
    let give = |at, size| process::delta_process_give(process.context, process.staging + at, size);
    assert_eq!(give(0, size), i32::try_from(first).unwrap());
    assert_eq!(give(first, first), -23);
    assert_eq!(give(first, first - 1), -4);
    let counters = process::delta_process_counters(process.context, process.staging);
    assert_eq!((counters, get(process.staging)), (0, 3_u64.to_le_bytes()));
}

#[test]
fn a_context_of_another_stage_or_none_is_refused() {
    let Stages { capture, apply, .. } = stages();
    let no_context = CallError::NoContext { address: 0 }.code();
    assert_eq!(apply::delta_apply_poll(capture.context, 1), no_context);
    assert_eq!(apply::delta_apply_poll(apply.context + 64, 1), no_context);
    assert_eq!(apply::delta_apply_poll(0, 1), no_context);
    assert_eq!(apply::delta_apply_poll(piece(4096), 1), no_context);
}

#[test]
fn a_second_caller_is_refused() {
    let Stages { apply, .. } = stages();
    put(apply.context + 4, &1_u32.to_le_bytes());
    let busy = CallError::Busy.code();
    assert_eq!(apply::delta_apply_poll(apply.context, 1), busy);
    put(apply.context + 4, &0_u32.to_le_bytes());
    assert_eq!(apply::delta_apply_poll(apply.context, 1), 0);
}

#[test]
fn a_layout_that_cannot_be_is_refused_and_opens_nothing() {
    let open = |change: &dyn Fn(&mut Host)| {
        let mut host = Host::new(apply::delta_apply_context_size()).with_store();
        change(&mut host);
        put(host.context, bytemuck::cast_slice(&host.words));
        let code = apply::delta_apply_open(host.context);
        assert_eq!(apply::delta_apply_poll(host.context, 1), -5);
        code
    };
    assert_eq!(open(&|host| host.words[0] = 1), -8);
    assert_eq!(open(&|host| host.words[1] = 0), -8);
    assert_eq!(open(&|host| host.words[1] = u64::MAX), -8);
    assert_eq!(open(&|host| host.words[2] = 1 << 60), -8);
    assert_eq!(open(&|host| host.words[11] = host.words[12]), -6);
    assert_eq!(open(&|host| host.words[14] += 1), -2);
    assert_eq!(open(&|host| host.words[15] = u64::MAX >> 1), -7);
    assert_eq!(open(&|host| host.words[16] = host.context as u64), -6);
    assert_eq!(open(&|host| host.words[24] = 0x04_0808), -8);
    assert_eq!(open(&|host| host.words[24] = 0x01_0808), -2);
    assert_eq!(
        open(&|host| host.words[5..8].copy_from_slice(&[128, 3, 16])),
        -9
    );
    let zeroed = piece(1 << 16);
    let ring = [zeroed as u64, SLOTS.into(), PAYLOAD_BYTES.into()];
    assert_eq!(open(&|host| host.words[5..8].copy_from_slice(&ring)), -9);
}
