//! Delta as a WebAssembly component: the verbs of `ruvector:delta@0.1.0` (`wit/delta.wit`) over
//! the sessions of `delta-core`.
//!
//! A component cannot share a ring's memory with its host: payloads are copied. What passes is the
//! frame, whole; the WIT record beside it repeats its header and is checked against it. Control
//! records (the stream's start) have no operation in the WIT: their frames stand in front of the
//! payload of the delta behind them.
//!
//! Handles are numbers, as the interface has no verb that gives one up: their memory is kept until
//! the component's instance ends.

mod apply;
mod capture;
mod error;
mod projection;

use std::cell::RefCell;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "delta-engine" });
}

use bindings::exports::ruvector::delta::{delta_apply, delta_capture, delta_read, delta_write};
use bindings::ruvector::delta::types;
use types::{ApplyConfig, CaptureConfig, CheckpointMarker, DeltaError, DeltaHeader, VectorDelta};

use apply::Replica;
use capture::Primary;

thread_local! {
    static PRIMARIES: RefCell<Vec<Primary>> = const { RefCell::new(Vec::new()) };
    static REPLICAS: RefCell<Vec<Replica>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what a handle stands for; the handle.
fn open<T>(all: &mut Vec<T>, new: T) -> u32 {
    all.push(new);
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// What `handle` stands for: handles count from 1.
fn find<T>(all: &mut [T], handle: u32) -> Result<&mut T, DeltaError> {
    let index = (handle as usize).checked_sub(1);
    let found = index.and_then(|index| all.get_mut(index));
    found.ok_or(DeltaError::UnknownHandle(handle))
}

fn with_primary<T>(
    handle: u32,
    action: impl FnOnce(&mut Primary) -> Result<T, DeltaError>,
) -> Result<T, DeltaError> {
    PRIMARIES.with_borrow_mut(|all| action(find(all, handle)?))
}

fn with_replica<T>(
    handle: u32,
    action: impl FnOnce(&mut Replica) -> Result<T, DeltaError>,
) -> Result<T, DeltaError> {
    REPLICAS.with_borrow_mut(|all| action(find(all, handle)?))
}

/// `count` items of their own for as long as the instance lives.
fn memory<T: Clone + Default>(count: usize) -> Result<&'static mut [T], DeltaError> {
    let mut items = Vec::new();
    let reserved = items.try_reserve_exact(count);
    reserved.map_err(|_| DeltaError::OutOfMemory)?;
    items.resize(count, T::default());
    Ok(items.leak())
}

/// A row that a host passed: `dim` components, little-endian.
fn row_of(bytes: &[u8], dim: u32) -> Result<Vec<f32>, DeltaError> {
    let needed = size_of::<f32>().saturating_mul(dim as usize);
    if bytes.len() != needed {
        let given = bytes.len();
        let text = format!("a row of {given} bytes: pass {needed}, 4 a component");
        return Err(DeltaError::InvalidArgument(text));
    }
    let (components, _) = bytes.as_chunks();
    Ok(components
        .iter()
        .map(|component| f32::from_le_bytes(*component))
        .collect())
}

struct Component;

impl delta_capture::Guest for Component {
    fn init_capture(db_id: String, config: CaptureConfig) -> Result<u32, DeltaError> {
        let primary = Primary::new(db_id, &config)?;
        Ok(PRIMARIES.with_borrow_mut(|all| open(all, primary)))
    }

    fn start_capture(handle: u32) -> Result<(), DeltaError> {
        with_primary(handle, Primary::start)
    }

    fn poll_deltas(handle: u32, max_batch: u32) -> Result<Vec<DeltaHeader>, DeltaError> {
        with_primary(handle, |primary| primary.poll(max_batch))
    }

    fn get_payload(handle: u32, sequence: u64) -> Result<Vec<u8>, DeltaError> {
        with_primary(handle, |primary| primary.payload(sequence))
    }

    fn checkpoint(handle: u32) -> Result<CheckpointMarker, DeltaError> {
        with_primary(handle, |primary| Ok(primary.checkpoint()))
    }
}

impl delta_write::Guest for Component {
    fn insert(
        handle: u32,
        id: Vec<u8>,
        row: Vec<u8>,
        metadata: Vec<(String, Vec<u8>)>,
    ) -> Result<u32, DeltaError> {
        let metadata = metadata
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        with_primary(handle, |primary| primary.insert(&id, &row, metadata))
    }

    fn update(
        handle: u32,
        slot: u32,
        row: Vec<u8>,
        metadata: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), DeltaError> {
        with_primary(handle, |primary| primary.update(slot, &row, metadata))
    }

    fn delete(handle: u32, slot: u32) -> Result<(), DeltaError> {
        with_primary(handle, |primary| primary.delete(slot))
    }

    fn set_timestamp(handle: u32, timestamp: u64) -> Result<(), DeltaError> {
        with_primary(handle, |primary| {
            primary.set_timestamp_us(timestamp);
            Ok(())
        })
    }
}

impl delta_apply::Guest for Component {
    fn init_apply(db_id: String, config: ApplyConfig) -> Result<u32, DeltaError> {
        let replica = Replica::new(db_id, &config)?;
        Ok(REPLICAS.with_borrow_mut(|all| open(all, replica)))
    }

    fn apply_delta(handle: u32, header: DeltaHeader, payload: Vec<u8>) -> Result<u64, DeltaError> {
        with_replica(handle, |replica| {
            Ok(replica.apply(&[(header, payload)])?.last_sequence)
        })
    }

    fn apply_batch(
        handle: u32,
        deltas: Vec<(DeltaHeader, Vec<u8>)>,
    ) -> Result<types::BatchResult, DeltaError> {
        with_replica(handle, |replica| replica.apply(&deltas))
    }

    fn current_position(handle: u32) -> Result<u64, DeltaError> {
        with_replica(handle, |replica| Ok(replica.position().sequence))
    }

    fn seek(handle: u32, sequence: u64) -> Result<(), DeltaError> {
        with_replica(handle, |replica| replica.seek(sequence))
    }
}

impl delta_read::Guest for Component {
    fn state(handle: u32) -> Result<CheckpointMarker, DeltaError> {
        with_replica(handle, |replica| Ok(replica.state()))
    }

    fn row(handle: u32, slot: u32) -> Result<Vec<u8>, DeltaError> {
        with_replica(handle, |replica| replica.row(slot))
    }

    fn id(handle: u32, slot: u32) -> Result<Vec<u8>, DeltaError> {
        with_replica(handle, |replica| replica.id(slot))
    }

    fn metadata(handle: u32, slot: u32) -> Result<Vec<(String, Vec<u8>)>, DeltaError> {
        with_replica(handle, |replica| replica.metadata(slot))
    }

    fn is_deleted(handle: u32, slot: u32) -> Result<bool, DeltaError> {
        with_replica(handle, |replica| replica.is_deleted(slot))
    }

    fn vector(handle: u32, payload: Vec<u8>) -> Result<VectorDelta, DeltaError> {
        with_replica(handle, |replica| replica.vector(&payload))
    }
}

bindings::export!(Component with_types_in bindings);
