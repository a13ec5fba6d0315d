//! `disruptor`: one producer, its event poller on our thread, so that both threads are placed as
//! everyone's.

use std::hint::black_box;

use disruptor::{
    BusySpin, EventPoller, Polling, Producer as _, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

use super::{PAYLOAD, PAYLOAD_SLOTS, Receiver, Record, SLOTS, Sender};

type Producer<T> = SingleProducer<T, SingleConsumerBarrier>;
type Poller<T> = EventPoller<T, SingleProducerBarrier>;

/// The writing end.
pub struct DisruptorSender {
    records: Producer<Record>,
    payloads: Producer<[u8; PAYLOAD]>,
}

/// The reading end.
pub struct DisruptorReceiver {
    records: Poller<Record>,
    payloads: Poller<[u8; PAYLOAD]>,
}

/// A ring of records and one of payloads.
#[must_use]
pub fn new() -> (DisruptorSender, DisruptorReceiver) {
    let builder = build_single_producer(SLOTS, || [0; 8], BusySpin);
    let (record_reader, builder) = builder.new_event_poller();
    let records = builder.build();
    let builder = build_single_producer(PAYLOAD_SLOTS, || [0; PAYLOAD], BusySpin);
    let (payload_reader, builder) = builder.new_event_poller();
    let payloads = builder.build();
    (
        DisruptorSender { records, payloads },
        DisruptorReceiver {
            records: record_reader,
            payloads: payload_reader,
        },
    )
}

impl Sender for DisruptorSender {
    #[inline]
    fn send(&mut self, record: Record) {
        self.records.publish(|slot| *slot = record);
    }

    #[inline]
    fn send_batch(&mut self, first: u64, count: u64) {
        let size = usize::try_from(count).unwrap_or(1);
        self.records.batch_publish(size, |slots| {
            for (slot, sequence) in slots.zip(first..) {
                *slot = super::record(sequence);
            }
        });
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        self.payloads.publish(|slot| *slot = *source);
    }
}

impl Receiver for DisruptorReceiver {
    #[inline]
    fn receive(&mut self, read: impl FnMut(&Record)) -> bool {
        self.receive_many(1, read) == 1
    }

    #[inline]
    fn receive_many(&mut self, max: u64, read: impl FnMut(&Record)) -> u64 {
        match self.records.take(max) {
            Ok(mut events) => {
                let events = &mut events;
                let count = events.len() as u64;
                events.for_each(read);
                count
            }
            Err(Polling::NoEvents) => 0,
            Err(Polling::Shutdown) => unreachable!("the writing end is there"),
        }
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        match self.payloads.poll() {
            Ok(mut events) => {
                let events = &mut events;
                let count = events.len() as u64;
                for payload in events {
                    *target = *payload;
                    black_box(&mut *target);
                }
                count
            }
            Err(Polling::NoEvents) => 0,
            Err(Polling::Shutdown) => unreachable!("the writing end is there"),
        }
    }
}
