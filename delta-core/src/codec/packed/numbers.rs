//! Numbers one at a time: what [`pack`](super::pack::pack) writes and [`unpack`](super::unpack)
//! reads, for a codec that has few of them.

use super::{scale::Scale, tables::ESCAPE};
use crate::codec::bits::{BitReader, BitWriter};

/// Appends numbers.
pub(super) struct NumberWriter<'o> {
    scale: Scale,
    low_size: usize,
    low: BitWriter<'o>,
    codes: BitWriter<'o>,
}

impl<'o> NumberWriter<'o> {
    /// Starts the strings of `count` numbers; `None` if `out` is too small.
    pub(super) fn new(out: &'o mut [u8], scale: Scale, count: usize) -> Option<Self> {
        let low_size = scale.low_size(count)?;
        let (low, codes) = out.split_at_mut_checked(low_size)?;
        Some(Self {
            scale,
            low_size,
            low: BitWriter::new(low),
            codes: BitWriter::new(codes),
        })
    }

    /// Appends a number; `None` if there is no room.
    #[inline]
    pub(super) fn push(&mut self, number: u32) -> Option<()> {
        let low_bits = self.scale.low_bits();
        let high = number >> low_bits;
        self.low
            .push((number ^ high << low_bits).into(), low_bits)?;
        let code = self.scale.table().code(high);
        self.codes.push(code.bits().into(), code.length())?;
        if high >= ESCAPE {
            self.codes.push(high.into(), 32 - low_bits)?;
        }
        Some(())
    }

    /// Bytes of both strings.
    pub(super) fn finish(self) -> Option<usize> {
        self.low.finish()?;
        Some(self.low_size + self.codes.finish()?)
    }
}

/// Takes numbers.
pub(super) struct NumberReader<'a> {
    scale: Scale,
    low: BitReader<'a>,
    codes: BitReader<'a>,
}

impl<'a> NumberReader<'a> {
    /// Reads the strings of `count` numbers; `None` if the bytes are too few.
    pub(super) fn new(bytes: &'a [u8], scale: Scale, count: usize) -> Option<Self> {
        let (low, codes) = bytes.split_at_checked(scale.low_size(count)?)?;
        Some(Self {
            scale,
            low: BitReader::new(low),
            codes: BitReader::new(codes),
        })
    }

    /// The next number. Beyond the end it means nothing, and [`Self::finish`] says so.
    #[inline]
    pub(super) fn take(&mut self) -> u32 {
        let low_bits = self.scale.low_bits();
        let table = self.scale.table();
        let mut high = table.decode(self.codes.peek()).first();
        self.codes.skip(table.code(high).length());
        if high == ESCAPE {
            high = self.codes.take(32 - low_bits);
        }
        high << low_bits | self.low.take(low_bits)
    }

    /// The bytes behind both strings; `None` if they are cut off or padded with other than zeros.
    pub(super) fn finish(self) -> Option<&'a [u8]> {
        self.low.finish()?;
        self.codes.finish()
    }
}
