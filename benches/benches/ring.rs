//! Records through the ring between two threads, beside `rtrb`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delta_benches::quick_criterion;
use delta_benches::threads::time_pair;
use delta_core::ring::{RawMem, ReserveError, StaticRing};
use std::hint::{black_box, spin_loop};

type Producer<'a> = delta_core::ring::Producer<RawMem<'a>>;
type Consumer<'a> = delta_core::ring::Consumer<RawMem<'a>>;
/// The default region: 4,096 slots and eleven pages of payload.
type Ring = StaticRing<4096, 720_896>;

/// Payload of a raw 384-d row.
const PAYLOAD: usize = 1_536;
const BATCH: u64 = 32;

fn header(sequence: u64, payload: usize) -> [u8; 64] {
    let mut header = [0; 64];
    header[..8].copy_from_slice(&sequence.to_le_bytes());
    header[28..32].copy_from_slice(&u32::try_from(payload).unwrap_or(0).to_le_bytes());
    header
}

/// Sends `count` records of `payload` bytes, one at a time.
fn send(producer: &mut Producer<'_>, count: u64, payload: usize) {
    let source = vec![7_u8; payload];
    for sequence in 0..count {
        loop {
            match producer.reserve(payload) {
                Ok(mut grant) => {
                    grant.payload_mut().copy_from_slice(&source);
                    let sent = grant.commit(&header(sequence, payload));
                    assert!(sent.is_ok(), "the record fits its grant");
                    break;
                }
                Err(ReserveError::Full { .. }) => spin_loop(),
                Err(error) => unreachable!("{error}"),
            }
        }
    }
}

/// Sends `count` records without payload, [`BATCH`] at a time.
fn send_batches(producer: &mut Producer<'_>, count: u64) {
    let mut sequence = 0;
    while sequence < count {
        let mut batch = producer.batch();
        for _ in 0..BATCH.min(count - sequence) {
            loop {
                match batch.reserve(0) {
                    Ok(grant) => {
                        let sent = grant.commit(&header(sequence, 0));
                        assert!(sent.is_ok(), "the record fits its grant");
                        break;
                    }
                    Err(_) => spin_loop(),
                }
            }
            sequence += 1;
        }
        batch.publish();
    }
}

/// Takes `count` records and reads all of them.
fn receive(consumer: &mut Consumer<'_>, count: u64) {
    let mut left = count;
    let mut sum = 0_u64;
    let mut target = [0_u8; PAYLOAD];
    while left > 0 {
        match consumer.poll() {
            Ok(Some(received)) => {
                sum = sum.wrapping_add(u64::from(received.header()[0]));
                let payload = received.payload();
                if let Some(target) = target.get_mut(..payload.len()) {
                    target.copy_from_slice(payload);
                }
                received.done();
                left -= 1;
            }
            Ok(None) => spin_loop(),
            Err(error) => unreachable!("{error}"),
        }
    }
    black_box((sum, target));
}

fn rtrb_singles(count: u64) -> std::time::Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u64; 8]>::new(4096);
    time_pair(
        move || {
            for sequence in 0..count {
                while producer.push([sequence; 8]).is_err() {
                    spin_loop();
                }
            }
        },
        move || {
            let mut left = count;
            while left > 0 {
                match consumer.pop() {
                    Ok(record) => {
                        black_box(record);
                        left -= 1;
                    }
                    Err(_) => spin_loop(),
                }
            }
        },
    )
}

fn rtrb_batches(count: u64) -> std::time::Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u64; 8]>::new(4096);
    time_pair(
        move || {
            let mut sequence = 0;
            while sequence < count {
                let size = BATCH.min(count - sequence);
                let Ok(chunk) = producer.write_chunk_uninit(usize::try_from(size).unwrap_or(1))
                else {
                    spin_loop();
                    continue;
                };
                let base = sequence;
                chunk.fill_from_iter((base..base + size).map(|sequence| [sequence; 8]));
                sequence += size;
            }
        },
        move || {
            let mut left = count;
            while left > 0 {
                let ready = consumer.slots();
                if ready == 0 {
                    spin_loop();
                    continue;
                }
                if let Ok(chunk) = consumer.read_chunk(ready) {
                    for record in chunk {
                        black_box(record);
                        left -= 1;
                    }
                }
            }
        },
    )
}

fn rtrb_payloads(count: u64) -> std::time::Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<u8>::new(720_896);
    let source = vec![7_u8; PAYLOAD];
    time_pair(
        move || {
            for _ in 0..count {
                while producer.push_entire_slice(&source).is_err() {
                    spin_loop();
                }
            }
        },
        move || {
            let mut target = [0_u8; PAYLOAD];
            for _ in 0..count {
                while consumer.pop_entire_slice(&mut target).is_err() {
                    spin_loop();
                }
            }
            black_box(target);
        },
    )
}

fn rings(criterion: &mut Criterion) {
    let mut ring = Box::new(Ring::new());
    let mut delta = |count: u64, payload: usize, batched: bool| {
        let (mut producer, mut consumer) = ring.split();
        time_pair(
            move || {
                if batched {
                    send_batches(&mut producer, count);
                } else {
                    send(&mut producer, count, payload);
                }
            },
            move || receive(&mut consumer, count),
        )
    };
    let mut group = criterion.benchmark_group("ring/single");
    group.throughput(Throughput::Elements(1));
    group.bench_function("delta", |b| b.iter_custom(|count| delta(count, 0, false)));
    group.bench_function("rtrb", |b| b.iter_custom(rtrb_singles));
    group.finish();
    let mut group = criterion.benchmark_group("ring/batch_of_32");
    group.throughput(Throughput::Elements(1));
    group.bench_function("delta", |b| b.iter_custom(|count| delta(count, 0, true)));
    group.bench_function("rtrb", |b| b.iter_custom(rtrb_batches));
    group.finish();
    let mut group = criterion.benchmark_group("ring/payload_1536");
    group.throughput(Throughput::Bytes(PAYLOAD as u64));
    group.bench_function("delta", |b| {
        b.iter_custom(|count| delta(count, PAYLOAD, false))
    });
    group.bench_function("rtrb", |b| b.iter_custom(rtrb_payloads));
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick_criterion();
    targets = rings
}
criterion_main!(benches);
