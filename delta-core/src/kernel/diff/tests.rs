use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::kernel::apply::scatter;
use crate::simd::tests::{SPECIAL_BITS, vector_units};

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|lane| lane.to_bits()).collect()
}

/// Every kind of f32: half of the draws are special values.
fn any_bits() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), prop::sample::select(&SPECIAL_BITS[..])]
}

/// Two rows of one length that differ in 0 to 100% of their components.
fn row_pairs(
    lengths: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let lanes = vec((any_bits(), any_bits(), 0_u32..100), lengths);
    (lanes, 0_u32..=100).prop_map(|(lanes, percent)| {
        let new = |(old, new, draw): (u32, u32, u32)| if draw < percent { new } else { old };
        lanes
            .into_iter()
            .map(|lane| (f32::from_bits(lane.0), f32::from_bits(new(lane))))
            .unzip()
    })
}

/// The definition: indices and new bits of the components for which `changed`.
fn changes(old: &[f32], new: &[f32], changed: impl Fn(f32, f32) -> bool) -> Vec<(u32, u32)> {
    (0..)
        .zip(old.iter().zip(new))
        .filter(|(_, (old, new))| changed(**old, **new))
        .map(|(index, (_, new))| (index, new.to_bits()))
        .collect()
}

fn bits_differ(old: f32, new: f32) -> bool {
    old.to_bits() != new.to_bits()
}

fn listed(
    len: usize,
    diff: impl FnOnce(&mut [u32], &mut [f32]) -> Result<usize, DiffError>,
) -> Vec<(u32, u32)> {
    let mut indices = vec![u32::MAX; len];
    let mut values = vec![0.0; len];
    let count = diff(&mut indices, &mut values).unwrap();
    indices.into_iter().zip(bits(&values)).take(count).collect()
}

/// What [`diff`] lists.
fn exact(old: &[f32], new: &[f32]) -> Vec<(u32, u32)> {
    listed(new.len(), |indices, values| diff(old, new, indices, values))
}

/// What [`diff_within`] lists.
fn within(old: &[f32], new: &[f32], epsilon: f32) -> Vec<(u32, u32)> {
    listed(new.len(), |indices, values| {
        diff_within(old, new, epsilon, indices, values)
    })
}

fn visited(old: &[f32], new: &[f32], at_most: usize) -> (Vec<(u32, u32)>, ControlFlow<()>) {
    let mut visits = Vec::new();
    let flow = for_each_changed(old, new, |index, new_bits| {
        visits.push((index, new_bits));
        if visits.len() == at_most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    (visits, flow.unwrap())
}

/// Checks every function against the definition.
fn check(old: &[f32], new: &[f32], epsilon: f32) {
    let expected = changes(old, new, bits_differ);
    assert_eq!(count_changed(old, new), Ok(expected.len()));
    for unit in vector_units() {
        let listed = listed(new.len(), |indices, values| {
            diff_on(unit, old, new, indices, values)
        });
        assert_eq!(listed, expected, "{unit:?}");
    }
    let (visits, flow) = visited(old, new, usize::MAX);
    assert_eq!((visits, flow.is_continue()), (expected, true));

    let beyond = changes(old, new, |old, new| {
        let close = (new - old).abs() <= epsilon;
        bits_differ(old, new) && !close
    });
    assert_eq!(within(old, new, epsilon), beyond);
}

#[test]
fn literal_changes() {
    let old = [1.0, 0.0, f32::NAN, 3.0, f32::INFINITY];
    let new = [1.0, -0.0, f32::NAN, 3.5, f32::NEG_INFINITY];
    assert_eq!(
        exact(&old, &new),
        [(1, 0x8000_0000), (3, 0x4060_0000), (4, 0xff80_0000)]
    );
    assert_eq!(
        within(&old, &new, 0.0),
        [(3, 0x4060_0000), (4, 0xff80_0000)]
    );
    assert_eq!(within(&old, &new, 0.5), [(4, 0xff80_0000)]);
    assert_eq!(within(&old, &new, -1.0).len(), 3);
}

/// Every length around the block, word and chunk boundaries, with one change in every place.
#[test]
#[cfg_attr(
    miri,
    ignore = "an interpreter takes hours; shorter tests call the same unsafe code"
)]
fn one_change_anywhere_is_found() {
    for len in (0..=200).chain([511, 512, 513, 575, 576, 577, 1024, 1025]) {
        let old = vec![1.0; len];
        check(&old, &old, 0.0);
        let step = 1 + len / 150;
        for place in (0..len).step_by(step).chain(len.checked_sub(1)) {
            let mut new = old.clone();
            new[place] = 2.0;
            check(&old, &new, 0.5);
        }
    }
}

/// Dense chunks, alone and after chunks and words that are not.
#[test]
#[cfg_attr(
    miri,
    ignore = "an interpreter takes hours; shorter tests call the same unsafe code"
)]
fn runs_and_scattered_changes_keep_their_order() {
    for len in [16, 64, 384, 512, 513, 1000, 1536, 2048] {
        let old = vec![1.0; len];
        check(&old, &vec![2.0; len], 0.5);
        for unchanged in [0, 1, 63, 64, 511, 512, 600, len - 1] {
            let mut new = vec![2.0; len];
            if let Some(component) = new.get_mut(unchanged) {
                *component = 1.0;
            }
            check(&old, &new, 0.5);
        }
    }
}

#[test]
fn a_break_ends_the_visits() {
    let (old, new) = ([0.0; 700], [1.0; 700]);
    for at_most in [1, 2, 511, 512, 513, 700] {
        let (visits, flow) = visited(&old, &new, at_most);
        assert_eq!((visits.len(), flow.is_break()), (at_most, true));
    }
    assert!(visited(&old, &new, 701).1.is_continue());
}

#[test]
fn rows_of_different_lengths_are_refused() {
    let mismatch = DiffError::LengthMismatch { old: 2, new: 3 };
    let (old, new) = ([0.0; 2], [0.0; 3]);
    let (mut indices, mut values) = ([7; 3], [7.0; 3]);
    assert_eq!(count_changed(&old, &new), Err(mismatch));
    assert_eq!(diff(&old, &new, &mut indices, &mut values), Err(mismatch));
    assert_eq!(
        diff_within(&old, &new, 0.0, &mut indices, &mut values),
        Err(mismatch)
    );
    let visit = for_each_changed(&old, &new, |_, _| unreachable!("refused before any visit"));
    assert_eq!(visit, Err(mismatch));
    assert_eq!((indices, values), ([7; 3], [7.0; 3]));
}

#[test]
fn a_short_output_says_what_is_needed() {
    for len in [1, 100, 384, 1000] {
        let (old, new) = (vec![0.0; len], vec![1.0; len]);
        for capacity in [0, len / 2, len - 1] {
            let full = Err(DiffError::OutputFull {
                needed: len,
                capacity,
            });
            let (mut indices, mut values) = (vec![0; capacity], vec![0.0; len]);
            assert_eq!(diff(&old, &new, &mut indices, &mut values), full);
            let (mut indices, mut values) = (vec![0; len], vec![0.0; capacity]);
            assert_eq!(
                diff_within(&old, &new, 0.5, &mut indices, &mut values),
                full
            );
        }
    }
}

#[test]
fn errors_name_the_remedy() {
    assert_eq!(
        DiffError::OutputFull {
            needed: 9,
            capacity: 4
        }
        .to_string(),
        "9 components changed but the output holds 4: pass longer slices or send the row whole"
    );
    assert_eq!(
        DiffError::LengthMismatch { old: 2, new: 3 }.to_string(),
        "the old row has 2 components and the new one 3: \
         insert a row of another dimension as a new one"
    );
    assert_eq!(
        DiffError::TooLong { len: 1 }.to_string(),
        "a row has 1 components: split it into rows of fewer than 2^32"
    );
}

proptest! {
    #[test]
    fn prop_every_function_meets_the_definition(
        (old, new) in row_pairs(0..=200),
        epsilon in any_bits().prop_map(f32::from_bits),
    ) {
        check(&old, &new, epsilon);
    }

    #[test]
    fn prop_apply_inverts_diff((old, new) in row_pairs(0..=1200)) {
        let (mut indices, mut values) = (vec![0; new.len()], vec![0.0; new.len()]);
        let changed = diff(&old, &new, &mut indices, &mut values).unwrap();
        let mut row = old;
        scatter(&mut row, &indices[..changed], &values[..changed]).unwrap();
        prop_assert_eq!(bits(&row), bits(&new));
    }
}
