//! How rows are encoded: with which codecs, how exactly, against what, and on what.

use super::{Bound, Tag};
use crate::{
    kernel::diff::{self, DiffError},
    simd::VectorUnit,
};

/// What a change is measured against.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a> {
    /// The row before the change.
    Row(&'a [f32]),
    /// A row of +0.0, as before an insert.
    Zero,
}

/// The codecs that an encoder may use. `raw` is always among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecSet(u16);

impl CodecSet {
    /// All of them.
    pub const ALL: Self = Self(u16::MAX);
    /// Those whose values can be applied to any row.
    pub const ABSOLUTE: Self = Self::PLAIN
        .with(Tag::GridFromZero)
        .with(Tag::StepsFromZero)
        .with(Tag::RanksFromZero)
        .with(Tag::Bytes);
    /// `same`, `raw` and `sparse`.
    pub const PLAIN: Self = Self(1 << Tag::Same as u16 | 1 << Tag::Raw as u16).with(Tag::Sparse);
    /// `same` and `raw`.
    pub const RAW: Self = Self(1 << Tag::Same as u16 | 1 << Tag::Raw as u16);

    /// Those that set a whole row, whatever it was.
    pub const WHOLE: Self = Self(1 << Tag::Raw as u16)
        .with(Tag::GridFromZero)
        .with(Tag::StepsFromZero)
        .with(Tag::RanksFromZero)
        .with(Tag::Bytes);

    /// This set and another codec.
    #[must_use]
    pub const fn with(self, tag: Tag) -> Self {
        Self(self.0 | 1 << tag as u16)
    }

    /// The codecs in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether a codec is in the set.
    #[inline]
    pub const fn has(self, tag: Tag) -> bool {
        self.0 & 1 << tag as u16 != 0
    }
}

/// How rows are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The codecs to choose from.
    pub codecs: CodecSet,
    /// How far components may be off; `None`: not at all.
    pub bound: Option<Bound>,
    /// What it is computed on; the bytes are the same on all.
    pub unit: VectorUnit,
}

impl Encoding {
    /// Exact, with any codec.
    pub const EXACT: Self = Self {
        codecs: CodecSet::ALL,
        bound: None,
        unit: VectorUnit::BASELINE,
    };
}

/// What an encoder has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded {
    pub(crate) tag: Tag,
    /// Bytes.
    pub(crate) size: usize,
    /// What the change adds to the sum of the row, where it is known from writing it.
    pub(crate) change_sum: Option<u64>,
}

impl Encoded {
    pub(super) fn new(tag: Tag, size: usize) -> Self {
        Self {
            tag,
            size,
            change_sum: None,
        }
    }
}

/// Components that change.
pub(super) fn count_changed(base: Base<'_>, new: &[f32]) -> Result<usize, DiffError> {
    match base {
        Base::Row(old) => diff::count_changed(old, new),
        Base::Zero => Ok(count_not_zero(new)),
    }
}

/// Components that are not +0.0.
pub(super) fn count_not_zero(row: &[f32]) -> usize {
    row.iter().filter(|value| value.to_bits() != 0).count()
}
