//! Captured indexes against their shadows.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the numbers of these tests are small"
)]

use delta_core::graph::capture::GraphCapture;
use delta_core::kernel::distance::Metric;
use proptest::prelude::*;

use super::*;

pub(super) const DIM: usize = 12;

pub(super) fn parameters(nodes_max: u32) -> IndexParameters {
    IndexParameters {
        dim: DIM as u32,
        nodes_max,
        links: 6,
        ef: 40,
        metric: Metric::SquaredL2,
    }
}

/// Rows around a few centres, the same for the same seed.
pub(super) fn rows(count: usize, mut seed: u64) -> Vec<[f32; DIM]> {
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 40) as f32 / (1 << 24) as f32
    };
    let centres: Vec<[f32; DIM]> = (0..8).map(|_| std::array::from_fn(|_| random())).collect();
    (0..count)
        .map(|row| std::array::from_fn(|i| centres[row % centres.len()][i] + random() / 4.0))
        .collect()
}

fn differences_after<I: VectorIndex>(operations: &[(u8, u16)]) {
    let parameters = parameters(300);
    let mut index = I::new(&parameters).unwrap();
    let mut memory = GraphMemory::new(parameters.shape()).unwrap();
    let mut capture = GraphCapture::new(memory.empty_graph());
    let rows = rows(operations.len() + 60, 7);
    let (first, later) = rows.split_at(60);
    let mut out = [0; 1 << 14];
    let mut deleted = std::collections::BTreeSet::new();
    let mut count = 0;
    for row in first {
        index.insert(count, row).unwrap();
        capture.insert(&index, count, &mut out).unwrap().commit();
        count += 1;
    }
    for (&(kind, pick), row) in operations.iter().zip(later) {
        let slot = u32::from(pick) % count;
        match kind % 3 {
            0 if count < parameters.nodes_max => {
                index.insert(count, row).unwrap();
                capture.insert(&index, count, &mut out).unwrap().commit();
                count += 1;
            }
            1 if !deleted.contains(&slot) && deleted.len() < 40 => {
                deleted.insert(slot);
                index.delete(slot).unwrap();
                capture.delete(&index, slot, &mut out).unwrap().commit();
            }
            _ if !deleted.contains(&slot) => {
                index.update(slot, row).unwrap();
                capture.update(&index, slot, &mut out).unwrap().commit();
            }
            _ => {}
        }
    }
    assert_eq!(capture.first_difference(&index), Ok(None), "{:?}", I::KIND);
    assert_eq!(capture.shadow().entry(), index.entry());
    assert_eq!(capture.shadow().tombstone_count() as usize, deleted.len());
}

/// A deletion is for good: a library would bring the node back, the graph would not.
fn is_deleted_for_good<I: VectorIndex>() {
    let mut index = I::new(&parameters(8)).unwrap();
    let rows = rows(3, 5);
    for (slot, row) in (0..).zip(&rows) {
        index.insert(slot, row).unwrap();
    }
    index.delete(1).unwrap();
    let deleted = Err(IndexError::Deleted { slot: 1 });
    assert_eq!(index.delete(1), deleted);
    assert_eq!(index.update(1, &rows[0]), deleted);
    assert_eq!(index.delete(3), Err(IndexError::MissingNode { slot: 3 }));
    index.update(2, &rows[0]).unwrap();
    index.insert(3, &rows[1]).unwrap();
    let is_live = |slot| slot != 1;
    let mut found = Vec::new();
    index
        .search(&rows[1], 4, Some(&is_live), &mut found)
        .unwrap();
    let mut slots: Vec<u32> = found.iter().map(|found| found.slot).collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 2, 3], "{:?}", I::KIND);
}

#[cfg(feature = "hnsw-stable")]
#[test]
fn hnsw_stable_deletes_for_good() {
    is_deleted_for_good::<HnswStable>();
}

#[cfg(feature = "usearch")]
#[test]
fn usearch_deletes_for_good() {
    is_deleted_for_good::<Usearch>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[cfg(feature = "hnsw-stable")]
    #[test]
    fn prop_the_touched_set_of_hnsw_stable_is_what_is_captured(
        operations in prop::collection::vec(any::<(u8, u16)>(), 0..300)
    ) {
        differences_after::<HnswStable>(&operations);
    }

    #[cfg(feature = "usearch")]
    #[test]
    fn prop_the_touched_set_of_usearch_is_what_is_captured(
        operations in prop::collection::vec(any::<(u8, u16)>(), 0..300)
    ) {
        differences_after::<Usearch>(&operations);
    }
}
