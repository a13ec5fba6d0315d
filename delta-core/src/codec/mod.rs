//! Value codecs: how the change of one row becomes bytes (WIRE.md, section 4).
//!
//! [`encode`] takes the codec that needs the fewest bytes; [`Values::parse`] checks bytes;
//! [`Values::decode`] works out what they change in a row.
//!
//! | codec | exact | applies to any row | for |
//! |---|---|---|---|
//! | `same`, `raw`, `sparse` | yes | yes | no, all, few components change |
//! | `grid` | yes | from zero | finite rows: small differences, few significant bits |
//! | `ranks` | yes | from zero | rows of few distinct values, as counters are |
//! | `flips`, `bytes` | yes | `bytes` | rows of packed bits |
//! | `steps` | within a bound | from zero | rows of which a bounded error does no harm |

mod bits;
mod bound;
mod bytes;
mod discrete;
mod encode;
mod encoding;
mod error;
pub mod lz4;
mod packed;
pub mod sparse;
mod survey;
mod values;
pub mod varint;

pub use bound::{Bound, BoundError};
pub use bytes::BytesValues;
pub(crate) use encode::encode_summed;
pub use encode::{encode, encode_as, encoded_size_max};
pub use encoding::{Base, CodecSet, Encoding};
pub use error::{DecodeError, EncodeError, ValuesError};
pub use packed::{flips::FlipsValues, grid::GridValues, ranks::RanksValues, steps::StepsValues};
pub use values::{ListedChange, RawValues, RowChange, Values};

/// Names a codec on the wire. The discriminants are the wire values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Tag {
    /// The row does not change: no bytes.
    Same = 0,
    /// All components.
    Raw = 1,
    /// Changed components with the gaps between them.
    Sparse = 2,
    /// Exact differences from the old row.
    Grid = 3,
    /// Exact differences from a row of +0.0.
    GridFromZero = 4,
    /// Differences from the old row, within a bound.
    Steps = 5,
    /// Differences from a row of +0.0, within a bound.
    StepsFromZero = 6,
    /// How far components move among the distinct values of the row.
    Ranks = 7,
    /// The same, from a row of +0.0.
    RanksFromZero = 8,
    /// The bits that flip of bytes.
    Flips = 9,
    /// All components, a byte each.
    Bytes = 10,
}

impl Tag {
    /// The codecs, in the order of their wire values.
    pub const ALL: [Self; 11] = [
        Self::Same,
        Self::Raw,
        Self::Sparse,
        Self::Grid,
        Self::GridFromZero,
        Self::Steps,
        Self::StepsFromZero,
        Self::Ranks,
        Self::RanksFromZero,
        Self::Flips,
        Self::Bytes,
    ];

    /// The codec of a wire value, `None` for an unknown one.
    #[inline]
    pub fn from_wire(value: u8) -> Option<Self> {
        Self::ALL.get(usize::from(value)).copied()
    }

    /// The name that the wire format and the `delta` command use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Raw => "raw",
            Self::Sparse => "sparse",
            Self::Grid => "grid",
            Self::GridFromZero => "grid-from-zero",
            Self::Steps => "steps",
            Self::StepsFromZero => "steps-from-zero",
            Self::Ranks => "ranks",
            Self::RanksFromZero => "ranks-from-zero",
            Self::Flips => "flips",
            Self::Bytes => "bytes",
        }
    }

    /// The values are a difference from the row before: they apply to no other.
    pub const fn is_relative(self) -> bool {
        matches!(self, Self::Grid | Self::Steps | Self::Ranks | Self::Flips)
    }

    /// The row after the change is not exactly the writer's.
    pub const fn is_lossy(self) -> bool {
        matches!(self, Self::Steps | Self::StepsFromZero)
    }
}

#[cfg(test)]
mod tests;
