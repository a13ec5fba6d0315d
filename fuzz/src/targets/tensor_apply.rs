//! Tensor changes are taken or refused, and made, as the oracle does it; a refused one leaves every
//! byte as it was; the digest that a change predicts is that of the tensors after it.
//!
//! Input: a byte (bit 0: the golden changes come first), then payloads, each behind a byte that
//! says its size.

use delta_core::header::{DeltaHeader, Operation};
use delta_core::payload::tensor::{DType, Shape};
use delta_core::pipeline::apply::Outcome;
use delta_core::pipeline::tensor::{self, TensorStream};
use delta_core::record::Record;
use delta_core::tensor::Tensor;

use crate::oracle::bytes::Bytes;
use crate::oracle::tensor::{Tensor as Model, after, relative};
use crate::wire;

/// Element type, extents, words of memory.
const TENSORS: [(DType, &[u32], usize); 5] = [
    (DType::U16, &[3, 2], 5),
    (DType::F32, &[3], 3),
    (DType::I8, &[2, 2, 2], 6),
    (DType::U32, &[0, 3], 12),
    (DType::F32, &[1, 8], 8),
];
/// The tensors that the golden changes are for.
const GOLDEN_TENSORS: usize = 2;

pub fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let Some(mode) = input.u8() else {
        return;
    };
    let is_golden = mode & 1 != 0;
    let count = if is_golden {
        GOLDEN_TENSORS
    } else {
        TENSORS.len()
    };
    let mut memories = TENSORS.map(|(_, _, words)| vec![7_u32; words]);
    let mut models = Vec::new();
    let mut tensors = Vec::new();
    for ((dtype, extents, words), memory) in TENSORS.into_iter().zip(&mut memories).take(count) {
        let shape = Shape::new(extents).expect("a small shape");
        tensors.push(Tensor::new(dtype, shape, memory).expect("memory for the shape"));
        models.push(Model::zeros(dtype as u8, extents, 4 * words));
    }
    let mut stream = TensorStream::new(&mut tensors);
    if is_golden {
        for (name, payload) in wire::frames("tensor").into_iter().skip(1) {
            let (name, digest) = name.split_once(' ').expect("a digest beside the name");
            assert!(apply(&mut stream, &mut models, &payload), "{name}");
            let found = format!("{:016x}", stream.current_position().digest);
            assert_eq!(found, digest, "{name}");
        }
    }
    while let Some(size) = input.u8() {
        let size = usize::from(size).min(input.0.len());
        let payload = input.take(size).unwrap_or_default();
        apply(&mut stream, &mut models, payload);
    }
}

/// Gives a change to both; whether it was taken.
fn apply(stream: &mut TensorStream<'_, '_>, models: &mut [Model], payload: &[u8]) -> bool {
    let slot = payload
        .first_chunk()
        .map_or(0, |slot| u32::from_le_bytes(*slot));
    let last_sequence = stream
        .tensors()
        .get(slot as usize)
        .map_or(0, Tensor::last_sequence);
    let header = DeltaHeader {
        tensor: true,
        relative: relative(payload).unwrap_or(false),
        prev_sequence: last_sequence,
        ..DeltaHeader::new(Operation::Update, stream.current_position().sequence + 1, 1)
    };
    let header = header.seal(payload).expect("a small payload");
    let outcome = Record::with_header(header, payload)
        .ok()
        .and_then(|record| stream.apply_delta(&record).ok());
    let expected = after(models, payload);
    assert_eq!(
        outcome,
        expected.as_ref().map(|_| Outcome::Applied),
        "{payload:x?}"
    );
    let is_taken = expected.is_some();
    if let Some((slot, changed)) = expected {
        models[slot as usize] = changed;
    }
    let mut digest = 0_u64;
    for (slot, (model, tensor)) in (0..).zip(models.iter().zip(stream.tensors())) {
        assert_eq!(tensor.as_bytes(), model.bytes(), "{payload:x?}");
        assert_eq!(tensor.shape().extents(), model.extents, "{payload:x?}");
        digest = digest.wrapping_add(model.digest(slot));
    }
    assert_eq!(stream.current_position().digest, digest, "{payload:x?}");
    assert_eq!(tensor::digest(stream.tensors()), digest, "{payload:x?}");
    is_taken
}
