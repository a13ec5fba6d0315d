use super::{capture, take_all};
use crate::{
    header::{DeltaHeader, HEADER_SIZE, HeaderError, Operation},
    pipeline::{
        apply::{Applier, Apply, PollError},
        process::{PassThrough, Process, RelayError, relay},
        sequencer::{Position, SlotState},
    },
    record::{Record, RecordError},
    ring::{ReserveError, StaticRing},
    testing::Memory,
};

/// Counts the records that pass.
#[derive(Default)]
struct Sequences(Vec<u64>);

impl Process for Sequences {
    fn process(&mut self, record: &Record<'_>) {
        self.0.push(record.header().sequence);
    }
}

#[test]
fn keeps_every_byte() {
    let (mut source, mut target) = (StaticRing::<16, 512>::new(), StaticRing::<4, 1024>::new());
    let (tx, mut rx) = source.split();
    let (mut target_tx, mut target_rx) = target.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 3, &mut slots);
    let mut seen = Sequences::default();
    assert_eq!(relay(&mut rx, &mut seen, &mut target_tx), Ok(false));
    let rows = [[1.0, f32::from_bits(0x7f80_0001), -0.0], [0.0; 3]];
    for round in 0..20 {
        // Different offsets in both rings.
        capture.start(&vec![round; usize::from(round)]).unwrap();
        if round == 0 {
            capture.insert(b"a", &rows[0], &[]).unwrap();
        } else {
            let (old, new) = (usize::from(round % 2 == 0), usize::from(round % 2));
            capture.update(0, &rows[old], &rows[new]).unwrap();
        }
        for _ in 0..2 {
            let (header, payload) = {
                let received = rx.poll().unwrap().unwrap();
                (*received.header(), received.payload().to_vec())
            };
            assert_eq!(relay(&mut rx, &mut seen, &mut target_tx), Ok(true));
            let frames = take_all(&mut target_rx);
            assert_eq!(frames, [[&header[..], &payload].concat()]);
            assert!(Record::parse(&frames[0]).is_ok());
        }
    }
    assert_eq!(seen.0, (1..=40).collect::<Vec<_>>());
}

#[test]
fn a_full_target_leaves_the_record_unread() {
    let (mut source, mut target) = (StaticRing::<16, 512>::new(), StaticRing::<2, 64>::new());
    let (tx, mut rx) = source.split();
    let (mut target_tx, mut target_rx) = target.split();
    let mut slots = [SlotState::default(); 4];
    let mut capture = capture(tx, 3, &mut slots);
    for epoch in 1..=3 {
        capture.watermark(epoch, 0).unwrap();
    }
    capture.start(&[0; 17]).unwrap();
    assert_eq!(relay(&mut rx, &mut PassThrough, &mut target_tx), Ok(true));
    assert_eq!(relay(&mut rx, &mut PassThrough, &mut target_tx), Ok(true));
    for _ in 0..2 {
        assert!(matches!(
            relay(&mut rx, &mut PassThrough, &mut target_tx),
            Err(RelayError::Target(ReserveError::Full { .. }))
        ));
    }
    assert_eq!(take_all(&mut target_rx).len(), 2);
    assert_eq!(relay(&mut rx, &mut PassThrough, &mut target_tx), Ok(true));
    assert_eq!(take_all(&mut target_rx).len(), 1);
    assert_eq!(
        relay(&mut rx, &mut PassThrough, &mut target_tx),
        Err(RelayError::Target(ReserveError::TooLarge {
            len: 33,
            max: 32
        }))
    );
}

#[test]
fn a_broken_record_is_neither_relayed_nor_applied() {
    let (mut source, mut target) = (StaticRing::<16, 512>::new(), StaticRing::<16, 512>::new());
    let (mut tx, mut rx) = source.split();
    let (mut target_tx, mut target_rx) = target.split();
    let header = DeltaHeader::new(Operation::Delete, 1, 1)
        .seal(&[0; 4])
        .unwrap();
    let mut grant = tx.reserve(4).unwrap();
    grant.payload_mut().copy_from_slice(&[1, 0, 0, 0]);
    grant.commit(&header.to_bytes()).unwrap();

    let mut seen = Sequences::default();
    for _ in 0..2 {
        assert!(matches!(
            relay(&mut rx, &mut seen, &mut target_tx),
            Err(RelayError::Record(RecordError::Header(
                HeaderError::Checksum { .. }
            )))
        ));
    }
    assert!(take_all(&mut target_rx).is_empty());

    let mut memory = Memory::new(1, 1, 0);
    let mut store = memory.store();
    let applier = Applier::new(Position::START, &mut []);
    let mut apply = Apply::with_process(rx, applier, seen);
    for _ in 0..2 {
        assert!(matches!(
            apply.poll(&mut store),
            Err(PollError::Record(RecordError::Header(
                HeaderError::Checksum { .. }
            )))
        ));
    }
    assert!(apply.process().0.is_empty());
    let (mut rx, applier, _) = apply.into_parts();
    assert_eq!(applier.current_position(), Position::START);
    assert_eq!(rx.poll().unwrap().unwrap().header().len(), HEADER_SIZE);
}
