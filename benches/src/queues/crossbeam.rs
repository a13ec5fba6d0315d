//! `crossbeam-channel`, bounded; both ends spin, which is faster than sleeping on cores of their
//! own.

use std::hint::spin_loop;

use crossbeam_channel::{Receiver as Rx, Sender as Tx, TrySendError, bounded};

use super::{PAYLOAD, PAYLOAD_SLOTS, Receiver, Record, SLOTS, Sender};

/// The writing end.
#[derive(Debug)]
pub struct CrossbeamSender {
    records: Tx<Record>,
    payloads: Tx<[u8; PAYLOAD]>,
}

/// The reading end.
#[derive(Debug)]
pub struct CrossbeamReceiver {
    records: Rx<Record>,
    payloads: Rx<[u8; PAYLOAD]>,
}

/// A channel of records and one of payloads.
#[must_use]
pub fn new() -> (CrossbeamSender, CrossbeamReceiver) {
    let (records, record_reader) = bounded(SLOTS);
    let (payloads, payload_reader) = bounded(PAYLOAD_SLOTS);
    (
        CrossbeamSender { records, payloads },
        CrossbeamReceiver {
            records: record_reader,
            payloads: payload_reader,
        },
    )
}

fn send<T>(sender: &Tx<T>, mut message: T) {
    while let Err(error) = sender.try_send(message) {
        let (TrySendError::Full(refused) | TrySendError::Disconnected(refused)) = error;
        message = refused;
        spin_loop();
    }
}

impl Sender for CrossbeamSender {
    #[inline]
    fn send(&mut self, record: Record) {
        send(&self.records, record);
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        send(&self.payloads, *source);
    }
}

impl Receiver for CrossbeamReceiver {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&Record)) -> bool {
        self.records.try_recv().map(|record| read(&record)).is_ok()
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        let taken = self.payloads.try_recv().map(|payload| *target = payload);
        u64::from(taken.is_ok())
    }
}
