//! Delta's ring: the record is the header, payloads are written and read in place.

use std::hint::spin_loop;

use delta_core::ring::{Consumer, Producer, RawMem, ReserveError, StaticRing};

use super::{PAYLOAD, PAYLOAD_AREA, Receiver, Record, SLOTS, Sender};

/// The writing end.
#[derive(Debug)]
pub struct DeltaSender(Producer<RawMem<'static>>);

/// The reading end.
#[derive(Debug)]
pub struct DeltaReceiver(Consumer<RawMem<'static>>);

/// A ring of the default geometry.
#[must_use]
pub fn new() -> (DeltaSender, DeltaReceiver) {
    let ring = Box::leak(Box::new(StaticRing::<SLOTS, PAYLOAD_AREA>::new()));
    let (producer, consumer) = ring.split();
    (DeltaSender(producer), DeltaReceiver(consumer))
}

/// A header whose sequence is the record's, for `payload` bytes.
fn header(record: Record, payload: u32) -> [u8; 64] {
    let mut header = [0; 64];
    let [sequence, ..] = record;
    if let Some((first, rest)) = header.split_first_chunk_mut() {
        *first = sequence.to_le_bytes();
        if let Some(size) = rest.get_mut(20..24) {
            size.copy_from_slice(&payload.to_le_bytes());
        }
    }
    header
}

/// Waits while the queue is full.
#[cold]
#[inline(never)]
fn full_or_panic(error: ReserveError) {
    match error {
        ReserveError::Full { .. } => spin_loop(),
        error => unreachable!("{error}"),
    }
}

impl Sender for DeltaSender {
    // A call saves six registers: stores between those to the slots, which the other queues,
    // inlined as they are, do not pay.
    #[inline(always)]
    fn send(&mut self, record: Record) {
        loop {
            match self.0.reserve(0) {
                Ok(grant) => {
                    let sent = grant.commit(&header(record, 0));
                    assert!(sent.is_ok(), "the record fits its grant");
                    return;
                }
                Err(error) => full_or_panic(error),
            }
        }
    }

    #[inline]
    fn send_batch(&mut self, first: u64, count: u64) {
        let mut batch = self.0.batch();
        for sequence in first..first + count {
            loop {
                match batch.reserve(0) {
                    Ok(grant) => {
                        let sent = grant.commit(&header(super::record(sequence), 0));
                        assert!(sent.is_ok(), "the record fits its grant");
                        break;
                    }
                    Err(error) => full_or_panic(error),
                }
            }
        }
        batch.publish();
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        let size = u32::try_from(PAYLOAD).unwrap_or(u32::MAX);
        loop {
            match self.0.reserve(PAYLOAD) {
                Ok(mut grant) => {
                    grant.payload_mut().copy_from_slice(source);
                    let sent = grant.commit(&header(super::record(1), size));
                    assert!(sent.is_ok(), "the record fits its grant");
                    return;
                }
                Err(error) => full_or_panic(error),
            }
        }
    }
}

impl Receiver for DeltaReceiver {
    #[inline(always)]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> bool {
        match self.0.poll() {
            Ok(Some(received)) => {
                read(&bytemuck::must_cast(*received.header()));
                received.done();
                true
            }
            Ok(None) => false,
            Err(error) => unreachable!("{error}"),
        }
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        match self.0.poll() {
            Ok(Some(received)) => {
                target.copy_from_slice(received.payload());
                received.done();
                1
            }
            Ok(None) => 0,
            Err(error) => unreachable!("{error}"),
        }
    }
}
