//! A producer and a consumer that copy, without anybody else in their region.
use super::arena::{Arena, STEPS, Tally, genuine, send_some};
use crate::ring::{Consumer, CopyError, CopyMem, Polling, Producer, SendError};
use std::sync::atomic::Ordering;

/// The two sides.
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
