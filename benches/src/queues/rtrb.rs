//! `rtrb`: chunks where there are batches, slices of bytes for payloads.

use std::hint::spin_loop;

use rtrb::{Consumer, Producer, RingBuffer};

use super::{PAYLOAD, PAYLOAD_AREA, Receiver, Record, SLOTS, Sender};

/// The writing end.
#[derive(Debug)]
pub struct RtrbSender {
    records: Producer<Record>,
    payloads: Producer<u8>,
}

/// The reading end.
#[derive(Debug)]
pub struct RtrbReceiver {
    records: Consumer<Record>,
    payloads: Consumer<u8>,
}

/// A queue of records and one of bytes.
#[must_use]
pub fn new() -> (RtrbSender, RtrbReceiver) {
    let (records, record_reader) = RingBuffer::new(SLOTS);
    let (payloads, payload_reader) = RingBuffer::new(PAYLOAD_AREA);
    (
        RtrbSender { records, payloads },
        RtrbReceiver {
            records: record_reader,
            payloads: payload_reader,
        },
    )
}

impl Sender for RtrbSender {
    #[inline]
    fn send(&mut self, record: Record) {
        while self.records.push(record).is_err() {
            spin_loop();
        }
    }

    #[inline]
    fn send_batch(&mut self, first: u64, count: u64) {
        let size = usize::try_from(count).unwrap_or(1);
        loop {
            if let Ok(chunk) = self.records.write_chunk_uninit(size) {
                chunk.fill_from_iter((first..first + count).map(super::record));
                return;
            }
            spin_loop();
        }
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        while self.payloads.push_entire_slice(source).is_err() {
            spin_loop();
        }
    }
}

impl Receiver for RtrbReceiver {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> bool {
        self.records.pop().map(|record| read(&record)).is_ok()
    }

    #[inline]
    fn receive_many(&mut self, max: u64, mut read: impl FnMut(&Record)) -> u64 {
        let ready = (self.records.slots() as u64).min(max);
        let Ok(chunk) = self
            .records
            .read_chunk(usize::try_from(ready).unwrap_or(usize::MAX))
        else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(&mut read);
        chunk.commit_all();
        ready
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        u64::from(self.payloads.pop_entire_slice(target).is_ok())
    }
}
