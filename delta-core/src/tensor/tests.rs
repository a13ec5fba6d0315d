//! What edits of tensors send and what is refused; beside a naive array in a file of its own.

mod naive;
mod random;

use super::{Tensor, TensorEdit, TensorRefusal};
use crate::{
    payload::tensor::{DType, Shape, Slab},
    pipeline::{
        apply::{ApplyError, Outcome, Refusal},
        tensor::{TensorPrepareError, TensorStream},
    },
    record::Record,
};

/// A writer and a replica of one u16 tensor of 3 x 2 elements 1 to 6.
fn with_pair(test: impl FnOnce(&mut TensorStream<'_, '_>, &mut TensorStream<'_, '_>)) {
    let shape = Shape::new(&[3, 2]).unwrap();
    let (mut one, mut other) = ([0; 4], [0; 4]);
    let mut written = [Tensor::new(DType::U16, shape, &mut one).unwrap()];
    let mut replicated = [Tensor::new(DType::U16, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut written);
    let mut replica = TensorStream::new(&mut replicated);
    let elements = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0];
    pass_on(
        &mut writer,
        &mut replica,
        TensorEdit::Rows {
            start: 0,
            elements: &elements,
        },
    )
    .unwrap();
    test(&mut writer, &mut replica);
}

/// Sends an edit; returns its payload.
fn pass_on(
    writer: &mut TensorStream<'_, '_>,
    replica: &mut TensorStream<'_, '_>,
    edit: TensorEdit<'_>,
) -> Result<Vec<u8>, TensorPrepareError> {
    let mut out = vec![0; writer.payload_size_max(0, &edit)];
    let (prepared, size) = writer.prepare(0, edit, &mut out)?;
    out.truncate(size);
    let header = prepared.header;
    writer.commit(prepared);
    let record = Record::with_header(header, &out).unwrap();
    assert_eq!(replica.apply_delta(&record), Ok(Outcome::Applied));
    Ok(out)
}

#[test]
fn a_few_changed_elements_are_a_few_bytes() {
    with_pair(|writer, replica| {
        let edit = TensorEdit::Rows {
            start: 0,
            elements: &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 9, 0],
        };
        let payload = pass_on(writer, replica, edit).unwrap();
        let expected = [
            0, 0, 0, 0, 5, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0,
            0, // slot, u16 rows of 2, one of them
            2, 3, 2, // after a gap of 2, 3 bytes, sparse
            1, 9, 0, // after a gap of 1: 9
        ];
        assert_eq!(payload, expected);
        assert_eq!(replica.tensors()[0].as_bytes()[10], 9);

        // A row that changes as a whole has no need of an entry.
        let edit = TensorEdit::Rows {
            start: 1,
            elements: &[7, 0, 8, 0],
        };
        let payload = pass_on(writer, replica, edit).unwrap();
        let expected = [0, 0, 0, 0, 5, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 8, 0];
        assert_eq!(payload, expected);
    });
}

#[test]
fn rows_of_floats_that_change_by_a_little_are_differences() {
    let shape = Shape::new(&[2, 64]).unwrap();
    let (mut one, mut other) = ([0; 128], [0; 128]);
    let mut written = [Tensor::new(DType::F32, shape, &mut one).unwrap()];
    let mut replicated = [Tensor::new(DType::F32, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut written);
    let mut replica = TensorStream::new(&mut replicated);
    let mut row: [f32; 64] =
        core::array::from_fn(|i| f32::from(u8::try_from(i).unwrap()) / 61.0 - 0.4);
    for step in 0..20_u8 {
        for (lane, element) in (step..).zip(&mut row) {
            *element += f32::from(lane % 7) * 1e-6;
        }
        let elements = bytemuck::cast_slice(&row);
        let edit = TensorEdit::Rows { start: 1, elements };
        let payload = pass_on(&mut writer, &mut replica, edit).unwrap();
        assert!(step == 0 || payload.len() < 160, "{}", payload.len());
        let found = replica.tensors()[0].as_bytes();
        assert_eq!(&found[256..], elements);
    }
}

#[test]
fn appending_evicting_and_clearing_are_slabs() {
    with_pair(|writer, replica| {
        let slab = |start, count| Slab {
            axis: 0,
            start,
            count,
        };
        let append = TensorEdit::Put {
            slab: slab(3, 1),
            elements: &[7, 0, 8, 0],
        };
        let payload = pass_on(writer, replica, append).unwrap();
        let expected = [0, 0, 0, 0, 5, 2, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 8, 0];
        assert_eq!(payload, expected);
        let evict = TensorEdit::Evict { slab: slab(0, 2) };
        let payload = pass_on(writer, replica, evict).unwrap();
        assert_eq!(payload, [0, 0, 0, 0, 5, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(replica.tensors()[0].as_bytes(), [5, 0, 6, 0, 7, 0, 8, 0]);
        pass_on(writer, replica, TensorEdit::Clear { slab: slab(1, 1) }).unwrap();
        assert_eq!(replica.tensors()[0].as_bytes(), [5, 0, 6, 0, 0, 0, 0, 0]);
    });
}

#[test]
fn what_a_tensor_cannot_take_is_refused_with_numbers() {
    with_pair(|writer, replica| {
        let slab = Slab {
            axis: 1,
            start: 3,
            count: 1,
        };
        let mut out = [0; 64];
        let mut refusal = |edit| match writer.prepare(0, edit, &mut out).unwrap_err() {
            TensorPrepareError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        };
        let clear = TensorEdit::Clear { slab };
        assert_eq!(refusal(clear), TensorRefusal::Range { slab, extent: 2 });
        let axis = Slab { axis: 2, ..slab };
        let evict = TensorEdit::Evict { slab: axis };
        let no_axis = TensorRefusal::Range {
            slab: axis,
            extent: 0,
        };
        assert_eq!(refusal(evict), no_axis);
        let append = Slab { start: 2, ..slab };
        let short = TensorEdit::Put {
            slab: append,
            elements: &[0; 4],
        };
        let size = TensorRefusal::Size {
            expected: 6,
            found: 4,
        };
        assert_eq!(refusal(short), size);
        let two = Slab { count: 2, ..append };
        let full = TensorEdit::Put {
            slab: two,
            elements: &[0; 12],
        };
        let no_room = TensorRefusal::Full {
            needed: 24,
            capacity: 16,
        };
        assert_eq!(refusal(full), no_room);
        let _ = replica;
    });
}

#[test]
fn a_replica_of_another_past_refuses_and_stays() {
    with_pair(|writer, replica| {
        let mut out = [0; 64];
        let slab = Slab {
            axis: 0,
            start: 0,
            count: 1,
        };
        let (prepared, size) = writer
            .prepare(0, TensorEdit::Evict { slab }, &mut out)
            .unwrap();
        let header = prepared.header;
        let refused = |replica: &mut TensorStream<'_, '_>, header| {
            let before = replica.tensors()[0].as_bytes().to_vec();
            let record = Record::with_header(header, &out[..size]).unwrap();
            let ApplyError { reason, .. } = replica.apply_delta(&record).unwrap_err();
            assert_eq!(replica.tensors()[0].as_bytes(), before);
            assert_eq!(replica.current_position().sequence, 1);
            reason
        };
        let sealed = |change: &dyn Fn(&mut crate::header::DeltaHeader)| {
            let mut changed = header;
            change(&mut changed);
            changed.seal(&out[..size]).unwrap()
        };
        let drifted = sealed(&|header| header.state_digest = Some(5));
        assert!(matches!(
            refused(replica, drifted),
            Refusal::Diverged { expected: 5, .. }
        ));
        let conflict = sealed(&|header| header.prev_sequence = 0);
        let expected = Refusal::Conflict {
            slot: 0,
            last_sequence: 1,
            prev_sequence: 0,
        };
        assert_eq!(refused(replica, conflict), expected);
        let gap = sealed(&|header| header.sequence = 3);
        assert_eq!(refused(replica, gap), Refusal::Gap { expected: 2 });
    });
}

#[test]
fn tensors_and_rows_do_not_mix() {
    with_pair(|_, replica| {
        let delete = crate::header::DeltaHeader::new(crate::header::Operation::Delete, 2, 1);
        let payload = [0; 4];
        let record = Record::with_header(delete.seal(&payload).unwrap(), &payload).unwrap();
        let reason = replica.apply_delta(&record).unwrap_err().reason;
        assert_eq!(reason, Refusal::RowRecord);
    });
}
