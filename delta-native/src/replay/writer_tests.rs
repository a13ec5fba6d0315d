use super::*;
use crate::fixtures::f32s;
use delta_core::header::{DeltaHeader, Operation as Wire};
use delta_core::pipeline::sequencer::SlotState;
use delta_core::ring::StaticRing;

/// Two entities and four updates without metadata, at two times.
fn stream() -> Stream {
    let event = |op: &str, id: &str, row: u32, prev: &str, ts: u32| {
        format!("{{\"op\":\"{op}\",\"id\":\"{id}\",\"row\":{row},\"prev\":{prev},\"ts\":{ts}}}\n")
    };
    let lines = [
        event("insert", "a", 0, "null", 1),
        event("insert", "b", 1, "null", 1),
        event("update", "a", 2, "0", 2),
        event("update", "b", 3, "1", 2),
        event("update", "a", 4, "2", 3),
        event("update", "b", 5, "3", 3),
    ]
    .concat();
    let array = f32s(&[6, 2], &[0.5; 12]);
    let files = [("s.jsonl", lines.as_bytes()), ("s.npy", &array[..])];
    Stream::load_embedded("s", &files).unwrap()
}

/// The headers that the writing side captures.
fn captured(stream: &Stream, mode: Mode) -> Vec<DeltaHeader> {
    let mut ring = StaticRing::<16, 4096>::new();
    let (producer, mut consumer) = ring.split();
    let mut slots = [SlotState::default(); 2];
    let sequencer = Sequencer::new(2, &mut slots, 0, Position::START);
    let shared = Shared::new(mode);
    shared.applied.store(u64::MAX, Ordering::Release);
    let mut primary = Primary::with_capacity(2, 2).unwrap();
    capture_all(stream, producer, (sequencer, None), &mut primary, &shared).unwrap();
    let mut headers = Vec::new();
    while let Some(received) = consumer.poll().unwrap() {
        headers.push(DeltaHeader::parse(received.header()).unwrap());
        received.done();
    }
    headers
}

#[test]
fn records_carry_the_time_of_their_events() {
    let times = |headers: &[DeltaHeader]| -> Vec<(Wire, u64)> {
        let inner = headers.get(1..headers.len() - 1).unwrap();
        inner
            .iter()
            .map(|header| (header.operation, header.timestamp_us))
            .collect()
    };
    let (one, two, three) = (1_000_000, 2_000_000, 3_000_000);
    let batched = captured(&stream(), Mode::Throughput { batch: 8 });
    assert_eq!(
        times(&batched),
        [
            (Wire::Insert, one),
            (Wire::Insert, one),
            (Wire::BatchUpdate, two),
            (Wire::BatchUpdate, three),
        ]
    );
    let single = captured(&stream(), Mode::OneInFlight);
    assert_eq!(
        times(&single),
        [
            (Wire::Insert, one),
            (Wire::Insert, one),
            (Wire::Update, two),
            (Wire::Update, two),
            (Wire::Update, three),
            (Wire::Update, three),
        ]
    );
}
