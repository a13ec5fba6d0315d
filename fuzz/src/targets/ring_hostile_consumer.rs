//! A producer, of either handle, beside a consumer that stores what it likes: never a panic, never
//! an access outside the region, and while the consumer is honest never a byte of an unreleased
//! record.
//!
//! Input: shape (2 bits) and distrust (1 bit), first position (u32), then operations, see
//! [`Run::step`].

use delta_core::ring::{
    Corrupt, Geometry, Notify, Producer, Region, ReserveError, SharedMem, UntrustedRegion, WaitWord,
};

use crate::handle::{Draft, Refusal, Side};
use crate::memory::Memory;
use crate::oracle::bytes::Bytes;
use crate::oracle::region::{self, Look, Shape, look};

/// Slots and payload bytes.
const SHAPES: [(u32, u32); 4] = [(2, 16), (4, 128), (8, 80), (16, 2432)];
const OPERATIONS_MAX: usize = 200;

/// Never sleeps, but makes the producer look at flags that the hostile side sets.
struct Wakes;

impl<M: SharedMem> Notify<M> for Wakes {
    const SLEEPS: bool = true;

    fn wait(&self, _word: WaitWord<'_, M>, _expected: u32) {}

    fn wake(&self, _word: WaitWord<'_, M>) {}
}

type Sender<S> = Producer<<S as Side>::Mem, Wakes>;

/// Where a payload lies in the region, and what was written there.
type Payload = (usize, Vec<u8>);

struct Run<'m> {
    shape: Shape,
    memory: &'m Memory,
    /// What the honest consumer has released, and the first unpublished position.
    released: u32,
    head: u32,
    /// Payloads of `released..head`.
    unreleased: Vec<Payload>,
    /// The consumer has only stored what a consumer may.
    is_honest: bool,
    corrupt: Option<Corrupt>,
    next_byte: u8,
}

pub fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let (Some(mode), Some(position)) = (input.u8(), input.u32()) else {
        return;
    };
    let (slots, payload_bytes) = SHAPES[usize::from(mode & 3)];
    let shape = Shape {
        slots,
        payload_bytes,
    };
    if mode & 4 == 0 {
        operate::<Region<'_>>(shape, position, input);
    } else {
        operate::<UntrustedRegion<'_>>(shape, position, input);
    }
}

fn operate<S: Side>(shape: Shape, position: u32, mut input: Bytes<'_>) {
    let geometry = Geometry::new(shape.slots, shape.payload_bytes).expect("a possible shape");
    let memory = new_region(shape, geometry, position);
    // SAFETY: the memory is a region, initialised and alive as long as the producer, and this is
    // its only handle. That a peer breaks the rules is the test: nothing here forms a reference to
    // bytes that it writes meanwhile, since there is one thread.
    let region = unsafe { S::attach(memory.base(), memory.len(), geometry) };
    let mut producer = region.expect("a new region").producer(Wakes);
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
        if run.step::<S>(&mut input, &mut producer).is_none() {
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
    fn step<S: Side>(&mut self, input: &mut Bytes<'_>, producer: &mut Sender<S>) -> Option<()> {
        match input.u8()? % 8 {
            0 | 1 => self.single::<S>(producer, input.u8()?, input.u8()?),
            2 => {
                let (count, size) = (input.u8()?, input.u8()?);
                self.batch::<S>(producer, count, size);
            }
            // An honest release of some records, the most frequent one.
            3 | 4 => {
                let records = u32::from(input.u8()?) % (self.head.wrapping_sub(self.released) + 1);
                self.release(records);
            }
            5 => {
                let value = input.u32()?;
                let records = value.wrapping_sub(self.released);
                if self.is_honest && records <= self.head.wrapping_sub(self.released) {
                    self.release(records);
                } else {
                    self.end_honesty();
                    self.set_control(region::READ_POSITION, value);
                }
            }
            // The flag of a consumer that waits: any value is allowed.
            6 => self.set_control(384, input.u32()?),
            // Anything else in the region, the slots and payloads included.
            _ => {
                let offset = usize::from(input.u16()?) * 4 % self.shape.size();
                let value = input.u32()?;
                self.end_honesty();
                self.memory.set_word(offset, value);
            }
        }
        Some(())
    }

    fn set_control(&self, offset: usize, value: u32) {
        self.memory.set_word(self.shape.control() + offset, value);
    }

    /// From now on the consumer may have broken a rule; until now nothing was lost.
    fn end_honesty(&mut self) {
        self.check_published();
        self.is_honest = false;
    }

    fn release(&mut self, records: u32) {
        self.check_published();
        self.released = self.released.wrapping_add(records);
        self.set_control(region::READ_POSITION, self.released);
        if self.is_honest {
            self.unreleased.drain(..records as usize);
        }
    }

    /// Reserves `reserved` bytes, uses some, and commits or drops them.
    fn single<S: Side>(&mut self, producer: &mut Sender<S>, reserved: u8, used: u8) {
        let draft = self.draft(reserved, (used != 0xff).then_some(used));
        let sent = S::send(producer, draft, |at, len| {
            self.check_granted(at, len, draft, &[])
        });
        if let Some(payload) = self.written(sent, draft, &[]) {
            self.unreleased.push(payload);
            self.head = self.head.wrapping_add(1);
        }
    }

    fn batch<S: Side>(&mut self, producer: &mut Sender<S>, count: u8, size: u8) {
        let mut batch = producer.batch();
        let mut pending = Vec::new();
        for _ in 0..count % 6 {
            let draft = self.draft(size, Some(size));
            let granted = |at, len| self.check_granted(at, len, draft, &pending);
            let sent = S::send_in(&mut batch, draft, granted);
            let is_full = matches!(sent, Err(Refusal::Reserve(_)));
            pending.extend(self.written(sent, draft, &pending));
            if is_full {
                break;
            }
        }
        assert_eq!(batch.len() as usize, pending.len());
        if count & 0x80 == 0 {
            batch.publish();
            self.head = self.head.wrapping_add(pending.len() as u32);
            self.unreleased.extend(pending);
        }
    }

    /// The next record, of other bytes than the last.
    fn draft(&mut self, reserved: u8, used: Option<u8>) -> Draft {
        self.next_byte = self.next_byte.wrapping_add(1);
        Draft {
            reserved: self.size(reserved),
            used: used.map(u32::from),
            byte: self.next_byte,
        }
    }

    /// A size up to a little more than what can ever fit.
    fn size(&self, byte: u8) -> usize {
        let max = self.shape.payload_max();
        usize::from(byte) % (max + 2)
    }

    /// What is lent lies in the payload area, and no unreleased payload, published or in the batch,
    /// is in it.
    fn check_granted(&self, address: usize, len: usize, draft: Draft, pending: &[Payload]) {
        assert_eq!(len, draft.reserved);
        self.check_place(address - self.memory.base().addr().get(), len, pending);
    }

    fn check_place(&self, start: usize, len: usize, pending: &[Payload]) {
        let area = self.shape.payload_area();
        assert!(start.is_multiple_of(16) && start >= area);
        assert!(start + len <= area + self.shape.payload_bytes as usize);
        if self.is_honest {
            for (other, payload) in self.unreleased.iter().chain(pending) {
                let is_apart = start + len <= *other || other + payload.len() <= start;
                assert!(is_apart, "{len} bytes at {start} over a payload at {other}");
            }
        }
    }

    /// Where a record that was written has its payload; `None` for one that was refused, and had to
    /// be.
    fn written(
        &mut self,
        sent: Result<(), Refusal>,
        draft: Draft,
        pending: &[Payload],
    ) -> Option<Payload> {
        let is_within = draft
            .used
            .is_some_and(|used| used as usize <= draft.reserved);
        match sent {
            Ok(()) => assert!(is_within, "{draft:?} was written"),
            Err(Refusal::Reserve(error)) => {
                self.check_refusal(error, draft.reserved, pending.len());
            }
            Err(Refusal::PayloadSize) => assert!(draft.used.is_some() && !is_within),
            Err(Refusal::GivenUp) => assert_eq!(draft.used, None),
        }
        if self.is_honest {
            self.check_intact(pending);
        }
        sent.ok()?;
        let used = draft.used? as usize;
        let slot = self
            .shape
            .slot(self.head.wrapping_add(pending.len() as u32));
        let offset = self.memory.word(slot + region::PAYLOAD_OFFSET) as usize;
        let start = self.shape.payload_area() + offset;
        self.check_place(start, used, pending);
        let payload = vec![draft.byte; used];
        assert_eq!(self.memory.bytes(start, used), payload);
        Some((start, payload))
    }

    /// No byte of an unreleased payload has changed.
    fn check_intact(&self, pending: &[Payload]) {
        for (start, payload) in self.unreleased.iter().chain(pending) {
            let found = self.memory.bytes(*start, payload.len());
            assert_eq!(found, *payload, "at {start}");
        }
    }

    fn check_refusal(&mut self, error: ReserveError, reserved: usize, pending: usize) {
        match error {
            ReserveError::TooLarge { .. } => {
                assert!(reserved > self.shape.payload_max());
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

    /// What is published and unreleased is there for a consumer, if nobody has broken the rules.
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
