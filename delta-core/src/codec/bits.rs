//! Strings of bits, in each byte and each number the least significant first (WIRE.md, section 4).

/// Appends bits to bytes of the caller.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    /// Whole bytes written.
    at: usize,
    /// Bits not yet written, the oldest lowest; those above `pending` are 0.
    bits: u64,
    /// Number of bits in `bits`, below 8 between calls.
    pending: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            at: 0,
            bits: 0,
            pending: 0,
        }
    }

    /// Appends the low `count` bits of `value`, at most [`PUSH_BITS`], whose other bits are 0;
    /// `None` if the bytes are full.
    #[inline(always)]
    pub(super) fn push(&mut self, value: u64, count: u32) -> Option<()> {
        self.bits |= value << self.pending;
        self.pending += count;
        let whole = (self.pending / 8) as usize;
        let out = self.out.get_mut(self.at..)?;
        match out.first_chunk_mut() {
            // What lies behind the whole bytes is written again.
            Some(word) => *word = self.bits.to_le_bytes(),
            None => put(out, whole, self.bits)?,
        }
        self.at += whole;
        self.bits >>= self.pending & !7;
        self.pending %= 8;
        Some(())
    }

    /// Passes the next `size` bytes to the caller, who writes them, with `slack` bytes behind them
    /// that are written again later; `None` if there are not as many or no byte begins here.
    #[inline(always)]
    pub(super) fn take_bytes(&mut self, size: usize, slack: usize) -> Option<&mut [u8]> {
        let (0, 0) = (self.pending, self.bits) else {
            return None;
        };
        let begin = self.at;
        let end = begin.checked_add(size)?;
        let taken = self.out.get_mut(begin..end.checked_add(slack)?)?;
        self.at = end;
        Some(taken)
    }

    /// Pads with zeros to a whole byte and returns the bytes written; `None` if they are full.
    #[inline]
    pub(super) fn finish(self) -> Option<usize> {
        let size = self.pending.div_ceil(8) as usize;
        let tail = self.out.get_mut(self.at..)?.get_mut(..size)?;
        tail.copy_from_slice(self.bits.to_le_bytes().get(..size)?);
        Some(self.at + size)
    }
}

/// Writes the first `count` bytes of a word; `None` if there is no room.
#[cold]
fn put(out: &mut [u8], count: usize, word: u64) -> Option<()> {
    let word = word.to_le_bytes();
    out.get_mut(..count)?.copy_from_slice(word.get(..count)?);
    Some(())
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low_half(bits: u64) -> u32 {
    bits as u32
}

/// Most bits of one [`BitWriter::push`]: with those that are pending they are fewer than 64.
pub(super) const PUSH_BITS: u32 = 56;

/// Bits that [`BitReader::peek`] returns at least, while there are as many.
pub(super) const PEEK_BITS: u32 = 57;

/// Takes bits from the front of bytes. Beyond their end it reads zeros, which
/// [`finish`](Self::finish) refuses.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits taken.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next [`PEEK_BITS`] bits or more.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        bits_at(self.bytes, self.at)
    }

    /// Takes `count` bits.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.at = self.at.saturating_add(count as usize);
    }

    /// Takes the next `count` bits, at most 32.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = low_half(self.peek() & !(u64::MAX << count));
        self.skip(count);
        bits
    }

    /// Bits taken.
    #[inline]
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// More bits were taken than there are.
    #[inline]
    pub(super) fn is_beyond(&self) -> bool {
        self.at > 8 * self.bytes.len()
    }

    /// The bytes behind the one that the last bit was taken from; `None` if bits beyond the end
    /// were taken, or those left of that byte are not 0.
    #[inline]
    pub(super) fn finish(&self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at.div_ceil(8)..)?;
        let padding = self.bytes.get(self.at / 8).copied().unwrap_or(0) >> (self.at % 8);
        (self.at.is_multiple_of(8) || padding == 0).then_some(rest)
    }
}

/// Bits at hand, for takers that wait for nothing else: what comes next is loaded before it is
/// known how many bits are taken. Beyond the end of the bytes there are zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitWindow<'a> {
    bytes: &'a [u8],
    /// The byte that the next load begins with.
    next: usize,
    /// The bits from the position on; those beyond `count`, too, stand in the bytes, or are 0.
    bits: u64,
    /// Bits before `next`, at most 63.
    count: u32,
}

impl<'a> BitWindow<'a> {
    /// The bits from bit `at` on, none of them at hand.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        let mut window = Self {
            bytes,
            next: 0,
            bits: 0,
            count: 0,
        };
        window.load(at);
        window
    }

    /// Loads bits anew.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below 8")]
    fn load(&mut self, at: usize) {
        self.bits = bits_at(self.bytes, at);
        self.count = 56 | (at.wrapping_neg() % 8) as u32;
        self.next = at.saturating_add(self.count as usize) / 8;
    }

    /// Has at least 56 bits at hand.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        match self
            .bytes
            .get(self.next..)
            .unwrap_or_default()
            .first_chunk()
        {
            Some(word) => {
                self.bits |= u64::from_le_bytes(*word) << (self.count % 64);
                self.next += ((63 - self.count % 64) / 8) as usize;
                self.count |= 56;
            }
            None => self.load(self.position()),
        }
    }

    /// The next bits.
    #[inline(always)]
    pub(super) fn bits(&self) -> u64 {
        self.bits
    }

    /// Takes `count` of the bits that are at hand.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.bits >>= count % 64;
        self.count = self.count.wrapping_sub(count);
    }

    /// Bits taken.
    #[inline(always)]
    fn position(&self) -> usize {
        self.next
            .saturating_mul(8)
            .saturating_sub(self.count as usize)
    }

    /// Reads on from here.
    #[inline(always)]
    pub(super) fn reader(&self) -> BitReader<'a> {
        BitReader {
            bytes: self.bytes,
            at: self.position(),
        }
    }
}

/// The bits from bit `at` on, at least [`PEEK_BITS`]; zeros beyond the end.
#[inline]
pub(super) fn bits_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at / 8..).unwrap_or_default().first_chunk() {
        Some(word) => u64::from_le_bytes(*word) >> (at % 8),
        None => last_bits(bytes, at),
    }
}

/// As [`bits_at`], where fewer than eight bytes are left. A short string is read here alone, so
/// this is a load too, of the last eight bytes: bytes put together one by one and then loaded as a
/// word would wait for their stores.
#[inline]
fn last_bits(bytes: &[u8], at: usize) -> u64 {
    let Some(last) = bytes.last_chunk::<8>() else {
        let joined = |word, byte: &u8| word << 8 | u64::from(*byte);
        let word = bytes.iter().rev().fold(0, joined);
        return shifted_out(word, at);
    };
    shifted_out(
        u64::from_le_bytes(*last),
        at.wrapping_sub(8 * (bytes.len() - 8)),
    )
}

/// `word` without its lowest `count` bits.
#[inline]
fn shifted_out(word: u64, count: usize) -> u64 {
    if count < 64 { word >> count } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{BitReader, BitWriter, PEEK_BITS, bits_at};
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn literal_bytes() {
        let mut out = [0xff; 3];
        let mut writer = BitWriter::new(&mut out);
        for (value, count) in [(1_u64, 1), (0, 2), (0b101, 3), (0x3ff, 10)] {
            writer.push(value, count).unwrap();
        }
        assert_eq!(writer.finish(), Some(2));
        assert_eq!(out, [0b1110_1001, 0xff, 0xff]);
        let mut reader = BitReader::new(&out[..2]);
        assert_eq!(
            [1, 2, 3, 10].map(|count| reader.take(count)),
            [1, 0, 0b101, 0x3ff]
        );
        assert_eq!(reader.finish(), Some(&[][..]));
        assert_eq!(reader.take(8), 0);
        assert!(reader.is_beyond() && reader.finish().is_none());
    }

    #[test]
    fn refuses_padding_that_is_not_zero() {
        let mut reader = BitReader::new(&[0b0010_0000, 7]);
        reader.skip(5);
        assert_eq!(reader.finish(), None);
        reader.skip(1);
        assert_eq!(reader.finish(), Some(&[7][..]));
    }

    #[test]
    fn reads_the_last_bits_of_long_and_short_strings() {
        let bytes = *b"bits by bits";
        for size in 0..=bytes.len() {
            let bytes = &bytes[..size];
            for at in 0..8 * size + 130 {
                let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (at % 8) & 1);
                let found = bits_at(bytes, at);
                for next in 0..PEEK_BITS {
                    let expected = bit(at + next as usize);
                    assert_eq!(found >> next & 1, expected.into(), "{size} {at} {next}");
                }
            }
            assert_eq!(bits_at(bytes, usize::MAX), 0);
        }
    }

    #[test]
    fn says_when_there_is_no_room() {
        let mut writer = BitWriter::new(&mut []);
        assert_eq!(writer.push(1, 7), Some(()));
        assert_eq!(writer.push(1, 1), None);
        let mut writer = BitWriter::new(&mut []);
        assert_eq!(writer.push(1, 7), Some(()));
        assert_eq!(writer.finish(), None);
        let mut three = [0; 3];
        let mut writer = BitWriter::new(&mut three);
        assert_eq!(writer.push(1, 32), None);
    }

    proptest! {
        #[test]
        fn prop_reads_what_was_written(
            pieces in vec((any::<u32>(), 0..=32_u32), 0..200),
            behind in vec(any::<u8>(), 0..10),
        ) {
            let low = |value: u32, count: u32| value & !u32::MAX.checked_shl(count).unwrap_or(0);
            let pieces: Vec<_> = pieces
                .into_iter()
                .map(|(value, count)| (low(value, count), count))
                .collect();
            let bits: u32 = pieces.iter().map(|(_, count)| count).sum();
            let mut out = vec![0xaa; bits.div_ceil(8) as usize];
            let mut writer = BitWriter::new(&mut out);
            for &(value, count) in &pieces {
                writer.push(value.into(), count).unwrap();
            }
            prop_assert_eq!(writer.finish(), Some(out.len()));
            out.extend(&behind);
            let mut reader = BitReader::new(&out);
            for &(value, count) in &pieces {
                prop_assert_eq!(reader.take(count), value);
            }
            prop_assert_eq!(reader.finish(), Some(&behind[..]));
        }
    }
}
