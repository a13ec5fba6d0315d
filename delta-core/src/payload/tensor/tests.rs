//! Payloads of tensor updates: literal bytes, and what must be refused.

use super::{
    DType, ELEMENTS_MAX, RowChanges, Shape, ShapeError, Slab, TensorChange, TensorFormatError,
    TensorPayload,
};
use crate::{
    codec::ValuesError,
    header::{DeltaHeader, HeaderError, Operation},
    payload::PayloadError,
};
use proptest::{collection::vec, prelude::*};

const HEADER: DeltaHeader = DeltaHeader {
    tensor: true,
    ..DeltaHeader::new(Operation::Update, 2, 1)
};

fn parse(bytes: &[u8]) -> Result<TensorPayload<'_>, PayloadError> {
    TensorPayload::parse(&HEADER, bytes)
}

/// A prefix of slot 7, then `rest`.
fn payload(kinds: [u8; 4], words: [u32; 2], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![7, 0, 0, 0];
    bytes.extend(kinds);
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(rest);
    bytes
}

const SLAB: Slab = Slab {
    axis: 1,
    start: 3,
    count: 2,
};

#[test]
fn literal_bytes_of_every_kind() {
    let shape = Shape::new(&[1, 3]).unwrap();
    let extents_and_elements = [1, 0, 0, 0, 3, 0, 0, 0, 10, 11, 12];
    let rows = [0, 2, 2, 1, 9, 1, 3, 1, 4, 5, 6];
    let cases = [
        (
            payload([4, 0, 2, 0], [0, 0], &extents_and_elements),
            TensorChange::Dense {
                shape,
                elements: &[10, 11, 12],
            },
        ),
        (
            payload([4, 1, 0, 0], [3, 2], &rows),
            TensorChange::Rows(RowChanges::parse(DType::U8, 3, 2, &rows).unwrap()),
        ),
        (
            payload([4, 2, 1, 0], [3, 2], &[1, 2]),
            TensorChange::Put {
                slab: SLAB,
                elements: &[1, 2],
            },
        ),
        (
            payload([4, 3, 1, 0], [3, 2], &[]),
            TensorChange::Clear { slab: SLAB },
        ),
        (
            payload([4, 4, 1, 0], [3, 2], &[]),
            TensorChange::Evict { slab: SLAB },
        ),
    ];
    for (bytes, change) in cases {
        let expected = TensorPayload {
            slot: 7,
            dtype: DType::U8,
            change,
        };
        assert_eq!(parse(&bytes), Ok(expected));
        let mut out = vec![0xff; bytes.len()];
        assert_eq!(expected.write(&mut out), Some(bytes.len()));
        assert_eq!(out, bytes);
        assert_eq!(expected.write(&mut out[1..]), None);
    }
}

#[test]
fn broken_payloads_are_refused() {
    use TensorFormatError::{Axis, Elements, Empty, Entry, UnknownDType, UnknownKind};
    let size = |expected, found| PayloadError::Size { expected, found };
    let reserved = |offset| PayloadError::Reserved { offset };
    let cases = [
        (vec![0; 15], size(16, 15)),
        (
            payload([7, 0, 0, 0], [0, 0], &[]),
            UnknownDType { found: 7 }.into(),
        ),
        (
            payload([4, 5, 0, 0], [0, 0], &[]),
            UnknownKind { found: 5 }.into(),
        ),
        (payload([4, 3, 0, 1], [0, 1], &[]), reserved(7)),
        (payload([4, 0, 0, 0], [0, 1], &[1]), reserved(12)),
        (payload([4, 1, 1, 0], [1, 1], &[0, 1, 1, 5]), reserved(6)),
        (payload([4, 0, 1, 0], [0, 0], &[1, 0, 0]), size(20, 19)),
        (payload([1, 0, 0, 0], [0, 0], &[1, 2, 3]), size(18, 19)),
        (
            payload([4, 0, 7, 0], [0, 0], &[0; 28]),
            TensorFormatError::Shape(ShapeError::Rank { found: 7 }).into(),
        ),
        (payload([4, 3, 6, 0], [0, 1], &[]), Axis { found: 6 }.into()),
        (payload([4, 3, 0, 0], [0, 0], &[]), Empty.into()),
        (payload([4, 3, 0, 0], [0, 1], &[1]), size(16, 17)),
        (payload([5, 2, 0, 0], [0, 1], &[1, 2, 3]), size(18, 19)),
        (payload([4, 1, 0, 0], [0, 1], &[]), Empty.into()),
        (payload([4, 1, 0, 0], [1, 0], &[]), Empty.into()),
        (
            payload([4, 1, 0, 0], [1, 1], &[0, 2, 1, 5]),
            Entry { entry: 0 }.into(),
        ),
        (
            payload([4, 1, 0, 0], [1, 1], &[0, 1, 1, 5, 0]),
            Entry { entry: 1 }.into(),
        ),
        (
            payload([4, 1, 0, 0], [1, 1], &[0, 0, 0]),
            Elements {
                entry: 0,
                error: ValuesError::UnknownTag { found: 0 },
            }
            .into(),
        ),
        (
            payload([4, 1, 0, 0], [2, 1], &[0, 2, 2, 2, 5]),
            Elements {
                entry: 0,
                error: ValuesError::IndexOutOfRange { index: 2, dim: 2 },
            }
            .into(),
        ),
        (
            payload([5, 1, 0, 0], [2, 1], &[0, 2, 2, 1, 5]),
            Elements {
                entry: 0,
                error: ValuesError::Truncated { offset: 0 },
            }
            .into(),
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn only_plain_updates_are_of_tensors() {
    for operation in [Operation::Insert, Operation::Delete, Operation::Control] {
        let header = DeltaHeader {
            operation,
            ..HEADER
        };
        assert!(matches!(header.seal(&[]), Err(HeaderError::Flags { .. })));
    }
    let compressed = DeltaHeader {
        compressed: true,
        ..HEADER
    };
    assert!(matches!(
        compressed.seal(&[]),
        Err(HeaderError::Flags { .. })
    ));
}

#[test]
fn shapes_count_rows_and_elements() {
    let of = |extents: &[u32]| {
        let shape = Shape::new(extents).unwrap();
        (shape.rows(), shape.row_elements(), shape.elements())
    };
    assert_eq!(of(&[]), (1, 1, 1));
    assert_eq!(of(&[5]), (1, 5, 5));
    assert_eq!(of(&[5, 2, 3]), (5, 6, 30));
    assert_eq!(of(&[0, 2]), (0, 2, 0));
    let too_many = ShapeError::Elements { axis: 2, extent: 2 };
    assert_eq!(Shape::new(&[0, ELEMENTS_MAX, 2]), Err(too_many));
    assert_eq!(Shape::new(&[1; 7]), Err(ShapeError::Rank { found: 7 }));
}

proptest! {
    #[test]
    fn prop_any_bytes_are_refused_or_written_back(
        kinds in (0..8_u8, 0..6_u8, 0..8_u8, 0..2_u8),
        words in any::<[u8; 2]>(),
        rest in vec(any::<u8>(), 0..40),
    ) {
        let (dtype, kind, axis, reserved) = kinds;
        let bytes = payload([dtype, kind, axis, reserved / 2], words.map(u32::from), &rest);
        if let Ok(parsed) = parse(&bytes) {
            let mut out = vec![0; bytes.len()];
            prop_assert_eq!(parsed.write(&mut out), Some(bytes.len()));
            prop_assert_eq!(out, bytes);
        }
    }
}
