//! LZ4 blocks whose plain size is known.

use super::{MetadataError, SECTION_SIZE_MAX};
use crate::codec::lz4;

/// A block that may decode to its plain size: what is wrong inside shows only then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::payload) struct Block<'a> {
    bytes: &'a [u8],
    /// At least 1, at most [`SECTION_SIZE_MAX`].
    plain_size: u16,
}

impl<'a> Block<'a> {
    /// Checks that `bytes` may decode to `plain_size` bytes.
    pub(in crate::payload) fn new(
        bytes: &'a [u8],
        plain_size: usize,
    ) -> Result<Self, MetadataError> {
        if plain_size > SECTION_SIZE_MAX {
            return Err(MetadataError::TooLarge { size: plain_size });
        }
        // A block grows at most 255-fold, and is hardly longer than what it decodes to: a sequence
        // makes four bytes and more of three, and every 255 bytes of a length stand for as many.
        // (A longer one could also make a decoder's 32-bit sums of lengths wrap.)
        let size_max = plain_size + plain_size / 255 + 16;
        let plausible = (plain_size.div_ceil(255)..=size_max).contains(&bytes.len());
        match u16::try_from(plain_size) {
            Ok(plain_size @ 1..) if plausible => Ok(Self { bytes, plain_size }),
            _ => Err(MetadataError::Compressed { plain_size }),
        }
    }

    /// Bytes in the record.
    #[inline]
    pub(in crate::payload) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that it decodes to.
    #[inline]
    pub(in crate::payload) fn plain_size(&self) -> u16 {
        self.plain_size
    }

    /// Decodes it to the front of `scratch`.
    pub(in crate::payload) fn decode<'s>(
        &self,
        scratch: &'s mut [u8],
    ) -> Result<&'s [u8], MetadataError> {
        let (needed, given) = (usize::from(self.plain_size), scratch.len());
        let plain = scratch
            .get_mut(..needed)
            .ok_or(MetadataError::ScratchTooSmall { needed, given })?;
        if !lz4::decompress(self.bytes, plain) {
            let plain_size = needed;
            return Err(MetadataError::Compressed { plain_size });
        }
        Ok(plain)
    }
}
