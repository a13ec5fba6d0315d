//! Back and forth in a session whose undo memory reaches further back than its frames.

use super::base_position;
use crate::{
    header::{DeltaHeader, HEADER_SIZE},
    pipeline::{
        sequencer::{Position, SlotState},
        session::{
            ApplyMemory, ApplySession, CaptureConfig, CaptureMemory, CaptureSession,
            SessionApplyError,
        },
    },
    retain::{Place, Retention, SeekError},
    store::{SliceStore, state_digest},
    testing::Memory,
};
use proptest::{collection::vec, prelude::*};

const RECORDS: u8 = 20;
/// Undo memory for any of these histories.
const UNDO: usize = 1 << 16;

/// A start, an insert, and updates: `RECORDS` records.
fn history() -> Vec<(DeltaHeader, Vec<u8>)> {
    let config = CaptureConfig {
        dim: 1,
        slot_count: 0,
        position: Position::START,
    };
    let (mut bytes, mut places) = (vec![0; 1 << 16], [Place::default(); 32]);
    let memory = CaptureMemory {
        slots: &mut [SlotState::default()],
        bytes: &mut bytes,
        places: &mut places,
    };
    let mut capture = CaptureSession::init_capture(config, memory);
    capture.start_capture(b"").unwrap();
    let slot = capture.insert(b"a", &[0.0], &[]).unwrap();
    for step in 0..RECORDS - 2 {
        let [old, new] = [step, step + 1].map(f32::from);
        capture.update(slot, &[old], &[new], &[]).unwrap();
    }
    let headers: Vec<_> = capture.poll_deltas(RECORDS.into()).unwrap().collect();
    let payload = |header: &DeltaHeader| capture.get_payload(header.sequence).unwrap().to_vec();
    headers
        .iter()
        .map(|header| (*header, payload(header)))
        .collect()
}

/// Runs `test` on a session that keeps at most `places` frames, in `size` bytes.
fn with_session(places: usize, size: usize, test: impl FnOnce(ApplySession<'_, SliceStore<'_>>)) {
    let mut memory = Memory::new(1, 4, 64);
    let (mut undo, mut bytes) = (vec![0; UNDO], vec![0; size]);
    let mut places = vec![Place::default(); places];
    let store = memory.store();
    let position = base_position(&store);
    let memory = ApplyMemory {
        scratch: &mut [],
        undo: &mut undo,
        bytes: &mut bytes,
        places: &mut places,
    };
    test(ApplySession::init_apply(store, position, memory));
}

/// The records after the session's position, up to `to`.
fn apply_to(
    session: &mut ApplySession<'_, SliceStore<'_>>,
    log: &[(DeltaHeader, Vec<u8>)],
    to: u64,
) {
    let from = session.current_position().sequence;
    for (header, payload) in log {
        if (from + 1..=to).contains(&header.sequence) {
            session.apply_delta(*header, payload).unwrap();
        }
    }
}

#[test]
fn records_after_one_that_is_no_longer_kept_are_kept_under_their_own_sequences() {
    let log = history();
    with_session(3, 1 << 12, |mut session| {
        apply_to(&mut session, &log, 10);
        // Frames 8 to 10 are kept; undo reaches back to the beginning.
        session.seek(3).unwrap();
        apply_to(&mut session, &log, 7);
        let not_yet = SessionApplyError::Seek(SeekError::NotYet { newest: 7 });
        assert_eq!(session.seek(8), Err(not_yet));
        session.seek(5).unwrap();
        session.seek(7).unwrap();
        apply_to(&mut session, &log, 12);
        session.seek(9).unwrap();
        session.seek(12).unwrap();
        let position = session.current_position();
        assert_eq!(position.sequence, 12);
        assert_eq!(position.digest, state_digest(session.replica()));
    });
}

#[test]
fn records_twice_in_a_batch_are_kept_once() {
    let log = history();
    let delta = |sequence: usize| (log[sequence - 1].0, &log[sequence - 1].1[..]);
    with_session(8, 1 << 12, |mut session| {
        let batch = [1, 2, 3, 1, 2].map(delta);
        let result = session.apply_batch(&batch).unwrap();
        assert_eq!((result.applied, result.duplicates), (3, 2));
        apply_to(&mut session, &log, 5);
        session.seek(0).unwrap();
        session.seek(5).unwrap();
        assert_eq!(session.current_position().sequence, 5);
    });
}

#[test]
fn forgetting_what_follows_a_forgotten_frame_leaves_none() {
    let log = history();
    let (mut bytes, mut places) = (vec![0; 1 << 12], [Place::default(); 3]);
    let mut retention = Retention::new(0, &mut bytes, &mut places);
    for (header, payload) in &log[..10] {
        assert!(retention.append(header, payload));
    }
    assert_eq!((retention.oldest(), retention.newest()), (8, 10));
    // The one before the oldest: frame 8 is next.
    retention.truncate(7);
    assert_eq!((retention.oldest(), retention.newest()), (8, 7));
    retention.truncate(3);
    assert_eq!((retention.oldest(), retention.newest()), (4, 3));
    let (header, payload) = &log[3];
    assert!(retention.append(header, payload));
    let frame = retention.frame(4).unwrap();
    assert_eq!(frame[..HEADER_SIZE], header.to_bytes());
    assert_eq!(retention.frame(3), Err(SeekError::TooOld { oldest: 4 }));
    assert_eq!(retention.frame(5), Err(SeekError::NotYet { newest: 4 }));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Seek(u64),
    Apply(u64),
    /// From a record to another, perhaps again.
    Batch(u64, u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let sequence = || 0..=u64::from(RECORDS);
    prop_oneof![
        sequence().prop_map(Step::Seek),
        sequence().prop_map(Step::Apply),
        (sequence(), sequence()).prop_map(|(from, to)| Step::Batch(from, to)),
    ]
}

proptest! {
    #[test]
    fn prop_a_session_is_where_it_says(
        places in 0..6_usize,
        size in 0..600_usize,
        steps in vec(any_step(), 1..40),
    ) {
        let log = history();
        with_session(places, size, |mut session| {
            for step in steps {
                let before = session.current_position();
                match step {
                    Step::Seek(to) => match session.seek(to) {
                        Ok(()) => assert_eq!(session.current_position().sequence, to),
                        Err(SessionApplyError::Seek(_)) => {
                            // Back is always in reach here.
                            assert!(to > before.sequence);
                            assert_eq!(session.current_position(), before);
                        }
                        Err(error) => panic!("{error}"),
                    },
                    Step::Apply(to) => apply_to(&mut session, &log, to),
                    Step::Batch(from, to) => {
                        let first = from.min(before.sequence + 1);
                        let is_chosen = |h: &DeltaHeader| (first..=to).contains(&h.sequence);
                        let deltas = log.iter().map(|(header, payload)| (*header, &payload[..]));
                        let in_order = deltas.filter(|(header, _)| is_chosen(header));
                        let batch: Vec<_> = in_order.clone().chain(in_order).collect();
                        let result = session.apply_batch(&batch).unwrap();
                        assert_eq!(u64::from(result.applied), to.saturating_sub(before.sequence));
                    }
                }
                let position = session.current_position();
                assert_eq!(position.digest, state_digest(session.replica()));
            }
        });
    }
}
