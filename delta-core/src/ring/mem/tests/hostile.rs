//! One side of a ring beside a peer that breaks its rules: a thread that rewrites words of the
//! region at random while this side runs. Both sides touch the region atomically.
use super::arena::{Arena, STEPS, Tally, send_some};
use crate::ring::{Polling, ReserveError, SendError};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

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

/// Ends the other thread, also by a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
