//! `heapless::spsc`: one by one, payloads by value.

use std::hint::spin_loop;

use heapless::spsc::{Consumer, Producer, Queue};

use super::{PAYLOAD, PAYLOAD_SLOTS, Receiver, Record, SLOTS, Sender};

/// The writing end.
pub struct HeaplessSender {
    records: Producer<'static, Record>,
    payloads: Producer<'static, [u8; PAYLOAD]>,
}

/// The reading end.
pub struct HeaplessReceiver {
    records: Consumer<'static, Record>,
    payloads: Consumer<'static, [u8; PAYLOAD]>,
}

/// A queue of records and one of payloads.
#[must_use]
pub fn new() -> (HeaplessSender, HeaplessReceiver) {
    let records = Box::leak(Box::new(Queue::<Record, SLOTS>::new()));
    let payloads = Box::leak(Box::new(Queue::<[u8; PAYLOAD], PAYLOAD_SLOTS>::new()));
    let (records, record_reader) = records.split();
    let (payloads, payload_reader) = payloads.split();
    (
        HeaplessSender { records, payloads },
        HeaplessReceiver {
            records: record_reader,
            payloads: payload_reader,
        },
    )
}

impl Sender for HeaplessSender {
    #[inline]
    fn send(&mut self, record: Record) {
        while self.records.enqueue(record).is_err() {
            spin_loop();
        }
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        while !self.payloads.ready() {
            spin_loop();
        }
        let sent = self.payloads.enqueue(*source);
        assert!(sent.is_ok(), "there was room, and nobody else fills it");
    }
}

impl Receiver for HeaplessReceiver {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> bool {
        self.records.dequeue().map(|record| read(&record)).is_some()
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        let Some(payload) = self.payloads.peek() else {
            return 0;
        };
        *target = *payload;
        u64::from(self.payloads.dequeue().is_some())
    }
}
