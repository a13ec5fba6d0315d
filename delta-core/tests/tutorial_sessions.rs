//! A tutorial: both ends of a stream, verb by verb.
//!
//! A vector store captures what it writes; a replica, which may be anywhere, applies it. Between
//! them here is nothing but headers and payloads, handed over one by one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use delta_core::checkpoint::CheckpointMarker;
use delta_core::header::DeltaHeader;
use delta_core::payload::metadata::MetadataEdit;
use delta_core::pipeline::apply::BatchApplyError;
use delta_core::pipeline::sequencer::{Position, SlotState};
use delta_core::pipeline::session::{
    ApplyMemory, ApplySession, CaptureConfig, CaptureMemory, CaptureSession, SessionApplyError,
};
use delta_core::retain::{Place, SeekError};
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

const DIM: usize = 4;
const SLOTS: usize = 16;

/// All memory is the caller's, and all of it is bounded.
struct Memory {
    states: [SlotState; SLOTS],
    sent: [u8; 4096],
    sent_places: [Place; 64],
    rows: [f32; DIM * SLOTS],
    slots: [Slot; SLOTS],
    attributes: [u8; 1024],
    undo: [u8; 2048],
    kept: [u8; 4096],
    kept_places: [Place; 64],
}

impl Memory {
    fn new() -> Self {
        Self {
            states: [SlotState::default(); SLOTS],
            sent: [0; 4096],
            sent_places: [Place::default(); 64],
            rows: [0.0; DIM * SLOTS],
            slots: [Slot::default(); SLOTS],
            attributes: [0; 1024],
            undo: [0; 2048],
            kept: [0; 4096],
            kept_places: [Place::default(); 64],
        }
    }

    fn sessions(&mut self) -> (CaptureSession<'_>, ApplySession<'_, SliceStore<'_>>) {
        let config = CaptureConfig {
            dim: 4,
            slot_count: 0,
            position: Position::START,
        };
        // init-capture: the writer begins with an empty state.
        let capture = CaptureSession::init_capture(
            config,
            CaptureMemory {
                slots: &mut self.states,
                bytes: &mut self.sent,
                places: &mut self.sent_places,
            },
        );
        let store = SliceStore::new(
            4,
            SliceMemory {
                rows: &mut self.rows,
                slots: &mut self.slots,
                attributes: &mut self.attributes,
            },
        );
        // init-apply: so does the replica.
        let apply = ApplySession::init_apply(
            store,
            Position::START,
            ApplyMemory {
                scratch: &mut [],
                undo: &mut self.undo,
                bytes: &mut self.kept,
                places: &mut self.kept_places,
            },
        );
        (capture, apply)
    }
}

/// poll-deltas and get-payload: fetches what is new.
fn fetch(capture: &mut CaptureSession<'_>) -> Vec<(DeltaHeader, Vec<u8>)> {
    let headers: Vec<_> = capture.poll_deltas(100).unwrap().collect();
    let payload = |header: &DeltaHeader| capture.get_payload(header.sequence).unwrap().to_vec();
    headers
        .iter()
        .map(|header| (*header, payload(header)))
        .collect()
}

#[test]
fn a_replica_follows_a_writer_verb_by_verb() {
    let mut memory = Memory::new();
    let (mut capture, mut apply) = memory.sessions();

    // start-capture: the first record says what the stream is about.
    capture.start_capture(b"").unwrap();
    let first = [1.0, 2.0, 3.0, 4.0];
    let second = [1.0, 2.0, -0.0, 4.0];
    let language = MetadataEdit {
        key: b"language",
        old: None,
        new: Some(b"en"),
    };
    let slot = capture.insert(b"doc-1", &first, &[language]).unwrap();
    capture.update(slot, &first, &second, &[]).unwrap();

    // apply-delta, one by one.
    for (header, payload) in fetch(&mut capture) {
        assert_eq!(apply.apply_delta(header, &payload), Ok(header.sequence));
    }
    let row = apply.replica().row(slot).unwrap();
    assert_eq!(row[2].to_bits(), (-0.0_f32).to_bits(), "every bit arrives");
    assert_eq!(
        apply.replica().metadata(slot, b"language"),
        Some(&b"en"[..])
    );

    // apply-batch: all or none.
    capture.insert(b"doc-2", &first, &[]).unwrap();
    capture.delete(slot).unwrap();
    let fetched = fetch(&mut capture);
    let mut deltas: Vec<_> = fetched
        .iter()
        .map(|(header, bytes)| (*header, &bytes[..]))
        .collect();
    deltas.reverse();
    assert!(matches!(
        apply.apply_batch(&deltas),
        Err(SessionApplyError::Apply(BatchApplyError::Apply(_)))
    ));
    assert_eq!(apply.replica().slot_count(), 1, "nothing of it was applied");
    deltas.reverse();
    let result = apply.apply_batch(&deltas).unwrap();
    assert_eq!((result.applied, result.duplicates), (2, 0));

    // current-position and checkpoint: both ends agree, digest included.
    assert_eq!(apply.current_position(), capture.checkpoint().position);
    assert_eq!(apply.checkpoint(), capture.checkpoint());
    assert_eq!(
        apply.current_position().digest,
        state_digest(apply.replica())
    );
    let written = apply.checkpoint().to_bytes();
    assert_eq!(CheckpointMarker::parse(&written), Ok(apply.checkpoint()));
}

#[test]
fn a_replica_seeks_back_and_forth_within_what_is_kept() {
    let mut memory = Memory::new();
    let (mut capture, mut apply) = memory.sessions();
    capture.start_capture(b"").unwrap();
    let rows: Vec<[f32; DIM]> = (0..20_u8)
        .map(|step| [f32::from(step), 0.0, 1.0, 2.0])
        .collect();
    let slot = capture.insert(b"doc-1", &rows[0], &[]).unwrap();
    for step in rows.windows(2) {
        capture.update(slot, &step[0], &step[1], &[]).unwrap();
    }
    let deltas = fetch(&mut capture);
    let mut positions = vec![apply.current_position()];
    for (header, payload) in &deltas {
        apply.apply_delta(*header, payload).unwrap();
        positions.push(apply.current_position());
    }
    // seek: every earlier state again, and forward without fetching anything.
    for sequence in [5, 21, 0, 13, 14, 2, 21] {
        apply.seek(sequence).unwrap();
        assert_eq!(
            apply.current_position(),
            positions[usize::try_from(sequence).unwrap()]
        );
        assert_eq!(
            apply.current_position().digest,
            state_digest(apply.replica())
        );
    }
    let not_yet = SessionApplyError::Seek(SeekError::NotYet { newest: 21 });
    assert_eq!(apply.seek(22), Err(not_yet));
    // From an earlier state the records are the next ones again, and they are kept as before.
    apply.seek(10).unwrap();
    for (header, payload) in &deltas[10..] {
        apply.apply_delta(*header, payload).unwrap();
    }
    assert_eq!(Some(&apply.current_position()), positions.last());
}

#[test]
fn what_is_too_old_needs_a_snapshot() {
    let mut memory = Memory::new();
    let (mut capture, mut apply) = memory.sessions();
    capture.start_capture(b"").unwrap();
    let slot = capture.insert(b"doc-1", &[0.0; DIM], &[]).unwrap();
    let mut old = [0.0; DIM];
    let mut fetched_to = 0;
    for step in 0..250_u8 {
        let new = [f32::from(step), 1.0, 2.0, f32::from(step) * 2.0];
        capture.update(slot, &old, &new, &[]).unwrap();
        old = new;
        if step < 150 {
            for (header, payload) in fetch(&mut capture) {
                apply.apply_delta(header, &payload).unwrap();
                fetched_to = header.sequence;
            }
        }
    }
    // The writer keeps a few dozen records; the reader stopped 100 ago.
    let Err(SeekError::TooOld { oldest }) = capture.poll_deltas(1).map(|_| ()) else {
        panic!("the records after {fetched_to} are gone");
    };
    assert!(oldest > fetched_to + 1);
    assert!(matches!(
        capture.get_payload(1),
        Err(SeekError::TooOld { .. })
    ));
    // The replica, too, goes back only so far.
    let before = apply.current_position();
    let Err(SessionApplyError::Seek(SeekError::TooOld { oldest })) = apply.seek(1) else {
        panic!("record 1 was long ago");
    };
    assert_eq!(apply.current_position(), before);
    apply.seek(oldest).unwrap();
    assert_eq!(
        apply.current_position().digest,
        state_digest(apply.replica())
    );
    apply.seek(before.sequence).unwrap();
    assert_eq!(apply.current_position(), before);
}
