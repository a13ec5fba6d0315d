//! Which components the numbers of a row are for (WIRE.md, section 4).

use super::{
    BLOCK, Source, as_f32, lanes, mask_of,
    positions::{BytesOf, PositionList, PositionWriter, Positions, estimate_bits},
};
use crate::codec::{ValuesError, survey::Rows};

/// The components that numbers are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of them.
    All,
    /// Those that change.
    Changed,
}

impl Selection {
    /// Numbers of a row of `dim` components of which `changed` change.
    pub(super) fn count(self, dim: usize, changed: usize) -> usize {
        match self {
            Self::All => dim,
            Self::Changed => changed,
        }
    }
}

/// How a list names the components that change. The discriminants are the wire values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ListKind {
    /// There is no list: all components.
    All = 0,
    /// The list has those that change.
    Changed = 1,
    /// The list has those that do not.
    Unchanged = 2,
}

impl ListKind {
    pub(super) fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::All,
            1 => Self::Changed,
            2 => Self::Unchanged,
            _ => return None,
        })
    }

    pub(super) fn selection(self) -> Selection {
        match self {
            Self::All => Selection::All,
            Self::Changed | Self::Unchanged => Selection::Changed,
        }
    }

    /// The kind that needs the fewest bits where `changed` components change and a number without
    /// a change would take `number_bits`. Differences from zero set all components, without a list.
    pub(super) fn choose(rows: Rows<'_>, changed: usize, number_bits: u64) -> Self {
        let sizes = (u32::try_from(changed), u32::try_from(rows.dim()));
        let (Ok(changed), Ok(dim), false) = (sizes.0, sizes.1, rows.is_from_zero()) else {
            return Self::All;
        };
        let (kind, bits) = Self::shorter(changed, dim);
        if bits < u64::from(dim.saturating_sub(changed)) * number_bits {
            kind
        } else {
            Self::All
        }
    }

    /// Bits of the shorter list, about, where `changed` of `dim` components change.
    pub(super) fn bits(changed: usize, dim: usize) -> f32 {
        let listed = changed.min(dim.saturating_sub(changed));
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let bits = estimate_bits(count(listed), count(dim));
        as_f32(usize::try_from(bits).unwrap_or(usize::MAX))
    }

    /// The kind of the shorter list, where `changed` of `dim` components change, and how many bits
    /// it takes, about.
    pub(super) fn shorter(changed: u32, dim: u32) -> (Self, u64) {
        let unchanged = dim.saturating_sub(changed);
        if changed <= unchanged {
            (Self::Changed, estimate_bits(changed, dim))
        } else {
            (Self::Unchanged, estimate_bits(unchanged, dim))
        }
    }
}

/// Which components of a row change, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) struct Listing<'a> {
    dim: u32,
    components: Components<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Components<'a> {
    All,
    Listed(PositionList<'a>),
    /// All of them, and those that are not listed to +0.0.
    OrZero(PositionList<'a>),
    /// Those that are not listed.
    Others(PositionList<'a>),
    /// `count` components, of which bits are listed.
    OfBits {
        list: PositionList<'a>,
        count: u32,
    },
}

impl<'a> Listing<'a> {
    /// Reads the list of a row of `dim` components from `*at` on.
    pub(super) fn parse(
        kind: ListKind,
        bytes: &'a [u8],
        at: &mut usize,
        dim: u32,
    ) -> Result<Self, ValuesError> {
        let mut list = || PositionList::parse(bytes, at, dim.into());
        let components = match kind {
            ListKind::All => Components::All,
            ListKind::Changed => Components::Listed(list()?),
            ListKind::Unchanged => Components::Others(list()?),
        };
        Ok(Self { dim, components })
    }

    /// The same of a change from zero: what the list does not have becomes +0.0.
    pub(super) fn or_zero(mut self) -> Self {
        if let Components::Listed(list) = self.components {
            self.components = Components::OrZero(list);
        }
        self
    }

    /// The components, bytes, of which `list` has bits.
    pub(super) fn of_bits(list: PositionList<'a>, dim: u32) -> Self {
        // One for each position at most, and those are counted by a u32.
        let count = list.iter_bytes().fold(0, |count, _| count + 1);
        let components = Components::OfBits { list, count };
        Self { dim, components }
    }

    /// The components of which bits are listed, and masks of these, if they are listed so.
    #[inline]
    pub(super) fn bytes(&self) -> Option<BytesOf<'a>> {
        match &self.components {
            Components::OfBits { list, .. } => Some(list.iter_bytes()),
            _ => None,
        }
    }

    /// All components change.
    #[inline]
    pub(in crate::codec) fn is_all(&self) -> bool {
        matches!(self.components, Components::All | Components::OrZero(_))
    }

    /// Components that there are numbers for. O(1).
    pub(super) fn number_count(&self) -> u32 {
        match &self.components {
            Components::OrZero(list) => list.count(),
            _ => self.count(),
        }
    }

    /// A list says which components the numbers are for.
    pub(super) fn is_listed(&self) -> bool {
        !matches!(self.components, Components::All)
    }

    /// Components that change.
    #[inline]
    pub(in crate::codec) fn count(&self) -> u32 {
        match &self.components {
            Components::All | Components::OrZero(_) => self.dim,
            Components::Listed(list) => list.count(),
            // Positions of a list are distinct and below dim.
            Components::Others(list) => self.dim.saturating_sub(list.count()),
            Components::OfBits { count, .. } => *count,
        }
    }

    /// The components that change, ascending; where others become +0.0, without those.
    pub(in crate::codec) fn iter(&self) -> Indices<'a> {
        match &self.components {
            Components::All => Indices::Range(0..self.dim),
            Components::Listed(list) | Components::OrZero(list) => Indices::Listed(list.iter()),
            Components::Others(list) => {
                let mut listed = list.iter();
                Indices::Others {
                    next: 0,
                    dim: self.dim,
                    skip: listed.next(),
                    listed,
                }
            }
            Components::OfBits { list, .. } => Indices::OfBits(list.iter_bytes()),
        }
    }
}

/// Iterator over components, ascending.
#[derive(Clone, Debug)]
pub(in crate::codec) enum Indices<'a> {
    /// All of a range.
    Range(core::ops::Range<u32>),
    /// Those of a list.
    Listed(Positions<'a>),
    /// Those not in a list.
    Others {
        /// The next component, if it is not `skip`.
        next: u32,
        /// Components of the row.
        dim: u32,
        /// The first listed component from `next` on.
        skip: Option<u32>,
        /// Those behind it.
        listed: Positions<'a>,
    },
    /// Those of which bits are listed.
    OfBits(BytesOf<'a>),
}

impl Iterator for Indices<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Range(range) => range.next(),
            Self::Listed(listed) => listed.next(),
            Self::Others {
                next,
                dim,
                skip,
                listed,
            } => {
                while *skip == Some(*next) {
                    *skip = listed.next();
                    *next += 1;
                }
                let index = *next;
                *next = next.saturating_add(1);
                (index < *dim).then_some(index)
            }
            Self::OfBits(bytes) => bytes.next().map(|(index, _)| index),
        }
    }
}

/// Writes the list of `kind` for a source of which `changed` components change, and returns its
/// size in bytes; `None` if `out` is too small.
pub(super) fn write(
    kind: ListKind,
    source: &impl Source,
    changed: usize,
    out: &mut [u8],
) -> Option<usize> {
    let dim = u32::try_from(source.dim()).ok()?;
    let changed = u32::try_from(changed).ok()?;
    let (count, invert) = match kind {
        ListKind::All => return Some(0),
        ListKind::Changed => (changed, 0),
        ListKind::Unchanged => (dim.checked_sub(changed)?, u64::MAX),
    };
    let mut writer = PositionWriter::new(out, count, dim)?;
    let mut numbers = [0; BLOCK];
    for (start, base) in (0..source.dim()).step_by(BLOCK).zip((0..).step_by(BLOCK)) {
        source.fill(start, &mut numbers);
        let in_row = mask_of(lanes(source.dim(), start));
        let mut mask = (source.changed(start, &numbers) ^ invert) & in_row;
        while mask != 0 {
            writer.push(base + mask.trailing_zeros())?;
            mask &= mask - 1;
        }
    }
    writer.finish()
}
