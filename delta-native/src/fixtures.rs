//! Files for tests, built byte by byte.

pub(crate) mod batches;

/// An `.npy` file with this header text and these bytes after it.
pub(crate) fn npy(text: &str, values: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(values);
    file
}

/// The header text that NumPy writes.
pub(crate) fn text(descr: &str, shape: &[u64]) -> String {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let axes = if shape.len() == 1 {
        axes.trim_end()
    } else {
        axes.trim_end_matches(", ")
    };
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}\n")
}

/// An array of floats.
pub(crate) fn f32s(shape: &[u64], values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    npy(&text("<f4", shape), &bytes)
}

/// A list of 32-bit integers.
pub(crate) fn u32s(values: &[u32]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    npy(
        &text("<u4", &[u64::try_from(values.len()).unwrap()]),
        &bytes,
    )
}
