//! Where a slab lies in the elements of a tensor before and after a change.

use super::TensorRefusal;
use crate::payload::tensor::{Shape, Slab};

/// What a change does with its slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It gets other elements, and the axis may become longer.
    Put,
    /// Its elements become zero.
    Clear,
    /// It goes.
    Evict,
}

/// A tensor as `lines` runs of elements along one axis, each `before` elements long and `after`
/// elements after the change; the slab is elements `start..end` of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) lines: usize,
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The tensor's shape after the change.
    pub(super) shape: Shape,
}

impl Lines {
    /// Checks a slab against the tensor's shape.
    ///
    /// # Errors
    /// [`TensorRefusal::Range`].
    pub(super) fn new(shape: &Shape, slab: Slab, fate: Fate) -> Result<Self, TensorRefusal> {
        let axis = usize::from(slab.axis);
        let extent = shape.extents().get(axis).copied();
        let refused = TensorRefusal::Range {
            slab,
            extent: extent.unwrap_or(0),
        };
        let extent = extent.ok_or(refused)?;
        let end = slab.start.checked_add(slab.count).ok_or(refused)?;
        let new_extent = match fate {
            Fate::Put if slab.start <= extent => extent.max(end),
            Fate::Clear if end <= extent => extent,
            Fate::Evict if end <= extent => extent - slab.count,
            _ => return Err(refused),
        };
        let (outer, rest) = shape.extents().split_at(axis);
        let inner = rest.iter().skip(1).product::<u32>() as usize;
        // `end` is within one of the two extents, so no product exceeds the elements of a shape.
        Ok(Self {
            lines: outer.iter().product::<u32>() as usize,
            before: extent as usize * inner,
            after: new_extent as usize * inner,
            start: slab.start as usize * inner,
            end: end as usize * inner,
            shape: shape.with_extent(slab.axis, new_extent).ok_or(refused)?,
        })
    }

    /// Elements of the slab, over all lines.
    pub(super) fn slab_elements(&self) -> usize {
        self.lines * (self.end - self.start)
    }

    /// The elements before the slab keep their place in the tensor, for there is one line or none
    /// changes its length.
    pub(super) fn keeps_front(&self) -> bool {
        self.lines <= 1 || self.before == self.after
    }
}
