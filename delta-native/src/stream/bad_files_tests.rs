//! Each way a stream's arrays and files can be wrong, refused by name.

use super::bad_list_tests::{INSERT_A, load_lines};
use super::*;
use crate::fixtures::{f32s, u32s};

fn row_updates(init: &[u8], step: &[u8], row: &[u8], new: &[u8]) -> Result<Stream, StreamError> {
    let files = [
        ("s.init.npy", init),
        ("s.step.npy", step),
        ("s.row.npy", row),
        ("s.new.npy", new),
    ];
    Stream::load_embedded("s", &files)
}

#[test]
fn row_updates_of_different_lengths() {
    let (init, new) = (f32s(&[2, 1], &[0.0; 2]), f32s(&[2, 1], &[0.0; 2]));
    let (one, two) = (u32s(&[0]), u32s(&[0, 1]));
    row_updates(&init, &two, &two, &new).unwrap();
    for (step, row) in [(&one, &two), (&two, &one), (&one, &one)] {
        let error = row_updates(&init, step, row, &new).unwrap_err();
        assert!(matches!(error, StreamError::Lengths { .. }), "{error}");
    }
}

#[test]
fn row_updates_of_a_row_out_of_range() {
    let (init, new) = (f32s(&[2, 1], &[0.0; 2]), f32s(&[2, 1], &[0.0; 2]));
    let error = row_updates(&init, &u32s(&[0, 0]), &u32s(&[1, 2]), &new).unwrap_err();
    let expected = (1, 2, 2);
    assert!(
        matches!(error, StreamError::RowOutOfRange { position, row, rows, .. }
        if (position, row, rows) == expected)
    );
}

#[test]
fn row_updates_of_differing_dims_or_axes() {
    let (one, init) = (u32s(&[0]), f32s(&[2, 1], &[0.0; 2]));
    let error = row_updates(&init, &one, &one, &f32s(&[1, 2], &[0.0; 2])).unwrap_err();
    assert!(matches!(
        error,
        StreamError::DimsDiffer {
            init_dim: 1,
            new_dim: 2,
            ..
        }
    ));
    let error = row_updates(&init, &one, &one, &f32s(&[1], &[0.0])).unwrap_err();
    assert!(matches!(error, StreamError::Shape { .. }));
}

#[test]
fn row_updates_whose_steps_go_back() {
    let (init, new) = (f32s(&[2, 1], &[0.0; 2]), f32s(&[3, 1], &[0.0; 3]));
    let error = row_updates(&init, &u32s(&[4, 4, 3]), &u32s(&[0, 0, 0]), &new).unwrap_err();
    let expected = (2, 4, 3);
    assert!(
        matches!(error, StreamError::StepDecreases { position, before, step, .. }
        if (position, before, step) == expected)
    );
}

#[test]
fn empty_streams_and_rows_without_components() {
    let one = |shape: &[u64], values: &[f32]| {
        Stream::load_embedded("s", &[("s.npy", &f32s(shape, values))]).unwrap_err()
    };
    assert!(matches!(one(&[0, 4], &[]), StreamError::Empty { .. }));
    assert!(matches!(one(&[4, 0], &[]), StreamError::ZeroDim { .. }));
    assert!(matches!(one(&[2, 0, 4], &[]), StreamError::Empty { .. }));
    assert!(matches!(one(&[2, 4, 0], &[]), StreamError::ZeroDim { .. }));
    assert!(matches!(
        load_lines(b"").unwrap_err(),
        StreamError::Empty { .. }
    ));
    let (none, no_rows) = (u32s(&[]), f32s(&[0, 4], &[]));
    let error = row_updates(&no_rows, &none, &none, &no_rows).unwrap_err();
    assert!(matches!(error, StreamError::Empty { .. }));
}

#[test]
fn arrays_of_other_shapes() {
    for shape in [&[4][..], &[3, 1, 2], &[2, 1, 1, 1], &[]] {
        let values = vec![0.0; usize::try_from(shape.iter().product::<u64>()).unwrap()];
        let error = Stream::load_embedded("s", &[("s.npy", &f32s(shape, &values))]).unwrap_err();
        assert!(matches!(error, StreamError::Shape { .. }), "{shape:?}");
    }
    let cube = f32s(&[1, 1, 1], &[0.0]);
    let files = [("s.npy", &cube[..]), ("s.jsonl", INSERT_A.as_bytes())];
    assert!(matches!(
        Stream::load_embedded("s", &files).unwrap_err(),
        StreamError::Shape { .. }
    ));
}

#[test]
fn missing_and_ambiguous_files() {
    let error = Stream::load(Path::new("/nowhere/s")).unwrap_err();
    assert!(
        matches!(&error, StreamError::NotFound { stem } if stem == "/nowhere/s"),
        "{error}"
    );
    let list = [("s.jsonl", INSERT_A.as_bytes())];
    let error = Stream::load_embedded("s", &list).unwrap_err();
    assert!(matches!(&error, StreamError::MissingFile { file, .. } if file == "s.npy"));
    let rows = f32s(&[1, 1], &[0.0]);
    let error = Stream::load_embedded("s", &[("s.row.npy", &rows)]).unwrap_err();
    assert!(matches!(&error, StreamError::MissingFile { file, .. } if file == "s.init.npy"));
    let both = [
        ("s.npy", &rows[..]),
        ("s.jsonl", b""),
        ("s.init.npy", &rows),
    ];
    let error = Stream::load_embedded("s", &both).unwrap_err();
    assert!(matches!(error, StreamError::Ambiguous { .. }));
}

#[test]
fn an_array_that_is_none_is_an_error_of_its_own() {
    let error = Stream::load_embedded("s", &[("s.npy", b"no array")]).unwrap_err();
    assert!(matches!(error, StreamError::Npy(_)));
}
