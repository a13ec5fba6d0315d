//! Changes of tensors.

use crate::wire::frames;

/// The golden changes one by one, as a history, and behind it; and one of each kind for the tensors
/// of other types.
pub(super) fn changes() -> Vec<Vec<u8>> {
    let framed = |bytes: &[u8]| [&[bytes.len() as u8][..], bytes].concat();
    let golden: Vec<Vec<u8>> = frames("tensor")
        .into_iter()
        .skip(1)
        .map(|(_, payload)| framed(&payload))
        .collect();
    let mut seeds = vec![[&[0][..], &golden.concat()].concat()];
    seeds.extend(golden.iter().map(|change| [&[1][..], change].concat()));
    let others: [&[u8]; 5] = [
        &[
            2, 0, 0, 0, 3, 2, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
        ],
        &[
            2, 0, 0, 0, 3, 1, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 1, 4, 2, 1, 9, 2, 8,
        ],
        &[2, 0, 0, 0, 3, 4, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        &[
            3, 0, 0, 0, 6, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
        ],
        &[3, 0, 0, 0, 6, 3, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0],
    ];
    let others = others.map(framed).concat();
    seeds.push([&[0][..], &others].concat());
    seeds.push(
        [
            &[0][..],
            &relative_rows().map(|change| framed(&change)).concat(),
        ]
        .concat(),
    );
    seeds
}

/// The last tensor's only row is set, then changed by a difference.
fn relative_rows() -> [Vec<u8>; 2] {
    let (_, values) = frames("values")
        .into_iter()
        .find(|(name, _)| *name == "grid-delicate")
        .expect("a golden row of differences");
    // Tag and differences, then the eight elements before and after.
    let (tagged, rows) = values.split_at(values.len() - 2 * 32);
    let (tag, packed) = tagged.split_first().expect("a tag");
    let prefix = |kind, axis, first: u32, second: u32| {
        let kinds = [4, 0, 0, 0, 0, kind, axis, 0];
        [&kinds[..], &first.to_le_bytes(), &second.to_le_bytes()].concat()
    };
    let entry = [0, packed.len() as u8, *tag];
    [
        [prefix(2, 0, 0, 1), rows[..32].to_vec()].concat(),
        [&prefix(1, 0, 8, 1)[..], &entry, packed].concat(),
    ]
}
