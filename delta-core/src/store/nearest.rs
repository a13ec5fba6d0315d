//! The nearest rows, by comparing all.

use super::Replica;
use crate::{
    graph::search::Neighbour,
    kernel::distance::{Query, order_key},
};

/// Writes the live rows nearest to `query`, nearest first, equal distances in the order of slots,
/// and returns how many: at most `out.len()`. The same ids and bits everywhere. O(rows x dim).
///
/// ```
/// use delta_core::graph::search::Neighbour;
/// use delta_core::kernel::distance::{Metric, Query};
/// use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, nearest};
///
/// let (mut rows, mut slots, mut attributes) = ([0.0; 2], [Slot::default(); 2], [0; 64]);
/// let memory = SliceMemory { rows: &mut rows, slots: &mut slots, attributes: &mut attributes };
/// let mut store = SliceStore::new(1, memory);
/// for (id, value) in [(b"a", 5.0), (b"b", 2.0)] {
///     store.push(id, Default::default());
///     store.row_mut(store.slot_count() - 1)[0] = value;
/// }
/// let mut found = [Neighbour::default(); 3];
/// assert_eq!(nearest(&store, &Query::new(Metric::SquaredL2, &[1.0]), &mut found), 2);
/// assert_eq!((found[0].slot, found[0].distance), (1, 1.0));
/// ```
pub fn nearest<R: Replica + ?Sized>(
    replica: &R,
    query: &Query<'_>,
    out: &mut [Neighbour],
) -> usize {
    let mut count = 0;
    for slot in (0..replica.slot_count()).filter(|slot| !replica.is_deleted(*slot)) {
        let distance = query.distance_to(replica.row(slot).unwrap_or_default());
        let key = order_key(distance);
        let found = out.get(..count).unwrap_or_default();
        // Slots come in ascending order: of equal distances the one before stays in front.
        let place = found.partition_point(|before| order_key(before.distance) <= key);
        // Where there is no more room, the last one falls out.
        let last = count.min(out.len().saturating_sub(1));
        let moved = out.get_mut(place..=last).unwrap_or_default();
        let Some(behind) = moved.len().checked_sub(1) else {
            continue;
        };
        moved.copy_within(..behind, 1);
        if let Some(free) = moved.first_mut() {
            *free = Neighbour { slot, distance };
        }
        count = last + 1;
    }
    count
}
