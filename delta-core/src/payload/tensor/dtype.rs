//! Element types and shapes of tensors.

use core::fmt;

/// Type of a tensor's elements. The discriminants are the wire values.
///
/// Elements are moved and compared as bits: no float operation touches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 binary32.
    F32 = 0,
    /// IEEE 754 binary16.
    F16 = 1,
    /// The upper half of a binary32.
    Bf16 = 2,
    /// Signed, 8 bits.
    I8 = 3,
    /// Unsigned, 8 bits.
    U8 = 4,
    /// Unsigned, 16 bits.
    U16 = 5,
    /// Unsigned, 32 bits.
    U32 = 6,
}

impl DType {
    /// The type of a wire value, `None` for an unknown one.
    #[must_use]
    pub const fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Bf16,
            3 => Self::I8,
            4 => Self::U8,
            5 => Self::U16,
            6 => Self::U32,
            _ => return None,
        })
    }

    /// Bytes of an element: 1, 2 or 4.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::U16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }

    /// The name that array libraries use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
        }
    }
}

/// Most axes of a tensor.
pub const RANK_MAX: usize = 6;

/// Most elements of a tensor, an extent of 0 counted as 1.
pub const ELEMENTS_MAX: u32 = 1 << 30;

/// Extents of a tensor's axes, outermost first; elements lie in C order.
///
/// Made by [`Shape::new`]: at most [`RANK_MAX`] axes and [`ELEMENTS_MAX`] elements, which is why
/// no product of its extents overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Axes, at most [`RANK_MAX`].
    rank: u8,
    /// 0 from `rank` on.
    extents: [u32; RANK_MAX],
}

/// Why extents are no [`Shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// More than [`RANK_MAX`] axes.
    Rank {
        /// Axes found.
        found: usize,
    },
    /// More than [`ELEMENTS_MAX`] elements.
    Elements {
        /// The axis that is too long beside those before it.
        axis: usize,
        /// Its extent.
        extent: u32,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rank { found } => write!(
                f,
                "a tensor of {found} axes: merge axes, there are at most {RANK_MAX}"
            ),
            Self::Elements { axis, extent } => write!(
                f,
                "extent {extent} of axis {axis} makes more than {ELEMENTS_MAX} elements: split \
                 the tensor"
            ),
        }
    }
}

impl core::error::Error for ShapeError {}

impl Shape {
    /// The shape of these extents; none: one element. An extent may be 0.
    ///
    /// # Errors
    /// See [`ShapeError`].
    pub fn new(extents: &[u32]) -> Result<Self, ShapeError> {
        let found = extents.len();
        let mut own = [0; RANK_MAX];
        own.get_mut(..found)
            .ok_or(ShapeError::Rank { found })?
            .copy_from_slice(extents);
        let mut elements = 1_u32;
        for (axis, &extent) in extents.iter().enumerate() {
            elements = elements
                .checked_mul(extent.max(1))
                .filter(|&elements| elements <= ELEMENTS_MAX)
                .ok_or(ShapeError::Elements { axis, extent })?;
        }
        Ok(Self {
            // At most RANK_MAX.
            rank: found.to_le_bytes()[0],
            extents: own,
        })
    }

    /// One extent an axis, outermost first.
    #[must_use]
    pub fn extents(&self) -> &[u32] {
        self.extents
            .get(..usize::from(self.rank))
            .unwrap_or_default()
    }

    /// Number of elements, at most [`ELEMENTS_MAX`].
    #[must_use]
    pub fn elements(&self) -> u32 {
        self.extents().iter().product()
    }

    /// Elements of a *row*: of one place on the outermost axis of two or more axes, else of the
    /// whole tensor.
    #[must_use]
    pub fn row_elements(&self) -> u32 {
        match self.extents() {
            [_, inner @ .., last] => inner.iter().product::<u32>() * last,
            whole => whole.iter().product(),
        }
    }

    /// Number of rows: the outermost extent of two or more axes, else 1.
    #[must_use]
    pub fn rows(&self) -> u32 {
        match self.extents() {
            [outer, _, ..] => *outer,
            _ => 1,
        }
    }

    /// The same shape with another extent of `axis`; `None` if it has no such axis or there would
    /// be too many elements.
    #[must_use]
    pub fn with_extent(&self, axis: u8, extent: u32) -> Option<Self> {
        let mut changed = *self;
        let extents = changed.extents.get_mut(..usize::from(self.rank))?;
        *extents.get_mut(usize::from(axis))? = extent;
        Self::new(extents).ok()
    }
}
