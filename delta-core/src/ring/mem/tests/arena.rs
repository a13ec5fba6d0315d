//! A region that both sides reach by atomics alone, and records that are told from wrong ones.
use super::{CONTROL, geometry};
use crate::header::{DeltaHeader, Operation};
use crate::record::Record;
use crate::ring::{
    CONTROL_SIZE, Consumer, CopyError, CopyMem, Notify, Producer, RegionError, ReserveError,
    SendError, UntrustedRegion,
};
use core::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::vec::Vec;

const REGION_WORDS: usize = (CONTROL + CONTROL_SIZE) / 4;
/// Words before and behind the region that nobody may write: a multiple of 128 bytes.
const GUARD: usize = 32;
const CANARY: u32 = 0xc0de_cafe;
/// The first four control words, as their creator writes them; `ready` is a word behind them.
const CREATED: [u32; 5] = [0x4154_4c44, 1, 4, 128, 1];

/// Steps of a test on one thread. Miri is slow, and finds what it looks for in less.
pub(super) const STEPS: u32 = if cfg!(miri) { 100 } else { 20_000 };

/// A region between two guards.
#[repr(C, align(128))]
pub(super) struct Arena([AtomicU32; GUARD + REGION_WORDS + GUARD]);

impl Arena {
    pub(super) fn new() -> Self {
        let arena = Self([const { AtomicU32::new(CANARY) }; GUARD + REGION_WORDS + GUARD]);
        arena.reset();
        arena
    }

    pub(super) fn words(&self) -> &[AtomicU32] {
        &self.0[GUARD..GUARD + REGION_WORDS]
    }

    /// Makes an empty ring, as good as one can while the other side runs.
    pub(super) fn reset(&self) {
        for word in self.words() {
            word.store(0, Ordering::Relaxed);
        }
        self.restore_control();
    }

    /// Repairs what only the creator writes.
    pub(super) fn restore_control(&self) {
        for (word, value) in self.words()[CONTROL / 4..].iter().zip(CREATED) {
            word.store(value, Ordering::Release);
        }
    }

    pub(super) fn attach(&self) -> Result<UntrustedRegion<'_>, RegionError> {
        let base = NonNull::from(self.words());
        // SAFETY: the words are 128-aligned, live as long as the region, and are accessed as
        // atomics and by the handles of these tests alone, which have one of each side.
        unsafe { UntrustedRegion::attach(base.cast(), REGION_WORDS * 4, geometry()) }
    }

    pub(super) fn assert_guards(&self) {
        let (before, rest) = self.0.split_at(GUARD);
        let behind = &rest[REGION_WORDS..];
        let intact = |word: &AtomicU32| word.load(Ordering::Relaxed) == CANARY;
        assert!(before.iter().chain(behind).all(intact));
    }
}

/// The only record that has this sequence: a raw row whose size and content follow from it, and 16
/// bytes.
pub(super) fn genuine(sequence: u64) -> ([u8; 64], Vec<u8>) {
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
pub(super) struct Tally {
    pub(super) genuine: u32,
    /// Records that the checksum refused.
    pub(super) wrong: u32,
    /// Handles that were poisoned, and attempts to attach that were refused.
    pub(super) damaged: u32,
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

    pub(super) fn least(&self) -> u32 {
        self.genuine.min(self.wrong).min(self.damaged)
    }

    /// Polls once; false if the handle is poisoned.
    pub(super) fn poll<'a, N: Notify<CopyMem<'a>>>(
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

/// Sends as many records as fit, from `sequence` on; gives the next.
pub(super) fn send_some<'a, N: Notify<CopyMem<'a>>>(
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
