use super::*;
use proptest::prelude::*;

fn array(shape: &[u64], data: Vec<f32>) -> NpyF32 {
    let header_bytes = format!("header of {shape:?}").into_bytes();
    NpyF32 {
        shape: shape.to_vec(),
        header_bytes,
        data,
    }
}

fn file(array: &NpyF32) -> Vec<u8> {
    let values = array
        .data
        .iter()
        .flat_map(|value| value.to_bits().to_le_bytes());
    array.header_bytes.iter().copied().chain(values).collect()
}

fn delta_of(old: &NpyF32, new: &NpyF32) -> (DiffSummary, Vec<u8>) {
    let mut delta = Vec::new();
    let summary = diff(old, new, &mut delta).unwrap();
    assert_eq!(summary.bytes, delta.len() as u64);
    (summary, delta)
}

fn round_trip(old: &NpyF32, new: &NpyF32) -> DiffSummary {
    let (summary, delta) = delta_of(old, new);
    let mut out = Vec::new();
    apply(old, &delta, &mut out).unwrap();
    assert_eq!(out, file(new));
    summary
}

fn counted(count: u16) -> Vec<f32> {
    (0..count).map(f32::from).collect()
}

#[test]
fn equal_arrays_need_start_and_end_alone() {
    let old = array(&[3, 64], counted(192));
    let summary = round_trip(&old, &old);
    assert_eq!(
        (summary.updates, summary.inserts, summary.deletes),
        (0, 0, 0)
    );
}

#[test]
fn rows_are_updated_added_and_removed() {
    let old = array(&[3, 64], counted(192));
    let mut changed = counted(192);
    changed[70] = f32::from_bits(0x7fc0_1234);
    let summary = round_trip(&old, &array(&[3, 64], changed));
    assert_eq!(
        (summary.updates, summary.inserts, summary.deletes),
        (1, 0, 0)
    );
    let summary = round_trip(&old, &array(&[5, 64], counted(320)));
    assert_eq!(
        (summary.updates, summary.inserts, summary.deletes),
        (0, 2, 0)
    );
    let summary = round_trip(&old, &array(&[1, 64], counted(64)));
    assert_eq!(
        (summary.updates, summary.inserts, summary.deletes),
        (0, 0, 2)
    );
}

#[test]
fn short_axes_do_not_make_short_rows() {
    let old = array(&[100, 64], counted(6400));
    let summary = round_trip(&old, &array(&[], vec![1.5]));
    assert_eq!(
        (summary.row_length, summary.updates, summary.deletes),
        (ROW_LENGTH, 1, 6)
    );
    assert!(summary.bytes < 6000, "{summary:?}");
}

#[test]
fn a_delta_that_asks_for_more_rows_than_it_says_is_refused() {
    let old = array(&[1, 64], counted(64));
    let (_, delta) = delta_of(&old, &array(&[3, 64], counted(192)));
    let mut payload = Vec::new();
    let mut forged = Vec::new();
    for record in delta_core::stream::StreamReader::new(&delta) {
        let record = record.unwrap();
        payload.clear();
        payload.extend_from_slice(record.payload_bytes());
        if record.header().sequence == 1 {
            payload[16 + 8..16 + 16].copy_from_slice(&64_u64.to_le_bytes());
        }
        forged.extend(record.header().seal(&payload).unwrap().to_bytes());
        forged.extend(&payload);
    }
    let mut out = Vec::new();
    let refused = apply(&old, &forged, &mut out);
    assert!(
        matches!(refused, Err(ArrayDeltaError::NotArrays { .. })),
        "{refused:?}"
    );
    assert!(out.is_empty());
}

#[test]
fn any_shape_follows_any_other() {
    let shapes: [(&[u64], u16); 9] = [
        (&[], 1),
        (&[0], 0),
        (&[3, 0], 0),
        (&[1], 1),
        (&[1025], 1025),
        (&[7, 5], 35),
        (&[2, 3, 4], 24),
        (&[1, 300], 300),
        (&[2, 5000], 10_000),
    ];
    for (old_shape, old_count) in shapes {
        for (new_shape, new_count) in shapes {
            let old = array(old_shape, counted(old_count));
            let new = array(
                new_shape,
                counted(new_count).into_iter().map(|v| v * 0.5).collect(),
            );
            round_trip(&old, &new);
        }
    }
}

#[test]
fn another_old_is_refused_and_nothing_written() {
    let old = array(&[3, 4], counted(12));
    let (_, delta) = delta_of(&old, &array(&[2, 4], counted(8)));
    let mut others = vec![array(&[12], counted(12)), array(&[3, 4], vec![0.0; 12])];
    let mut negative_zero = old.clone();
    negative_zero.data[0] = -0.0;
    others.push(negative_zero);
    for other in others {
        let mut out = Vec::new();
        let refused = apply(&other, &delta, &mut out);
        assert!(
            matches!(refused, Err(ArrayDeltaError::OtherOld { .. })),
            "{refused:?}"
        );
        assert!(out.is_empty());
    }
}

#[test]
fn rows_with_metadata_are_refused_in_batches_too() {
    let frames = crate::fixtures::batches::with_new_metadata();
    let refused = apply(&array(&[1], vec![1.0]), &frames, &mut Vec::new());
    let Err(ArrayDeltaError::NotArrays { reason }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(reason, "its rows carry metadata");
}

#[test]
fn a_stream_of_another_kind_is_refused() {
    let wire = include_str!("../../../delta-core/WIRE.md");
    let frames: Vec<u8> = wire
        .split("```golden ")
        .skip(1)
        .flat_map(|block| {
            let (_, rest) = block.split_once('\n').unwrap();
            let hex: Vec<char> = rest
                .split("```")
                .next()
                .unwrap()
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect();
            hex.chunks(2)
                .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    let mut out = Vec::new();
    let refused = apply(&array(&[1], vec![1.0]), &frames, &mut out);
    assert!(
        matches!(refused, Err(ArrayDeltaError::NotArrays { .. })),
        "{refused:?}"
    );
}

#[test]
fn every_flipped_byte_and_every_cut_is_refused() {
    let old = array(&[2, 64], counted(128));
    let mut changed = counted(192);
    changed[2] = -1.0;
    let (_, delta) = delta_of(&old, &array(&[3, 64], changed));
    for at in 0..delta.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut broken = delta.clone();
            broken[at] ^= flip;
            assert!(
                apply(&old, &broken, &mut Vec::new()).is_err(),
                "byte {at} ^ {flip:#x}"
            );
        }
        assert!(
            apply(&old, &delta[..at], &mut Vec::new()).is_err(),
            "cut at {at}"
        );
    }
    let mut long = delta;
    long.push(0);
    assert!(apply(&old, &long, &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn prop_apply_inverts_diff(
        old in proptest::collection::vec(any::<u32>(), 0..200),
        new in proptest::collection::vec(any::<u32>(), 0..200),
        keep in proptest::collection::vec(any::<bool>(), 200),
        columns in 1_u64..40,
    ) {
        let floats = |bits: &[u32]| bits.iter().map(|b| f32::from_bits(*b)).collect::<Vec<_>>();
        let new: Vec<u32> = new
            .iter()
            .enumerate()
            .map(|(i, bits)| if keep[i] { old.get(i).copied().unwrap_or(*bits) } else { *bits })
            .collect();
        let shape = if (new.len() as u64).is_multiple_of(columns) {
            vec![new.len() as u64 / columns, columns]
        } else {
            vec![new.len() as u64]
        };
        let old = array(&[old.len() as u64], floats(&old));
        let new = array(&shape, floats(&new));
        round_trip(&old, &new);
    }
}
