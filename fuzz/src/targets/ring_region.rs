//! A ring attached to arbitrary bytes gives what the oracle finds in them, or says that they are
//! corrupt, and goes on saying so; it reads each record once and writes nothing but its own words.
//!
//! Input: see [`Input::read`].

use core::ptr::NonNull;

use delta_core::ring::{Geometry, Polling, Region, RegionError, ReserveError};

use crate::memory::Memory;
use crate::oracle::bytes::Bytes;
use crate::oracle::region::{self, Look, Shape, look, set_word, word};

/// The waiting flags' offsets in the control block: each side clears its own when it takes over.
const CONSUMER_WAITING: usize = 384;
const PRODUCER_WAITING: usize = 512;

/// Slots and payload bytes.
const SHAPES: [(u32, u32); 4] = [(2, 16), (4, 128), (8, 80), (16, 2432)];

struct Input {
    shape: Shape,
    bytes: Vec<u8>,
    /// Words that change while the consumer reads: offset and value, one before each poll.
    scribbles: Vec<(usize, u32)>,
    /// Every so manieth record is first dropped unread.
    drops: u32,
}

impl Input {
    /// Shape, repairs, read position (u32), ready slots, scribbles: count, then offset (u16) and
    /// value (u32) each; the rest is the region, from its front.
    fn read(input: &[u8]) -> Option<Self> {
        let mut rest = Bytes(input);
        let (slots, payload_bytes) = SHAPES[usize::from(rest.u8()? & 3)];
        let shape = Shape {
            slots,
            payload_bytes,
        };
        let (repairs, read_position) = (rest.u8()?, rest.u32()?);
        let ready = u32::from(rest.u8()?);
        let count = rest.u8()?;
        let mut scribbles = Vec::new();
        for _ in 0..count % 8 {
            let offset = usize::from(rest.u16()?) * 4 % shape.size();
            scribbles.push((offset, rest.u32()?));
        }
        let mut bytes = rest.0.to_vec();
        bytes.resize(shape.size(), 0);
        if repairs & 1 != 0 {
            right_control(shape, &mut bytes, read_position);
        }
        if repairs & 2 != 0 {
            right_stamps(shape, &mut bytes, ready % (slots + 1));
        }
        if repairs & 4 != 0 {
            right_places(shape, &mut bytes);
        }
        Some(Self {
            shape,
            bytes,
            scribbles,
            drops: u32::from(repairs >> 4),
        })
    }

    fn geometry(&self) -> Geometry {
        Geometry::new(self.shape.slots, self.shape.payload_bytes).expect("a possible shape")
    }
}

fn right_control(shape: Shape, bytes: &mut [u8], read_position: u32) {
    let control = shape.control();
    set_word(bytes, control + region::MAGIC, 0x4154_4c44);
    set_word(bytes, control + region::VERSION, 1);
    set_word(bytes, control + region::SLOTS, shape.slots);
    set_word(bytes, control + region::PAYLOAD_BYTES, shape.payload_bytes);
    set_word(bytes, control + region::READY, 1);
    set_word(bytes, control + region::READ_POSITION, read_position);
}

fn positions(shape: Shape, bytes: &[u8]) -> impl Iterator<Item = u32> + use<> {
    let read = word(bytes, shape.control() + region::READ_POSITION);
    (0..shape.slots).map(move |ahead| read.wrapping_add(ahead))
}

/// Makes the first `ready` slots readable, the others empty.
fn right_stamps(shape: Shape, bytes: &mut [u8], ready: u32) {
    for (ahead, position) in (0..).zip(positions(shape, bytes)) {
        let stamp = match ahead < ready {
            true => shape.ready_stamp(position),
            false => shape.empty_stamp(position),
        };
        set_word(bytes, shape.slot(position) + region::STAMP, stamp);
    }
}

/// Makes every payload lie at the cursor or at 0, and fit.
fn right_places(shape: Shape, bytes: &mut [u8]) {
    let mut cursor = 0;
    for position in positions(shape, bytes) {
        let slot = shape.slot(position);
        let offset = match word(bytes, slot + region::PAYLOAD_OFFSET) & 1 {
            0 => cursor,
            _ => 0,
        };
        let size = word(bytes, slot + region::PAYLOAD_SIZE) % (shape.payload_bytes - offset + 1);
        set_word(bytes, slot + region::PAYLOAD_OFFSET, offset);
        set_word(bytes, slot + region::PAYLOAD_SIZE, size);
        cursor = (offset + size).next_multiple_of(16);
    }
}

pub fn run(bytes: &[u8]) {
    let Some(input) = Input::read(bytes) else {
        return;
    };
    let memory = Memory::new(&input.bytes);
    let expected = region::can_attach(input.shape, &input.bytes);
    match attach(&memory, input.geometry()) {
        Ok(region) => {
            assert!(expected, "attached to what the oracle refuses");
            consume(&input, &memory, region);
            produce(&input);
        }
        Err(error) => {
            assert!(!expected, "{error:?} for what the oracle takes");
            assert_eq!(
                memory.to_vec(),
                input.bytes,
                "a refused region is as it was"
            );
        }
    }
    let short = memory.len() - 1;
    // SAFETY: as in `attach`, one byte less.
    let refused = unsafe { Region::attach(memory.base(), short, input.geometry()) };
    assert!(matches!(refused, Err(RegionError::TooSmall { .. })));
    let off = NonNull::new(memory.base().as_ptr().wrapping_add(64)).expect("not null");
    // SAFETY: refused for its alignment before it is used.
    let refused = unsafe { Region::attach(off, short, input.geometry()) };
    assert!(matches!(refused, Err(RegionError::Alignment { .. })));
}

fn attach(memory: &Memory, geometry: Geometry) -> Result<Region<'_>, RegionError> {
    // SAFETY: `memory` is readable, writable and initialised as long as the result is borrowed from
    // it; its callers make one side of it, in this one thread.
    unsafe { Region::attach(memory.base(), memory.len(), geometry) }
}

/// Polls until nothing is left, and compares each answer with the oracle's.
fn consume(input: &Input, memory: &Memory, region: Region<'_>) {
    let shape = input.shape;
    let read_word = shape.control() + region::READ_POSITION;
    let mut position = word(&input.bytes, read_word);
    let mut consumer = region.into_consumer(Polling);
    let mut scribbles = input.scribbles.iter();
    let mut cursor = None;
    // One lap of records, and as many more as scribbling can make: a bounded poll.
    for poll in 1..=2 * shape.slots {
        if let Some(&(offset, value)) = scribbles.next() {
            memory.set_word(offset, value);
        }
        match (
            consumer.poll(),
            look(shape, &memory.to_vec(), position, cursor),
        ) {
            (Ok(Some(record)), Look::Record(found)) => {
                assert_eq!(record.header()[..], found.header[..]);
                assert_eq!(record.payload(), found.payload);
                if input.drops > 0 && poll % input.drops == 0 {
                    continue;
                }
                record.done();
                position = position.wrapping_add(1);
                cursor = Some(found.cursor);
            }
            (Ok(None), Look::Empty) if scribbles.len() == 0 => break,
            (Ok(None), Look::Empty) => {}
            (Err(corrupt), Look::Corrupt) => {
                for _ in 0..2 {
                    assert_eq!(
                        consumer.poll().map(|_| ()),
                        Err(corrupt),
                        "poisoned for good"
                    );
                }
                break;
            }
            (found, expected) => panic!("{found:?} for {expected:?} at {position}"),
        }
    }
    drop(consumer);
    let mut expected = input.bytes.clone();
    for &(offset, value) in &input.scribbles[..input.scribbles.len() - scribbles.len()] {
        set_word(&mut expected, offset, value);
    }
    let mut found = memory.to_vec();
    for bytes in [&mut expected, &mut found] {
        set_word(bytes, read_word, 0);
        set_word(bytes, input.shape.control() + CONSUMER_WAITING, 0);
    }
    assert_eq!(
        found, expected,
        "a consumer writes its read position and its flag alone"
    );
}

/// Attaches a producer to the same bytes: it writes only where nothing unreleased lies.
fn produce(input: &Input) {
    let (shape, geometry) = (input.shape, input.geometry());
    let memory = Memory::new(&input.bytes);
    let region = attach(&memory, geometry).expect("attached before");
    let mut producer = region.into_producer(Polling);
    let before = published(shape, &input.bytes);
    for size in [0, 1, 16, 40, geometry.max_payload()] {
        match producer.reserve(size as usize) {
            Ok(mut grant) => {
                grant.payload_mut().fill(0x5a);
                let mut header = [0x5a; 64];
                header[28..32].copy_from_slice(&size.to_le_bytes());
                grant.commit(&header).expect("as large as reserved");
            }
            Err(ReserveError::Full { .. } | ReserveError::TooLarge { .. }) => {}
            Err(error) => panic!("{error} in a region that nobody else writes"),
        }
    }
    let after = memory.to_vec();
    // A producer that takes over is awake, whatever the one before it was.
    let mut control = input.bytes[shape.control()..].to_vec();
    set_word(&mut control, PRODUCER_WAITING, 0);
    assert_eq!(after[shape.control()..], control);
    if is_consistent(shape, &input.bytes) {
        let after = published(shape, &after);
        assert_eq!(
            after[..before.len()],
            before,
            "unreleased records are as they were"
        );
    }
}

/// The records from the read position on.
fn published(shape: Shape, bytes: &[u8]) -> Vec<region::Found> {
    let mut cursor = None;
    positions(shape, bytes)
        .map_while(|position| match look(shape, bytes, position, cursor) {
            Look::Record(found) => {
                cursor = Some(found.cursor);
                Some(found)
            }
            _ => None,
        })
        .collect()
}

/// Whether a producer could have written the published records: payloads go around the area at
/// most once, and the cursor never comes upon the oldest from below.
fn is_consistent(shape: Shape, bytes: &[u8]) -> bool {
    let count = published(shape, bytes).len();
    let places = positions(shape, bytes).take(count).map(|position| {
        let slot = shape.slot(position);
        let offset = word(bytes, slot + region::PAYLOAD_OFFSET);
        let size = word(bytes, slot + region::PAYLOAD_SIZE);
        (offset, (offset + size).next_multiple_of(16))
    });
    let (mut oldest, mut cursor, mut is_wrapped) = (None, 0, false);
    for (offset, end) in places {
        let oldest = *oldest.get_or_insert(offset);
        if oldest != offset || cursor != 0 {
            let wraps = offset != cursor;
            if wraps && is_wrapped {
                return false;
            }
            is_wrapped |= wraps;
        }
        cursor = end;
        if is_wrapped && cursor >= oldest {
            return false;
        }
    }
    true
}
