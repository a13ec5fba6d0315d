//! A ring attached to arbitrary bytes, with trust in its peer or without, gives what the oracle
//! finds in them, or says that they are corrupt, and goes on saying so; it reads each record once
//! and writes nothing but its own words.
//!
//! Input: see [`Input::read`].

use core::ptr::NonNull;

use delta_core::ring::{Geometry, Polling, Region, RegionError, ReserveError, UntrustedRegion};

use crate::handle::{Draft, Polled, Refusal, Side};
use crate::memory::Memory;
use crate::oracle::bytes::Bytes;
use crate::oracle::region::{self, Look, Shape, look, look_distrustfully, set_word, word};

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
    /// Records are copied: the peer is not trusted.
    distrusts: bool,
    /// Each record is first polled with one byte too little room.
    is_short: bool,
}

impl Input {
    /// Shape (2 bits) and distrust (1 bit), repairs, read position (u32), ready slots, scribbles:
    /// count, then offset (u16) and value (u32) each; the rest is the region, from its front.
    fn read(input: &[u8]) -> Option<Self> {
        let mut rest = Bytes(input);
        let mode = rest.u8()?;
        let (slots, payload_bytes) = SHAPES[usize::from(mode & 3)];
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
            distrusts: mode & 4 != 0,
            is_short: repairs & 8 != 0,
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
    if input.distrusts {
        check::<UntrustedRegion<'_>>(&input);
    } else {
        check::<Region<'_>>(&input);
    }
}

fn check<S: Side>(input: &Input) {
    let memory = Memory::new(&input.bytes);
    let expected = region::can_attach(input.shape, &input.bytes);
    match attach(&memory, input.geometry()) {
        Ok(region) => {
            assert!(expected, "attached to what the oracle refuses");
            consume::<S>(input, &memory, region);
            produce::<S>(input);
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
    let refused = unsafe { S::attach(memory.base(), short, input.geometry()) };
    assert!(matches!(refused, Err(RegionError::TooSmall { .. })));
    let off = NonNull::new(memory.base().as_ptr().wrapping_add(64)).expect("not null");
    // SAFETY: refused for its alignment before it is used.
    let refused = unsafe { S::attach(off, short, input.geometry()) };
    assert!(matches!(refused, Err(RegionError::Alignment { .. })));
}

/// The result is used no longer than `memory` lives.
fn attach<S: Side>(memory: &Memory, geometry: Geometry) -> Result<S, RegionError> {
    // SAFETY: `memory` is readable, writable and initialised for as long as the result is used; its
    // callers make one side of it, in this one thread.
    unsafe { S::attach(memory.base(), memory.len(), geometry) }
}

/// Polls until nothing is left, and compares each answer with the oracle's.
fn consume<S: Side>(input: &Input, memory: &Memory, region: S) {
    let shape = input.shape;
    let read_word = shape.control() + region::READ_POSITION;
    let mut position = word(&input.bytes, read_word);
    let mut consumer = region.consumer();
    let mut scribbles = input.scribbles.iter();
    let mut cursor = None;
    let room = shape.payload_max();
    // One lap of records, and as many more as scribbling can make: a bounded poll.
    for poll in 1..=2 * shape.slots {
        if let Some(&(offset, value)) = scribbles.next() {
            memory.set_word(offset, value);
        }
        let expected = expected::<S>(shape, memory, position, cursor);
        if let (true, true, Look::Record(found)) = (S::DISTRUSTS, input.is_short, &expected)
            && let Some(short) = found.payload.len().checked_sub(1)
        {
            let refused = S::poll(&mut consumer, short, true);
            let needed = found.payload.len() as u32;
            assert!(
                matches!(refused, Polled::TooSmall { needed: n } if n == needed),
                "{refused:?} for {needed} bytes in {short}"
            );
        }
        let takes = input.drops == 0 || !poll.is_multiple_of(input.drops);
        match (S::poll(&mut consumer, room, takes), expected) {
            (Polled::Record { header, payload }, Look::Record(found)) => {
                assert_eq!(header[..], found.header[..]);
                assert_eq!(payload, found.payload);
                if takes {
                    position = position.wrapping_add(1);
                    cursor = Some(found.cursor);
                }
            }
            (Polled::Empty, Look::Empty) if scribbles.len() == 0 => break,
            (Polled::Empty, Look::Empty) => {}
            (Polled::Corrupt(corrupt), Look::Corrupt) => {
                for _ in 0..2 {
                    let again = S::poll(&mut consumer, room, true);
                    assert!(
                        matches!(again, Polled::Corrupt(found) if found == corrupt),
                        "poisoned for good, but {again:?}"
                    );
                }
                break;
            }
            (found, expected) => panic!("{found:?} for {expected:?} at {position}"),
        }
    }
    drop(consumer);
    check_writes(input, memory, scribbles.len());
}

fn expected<S: Side>(shape: Shape, memory: &Memory, position: u32, cursor: Option<u32>) -> Look {
    let look = if S::DISTRUSTS {
        look_distrustfully
    } else {
        look
    };
    look(shape, &memory.to_vec(), position, cursor)
}

/// A consumer writes its read position and its flag alone; `ahead` scribbles were not made.
fn check_writes(input: &Input, memory: &Memory, ahead: usize) {
    let mut expected = input.bytes.clone();
    for &(offset, value) in &input.scribbles[..input.scribbles.len() - ahead] {
        set_word(&mut expected, offset, value);
    }
    let mut found = memory.to_vec();
    let control = input.shape.control();
    for bytes in [&mut expected, &mut found] {
        set_word(bytes, control + region::READ_POSITION, 0);
        set_word(bytes, control + CONSUMER_WAITING, 0);
    }
    assert_eq!(found, expected, "written by a consumer");
}

/// Attaches a producer to the same bytes: it writes only where nothing unreleased lies.
fn produce<S: Side>(input: &Input) {
    let (shape, geometry) = (input.shape, input.geometry());
    let memory = Memory::new(&input.bytes);
    let region: S = attach(&memory, geometry).expect("attached before");
    let mut producer = region.producer(Polling);
    let before = published(shape, &input.bytes);
    for size in [0, 1, 16, 40, geometry.max_payload()] {
        let draft = Draft {
            reserved: size as usize,
            used: Some(size),
            byte: 0x5a,
        };
        match S::send(&mut producer, draft, |_, _| {}) {
            Ok(()) => {}
            Err(Refusal::Reserve(ReserveError::Full { .. } | ReserveError::TooLarge { .. })) => {}
            Err(refusal) => panic!("{refusal:?} in a region that nobody else writes"),
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
