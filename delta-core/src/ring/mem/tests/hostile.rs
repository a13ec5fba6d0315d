//! One side of a ring beside a peer that breaks its rules: a thread that rewrites words of the
//! region at random while this side runs. Both sides touch the region atomically.
use super::{CONTROL, geometry};
use crate::header::{DeltaHeader, Operation};
use crate::record::Record;
use crate::ring::{
    CONTROL_SIZE, Consumer, CopyError, CopyMem, Notify, Polling, Producer, RegionError,
    ReserveError, SendError, UntrustedRegion,
};
use core::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::vec::Vec;

const REGION_WORDS: usize = (CONTROL + CONTROL_SIZE) / 4;
/// Words before and behind the region that nobody may write: a multiple of 128 bytes.
const GUARD: usize = 32;
const CANARY: u32 = 0xc0de_cafe;
/// The first four control words, as their creator writes them; `ready` is a word behind them.
const CREATED: [u32; 5] = [0x4154_4c44, 1, 4, 128, 1];

/// A region between two guards.
#[repr(C, align(128))]
struct Arena([AtomicU32; GUARD + REGION_WORDS + GUARD]);

impl Arena {
    fn new() -> Self {
        let arena = Self([const { AtomicU32::new(CANARY) }; GUARD + REGION_WORDS + GUARD]);
        arena.reset();
        arena
    }

    fn words(&self) -> &[AtomicU32] {
        &self.0[GUARD..GUARD + REGION_WORDS]
    }

    /// Makes an empty ring, as good as one can while the other side runs.
    fn reset(&self) {
        for word in self.words() {
            word.store(0, Ordering::Relaxed);
        }
        self.restore_control();
    }

    /// Repairs what only the creator writes.
    fn restore_control(&self) {
        for (word, value) in self.words()[CONTROL / 4..].iter().zip(CREATED) {
            word.store(value, Ordering::Release);
        }
    }

    fn attach(&self) -> Result<UntrustedRegion<'_>, RegionError> {
        let base = NonNull::from(self.words());
        // SAFETY: the words are 128-aligned, live as long as the region, and are accessed as
        // atomics and by the handles of these tests alone, which have one of each side.
        unsafe { UntrustedRegion::attach(base.cast(), REGION_WORDS * 4, geometry()) }
    }

    fn assert_guards(&self) {
        let (before, rest) = self.0.split_at(GUARD);
        let behind = &rest[REGION_WORDS..];
        let intact = |word: &AtomicU32| word.load(Ordering::Relaxed) == CANARY;
        assert!(before.iter().chain(behind).all(intact));
    }
}

/// Numbers that look random (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// Rewrites one word: with anything, with a number as the ring has them, with another word of
    /// the region, or with one bit of it turned.
    fn vandalise(&mut self, words: &[AtomicU32]) {
        let word = &words[self.below(words.len())];
        let old = word.load(Ordering::Relaxed);
        let value = match self.below(4) {
            0 => self.next(),
            1 => (self.next() % 160).wrapping_sub(16),
            2 => words[self.below(words.len())].load(Ordering::Relaxed),
            _ => old ^ 1 << (self.next() % 32),
        };
        word.store(value, Ordering::Release);
    }
}

impl Random {
    /// Rewrites some words, and repairs enough of it that the other side goes on.
    fn break_rules(&mut self, arena: &Arena) {
        for _ in 0..self.below(6) {
            self.vandalise(arena.words());
        }
        match self.below(8) {
            0 => arena.reset(),
            _ => arena.restore_control(),
        }
    }
}

/// The only record that has this sequence: a raw row whose size and content follow from it, and 16
/// bytes.
fn genuine(sequence: u64) -> ([u8; 64], Vec<u8>) {
    let dim = u8::try_from(sequence % 12 + 1).unwrap();
    // Raw and with metadata, slot 7, no id.
    let mut payload = vec![0x81, 7, dim, 0, 4 * dim];
    for component in 0..u64::from(dim) {
        payload.extend(sequence.wrapping_mul(3 + component).to_le_bytes()[..4].iter());
    }
    // A key of nine bytes, an empty value.
    payload.extend(b"\x09some name\x01");
    let header = DeltaHeader::new(Operation::Update, sequence, 1);
    (header.seal(&payload).unwrap().to_bytes(), payload)
}

/// What came of the polls of a consumer beside a hostile producer.
#[derive(Debug, Default)]
struct Tally {
    genuine: u32,
    /// Records that the checksum refused.
    wrong: u32,
    /// Handles that were poisoned, and attempts to attach that were refused.
    damaged: u32,
}

impl Tally {
    fn check(&mut self, header: &[u8; 64], payload: &[u8]) {
        match Record::from_parts(header, payload) {
            Ok(record) => {
                let (expected, values) = genuine(record.header().sequence);
                assert_eq!((*header, payload), (expected, &values[..]));
                self.genuine += 1;
            }
            Err(_) => self.wrong += 1,
        }
    }

    fn least(&self) -> u32 {
        self.genuine.min(self.wrong).min(self.damaged)
    }

    /// Polls once; false if the handle is poisoned.
    fn poll<'a, N: Notify<CopyMem<'a>>>(
        &mut self,
        consumer: &mut Consumer<CopyMem<'a>, N>,
        size: usize,
    ) -> bool {
        match consumer.poll_into(&mut [0; 64][..size]) {
            Ok(Some(copied)) => {
                self.check(copied.header(), copied.payload());
                copied.done();
            }
            Ok(None) => {}
            Err(CopyError::TooSmall { needed, len }) => {
                assert!(len == size && needed as usize > size && needed <= 64);
            }
            Err(CopyError::Corrupt(corrupt)) => {
                let again = consumer.poll_into(&mut [0; 64]).unwrap_err();
                assert_eq!(again, CopyError::Corrupt(corrupt));
                self.damaged += 1;
                return false;
            }
        }
        true
    }
}

/// Ends the other thread, also by a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends as many records as fit, from `sequence` on; gives the next.
fn send_some<'a, N: Notify<CopyMem<'a>>>(
    producer: &mut Producer<CopyMem<'a>, N>,
    mut sequence: u64,
) -> (u64, Result<(), SendError>) {
    loop {
        let (header, payload) = genuine(sequence);
        match producer.send(&header, &payload) {
            Ok(()) => sequence += 1,
            Err(SendError::Reserve(ReserveError::Full { .. })) => return (sequence, Ok(())),
            Err(error) => return (sequence, Err(error)),
        }
    }
}

/// A producer that breaks the rules after some records.
struct HostileProducer {
    random: Random,
    sequence: u64,
}

impl HostileProducer {
    fn step(&mut self, arena: &Arena) {
        if let Ok(region) = arena.attach() {
            let mut producer = region.into_producer(Polling);
            self.sequence = send_some(&mut producer, self.sequence).0;
        }
        self.random.break_rules(arena);
    }
}

/// A consumer that breaks the rules after some records.
struct HostileConsumer {
    random: Random,
}

impl HostileConsumer {
    fn step(&mut self, arena: &Arena) {
        if let Ok(region) = arena.attach() {
            let mut consumer = region.into_consumer(Polling);
            for _ in 0..self.random.below(6) {
                match consumer.poll_into(&mut [0; 64]) {
                    Ok(Some(copied)) => copied.done(),
                    _ => break,
                }
            }
        }
        self.random.break_rules(arena);
    }
}

/// A consumer beside a hostile producer, attached again after each damage.
fn consume(arena: &Arena, tally: &mut Tally, polls: u32, mut between: impl FnMut()) {
    let Ok(region) = arena.attach() else {
        tally.damaged += 1;
        return between();
    };
    let mut consumer = region.into_consumer(Polling);
    for poll in 0..polls {
        // Now and then with too small a buffer.
        if !tally.poll(&mut consumer, if poll % 3 == 1 { 32 } else { 64 }) {
            break;
        }
        between();
    }
}

/// What came of a producer beside a hostile consumer.
#[derive(Debug, Default)]
struct Sent {
    /// The last sequence sent.
    sequence: u64,
    full: u32,
    damaged: u32,
}

impl Sent {
    fn least(&self) -> u32 {
        self.full.min(self.damaged)
    }

    /// Sends until the handle is poisoned, or has found the ring full `rounds` times.
    fn produce(&mut self, arena: &Arena, rounds: u32, mut between: impl FnMut()) {
        let Ok(region) = arena.attach() else {
            self.damaged += 1;
            return between();
        };
        let mut producer = region.into_producer(Polling);
        for _ in 0..rounds {
            let (next, outcome) = send_some(&mut producer, self.sequence + 1);
            self.sequence = next - 1;
            match outcome {
                Ok(()) => self.full += 1,
                Err(SendError::Reserve(ReserveError::Corrupt(corrupt))) => {
                    let again = producer.wait(64).unwrap_err();
                    assert_eq!(again, ReserveError::Corrupt(corrupt));
                    self.damaged += 1;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
            between();
        }
    }
}

/// Steps of a test on one thread, which need no luck, and rounds of one on two threads. Miri is
/// slow, and finds what it looks for in less.
const STEPS: u32 = if cfg!(miri) { 100 } else { 20_000 };

#[test]
fn a_consumer_accepts_nothing_wrong() {
    let (arena, mut tally) = (Arena::new(), Tally::default());
    let (random, sequence) = (Random(0x9e37_79b9), 1);
    let mut hostile = HostileProducer { random, sequence };
    for _ in 0..STEPS / 10 {
        consume(&arena, &mut tally, 10, || hostile.step(&arena));
    }
    arena.assert_guards();
    assert!(tally.least() > STEPS / 200, "{tally:?}");
}

#[test]
fn a_producer_stays_within_its_region() {
    let (arena, mut sent) = (Arena::new(), Sent::default());
    let random = Random(0x1234_5678);
    let mut hostile = HostileConsumer { random };
    for _ in 0..STEPS / 10 {
        sent.produce(&arena, 10, || hostile.step(&arena));
    }
    arena.assert_guards();
    assert!(
        sent.least() > STEPS / 200 && sent.sequence > u64::from(STEPS / 10),
        "{sent:?}"
    );
}

/// Runs `hostile` on a thread of its own until `honest` ends.
fn beside(arena: &Arena, mut hostile: impl FnMut() + Send, honest: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                hostile();
                thread::yield_now();
            }
        });
        let _stop = Stop(&stop);
        honest();
    });
    arena.assert_guards();
}

#[test]
fn a_consumer_survives_a_producer_that_rewrites_the_region() {
    let (arena, mut tally) = (Arena::new(), Tally::default());
    let (random, sequence) = (Random(0x9e37_79b9), 1);
    let mut hostile = HostileProducer { random, sequence };
    beside(
        &arena,
        || hostile.step(&arena),
        || {
            while tally.least() < 3 {
                consume(&arena, &mut tally, 1000, thread::yield_now);
            }
        },
    );
}

#[test]
fn a_producer_survives_a_consumer_that_rewrites_the_region() {
    let (arena, mut sent) = (Arena::new(), Sent::default());
    let random = Random(0x1234_5678);
    let mut hostile = HostileConsumer { random };
    beside(
        &arena,
        || hostile.step(&arena),
        || {
            while sent.least() < 3 {
                sent.produce(&arena, 1000, thread::yield_now);
            }
        },
    );
}

/// A consumer and a producer that copy, without anybody else.
fn honest(arena: &Arena) -> (Producer<CopyMem<'_>>, Consumer<CopyMem<'_>>) {
    let attach = || arena.attach().unwrap();
    (
        attach().into_producer(Polling),
        attach().into_consumer(Polling),
    )
}

#[test]
fn records_are_copied_as_they_were_sent() {
    let arena = Arena::new();
    let (mut producer, mut consumer) = honest(&arena);
    let mut sequence = 1;
    for expected in 1..=u64::from(STEPS) {
        let (next, sent) = send_some(&mut producer, sequence);
        sent.unwrap();
        sequence = next;
        let (header, payload) = genuine(expected);
        let mut out = [0; 64];
        let copied = consumer.poll_into(&mut out).unwrap().unwrap();
        assert_eq!((*copied.header(), copied.payload()), (header, &payload[..]));
        copied.done();
    }
    arena.assert_guards();
}

#[test]
fn a_batch_is_copied_all_or_nothing() {
    let arena = Arena::new();
    let (mut producer, mut consumer) = honest(&arena);
    let mut batch = producer.batch();
    for sequence in 1..=3 {
        let (header, payload) = genuine(sequence);
        batch.send(&header, &payload).unwrap();
        assert!(consumer.poll_into(&mut [0; 64]).unwrap().is_none());
    }
    assert_eq!(batch.len(), 3);
    batch.publish();
    let mut tally = Tally::default();
    for _ in 0..4 {
        assert!(tally.poll(&mut consumer, 64));
    }
    assert_eq!((tally.genuine, tally.wrong), (3, 0));
}

#[test]
fn a_small_buffer_leaves_the_record_and_a_long_payload_poisons() {
    let arena = Arena::new();
    let (mut producer, mut consumer) = honest(&arena);
    let (header, payload) = genuine(5);
    producer.send(&header, &payload).unwrap();
    let too_small = CopyError::TooSmall {
        needed: 40,
        len: 39,
    };
    assert_eq!(consumer.poll_into(&mut [0; 39]).unwrap_err(), too_small);
    // Undone, it is polled again.
    let _ = consumer.poll_into(&mut [0; 64]).unwrap().unwrap();
    let mut out = [0; 64];
    assert_eq!(
        consumer.poll_into(&mut out).unwrap().unwrap().payload(),
        payload
    );
    // More than half of the area: no producer sends it, though it would fit.
    arena.words()[7].store(65, Ordering::Relaxed);
    let error = consumer.poll_into(&mut [0; 128]).unwrap_err();
    assert!(matches!(error, CopyError::Corrupt(_)), "{error}");
    assert_eq!(consumer.poll_into(&mut [0; 128]).unwrap_err(), error);
}

#[test]
fn a_header_that_claims_more_than_the_payload_is_not_sent() {
    let arena = Arena::new();
    let (mut producer, mut consumer) = honest(&arena);
    let (header, payload) = genuine(5);
    let error = producer.send(&header, &payload[..39]).unwrap_err();
    assert_eq!(
        error,
        SendError::PayloadSize {
            payload_size: 40,
            len: 39
        }
    );
    assert!(consumer.poll_into(&mut [0; 64]).unwrap().is_none());
    // Of a longer slice so much is sent as the header says.
    producer
        .send(&header, &[&payload[..], b"more"].concat())
        .unwrap();
    let mut out = [0; 64];
    assert_eq!(
        consumer.poll_into(&mut out).unwrap().unwrap().payload(),
        payload
    );
}
