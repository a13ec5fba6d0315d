//! `ringbuf`: its caching endpoints, slices where there are batches and for payloads.

use std::hint::spin_loop;

use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use super::{BATCH, PAYLOAD, PAYLOAD_AREA, Receiver, Record, SLOTS, Sender};

/// The writing end.
pub struct RingbufSender {
    records: HeapProd<Record>,
    payloads: HeapProd<u8>,
}

/// The reading end.
pub struct RingbufReceiver {
    records: HeapCons<Record>,
    payloads: HeapCons<u8>,
    taken: [Record; BATCH],
}

/// A queue of records and one of bytes.
#[must_use]
pub fn new() -> (RingbufSender, RingbufReceiver) {
    let (records, record_reader) = HeapRb::new(SLOTS).split();
    let (payloads, payload_reader) = HeapRb::new(PAYLOAD_AREA).split();
    (
        RingbufSender { records, payloads },
        RingbufReceiver {
            records: record_reader,
            payloads: payload_reader,
            taken: [[0; 8]; BATCH],
        },
    )
}

impl Sender for RingbufSender {
    #[inline]
    fn send(&mut self, record: Record) {
        while self.records.try_push(record).is_err() {
            spin_loop();
        }
    }

    #[inline]
    fn send_batch(&mut self, first: u64, count: u64) {
        let mut next = first;
        while next < first + count {
            let pushed = self
                .records
                .push_iter((next..first + count).map(super::record));
            next += pushed as u64;
            if pushed == 0 {
                spin_loop();
            }
        }
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        let mut left = &source[..];
        while !left.is_empty() {
            let pushed = self.payloads.push_slice(left);
            left = left.get(pushed..).unwrap_or_default();
            if pushed == 0 {
                spin_loop();
            }
        }
    }
}

impl Receiver for RingbufReceiver {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> bool {
        self.records.try_pop().map(|record| read(&record)).is_some()
    }

    #[inline]
    fn receive_many(&mut self, max: u64, read: impl FnMut(&Record)) -> u64 {
        let room = self
            .taken
            .len()
            .min(usize::try_from(max).unwrap_or(usize::MAX));
        let room = self.taken.get_mut(..room).unwrap_or_default();
        let count = self.records.pop_slice(room);
        room.iter().take(count).for_each(read);
        count as u64
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        if self.payloads.occupied_len() < PAYLOAD {
            return 0;
        }
        u64::from(self.payloads.pop_slice(target) == PAYLOAD)
    }
}
