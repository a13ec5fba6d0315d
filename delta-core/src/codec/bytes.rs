//! The codec `bytes`: components that are whole numbers from 0 to 255, a byte each (WIRE.md,
//! section 4, tag 10).
//!
//! Rows of packed bits have no smaller form where nothing is known of them, as when they are new.

use super::{ValuesError, packed::DIM_MIN};

/// The byte that a component stands for, if it is a whole number 0..=255 (+0.0, not -0.0).
#[inline]
pub(super) fn byte_of(component: f32) -> Option<u8> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what the cast changes is no byte"
    )]
    let byte = component as u8;
    (f32::from(byte).to_bits() == component.to_bits()).then_some(byte)
}

/// Whether a row is worth an attempt: its first component is a byte.
#[inline]
pub(super) fn are_likely(row: &[f32]) -> bool {
    row.len() >= DIM_MIN && row.first().copied().and_then(byte_of).is_some()
}

/// Whether all components are bytes. O(dim).
pub(super) fn are_all(row: &[f32]) -> bool {
    are_likely(row) && row.iter().all(|component| byte_of(*component).is_some())
}

/// Writes a row of bytes and returns its size; `None` if `out` is too small. O(dim).
pub(super) fn write(row: &[f32], out: &mut [u8]) -> Option<usize> {
    let out = out.get_mut(..row.len())?;
    for (to, component) in out.iter_mut().zip(row) {
        *to = byte_of(*component)?;
    }
    Some(row.len())
}

/// Checked values of this codec: as many bytes as the row has components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesValues<'a> {
    bytes: &'a [u8],
}

impl<'a> BytesValues<'a> {
    pub(super) fn parse(bytes: &'a [u8], dim: u32) -> Result<Self, ValuesError> {
        let (expected, found) = (u64::from(dim), bytes.len() as u64);
        if found == expected {
            Ok(Self { bytes })
        } else {
            Err(ValuesError::Size {
                dim,
                expected,
                found,
            })
        }
    }

    /// The components, a byte each.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Writes the bits of all components into `out`, which has one element for each. O(dim).
    pub(super) fn decode(&self, out: &mut [[u8; 4]]) {
        for (byte, slot) in self.bytes.iter().zip(out) {
            *slot = f32::from(*byte).to_bits().to_le_bytes();
        }
    }
}
