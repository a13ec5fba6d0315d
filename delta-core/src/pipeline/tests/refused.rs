use super::{
    model::{Event, Primary, SLOTS, any_event},
    take_all,
};
use crate::{
    codec::lz4::Lz4Scratch,
    header::{DeltaHeader, HEADER_SIZE},
    pipeline::{
        apply::{Applier, Outcome},
        sequencer::{Position, SlotState},
    },
    record::Record,
    ring::StaticRing,
    store::state_digest,
    testing::{Memory, view},
};
use proptest::{collection::vec, prelude::*, sample::Index};

const DIM: usize = 4;

/// The frames of a history of inserts and what follows.
fn frames(events: &[Event]) -> Vec<Vec<u8>> {
    let mut ring = StaticRing::<64, 65_536>::new();
    let (tx, mut rx) = ring.split();
    let (mut slots, mut lz4) = ([SlotState::default(); SLOTS], Lz4Scratch::new());
    let mut primary = Primary::new(tx, &mut slots, Some(&mut lz4), DIM, &[]);
    for event in events {
        assert!(primary.step(event));
    }
    take_all(&mut rx)
}

/// How a record is made wrong.
#[derive(Clone, Debug)]
enum Fault {
    /// Another record of the history: stale, repeated or ahead.
    Other(Index),
    /// Bytes of the payload, under a checksum that fits.
    Payload(Vec<(Index, u8)>),
    /// One byte of the header, under a checksum that fits.
    Header(Index, u8),
    /// Bytes of the frame.
    Frame(Index, u8),
    /// A cut.
    Cut(Index),
    /// The digest, under a checksum that fits: the state would diverge.
    Digest(u64),
    /// No digest, but other bytes in the payload: only the other checks are left.
    NoDigest(Vec<(Index, u8)>),
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let index = any::<Index>;
    let bytes = || vec((index(), prop_oneof![0..4_u8, any::<u8>()]), 1..4);
    prop_oneof![
        index().prop_map(Fault::Other),
        bytes().prop_map(Fault::Payload),
        (index(), 1..=u8::MAX).prop_map(|(at, flip)| Fault::Header(at, flip)),
        (index(), 1..=u8::MAX).prop_map(|(at, flip)| Fault::Frame(at, flip)),
        index().prop_map(Fault::Cut),
        (1..=u64::MAX).prop_map(Fault::Digest),
        bytes().prop_map(Fault::NoDigest),
    ]
}

/// Seals a frame whose bytes were changed, if its header still is one.
fn seal_again(mut frame: Vec<u8>) -> Vec<u8> {
    let (header, payload) = frame.split_first_chunk_mut::<HEADER_SIZE>().unwrap();
    if let Ok(sealed) = DeltaHeader::parse(header).and_then(|header| header.seal(payload)) {
        *header = sealed.to_bytes();
    }
    frame
}

fn set_payload(frame: &mut [u8], bytes: &[(Index, u8)]) {
    let payload = &mut frame[HEADER_SIZE..];
    for (at, byte) in bytes {
        payload[at.index(payload.len())] = *byte;
    }
}

fn make_wrong(frames: &[Vec<u8>], next: usize, fault: &Fault) -> Vec<u8> {
    let mut frame = frames[next].clone();
    let digest = HEADER_SIZE - 8..HEADER_SIZE;
    match fault {
        Fault::Other(at) => return frames[at.index(frames.len())].clone(),
        Fault::Payload(bytes) => set_payload(&mut frame, bytes),
        Fault::Header(at, flip) => frame[at.index(HEADER_SIZE)] ^= flip,
        Fault::Frame(at, flip) => {
            let at = at.index(frame.len());
            frame[at] ^= flip;
            return frame;
        }
        Fault::Cut(at) => {
            frame.truncate(at.index(frame.len()));
            return frame;
        }
        Fault::Digest(other) => {
            let found = u64::from_le_bytes(frame[digest.clone()].try_into().unwrap());
            frame[digest].copy_from_slice(&(found ^ other).to_le_bytes());
        }
        Fault::NoDigest(bytes) => {
            frame[9] = 0;
            frame[digest].fill(0);
            set_payload(&mut frame, bytes);
        }
    }
    seal_again(frame)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn prop_refused_delta_leaves_state_bytes_equal(
        events in vec(any_event(), 1..20),
        at in any::<Index>(),
        faults in vec(any_fault(), 1..8),
        small in any::<bool>(),
    ) {
        let frames = frames(&events);
        prop_assume!(!frames.is_empty());
        let next = at.index(frames.len());
        // A small store refuses records for want of room, too.
        let attributes = if small { 60 } else { 10_000 };
        let (mut memory, mut scratch) = (Memory::new(DIM, SLOTS, attributes), [0; 1000]);
        let mut store = memory.store();
        let mut applier = Applier::new(Position::START, &mut scratch);
        for frame in &frames[..next] {
            let record = Record::parse(frame).unwrap();
            if applier.apply_delta(&record, &mut store).is_err() {
                prop_assert!(small);
                break;
            }
        }

        for fault in faults {
            let wrong = make_wrong(&frames, next, &fault);
            let before = (view(&store), applier.current_position(), applier.applied());
            let Ok(record) = Record::parse(&wrong) else { continue };
            let outcome = applier.apply_delta(&record, &mut store);
            let after = (view(&store), applier.current_position(), applier.applied());
            if outcome == Ok(Outcome::Applied) {
                prop_assert_eq!(after.1.digest, state_digest(&store));
                prop_assert_eq!(after.1.sequence, before.1.sequence + 1);
                return Ok(());
            }
            prop_assert_eq!(before, after, "{:?} of {:?}", outcome, fault);
        }

        // And nothing that was refused stands in the way of the right record.
        let right = Record::parse(&frames[next]).unwrap();
        if !small {
            prop_assert_eq!(applier.apply_delta(&right, &mut store), Ok(Outcome::Applied));
        }
    }
}
