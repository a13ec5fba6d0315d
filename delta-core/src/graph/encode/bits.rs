//! Bit strings, least significant bit first, and Rice codes in them (Rice and Plaunt, 1971).

/// The largest quotient of a Rice code: with the longest remainder it still is read at once.
pub(crate) const QUOTIENT_MAX: u32 = 24;
/// The longest remainder of a Rice code, in bits.
pub(crate) const PARAMETER_MAX: u8 = 31;

/// At least the 57 bits of `bytes` from `bit` on, in the low bits; zeros beyond the end.
#[inline]
fn window(bytes: &[u8], bit: usize) -> u64 {
    let from = bytes.get(bit / 8..).unwrap_or_default();
    let word = match (from.first_chunk(), bytes.last_chunk()) {
        (Some(word), _) => u64::from_le_bytes(*word),
        // Changes are so short that much of one is its end: the last word, moved to its place.
        (None, Some(last)) => {
            let missing = 8 - from.len();
            u64::from_le_bytes(*last) >> (4 * missing) >> (4 * missing)
        }
        (None, None) => {
            let bytes = from.iter().rev();
            bytes.fold(0, |word, &byte| word << 8 | u64::from(byte))
        }
    };
    word >> (bit % 8)
}

/// Reads `width` bits (at most 57) at `*bit` and advances it; `None` if there are fewer.
#[inline]
pub(crate) fn read(bytes: &[u8], bit: &mut usize, width: u32) -> Option<u64> {
    let end = bit.checked_add(width as usize)?;
    if end.div_ceil(8) > bytes.len() {
        return None;
    }
    let value = window(bytes, *bit) & !(u64::MAX << width);
    *bit = end;
    Some(value)
}

/// Reads a Rice code at `*bit` and advances it: the quotient in unary, ones ended by a zero, then
/// `parameter` (at most [`PARAMETER_MAX`]) bits of remainder. `None` if the bits end early, the
/// quotient is above [`QUOTIENT_MAX`], or the value exceeds 32 bits.
#[inline]
pub(crate) fn read_rice(bytes: &[u8], bit: &mut usize, parameter: u8) -> Option<u32> {
    let word = window(bytes, *bit);
    let quotient = word.trailing_ones();
    let end = *bit + quotient as usize + 1 + usize::from(parameter);
    if quotient > QUOTIENT_MAX || end.div_ceil(8) > bytes.len() {
        return None;
    }
    let remainder = word >> (quotient + 1) & !(u64::MAX << parameter);
    *bit = end;
    u32::try_from(u64::from(quotient) << parameter | remainder).ok()
}

/// Bits of a Rice code; `None` if its quotient is too large.
#[inline]
pub(crate) fn rice_size(value: u32, parameter: u8) -> Option<usize> {
    let quotient = value.checked_shr(u32::from(parameter)).unwrap_or(0);
    (quotient <= QUOTIENT_MAX).then_some(quotient as usize + 1 + usize::from(parameter))
}

/// Appends bits to the caller's bytes, which it zeroes as it comes to them.
#[derive(Debug)]
pub(crate) struct BitWriter<'a> {
    out: &'a mut [u8],
    /// Bits written.
    bit: usize,
}

impl<'a> BitWriter<'a> {
    pub(crate) const fn new(out: &'a mut [u8], byte: usize) -> Self {
        Self { out, bit: byte * 8 }
    }

    /// Appends the low `width` bits of `value`; `None` if `out` is full.
    #[inline]
    pub(crate) fn write(&mut self, mut value: u64, width: u32) -> Option<()> {
        let mut left = width as usize;
        while left > 0 {
            let byte = self.out.get_mut(self.bit / 8)?;
            let used = self.bit % 8;
            if used == 0 {
                *byte = 0;
            }
            let taken = (8 - used).min(left);
            let bits = value.to_le_bytes()[0] & (0xff_u8 >> (8 - taken));
            *byte |= bits << used;
            value >>= taken;
            self.bit += taken;
            left -= taken;
        }
        Some(())
    }

    /// Appends a Rice code that [`rice_size`] has a size for.
    pub(crate) fn write_rice(&mut self, value: u32, parameter: u8) -> Option<()> {
        let quotient = value >> parameter;
        self.write(!(u64::MAX << quotient), quotient + 1)?;
        self.write(u64::from(value), u32::from(parameter))
    }

    /// Bytes begun.
    pub(crate) const fn size(&self) -> usize {
        self.bit.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn rice_codes_have_their_literal_bits() {
        let mut out = [0xff; 4];
        let mut writer = BitWriter::new(&mut out, 1);
        // 21 = 2 * 8 + 5: 110, then 101 least significant first.
        writer.write_rice(21, 3).unwrap();
        writer.write(1, 1).unwrap();
        writer.write_rice(0, 0).unwrap();
        writer.write(0b11, 2).unwrap();
        assert_eq!(writer.size(), 3);
        assert_eq!(out, [0xff, 0b0110_1011, 0b0000_0011, 0xff]);
        let mut bit = 8;
        assert_eq!(read_rice(&out, &mut bit, 3), Some(21));
        assert_eq!(read(&out, &mut bit, 1), Some(1));
        assert_eq!(read_rice(&out, &mut bit, 0), Some(0));
        assert_eq!(bit, 16);
    }

    #[test]
    fn long_quotients_and_early_ends_are_refused() {
        assert_eq!(read_rice(&[0xff, 0xff, 0xff, 0xff, 0], &mut 0, 0), None);
        assert_eq!(read_rice(&[0xff, 0xff, 0xff, 0, 0], &mut 0, 0), Some(24));
        assert_eq!(read_rice(&[0xff, 0xff, 0xff, 0, 0, 0, 0], &mut 0, 31), None);
        assert_eq!(read_rice(&[0], &mut 0, 8), None);
        assert_eq!(read_rice(&[], &mut 0, 0), None);
        assert_eq!(read(&[0], &mut 0, 9), None);
        assert_eq!(rice_size(25, 0), None);
    }

    proptest! {
        #[test]
        fn prop_read_inverts_write(
            codes in vec((any::<u32>(), 0_u32..32, 0..=PARAMETER_MAX), 0..40),
            start in 0_usize..3,
        ) {
            let codes: Vec<_> = codes
                .into_iter()
                .map(|(value, shift, parameter)| (value >> shift, parameter))
                .filter(|&(value, parameter)| rice_size(value, parameter).is_some())
                .collect();
            let mut out = vec![0xa5; 400];
            let mut writer = BitWriter::new(&mut out, start);
            for &(value, parameter) in &codes {
                writer.write_rice(value, parameter).unwrap();
            }
            let size = writer.size();
            let mut bit = start * 8;
            for &(value, parameter) in &codes {
                let end = bit + rice_size(value, parameter).unwrap();
                prop_assert_eq!(read_rice(&out[..size], &mut bit, parameter), Some(value));
                prop_assert_eq!(bit, end);
            }
            prop_assert_eq!(bit.div_ceil(8), size);
        }
    }
}
