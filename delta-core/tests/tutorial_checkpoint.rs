//! A tutorial: a reader that restarts from a checkpoint, and one that goes back and forth.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use delta_core::checkpoint::{CheckpointMarker, MarkerError};
use delta_core::header::DeltaHeader;
use delta_core::pipeline::sequencer::{Position, SlotState};
use delta_core::pipeline::session::{
    ApplyMemory, ApplySession, CaptureConfig, CaptureMemory, CaptureSession, SessionApplyError,
};
use delta_core::retain::{Place, SeekError};
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

type Delta = (DeltaHeader, Vec<u8>);

/// A document whose one component counts up.
fn deltas() -> Vec<Delta> {
    let (mut slots, mut bytes) = ([SlotState::default(); 1], [0; 4096]);
    let mut places = [Place::default(); 64];
    let memory = CaptureMemory {
        slots: &mut slots,
        bytes: &mut bytes,
        places: &mut places,
    };
    let config = CaptureConfig {
        dim: 1,
        slot_count: 0,
        position: Position::START,
    };
    let mut session = CaptureSession::init_capture(config, memory);
    session.set_timestamp_us(7);
    session.start_capture(b"").unwrap();
    session.insert(b"counter", &[0.0], &[]).unwrap();
    for value in 1..10_u8 {
        let (old, new) = (f32::from(value - 1), f32::from(value));
        session.update(0, &[old], &[new], &[]).unwrap();
    }
    let headers: Vec<_> = session.poll_deltas(100).unwrap().collect();
    let payload = |header: &DeltaHeader| session.get_payload(header.sequence).unwrap().to_vec();
    headers
        .iter()
        .map(|header| (*header, payload(header)))
        .collect()
}

/// The memory of one reader.
struct Memory {
    rows: [f32; 1],
    slots: [Slot; 1],
    attributes: [u8; 64],
    scratch: [u8; 16],
    undo: [u8; 2048],
    kept: [u8; 2048],
    places: [Place; 16],
}

impl Memory {
    fn new(row: f32) -> Self {
        Self {
            rows: [row],
            slots: [Slot::default()],
            attributes: [0; 64],
            scratch: [0; 16],
            undo: [0; 2048],
            kept: [0; 2048],
            places: [Place::default(); 16],
        }
    }

    /// A reader of the first `undo_size` bytes of undo memory.
    fn session(&mut self, undo_size: usize) -> ApplySession<'_, SliceStore<'_>> {
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut self.attributes,
        };
        let memory = (SliceStore::new(1, memory), &mut self.undo[..undo_size]);
        ApplySession::init_apply(
            memory.0,
            Position::START,
            ApplyMemory {
                scratch: &mut self.scratch,
                undo: memory.1,
                bytes: &mut self.kept,
                places: &mut self.places,
            },
        )
    }
}

#[test]
fn a_checkpoint_says_where_a_reader_was() {
    let (deltas, mut memory) = (deltas(), Memory::new(0.0));
    let mut session = memory.session(2048);
    for (header, payload) in &deltas[..5] {
        session.apply_delta(*header, payload).unwrap();
    }
    // 48 bytes, to be written beside the rows; they outlive the process.
    let stored = session.checkpoint().to_bytes();
    let digest = state_digest(session.replica());

    let marker = CheckpointMarker::parse(&stored).unwrap();
    assert_eq!((marker.position.sequence, marker.slot_count), (5, 1));
    assert_eq!(marker.timestamp_us, 7);
    assert_eq!(
        marker.position.digest, digest,
        "of the state that was kept with it"
    );

    // A file that was torn or changed is found.
    let mut torn = stored;
    torn[20] ^= 1;
    let refused = CheckpointMarker::parse(&torn);
    assert!(matches!(refused, Err(MarkerError::Checksum { .. })));
}

#[test]
fn a_reader_goes_back_and_forth_among_what_it_keeps() {
    let (deltas, mut memory) = (deltas(), Memory::new(0.0));
    let mut session = memory.session(2048);
    let batch: Vec<_> = deltas
        .iter()
        .map(|(header, payload)| (*header, &payload[..]))
        .collect();
    assert_eq!(session.apply_batch(&batch).unwrap().applied, 11);
    let value =
        |session: &ApplySession<'_, SliceStore<'_>>| session.replica().row(0).map(|row| row[0]);
    assert_eq!(value(&session), Some(9.0));

    // Sequence 2 is the insert, 3 the first update.
    session.seek(5).unwrap();
    assert_eq!(
        (value(&session), session.current_position().sequence),
        (Some(3.0), 5)
    );
    session.seek(9).unwrap();
    assert_eq!(value(&session), Some(7.0));
    session.seek(1).unwrap();
    assert_eq!(value(&session), None, "before the insert there is no row");
    session.seek(11).unwrap();
    let not_yet = session.seek(12);
    let newest = SeekError::NotYet { newest: 11 };
    assert_eq!(not_yet, Err(SessionApplyError::Seek(newest)));
    assert_eq!(value(&session), Some(9.0), "a refused seek changes nothing");
}

#[test]
fn too_old_is_an_answer_of_its_own() {
    let (deltas, mut memory) = (deltas(), Memory::new(0.0));
    // Undo memory for the last few updates alone.
    let mut session = memory.session(200);
    for (header, payload) in &deltas {
        session.apply_delta(*header, payload).unwrap();
    }
    let Err(SessionApplyError::Seek(SeekError::TooOld { oldest })) = session.seek(2) else {
        panic!("it remembers more than it has room for");
    };
    assert!(
        oldest > 2,
        "a snapshot is needed for what lies before {oldest}"
    );
    session.seek(oldest).unwrap();
    assert_eq!(session.current_position().sequence, oldest);
}
