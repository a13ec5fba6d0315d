use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|lane| lane.to_bits()).collect()
}

#[test]
fn scatter_keeps_every_bit() {
    let new = [0x7f80_0001, 0xffc0_1234, 0x8000_0000, 0x0000_0001].map(f32::from_bits);
    let mut row = [1.0; 6];
    assert_eq!(scatter(&mut row, &[5, 0, 3, 1], &new), Ok(()));
    let one = 0x3f80_0000;
    assert_eq!(
        bits(&row),
        [0xffc0_1234, 0x0000_0001, one, 0x8000_0000, one, 0x7f80_0001]
    );
}

#[test]
fn scatter_of_nothing_changes_nothing_and_the_last_of_equal_indices_wins() {
    assert_eq!(scatter(&mut [], &[], &[]), Ok(()));
    let mut row = [1.0, 2.0];
    assert_eq!(scatter(&mut row, &[1, 1], &[3.0, 4.0]), Ok(()));
    assert_eq!(row, [1.0, 4.0]);
}

#[test]
fn a_refused_scatter_leaves_the_row() {
    let mut row = [1.0, 2.0, 3.0];
    let refused = scatter(&mut row, &[0, 3, u32::MAX], &[9.0; 3]);
    assert_eq!(
        refused,
        Err(ScatterError::IndexOutOfRange {
            position: 1,
            index: 3,
            dim: 3
        })
    );
    let refused = scatter(&mut row, &[0, 1], &[9.0]);
    assert_eq!(
        refused,
        Err(ScatterError::LengthMismatch {
            indices: 2,
            values: 1
        })
    );
    assert_eq!(row, [1.0, 2.0, 3.0]);
}

/// Every place in every short list of indices is checked, against every length that decides.
#[test]
fn one_index_out_of_range_is_found_anywhere() {
    for dim in [0_usize, 1, 5, 1 << 31, (1 << 31) + 1, u32::MAX as usize] {
        let beyond = u32::try_from(dim).unwrap();
        for out_of_range in [
            beyond,
            beyond.saturating_add(1),
            beyond.max(1 << 31),
            u32::MAX,
        ] {
            // Around one to four vectors of each width: every length takes Miri minutes.
            for len in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33] {
                let greatest = beyond.saturating_sub(1);
                assert_eq!(all_in_range(dim, &vec![greatest; len]), dim > 0);
                for place in 0..len {
                    let mut indices = vec![greatest; len];
                    indices[place] = out_of_range;
                    assert!(
                        !all_in_range(dim, &indices),
                        "{out_of_range} of {dim} at {place}"
                    );
                }
            }
        }
    }
}

#[test]
fn copy_bits_reads_little_endian_at_any_alignment() {
    let bytes = [0xee, 0x01, 0x00, 0x80, 0x7f, 0x00, 0x00, 0x00, 0x80];
    let mut row = [1.0; 2];
    assert_eq!(copy_bits_le(&mut row, &bytes[1..]), Ok(()));
    assert_eq!(bits(&row), [0x7f80_0001, 0x8000_0000]);
    assert_eq!(copy_bits_le(&mut [], &[]), Ok(()));
}

#[test]
fn a_refused_copy_leaves_the_row() {
    let mut row = [1.0; 2];
    for size_bytes in [0, 4, 7, 9] {
        let refused = copy_bits_le(&mut row, &[0xff; 9][..size_bytes]);
        assert_eq!(refused, Err(RowSizeError { dim: 2, size_bytes }));
    }
    assert_eq!(row, [1.0; 2]);
}

#[test]
fn errors_name_the_remedy() {
    let error = ScatterError::IndexOutOfRange {
        position: 1,
        index: 3,
        dim: 3,
    };
    assert_eq!(
        error.to_string(),
        "index 3 at position 1 is beyond a row of 3 components: \
         diff and apply rows of one dimension"
    );
    assert_eq!(
        RowSizeError {
            dim: 2,
            size_bytes: 9
        }
        .to_string(),
        "9 bytes for a row of 2 components: pass 4 bytes a component"
    );
}

proptest! {
    #[test]
    fn prop_scatter_writes_all_or_nothing(
        old in vec(any::<u32>(), 38..44),
        writes in vec((prop_oneof![200 => 0_u32..42, 1 => any::<u32>()], any::<u32>()), 0..40),
    ) {
        let old: Vec<f32> = old.into_iter().map(f32::from_bits).collect();
        let (indices, values): (Vec<u32>, Vec<f32>) =
            writes.iter().map(|&(index, value)| (index, f32::from_bits(value))).unzip();
        let mut expected = bits(&old);
        let fits = indices.iter().all(|&index| (index as usize) < old.len());
        if fits {
            for &(index, value) in &writes {
                expected[index as usize] = value;
            }
        }
        let mut row = old;
        prop_assert_eq!(scatter(&mut row, &indices, &values).is_ok(), fits);
        prop_assert_eq!(bits(&row), expected);
    }
}
