//! `cargo xtask component --wasmtime`: a stream from one instance of the component to another.
#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of a test function, which the lints' exception for tests misses"
)]

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

wasmtime::component::bindgen!({ path: "../wit", world: "delta-engine" });

use exports::ruvector::delta::delta_apply::Guest as Apply;
use exports::ruvector::delta::delta_capture::Guest as Capture;
use exports::ruvector::delta::delta_read::Guest as Read;
use exports::ruvector::delta::delta_write::Guest as Write;
use ruvector::delta::types::{ApplyConfig, CaptureConfig, DeltaError, DeltaHeader};

const DIM: u32 = 4;

/// An instance with a memory of its own.
struct Instance {
    store: Store<()>,
    delta: DeltaEngine,
}

impl Instance {
    fn new() -> Self {
        let engine = Engine::default();
        let path = std::env::var("DELTA_COMPONENT").unwrap();
        let component = Component::from_file(&engine, path).unwrap();
        let mut store = Store::new(&engine, ());
        let linker = Linker::new(&engine);
        let delta = DeltaEngine::instantiate(&mut store, &component, &linker).unwrap();
        Self { store, delta }
    }

    fn capture(&mut self) -> (&mut Store<()>, &Capture) {
        (&mut self.store, self.delta.ruvector_delta_delta_capture())
    }

    fn write(&mut self) -> (&mut Store<()>, &Write) {
        (&mut self.store, self.delta.ruvector_delta_delta_write())
    }

    fn apply(&mut self) -> (&mut Store<()>, &Apply) {
        (&mut self.store, self.delta.ruvector_delta_delta_apply())
    }

    fn read(&mut self) -> (&mut Store<()>, &Read) {
        (&mut self.store, self.delta.ruvector_delta_delta_read())
    }
}

/// A primary that has captured inserts, updates of awkward bits and a delete.
fn primary() -> (Instance, u32) {
    const AWKWARD: [u32; 4] = [0x7fc0_0001, 0x8000_0000, 1, 0xff80_0001];
    let mut primary = Instance::new();
    let config = CaptureConfig {
        dimensions: DIM,
        capacity: 8,
        attribute_bytes: 4096,
        retained_deltas: 64,
        retained_bytes: 16_384,
        epoch: 1,
    };
    let (store, capture) = primary.capture();
    let handle = capture
        .call_init_capture(&mut *store, "db", config)
        .unwrap();
    let handle = handle.unwrap();
    capture.call_start_capture(store, handle).unwrap().unwrap();
    let (store, write) = primary.write();
    for number in 0..5_u8 {
        let row: Vec<u8> = AWKWARD
            .iter()
            .flat_map(|bits| (bits ^ 1).to_le_bytes())
            .collect();
        let pairs = [("n".to_owned(), vec![number])];
        let inserted = write.call_insert(&mut *store, handle, &[number], &row, &pairs);
        let slot = inserted.unwrap().unwrap();
        let row: Vec<u8> = AWKWARD.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let updated = write.call_update(&mut *store, handle, slot, &row, &[]);
        updated.unwrap().unwrap();
    }
    write.call_delete(store, handle, 2).unwrap().unwrap();
    (primary, handle)
}

fn deltas(primary: &mut Instance, handle: u32) -> Vec<(DeltaHeader, Vec<u8>)> {
    let (store, capture) = primary.capture();
    let headers = capture
        .call_poll_deltas(&mut *store, handle, 100)
        .unwrap()
        .unwrap();
    let payload = |header: DeltaHeader| {
        let payload = capture.call_get_payload(&mut *store, handle, header.sequence);
        (header, payload.unwrap().unwrap())
    };
    headers.into_iter().map(payload).collect()
}

fn replica() -> (Instance, u32) {
    let mut replica = Instance::new();
    let config = ApplyConfig {
        dimensions: DIM,
        capacity: 8,
        attribute_bytes: 4096,
        retained_deltas: 64,
        retained_bytes: 16_384,
        undo_bytes: 16_384,
        epoch: 1,
    };
    let (store, apply) = replica.apply();
    let handle = apply.call_init_apply(store, "db", config).unwrap().unwrap();
    (replica, handle)
}

#[test]
fn writes_of_one_instance_arrive_in_another() {
    let (mut primary, capture) = primary();
    let (mut replica, handle) = replica();
    for (header, payload) in deltas(&mut primary, capture) {
        let (store, apply) = replica.apply();
        let applied = apply.call_apply_delta(store, handle, &header, &payload);
        assert_eq!(applied.unwrap().unwrap(), header.sequence);
    }
    let (store, capture_calls) = primary.capture();
    let written = capture_calls
        .call_checkpoint(store, capture)
        .unwrap()
        .unwrap();
    let (store, read) = replica.read();
    let state = read.call_state(&mut *store, handle).unwrap().unwrap();
    assert_eq!(
        (state.sequence, state.state_hash),
        (written.sequence, written.state_hash)
    );
    let row = read.call_row(&mut *store, handle, 0).unwrap().unwrap();
    assert_eq!(row.get(..4), Some(&[1, 0, 0xc0, 0x7f][..]));
    assert!(read.call_is_deleted(store, handle, 2).unwrap().unwrap());
    let (store, apply) = replica.apply();
    apply.call_seek(&mut *store, handle, 3).unwrap().unwrap();
    assert_eq!(
        apply.call_current_position(store, handle).unwrap().unwrap(),
        3
    );
}

#[test]
fn a_batch_applies_whole_or_not_at_all() {
    let (mut primary, capture) = primary();
    let (mut replica, handle) = replica();
    let mut deltas = deltas(&mut primary, capture);
    let good = deltas.clone();
    if let Some(byte) = deltas
        .last_mut()
        .and_then(|(_, payload)| payload.last_mut())
    {
        *byte ^= 1;
    }
    let (store, apply) = replica.apply();
    let refused = apply
        .call_apply_batch(&mut *store, handle, &deltas)
        .unwrap();
    assert!(matches!(refused, Err(DeltaError::ChecksumMismatch)));
    assert_eq!(
        apply
            .call_current_position(&mut *store, handle)
            .unwrap()
            .unwrap(),
        0
    );
    let applied = apply
        .call_apply_batch(store, handle, &good)
        .unwrap()
        .unwrap();
    // The stream's start and eleven writes.
    assert_eq!((applied.applied, applied.last_sequence), (12, 12));
}
