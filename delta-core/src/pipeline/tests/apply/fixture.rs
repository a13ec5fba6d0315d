//! A replica and records for it, made by hand.

use crate::{
    codec::{Base, lz4::Lz4Scratch},
    header::{DeltaHeader, Operation, vector_id_hash},
    payload::{batch::BatchWriter, control::Control, metadata::MetadataEdit, vector::VectorChange},
    pipeline::{
        apply::{Applier, ApplyError, Outcome, Refusal},
        sequencer::Position,
    },
    record::Record,
    store::{Replica, SliceStore, state_digest},
    testing::{Memory, frame, view},
};

pub(super) const A: [f32; 2] = [1.0, 2.0];
pub(super) const B: [f32; 2] = [1.0, -2.0];

/// A replica of two base rows A, of which the second is deleted, at sequence 10 of epoch 3.
pub(super) struct Fixture<'a> {
    pub(super) store: SliceStore<'a>,
    pub(super) applier: Applier<'a>,
}

impl<'a> Fixture<'a> {
    pub(super) fn new(memory: &'a mut Memory, scratch: &'a mut [u8]) -> Self {
        let mut store = memory.store_with_base(&[A, A].concat());
        store.mark_deleted(1);
        store.set_last_sequence(0, 7);
        store.set_last_sequence(1, 10);
        let position = Position {
            epoch: 3,
            sequence: 10,
            digest: state_digest(&store),
        };
        let applier = Applier::new(position, scratch);
        Self { store, applier }
    }

    pub(super) fn apply(&mut self, frame: &[u8]) -> Result<Outcome, ApplyError> {
        let record = Record::parse(frame).unwrap();
        self.applier.apply_delta(&record, &mut self.store)
    }

    /// The reason why `frame` is refused, which must leave everything as it was.
    pub(super) fn refusal(&mut self, frame: &[u8]) -> Refusal {
        let before = (view(&self.store), self.applier.current_position());
        let error = self.apply(frame).unwrap_err();
        let after = (view(&self.store), self.applier.current_position());
        assert_eq!(before, after);
        let sequence = Record::parse(frame).unwrap().header().sequence;
        assert_eq!(error.sequence, sequence);
        error.reason
    }
}

pub(super) fn memory() -> Memory {
    Memory::new(2, 3, 100)
}

/// The header of the next record, without a digest.
pub(super) fn next(operation: Operation) -> DeltaHeader {
    DeltaHeader::new(operation, 11, 3)
}

pub(super) fn delete(header: DeltaHeader, slot: u32) -> Vec<u8> {
    let header = DeltaHeader {
        prev_sequence: 7,
        ..header
    };
    frame(header, &slot.to_le_bytes())
}

pub(super) fn vector(
    header: DeltaHeader,
    slot: u32,
    old: &[f32],
    new: &[f32],
    metadata: &[MetadataEdit<'_>],
    lz4: Option<&mut Lz4Scratch>,
) -> Vec<u8> {
    let id = if header.operation == Operation::Insert {
        &b"id"[..]
    } else {
        b""
    };
    let change = VectorChange {
        slot,
        base: Base::Row(old),
        new,
        id,
        graph: None,
        metadata,
    };
    let mut payload = vec![0; change.payload_size_max()];
    let written = change.write(&mut payload, lz4).unwrap();
    let (size, compressed) = (written.size, written.compressed);
    let header = DeltaHeader {
        compressed,
        vector_id_hash: if id.is_empty() { 0 } else { vector_id_hash(id) },
        ..header
    };
    frame(header, &payload[..size])
}

pub(super) fn update(prev_sequence: u64, slot: u32, new: &[f32]) -> Vec<u8> {
    let header = DeltaHeader {
        prev_sequence,
        ..next(Operation::Update)
    };
    vector(header, slot, &vec![0.0; new.len()], new, &[], None)
}

pub(super) fn batch(entries: &[(u32, u64, [f32; 2])]) -> Vec<u8> {
    let (mut payload, mut writer) = (vec![0; 200], BatchWriter::new(11, 2));
    for (slot, prev_sequence, new) in entries {
        writer
            .push(&mut payload, *slot, *prev_sequence, &A, new)
            .unwrap();
    }
    let payload = writer.finish(&mut payload, None).unwrap().payload;
    frame(next(Operation::BatchUpdate), payload)
}

pub(super) fn control(header: DeltaHeader, control: Control<'_>) -> Vec<u8> {
    let mut payload = vec![0; control.size()];
    control.write(&mut payload).unwrap();
    let state_digest = header.state_digest.or(Some(0));
    let header = DeltaHeader {
        state_digest,
        ..header
    };
    frame(header, &payload)
}

pub(super) fn resync(sequence: u64, epoch: u32) -> Vec<u8> {
    let header = DeltaHeader::new(Operation::Control, sequence, epoch);
    let position = sequence - 1;
    control(header, Control::Resync { position })
}
