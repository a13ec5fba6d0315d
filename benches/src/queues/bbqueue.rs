//! `bbqueue`: grants of the exact size; the reader takes all that is contiguous.

use std::hint::{black_box, spin_loop};
use std::sync::Arc;

use bbqueue::nicknames::{GogiGui, YakiNiku};
use bbqueue::prod_cons::stream::{StreamConsumer, StreamProducer};
use bbqueue::traits::storage::BoxedSlice;
use bytemuck::{cast_slice, pod_read_unaligned};

use super::{BATCH, PAYLOAD, PAYLOAD_AREA, Receiver, Record, SLOTS, Sender};

type Producer = StreamProducer<Arc<YakiNiku>>;
type Consumer = StreamConsumer<Arc<YakiNiku>>;

/// The writing end.
pub struct BbqueueSender {
    records: Producer,
    payloads: Producer,
}

/// The reading end.
pub struct BbqueueReceiver {
    records: Consumer,
    payloads: Consumer,
}

/// A queue for records and one for payloads, both of bytes.
#[must_use]
pub fn new() -> (BbqueueSender, BbqueueReceiver) {
    let records = GogiGui::new_with_storage(BoxedSlice::new(SLOTS * size_of::<Record>()));
    let payloads = GogiGui::new_with_storage(BoxedSlice::new(PAYLOAD_AREA));
    (
        BbqueueSender {
            records: records.stream_producer(),
            payloads: payloads.stream_producer(),
        },
        BbqueueReceiver {
            records: records.stream_consumer(),
            payloads: payloads.stream_consumer(),
        },
    )
}

fn send(producer: &Producer, bytes: &[u8]) {
    loop {
        if let Ok(mut grant) = producer.grant_exact(bytes.len()) {
            grant.copy_from_slice(bytes);
            grant.commit(bytes.len());
            return;
        }
        spin_loop();
    }
}

impl Sender for BbqueueSender {
    #[inline]
    fn send(&mut self, record: Record) {
        send(&self.records, cast_slice(&record));
    }

    #[inline]
    fn send_batch(&mut self, first: u64, count: u64) {
        let mut records = [[0; 8]; BATCH];
        let count = usize::try_from(count).unwrap_or(0).min(records.len());
        for (record, sequence) in records.iter_mut().zip(first..) {
            *record = super::record(sequence);
        }
        send(
            &self.records,
            cast_slice(records.get(..count).unwrap_or_default()),
        );
    }

    #[inline]
    fn send_payload(&mut self, source: &[u8; PAYLOAD]) {
        send(&self.payloads, source);
    }
}

impl Receiver for BbqueueReceiver {
    #[inline]
    fn receive(&mut self, read: impl FnMut(&Record)) -> bool {
        self.receive_many(1, read) == 1
    }

    #[inline]
    fn receive_many(&mut self, max: u64, mut read: impl FnMut(&Record)) -> u64 {
        let Ok(grant) = self.records.read() else {
            return 0;
        };
        let (records, _) = grant.as_chunks::<{ size_of::<Record>() }>();
        let count = records
            .len()
            .min(usize::try_from(max).unwrap_or(usize::MAX));
        for record in records.iter().take(count) {
            read(&pod_read_unaligned(record));
        }
        grant.release(count * size_of::<Record>());
        count as u64
    }

    #[inline]
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64 {
        let Ok(grant) = self.payloads.read() else {
            return 0;
        };
        let (payloads, _) = grant.as_chunks();
        for payload in payloads {
            *target = *payload;
            black_box(&mut *target);
        }
        let count = payloads.len();
        grant.release(count * PAYLOAD);
        count as u64
    }
}
