//! Lists of ascending positions as Rice-coded gaps (WIRE.md, section 4).

use crate::codec::{
    bits::{BitReader, BitWriter, PEEK_BITS},
    error::{self, ValuesError},
    varint,
};

/// Greatest parameter of the gaps' code.
const PARAMETER_MAX: u8 = 31;

/// A checked list: positions ascend and lie below the size that it was checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PositionList<'a> {
    count: u32,
    /// Low bits of a gap that stand as they are, 0..=31.
    parameter: u8,
    gaps: &'a [u8],
}

impl<'a> PositionList<'a> {
    /// Reads a list of positions below `size` from `*at` on and moves `*at` behind it.
    /// O(count + size / 2^parameter).
    #[inline(never)]
    pub(super) fn parse(bytes: &'a [u8], at: &mut usize, size: u64) -> Result<Self, ValuesError> {
        let truncated = ValuesError::truncated(*at);
        let count = varint::read(bytes, at).ok_or(truncated)?;
        let parameter = *bytes.get(*at).ok_or(truncated)?;
        if parameter > PARAMETER_MAX {
            let offset = error::offset(*at);
            return Err(ValuesError::Parameter { offset });
        }
        *at += 1;
        let gaps = bytes.get(*at..).unwrap_or_default();
        let mut reader = GapReader::new(gaps, parameter);
        let mut next = 0_u64;
        for _ in 0..count {
            let index = next.saturating_add(reader.gap(size).ok_or(truncated)?);
            if index >= size {
                let dim = u32::try_from(size).unwrap_or(u32::MAX);
                return Err(ValuesError::IndexOutOfRange { index, dim });
            }
            next = index + 1;
        }
        let rest = reader.bits.finish().ok_or(truncated)?;
        let gaps_size = gaps.len() - rest.len();
        *at += gaps_size;
        Ok(Self {
            count,
            parameter,
            gaps: gaps.get(..gaps_size).unwrap_or_default(),
        })
    }

    /// Number of positions.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The positions, ascending.
    #[inline]
    pub(super) fn iter(&self) -> Positions<'a> {
        Positions {
            reader: GapReader::new(self.gaps, self.parameter),
            left: self.count,
            next: 0,
        }
    }

    /// The positions as bits of bytes, byte by byte.
    #[inline]
    pub(super) fn iter_bytes(&self) -> BytesOf<'a> {
        let mut positions = self.iter();
        BytesOf {
            next: positions.next(),
            positions,
        }
    }
}

#[derive(Clone, Debug)]
struct GapReader<'a> {
    bits: BitReader<'a>,
    parameter: u8,
}

impl<'a> GapReader<'a> {
    fn new(gaps: &'a [u8], parameter: u8) -> Self {
        Self {
            bits: BitReader::new(gaps),
            parameter,
        }
    }

    /// The next gap; `None` if the bits end or it is not below `limit`.
    #[inline]
    fn gap(&mut self, limit: u64) -> Option<u64> {
        let bits = self.bits.peek();
        let ones = bits.trailing_ones();
        let parameter = u32::from(self.parameter);
        if ones + 1 + parameter > PEEK_BITS {
            return self.long_gap(limit);
        }
        self.bits.skip(ones);
        let high = u64::from(ones) << parameter;
        if self.bits.is_beyond() || high >= limit {
            return None;
        }
        self.bits.skip(1 + parameter);
        Some(high | bits >> (ones + 1) & !(u64::MAX << parameter))
    }

    /// As [`Self::gap`], of one that a look at the bits may not hold.
    #[cold]
    fn long_gap(&mut self, limit: u64) -> Option<u64> {
        let mut quotient = 0_u64;
        loop {
            let ones = self.bits.peek().trailing_ones().min(PEEK_BITS);
            quotient += u64::from(ones);
            self.bits.skip(ones);
            if self.bits.is_beyond() || quotient << self.parameter >= limit {
                return None;
            }
            if ones < PEEK_BITS {
                break;
            }
        }
        self.bits.skip(1);
        let low = self.bits.take(self.parameter.into());
        Some(quotient << self.parameter | u64::from(low))
    }
}

/// Iterator over a checked list.
#[derive(Clone, Debug)]
pub(in crate::codec) struct Positions<'a> {
    reader: GapReader<'a>,
    left: u32,
    /// Least position that can follow.
    next: u32,
}

impl Iterator for Positions<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let gap = self.reader.gap(u64::MAX)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "positions were found below 2^32"
        )]
        let position = self.next.wrapping_add(gap as u32);
        self.next = position.wrapping_add(1);
        Some(position)
    }
}

/// Iterator over the bytes of which some bits are listed: index of a byte, and a mask of its bits.
#[derive(Clone, Debug)]
pub(in crate::codec) struct BytesOf<'a> {
    /// The first position of the next byte.
    next: Option<u32>,
    /// Those behind it.
    positions: Positions<'a>,
}

impl Iterator for BytesOf<'_> {
    type Item = (u32, u8);

    #[inline]
    fn next(&mut self) -> Option<(u32, u8)> {
        let index = self.next? / u8::BITS;
        let mut mask = 0;
        while let Some(position) = self.next.filter(|position| position / u8::BITS == index) {
            mask |= 1 << (position % u8::BITS);
            self.next = self.positions.next();
        }
        Some((index, mask))
    }
}

/// Writes a list whose number of positions is known.
#[derive(Debug)]
pub(super) struct PositionWriter<'a> {
    gaps: BitWriter<'a>,
    parameter: u32,
    next: u32,
    /// Bytes before the gaps.
    head: usize,
}

impl<'a> PositionWriter<'a> {
    /// Starts a list of `count` positions below `size`.
    pub(super) fn new(out: &'a mut [u8], count: u32, size: u32) -> Option<Self> {
        let mut head = 0;
        varint::write(out, &mut head, count)?;
        let parameter = parameter(count, size);
        *out.get_mut(head)? = parameter;
        head += 1;
        Some(Self {
            gaps: BitWriter::new(out.get_mut(head..)?),
            parameter: parameter.into(),
            next: 0,
            head,
        })
    }

    /// Appends a position, greater than the one before it.
    #[inline]
    pub(super) fn push(&mut self, position: u32) -> Option<()> {
        let gap = position.wrapping_sub(self.next);
        self.next = position.wrapping_add(1);
        let mut quotient = gap >> self.parameter;
        while quotient >= 32 {
            self.gaps.push(u32::MAX.into(), 32)?;
            quotient -= 32;
        }
        self.gaps.push((1_u64 << quotient) - 1, quotient)?;
        self.gaps.push(0, 1)?;
        let low = gap & !(u32::MAX << self.parameter);
        self.gaps.push(low.into(), self.parameter)
    }

    /// Bytes of the list.
    pub(super) fn finish(self) -> Option<usize> {
        Some(self.head + self.gaps.finish()?)
    }
}

/// The parameter that suits gaps of that density: near log2(0.69 size / count).
fn parameter(count: u32, size: u32) -> u8 {
    let mean_gap = u64::from(size - count.min(size)) * 11 / (u64::from(count.max(1)) * 16);
    let bits = 64 - mean_gap.leading_zeros();
    u8::try_from(bits.saturating_sub(1))
        .unwrap_or(0)
        .min(PARAMETER_MAX)
}

/// Bits that a list of `count` positions below `size` takes, about.
pub(super) fn estimate_bits(count: u32, size: u32) -> u64 {
    let parameter = parameter(count, size);
    let quotients = u64::from(size - count.min(size)) >> parameter;
    24 + u64::from(count) * (1 + u64::from(parameter)) + quotients
}
