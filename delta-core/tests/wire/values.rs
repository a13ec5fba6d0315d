//! Encoded values.

use crate::blocks::{frames, lines};
use delta_core::codec::{DecodeError, Tag, Values};

#[test]
fn golden_values_decode_to_the_row_after() {
    let words = |bytes: &[u8]| -> Vec<u32> {
        let words = bytes
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        words.collect()
    };
    let mut tags = vec![];
    for (name, lines) in lines("values") {
        let [encoded, old, new] = lines.as_slice() else {
            panic!("{name} has three lines");
        };
        let (old, new) = (words(old), words(new));
        let old: Vec<f32> = old.into_iter().map(f32::from_bits).collect();
        let dim = u32::try_from(new.len()).unwrap();
        let values = Values::parse(encoded[0], &encoded[1..], dim).unwrap();
        let mut scratch = vec![0; values.scratch_size()];
        let mut row = old.clone();
        values.decode(&old, &mut scratch).unwrap().apply(&mut row);
        let row: Vec<u32> = row.into_iter().map(f32::to_bits).collect();
        assert_eq!(row, new, "{name}");
        tags.push(values.tag());
    }
    for tag in Tag::ALL.into_iter().skip(3) {
        assert!(tags.contains(&tag), "{} has a vector", tag.name());
    }
}

#[test]
fn refused_values_are_refused() {
    let blocks = frames("values-refused");
    assert!(blocks.len() >= 20);
    for (name, bytes) in blocks {
        let (dim, tag) = (u32::from(bytes[0]), bytes[1]);
        let row = vec![0.5; dim as usize];
        let mut scratch = vec![0; 4 * row.len()];
        let decoded = Values::parse(tag, &bytes[2..], dim)
            .map_err(DecodeError::Values)
            .and_then(|values| values.decode(&row, &mut scratch).map(|_| ()));
        assert!(
            matches!(decoded, Err(DecodeError::Values(_))),
            "{name} was accepted"
        );
    }
}
