//! A producer beside a consumer that stores what it likes: never a panic, never an access outside
//! the region, and while the consumer is honest never a byte of an unreleased record.
//!
//! Input: shape, first position (u32), then operations, see [`Run::step`].

use delta_core::ring::{
    Corrupt, Geometry, Grant, Notify, Producer, RawMem, Region, ReserveError, WaitWord,
};

use crate::memory::Memory;
use crate::oracle::bytes::Bytes;
use crate::oracle::region::{self, Look, Shape, look};

/// Slots and payload bytes.
const SHAPES: [(u32, u32); 4] = [(2, 16), (4, 128), (8, 80), (16, 2432)];
const OPERATIONS_MAX: usize = 200;

/// Never sleeps, but makes the producer look at flags that the hostile side sets.
struct Wakes;

impl Notify<RawMem<'_>> for Wakes {
    const SLEEPS: bool = true;

    fn wait(&self, _word: WaitWord<'_, RawMem<'_>>, _expected: u32) {}

    fn wake(&self, _word: WaitWord<'_, RawMem<'_>>) {}
}

type Sender<'m> = Producer<RawMem<'m>, Wakes>;

struct Run<'m> {
    shape: Shape,
    memory: &'m Memory,
    /// What the honest consumer has released, and the first unpublished position.
    released: u32,
    head: u32,
    /// Payload bytes of `released..head`: offset, size, and what was written.
    unreleased: Vec<(usize, Vec<u8>)>,
    /// The consumer has only stored what a consumer may.
    is_honest: bool,
    corrupt: Option<Corrupt>,
    next_byte: u8,
}

pub fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let (Some(shape), Some(position)) = (input.u8(), input.u32()) else {
        return;
    };
    let (slots, payload_bytes) = SHAPES[usize::from(shape & 3)];
    let shape = Shape {
        slots,
        payload_bytes,
    };
    let geometry = Geometry::new(slots, payload_bytes).expect("a possible shape");
    let memory = new_region(shape, geometry, position);
    // SAFETY: the memory is a region, initialised and alive as long as the producer, and this is
    // its only handle. That a peer breaks the rules is the test: nothing here forms a reference to
    // bytes that it writes meanwhile, since there is one thread.
    let region = unsafe { Region::attach(memory.base(), memory.len(), geometry) };
    let mut producer = region.expect("a new region").into_producer(Wakes);
    let mut run = Run {
        shape,
        memory: &memory,
        released: position,
        head: position,
        unreleased: Vec::new(),
        is_honest: true,
        corrupt: None,
        next_byte: 0,
    };
    for _ in 0..OPERATIONS_MAX {
        if run.step(&mut input, &mut producer).is_none() {
            break;
        }
    }
    run.check_published();
}

/// An empty region whose first record is at `position`.
fn new_region(shape: Shape, geometry: Geometry, position: u32) -> Memory {
    let mut memory = Memory::new(&vec![0; shape.size()]);
    let region = Region::create_at(memory.as_mut_slice(), geometry, position);
    assert!(region.is_ok(), "the oracle's size is enough");
    memory
}

impl Run<'_> {
    /// Takes one operation from the input; `None` at its end.
    fn step(&mut self, input: &mut Bytes<'_>, producer: &mut Sender<'_>) -> Option<()> {
        match input.u8()? % 8 {
            0 | 1 => self.single(producer, input.u8()?, input.u8()?),
            2 => {
                let (count, size) = (input.u8()?, input.u8()?);
                self.batch(producer, count, size);
            }
            // An honest release of some records, the most frequent one.
            3 | 4 => {
                let records = u32::from(input.u8()?) % (self.head.wrapping_sub(self.released) + 1);
                self.release(records);
            }
            5 => {
                let value = input.u32()?;
                self.is_honest &=
                    value.wrapping_sub(self.released) <= self.head.wrapping_sub(self.released);
                self.set_control(region::READ_POSITION, value);
                if self.is_honest {
                    self.release(value.wrapping_sub(self.released));
                }
            }
            // The flag of a consumer that waits: any value is allowed.
            6 => self.set_control(384, input.u32()?),
            // Anything else in the region, the slots and payloads included.
            _ => {
                let offset = usize::from(input.u16()?) * 4 % self.shape.size();
                self.memory.set_word(offset, input.u32()?);
                self.is_honest = false;
            }
        }
        Some(())
    }

    fn set_control(&self, offset: usize, value: u32) {
        self.memory.set_word(self.shape.control() + offset, value);
    }

    fn release(&mut self, records: u32) {
        self.released = self.released.wrapping_add(records);
        self.set_control(region::READ_POSITION, self.released);
        if self.is_honest {
            self.unreleased.drain(..records as usize);
        }
    }

    /// Reserves `reserved` bytes, uses some, and commits or drops them.
    fn single(&mut self, producer: &mut Sender<'_>, reserved: u8, used: u8) {
        let reserved = self.size(reserved);
        let used = if used == 0xff {
            usize::MAX
        } else {
            usize::from(used)
        };
        match producer.reserve(reserved) {
            Ok(grant) if used == usize::MAX => drop(grant),
            Ok(grant) => {
                if let Some(payload) = self.fill(grant, reserved, used) {
                    self.unreleased.push(payload);
                    self.head = self.head.wrapping_add(1);
                }
            }
            Err(error) => self.check_refusal(error, reserved, 0),
        }
    }

    fn batch(&mut self, producer: &mut Sender<'_>, count: u8, size: u8) {
        let mut batch = producer.batch();
        let mut pending = Vec::new();
        for _ in 0..count % 6 {
            let reserved = self.size(size);
            match batch.reserve(reserved) {
                Ok(grant) => pending.extend(self.fill(grant, reserved, usize::from(size))),
                Err(error) => {
                    self.check_refusal(error, reserved, pending.len());
                    break;
                }
            }
        }
        assert_eq!(batch.len() as usize, pending.len());
        if count & 0x80 == 0 {
            batch.publish();
            self.head = self.head.wrapping_add(pending.len() as u32);
            self.unreleased.extend(pending);
        }
    }

    /// A size up to a little more than what can ever fit.
    fn size(&self, byte: u8) -> usize {
        let max = self.shape.payload_bytes as usize / 2;
        usize::from(byte) % (max + 2)
    }

    /// Writes and commits a granted record, and returns where its payload lies; `None` if it claims
    /// more than was reserved.
    fn fill(
        &mut self,
        mut grant: Grant<'_, RawMem<'_>, Wakes>,
        reserved: usize,
        used: usize,
    ) -> Option<(usize, Vec<u8>)> {
        let payload = grant.payload_mut();
        let start = payload.as_ptr().addr() - self.memory.base().addr().get();
        assert_eq!(payload.len(), reserved);
        let area = self.shape.payload_area();
        assert!(start.is_multiple_of(16) && start >= area);
        assert!(start + reserved <= area + self.shape.payload_bytes as usize);
        self.next_byte = self.next_byte.wrapping_add(1);
        payload.fill(self.next_byte);
        let mut header = [self.next_byte; 64];
        header[28..32].copy_from_slice(&(used as u32).to_le_bytes());
        let committed = grant.commit(&header);
        assert_eq!(committed.is_ok(), used <= reserved);
        committed.ok()?;
        Some((start, vec![self.next_byte; used]))
    }

    fn check_refusal(&mut self, error: ReserveError, reserved: usize, pending: usize) {
        match error {
            ReserveError::TooLarge { .. } => {
                assert!(reserved > self.shape.payload_bytes as usize / 2);
            }
            ReserveError::Full { .. } => {
                let is_empty = self.unreleased.is_empty() && pending == 0;
                assert!(
                    !self.is_honest || !is_empty,
                    "an empty ring takes any record"
                );
            }
            ReserveError::Corrupt(corrupt) => {
                assert!(!self.is_honest, "{corrupt} of an honest consumer");
                assert_eq!(
                    *self.corrupt.get_or_insert(corrupt),
                    corrupt,
                    "poisoned for good"
                );
            }
            other => panic!("a refusal that the oracle does not know: {other:?}"),
        }
    }

    /// What is published and unreleased is there for a consumer, if nobody broke the rules.
    fn check_published(&self) {
        if !self.is_honest {
            return;
        }
        let bytes = self.memory.to_vec();
        let mut cursor = None;
        let mut position = self.released;
        for (_, payload) in &self.unreleased {
            match look(self.shape, &bytes, position, cursor) {
                Look::Record(found) => {
                    assert_eq!(found.payload, *payload, "at {position}");
                    cursor = Some(found.cursor);
                }
                other => panic!("{other:?} at {position}"),
            }
            position = position.wrapping_add(1);
        }
        assert_eq!(position, self.head);
        let empty = look(self.shape, &bytes, position, cursor);
        let is_full = self.unreleased.len() == self.shape.slots as usize;
        assert!(is_full || empty == Look::Empty, "{empty:?} at {position}");
    }
}
