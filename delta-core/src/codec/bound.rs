//! How far a lossy row may be off.

use core::fmt;

/// 2^-20: closer than that an exact row is smaller.
const BOUND_MIN: f32 = 1.0 / 1_048_576.0;

/// A bound of the error of a lossy row: no component is off by more than `get()` times the root
/// mean square of the row. Held as the upper 16 bits of an f32, as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound(u16);

impl Bound {
    /// The greatest bound that is not greater than `bound`, which lies in 2^-20..=1.
    ///
    /// # Errors
    /// [`BoundError`] for any other number.
    ///
    /// ```
    /// use delta_core::codec::Bound;
    /// let bound = Bound::new(3e-3)?;
    /// assert_eq!(bound.get(), 0.002_990_722_7);
    /// # Ok::<(), delta_core::codec::BoundError>(())
    /// ```
    pub fn new(bound: f32) -> Result<Self, BoundError> {
        let upper = bound.to_bits() >> 16;
        u16::try_from(upper)
            .ok()
            .and_then(Self::from_wire)
            .filter(|_| bound <= 1.0)
            .ok_or(BoundError { found: bound })
    }

    /// The factor, in 2^-20..=1.
    #[inline]
    pub fn get(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// `None` if it is out of range.
    pub(super) fn from_wire(upper: u16) -> Option<Self> {
        let bound = Self(upper);
        (BOUND_MIN..=1.0).contains(&bound.get()).then_some(bound)
    }

    pub(super) fn to_wire(self) -> u16 {
        self.0
    }
}

/// A bound is a number in 2^-20..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundError {
    /// The number found.
    pub found: f32,
}

impl fmt::Display for BoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found } = self;
        write!(f, "a bound of {found}: use a number from 0.000001 to 1")
    }
}

impl core::error::Error for BoundError {}
