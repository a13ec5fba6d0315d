//! Records from one thread to another as fast as they go.

use std::cell::RefCell;
use std::hint::{black_box, spin_loop};
use std::rc::Rc;

use crate::contest::{Contest, Unit};
use crate::queues::{
    BATCH, PAYLOAD, Receiver, Record, Sender, bbqueue, crossbeam, delta, disruptor, heapless,
    record, ringbuf, rtrb,
};
use crate::threads::time_pair;
use crate::timing::Burst;

/// Singles, batches and payloads. The bars hold for the best peer, so they hold for each.
pub fn contests() -> Vec<Contest> {
    vec![singles(), batches(), payloads()]
}

/// Ends that outlive a burst.
type Ends<S, R> = Rc<RefCell<(S, R)>>;

fn ends<S, R>(ends: (S, R)) -> Ends<S, R> {
    Rc::new(RefCell::new(ends))
}

/// One at a time on both sides; and, where a reader can take many at once, so for that side.
fn singles() -> Contest {
    const BAR: f64 = 3.0;
    let (rtrb, ringbuf) = (ends(rtrb::new()), ends(ringbuf::new()));
    let (bbqueue, disruptor) = (ends(bbqueue::new()), ends(disruptor::new()));
    let work = "ring, single records of 64 bytes";
    Contest::new(
        work,
        Unit::MillionsPerSecond,
        one_by_one(&ends(delta::new())),
    )
    .peer("rtrb", BAR, one_by_one(&rtrb))
    .peer("rtrb, read in chunks", BAR, many_read(&rtrb))
    .peer("ringbuf", BAR, one_by_one(&ringbuf))
    .peer("ringbuf, read in slices", BAR, many_read(&ringbuf))
    .peer("bbqueue", BAR, many_read(&bbqueue))
    .peer("heapless::spsc", BAR, one_by_one(&ends(heapless::new())))
    .peer(
        "crossbeam-channel",
        BAR,
        one_by_one(&ends(crossbeam::new())),
    )
    .peer("disruptor", BAR, many_read(&disruptor))
}

fn batches() -> Contest {
    const BAR: f64 = 1.0;
    let work = "ring, batches of 32 records";
    Contest::new(work, Unit::MillionsPerSecond, batched(&ends(delta::new())))
        .peer("rtrb", BAR, batched(&ends(rtrb::new())))
        .peer("ringbuf", BAR, batched(&ends(ringbuf::new())))
        .peer("bbqueue", BAR, batched(&ends(bbqueue::new())))
        .peer("heapless::spsc", BAR, batched(&ends(heapless::new())))
        .peer("crossbeam-channel", BAR, batched(&ends(crossbeam::new())))
        .peer("disruptor", BAR, batched(&ends(disruptor::new())))
}

fn payloads() -> Contest {
    const BAR: f64 = 1.25;
    let bytes_each = u32::try_from(PAYLOAD).unwrap_or(u32::MAX);
    let work = "ring, payloads of 1,536 bytes";
    let unit = Unit::GigabytesPerSecond { bytes_each };
    Contest::new(work, unit, with_payload(&ends(delta::new())))
        .peer("rtrb", BAR, with_payload(&ends(rtrb::new())))
        .peer("ringbuf", BAR, with_payload(&ends(ringbuf::new())))
        .peer("bbqueue", BAR, with_payload(&ends(bbqueue::new())))
        .peer("heapless::spsc", BAR, with_payload(&ends(heapless::new())))
        .peer(
            "crossbeam-channel",
            BAR,
            with_payload(&ends(crossbeam::new())),
        )
        .peer("disruptor", BAR, with_payload(&ends(disruptor::new())))
}

/// Times `send(sender, count)` beside `take(receiver, left, sum)`, which says how many it took and
/// adds all words of them to `sum`: who only gets a reference must read too.
fn burst<S: Sender + 'static, R: Receiver + 'static>(
    ends: &Ends<S, R>,
    mut send: impl FnMut(&mut S, u64) + Send + 'static,
    mut take: impl FnMut(&mut R, u64, &mut Record) -> u64 + Send + 'static,
) -> Burst {
    let ends = Rc::clone(ends);
    Box::new(move |count| {
        let (sender, receiver) = &mut *ends.borrow_mut();
        let (send, take) = (&mut send, &mut take);
        time_pair(
            move || send(sender, count),
            move || {
                let (mut left, mut sum) = (count, [0; 8]);
                while left > 0 {
                    match take(receiver, left, &mut sum) {
                        0 => spin_loop(),
                        taken => left -= taken,
                    }
                }
                black_box(sum);
            },
        )
    })
}

fn send_singles<S: Sender>(sender: &mut S, count: u64) {
    (0..count).for_each(|sequence| sender.send(record(sequence)));
}

fn one_by_one<S: Sender + 'static, R: Receiver + 'static>(ends: &Ends<S, R>) -> Burst {
    burst(ends, send_singles, |receiver, _, sum| {
        u64::from(receiver.receive(|record| add(sum, record)))
    })
}

fn take_many<R: Receiver>(receiver: &mut R, left: u64, sum: &mut Record) -> u64 {
    receiver.receive_many(left, |record| add(sum, record))
}

fn add(sum: &mut Record, record: &Record) {
    for (sum, word) in sum.iter_mut().zip(record) {
        *sum ^= word;
    }
}

fn many_read<S: Sender + 'static, R: Receiver + 'static>(ends: &Ends<S, R>) -> Burst {
    burst(ends, send_singles, take_many)
}

fn batched<S: Sender + 'static, R: Receiver + 'static>(ends: &Ends<S, R>) -> Burst {
    let send = |sender: &mut S, count: u64| {
        let mut first = 0;
        while first < count {
            let size = (BATCH as u64).min(count - first);
            sender.send_batch(first, size);
            first += size;
        }
    };
    burst(ends, send, take_many)
}

/// Copied in from a row, copied out to one.
fn with_payload<S: Sender + 'static, R: Receiver + 'static>(ends: &Ends<S, R>) -> Burst {
    let (source, mut target) = ([7; PAYLOAD], [0; PAYLOAD]);
    burst(
        ends,
        move |sender, count| {
            (0..count).for_each(|_| sender.send_payload(black_box(&source)));
        },
        move |receiver, _, _| {
            let taken = receiver.receive_payloads(&mut target);
            black_box(&mut target);
            taken
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every queue delivers all records in order, singly and in batches, and payloads whole.
    fn delivers<S: Sender, R: Receiver>((mut sender, mut receiver): (S, R)) {
        let mut found = Vec::new();
        for sequence in 1..=3 {
            sender.send(record(sequence));
        }
        while receiver.receive(|record| found.push(record[0])) {}
        sender.send_batch(4, 5);
        while receiver.receive_many(2, |record| found.push(record[0])) > 0 {}
        assert_eq!(found, (1..=8).collect::<Vec<_>>());

        let source = std::array::from_fn(|place| u8::try_from(place % 251).unwrap());
        let mut target = [0; PAYLOAD];
        sender.send_payload(&source);
        assert_eq!(receiver.receive_payloads(&mut target), 1);
        assert_eq!(target, source);
        assert_eq!(receiver.receive_payloads(&mut target), 0);
    }

    #[test]
    fn every_queue_delivers() {
        delivers(rtrb::new());
        delivers(ringbuf::new());
        delivers(bbqueue::new());
        delivers(heapless::new());
        delivers(crossbeam::new());
        delivers(disruptor::new());
    }

    /// Delta's records are headers: of the eight words only the first is the caller's.
    #[test]
    fn deltas_ring_delivers() {
        delivers(delta::new());
    }
}
