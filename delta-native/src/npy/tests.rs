use proptest::prelude::*;

use super::*;
use crate::fixtures::{f32s, npy, text, u32s};

fn source(bytes: &[u8]) -> Source<'_> {
    Source::Bytes {
        name: "x.npy",
        bytes,
    }
}

fn f32_fault(bytes: &[u8]) -> NpyFault {
    let error = read_f32(source(bytes)).unwrap_err();
    assert!(error.to_string().starts_with("x.npy: "), "{error}");
    error.fault
}

/// The fault of a good array of two floats after `from` in its header text became `to`.
fn fault_of_text(from: &str, to: &str) -> NpyFault {
    let text = text("<f4", &[2]);
    assert!(text.contains(from));
    f32_fault(&npy(&text.replace(from, to), &[0; 8]))
}

#[test]
fn reads_what_numpy_writes() {
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }");
    file.resize(127, b' ');
    file.push(b'\n');
    file.extend([0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0]);
    let array = read_f32(source(&file)).unwrap();
    assert_eq!(array.shape, [1, 2]);
    assert_eq!(array.data, [1.0, -2.0]);
    assert_eq!(array.header_bytes, file[..128]);
}

#[test]
fn reads_versions_2_and_3_with_their_longer_length() {
    let text = text("<f4", &[1]);
    for major in [2, 3] {
        let mut file = b"\x93NUMPY".to_vec();
        file.extend([major, 0]);
        file.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        file.extend(text.as_bytes());
        file.extend(7.0_f32.to_le_bytes());
        let array = read_f32(source(&file)).unwrap();
        assert_eq!((array.shape, array.data), (vec![1], vec![7.0]));
        assert_eq!(array.header_bytes, file[..file.len() - 4]);
    }
}

#[test]
fn reads_a_single_value_and_empty_arrays() {
    assert_eq!(read_f32(source(&f32s(&[], &[5.0]))).unwrap().data, [5.0]);
    let empty = read_f32(source(&f32s(&[3, 0], &[]))).unwrap();
    assert_eq!((empty.shape, empty.data), (vec![3, 0], vec![]));
}

#[test]
fn reads_files_as_it_reads_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let bytes = f32s(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_f32(&path).unwrap(), read_f32(source(&bytes)).unwrap());
}

#[test]
fn a_missing_file_and_a_folder_are_errors_with_a_cause() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none.npy"), folder.path().to_owned()] {
        let error = read_f32(&path).unwrap_err();
        assert!(matches!(error.fault, NpyFault::Io(_)), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn other_magic_is_refused() {
    assert!(matches!(f32_fault(b""), NpyFault::Magic));
    assert!(matches!(f32_fault(b"\x93NUMP"), NpyFault::Magic));
    assert!(matches!(
        f32_fault(b"\x93numpy\x01\x00\x00\x00"),
        NpyFault::Magic
    ));
}

#[test]
fn other_versions_are_refused() {
    for (major, minor) in [(0, 0), (4, 0), (1, 1)] {
        let mut file = f32s(&[1], &[1.0]);
        (file[6], file[7]) = (major, minor);
        assert!(matches!(f32_fault(&file), NpyFault::Version { .. }));
    }
}

#[test]
fn a_header_beyond_the_file_is_refused_before_memory_is_taken() {
    let file = b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}";
    let fault = f32_fault(file);
    let expected = (u64::from(u32::MAX), 14);
    assert!(
        matches!(fault, NpyFault::HeaderLength { header_bytes, file_bytes }
        if (header_bytes, file_bytes) == expected)
    );
    assert!(matches!(
        f32_fault(b"\x93NUMPY\x01\x00\x05"),
        NpyFault::HeaderLength { .. }
    ));
}

#[test]
fn a_needlessly_long_header_is_refused() {
    let mut file = b"\x93NUMPY\x02\x00\x00\x00\x01\x00".to_vec();
    file.resize(12 + 65_536, b' ');
    assert!(matches!(
        f32_fault(&file),
        NpyFault::HeaderTooLong {
            header_bytes: 65_536
        }
    ));
}

#[test]
fn header_text_that_could_harm_the_parser_is_refused() {
    let deep = format!("{}{}", "(".repeat(30_000), ")".repeat(30_000));
    let many = format!("({})", "1,".repeat(65));
    for shape in [
        deep.as_str(),
        "[2]",
        "((2,),)",
        "(0x2,)",
        "(-2,)",
        "(2,)#",
        many.as_str(),
    ] {
        let fault = fault_of_text("(2,)", shape);
        assert!(
            matches!(fault, NpyFault::HeaderText { .. }),
            "{shape:.20}: {fault}"
        );
    }
    for descr in [
        "''','1'''",
        "'<f\\x34'",
        "'",
        "''",
        "[('a', '<f4')]",
        "u'<f4'",
    ] {
        let fault = fault_of_text("'<f4'", descr);
        assert!(
            matches!(fault, NpyFault::HeaderText { .. }),
            "{descr}: {fault}"
        );
    }
}

#[test]
fn an_incomplete_header_text_is_refused() {
    for (from, to) in [
        ("'descr'", "'dtype'"),
        ("False", "2"),
        ("}", ""),
        ("(2,)", "'2'"),
    ] {
        let fault = fault_of_text(from, to);
        assert!(
            matches!(fault, NpyFault::HeaderText { .. }),
            "{from} -> {to}: {fault}"
        );
    }
}

#[test]
fn overflowing_shapes_are_refused() {
    for shape in ["(4294967296, 4294967296)", "(9223372036854775808, 2, 0)"] {
        assert!(
            matches!(fault_of_text("(2,)", shape), NpyFault::ShapeOverflow { .. }),
            "{shape}"
        );
    }
    // The count of values fits 64 bits, that of their bytes does not.
    let fault = fault_of_text("(2,)", "(4611686018427387904,)");
    assert!(matches!(fault, NpyFault::ShapeOverflow { .. }));
    let fault = fault_of_text("(2,)", "(18446744073709551616,)");
    assert!(matches!(fault, NpyFault::HeaderText { .. }));
}

#[test]
fn truncated_files_are_refused() {
    let mut file = f32s(&[2], &[1.0, 2.0]);
    file.pop();
    let fault = f32_fault(&file);
    assert!(matches!(
        fault,
        NpyFault::Truncated {
            expected_bytes: 8,
            found_bytes: 7
        }
    ));
    let fault = fault_of_text("(2,)", "(1099511627776,)");
    assert!(matches!(fault, NpyFault::Truncated { found_bytes: 8, .. }));
}

#[test]
fn trailing_bytes_are_refused() {
    let mut file = f32s(&[2], &[1.0, 2.0]);
    file.push(0);
    let fault = f32_fault(&file);
    assert!(matches!(
        fault,
        NpyFault::Trailing {
            expected_bytes: 8,
            found_bytes: 9
        }
    ));
}

#[test]
fn big_endian_numbers_are_refused() {
    let fault = fault_of_text("<f4", ">f4");
    assert!(matches!(fault, NpyFault::BigEndian { .. }));
    assert!(fault.to_string().contains("astype('<f4')"), "{fault}");
    let file = npy(&text(">u4", &[1]), &[0; 4]);
    let error = read_u32_indices(source(&file)).unwrap_err();
    assert!(matches!(error.fault, NpyFault::BigEndian { .. }));
}

#[test]
fn fortran_order_is_refused() {
    assert!(matches!(
        fault_of_text("False", "True"),
        NpyFault::FortranOrder
    ));
}

#[test]
fn other_types_are_refused() {
    for dtype in ["<f8", "<f2", "<i4", "<u4", "<c8", "|S4", "|O"] {
        let fault = fault_of_text("<f4", dtype);
        assert!(
            matches!(
                fault,
                NpyFault::Dtype {
                    expected: "<f4",
                    ..
                }
            ),
            "{dtype}: {fault}"
        );
        assert!(fault.to_string().contains(dtype), "{fault}");
    }
}

#[test]
fn int8_and_binary_arrays_are_refused_with_their_own_message() {
    for dtype in ["|i1", "|u1", "|b1"] {
        let message = fault_of_text("<f4", dtype).to_string();
        assert!(
            message.contains("use the f32 array they were made from"),
            "{message}"
        );
    }
}

#[test]
fn rows_are_read_from_bytes_too() {
    let rows = |dtype: &str, bytes: &[u8]| read_rows(source(&npy(&text(dtype, &[2]), bytes)));
    assert_eq!(rows("|i1", &[0x80, 7]).unwrap().data, [-128.0, 7.0]);
    assert_eq!(rows("|u1", &[0x80, 7]).unwrap().data, [128.0, 7.0]);
    assert_eq!(read_rows(source(&f32s(&[1], &[0.5]))).unwrap().data, [0.5]);
    assert!(rows("|b1", &[0, 1]).is_err());
    assert!(rows("|u1", &[1, 2, 3]).is_err());
}

#[test]
fn indices_are_read_from_every_integer_type() {
    assert_eq!(
        read_u32_indices(source(&u32s(&[0, u32::MAX]))).unwrap(),
        [0, u32::MAX]
    );
    for (dtype, one) in [
        ("<i4", &[1, 0, 0, 0][..]),
        ("<u8", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("<i8", &[1, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let file = npy(&text(dtype, &[1]), one);
        assert_eq!(read_u32_indices(source(&file)).unwrap(), [1], "{dtype}");
    }
    let file = npy(&text("<u8", &[1]), &[0xff; 8]);
    assert_eq!(read_u64_indices(source(&file)).unwrap(), [u64::MAX]);
}

#[test]
fn integers_that_are_no_indices_are_refused_with_their_position() {
    let file = npy(&text("<i4", &[2]), &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let fault = read_u32_indices(source(&file)).unwrap_err().fault;
    assert!(matches!(
        fault,
        NpyFault::IntegerRange {
            position: 1,
            value: -1,
            ..
        }
    ));
    let file = npy(&text("<u8", &[1]), &(1_u64 << 32).to_le_bytes());
    let fault = read_u32_indices(source(&file)).unwrap_err().fault;
    assert!(matches!(
        fault,
        NpyFault::IntegerRange {
            position: 0,
            value: 4_294_967_296,
            ..
        }
    ));
}

#[test]
fn indices_of_other_types_and_axes_are_refused() {
    let fault = read_u32_indices(source(&f32s(&[1], &[1.0])))
        .unwrap_err()
        .fault;
    assert!(matches!(fault, NpyFault::Dtype { .. }));
    let file = npy(&text("<u4", &[1, 1]), &[0; 4]);
    let fault = read_u32_indices(source(&file)).unwrap_err().fault;
    assert!(matches!(fault, NpyFault::NotOneDimensional { .. }));
    let file = npy(&text("<u4", &[2]), &[0; 4]);
    let fault = read_u32_indices(source(&file)).unwrap_err().fault;
    assert!(matches!(fault, NpyFault::Truncated { .. }));
}

#[test]
fn a_refused_array_leaves_the_shared_buffer_as_it_was() {
    let mut data = vec![1.0];
    append_rows(source(&f32s(&[1], &[2.0])), &mut data).unwrap();
    let mut cut = f32s(&[1], &[3.0]);
    cut.pop();
    append_rows(source(&cut), &mut data).unwrap_err();
    assert_eq!(data, [1.0, 2.0]);
}

proptest! {
    #[test]
    fn prop_every_bit_is_read(bits in proptest::collection::vec(any::<u32>(), 0..64)) {
        let values: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
        let file = f32s(&[u64::try_from(bits.len()).unwrap()], &values);
        let array = read_f32(source(&file)).unwrap();
        let read: Vec<u32> = array.data.iter().map(|value| value.to_bits()).collect();
        prop_assert_eq!(read, bits);
    }

    #[test]
    fn prop_damaged_files_are_refused_or_whole(
        damage in proptest::collection::vec((0_usize..200, any::<u8>()), 1..6),
        cut in 0_usize..200,
    ) {
        let mut file = f32s(&[3, 4], &[0.5; 12]);
        for (at, byte) in damage {
            if let Some(target) = file.get_mut(at) {
                *target = byte;
            }
        }
        file.truncate(cut);
        if let Ok(array) = read_f32(source(&file)) {
            prop_assert_eq!(array.header_bytes.len() + 4 * array.data.len(), file.len());
            prop_assert_eq!(array.shape.iter().product::<u64>(), array.data.len() as u64);
        }
    }

    #[test]
    fn prop_no_header_text_panics(text in "[{}()\\[\\],: 'a-zTFrue0-9<>f4]{0,80}") {
        let _refused_or_read = read_f32(source(&npy(&text, &[0; 8])));
    }
}
