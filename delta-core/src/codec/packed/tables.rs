//! Prefix codes for small numbers whose frequencies fall off in a known way (WIRE.md, section 4).
//!
//! Fixed codes, because a row is too short to carry its own: what a row says is only which of them
//! to use. A code has at most 8 bits, so that one look-up decodes it.

/// Numbers below this have a code of their own; it is the code that announces a greater one.
pub(super) const ESCAPE: u32 = 15;
const SYMBOLS: usize = 16;
pub(super) const TABLES: usize = 7;
const LENGTH_MAX: u32 = 8;

/// Bits of each code. The first is geometric (each number half as frequent as the one before it),
/// the next five normal of growing width, the last geometric of twice the width: optimal lengths of
/// at most 8 bits (Larmore and Hirschberg, 1990), made to ascend.
const LENGTHS: [[u8; SYMBOLS]; TABLES] = [
    [1, 2, 3, 4, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8],
    [1, 2, 3, 5, 5, 6, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8],
    [2, 2, 2, 3, 4, 6, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8],
    [2, 2, 2, 4, 4, 5, 5, 6, 6, 7, 8, 8, 8, 8, 8, 8],
    [2, 2, 3, 3, 3, 5, 5, 6, 6, 7, 8, 8, 8, 8, 8, 8],
    [2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 8, 8],
    [2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 8, 8],
];

/// A code, its first bit lowest, below its length in the upper byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(u16);

impl Code {
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        (self.0 & 0xff).into()
    }

    /// 1..=8.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        (self.0 >> 8).into()
    }
}

/// Bits that one look-up takes in.
const LOOK_BITS: u32 = 9;
/// Most numbers that one look-up finds.
pub(super) const FOUND_MAX: usize = 3;

/// The numbers that the next [`LOOK_BITS`] bits begin with, one to three: from the lowest half byte
/// on, how many bits all their codes have, then each number, and the escape's where there is none.
/// An escape stands alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoded(u16);

impl Decoded {
    /// Bits of the codes of all numbers that were found, 1..=9.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        (self.0 & 0xf).into()
    }

    /// The first number, 0..=15; [`ESCAPE`] stands alone.
    #[inline(always)]
    pub(super) fn first(self) -> u32 {
        (self.0 >> 4 & 0xf).into()
    }

    /// The numbers, those that were not found meaning nothing, and one more.
    #[inline(always)]
    pub(super) fn numbers(self) -> [u32; FOUND_MAX + 1] {
        let all = u32::from(self.0);
        [all >> 4 & 0xf, all >> 8 & 0xf, all >> 12, 0]
    }

    /// How many were found.
    #[inline(always)]
    pub(super) fn count(self) -> usize {
        let has_second = self.0 & 0xf00 != 0xf00;
        let has_third = self.0 < 0xf000;
        1 + usize::from(has_second) + usize::from(has_third)
    }
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) codes: [Code; SYMBOLS],
    decoded: [Decoded; 1 << LOOK_BITS],
}

impl Table {
    /// The code of a number, or the escape's.
    #[inline(always)]
    pub(super) fn code(&self, number: u32) -> Code {
        let [.., escape] = self.codes;
        let number = number.min(ESCAPE) as usize;
        self.codes.get(number).copied().unwrap_or(escape)
    }

    /// What the lowest of `bits` stand for.
    #[inline(always)]
    pub(super) fn decode(&self, bits: u64) -> Decoded {
        let [low, high, ..] = bits.to_le_bytes();
        let look = usize::from(u16::from_le_bytes([low, high])) % self.decoded.len();
        let [first, ..] = self.decoded;
        self.decoded.get(look).copied().unwrap_or(first)
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "runs in a constant, where an index out of range does not compile"
)]
pub(super) static ALL: [Table; TABLES] = {
    let mut all = [const { Table::new(&LENGTHS[0]) }; TABLES];
    let mut number = 0;
    while number < TABLES {
        all[number] = Table::new(&LENGTHS[number]);
        number += 1;
    }
    all
};

impl Table {
    /// Canonical codes: ascending by length, then number, the first all zeros.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "runs in constants alone, where an index out of range does not compile"
    )]
    const fn new(lengths: &[u8; SYMBOLS]) -> Self {
        let mut codes = [Code(0); SYMBOLS];
        let mut single = [(0_u8, 0_u8); 1 << LENGTH_MAX];
        let (mut next, mut length) = (0_u32, 1);
        while length <= LENGTH_MAX {
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if lengths[symbol] as u32 == length {
                    let bits = next.reverse_bits() >> (32 - length);
                    codes[symbol] = Code((bits | length << 8) as u16);
                    let mut above = 0;
                    while above < 1 << (LENGTH_MAX - length) {
                        single[(bits | above << length) as usize] = (symbol as u8, length as u8);
                        above += 1;
                    }
                    next += 1;
                }
                symbol += 1;
            }
            assert!(length < LENGTH_MAX || next == 1 << LENGTH_MAX, "complete");
            next <<= 1;
            length += 1;
        }
        Self {
            codes,
            decoded: looks(&single),
        }
    }
}

/// As many codes as lie in the bits of a look, up to three, none of them an escape but the first.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs in constants alone, where an index out of range does not compile"
)]
const fn looks(single: &[(u8, u8); 1 << LENGTH_MAX]) -> [Decoded; 1 << LOOK_BITS] {
    const NONE: u16 = ESCAPE as u16;
    let mut looks = [Decoded(0); 1 << LOOK_BITS];
    let mut bits = 0;
    while bits < looks.len() {
        let (first, mut length) = single[bits % single.len()];
        let mut numbers = [first as u16, NONE, NONE];
        let mut found = 1;
        while found < FOUND_MAX && numbers[found - 1] != NONE {
            let (next, next_length) = single[bits >> length & (single.len() - 1)];
            if next as u16 == NONE || (length + next_length) as u32 > LOOK_BITS {
                break;
            }
            numbers[found] = next as u16;
            length += next_length;
            found += 1;
        }
        let [first, second, third] = numbers;
        looks[bits] = Decoded(length as u16 | first << 4 | second << 8 | third << 12);
        bits += 1;
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::{ALL, ESCAPE, FOUND_MAX, LOOK_BITS};

    #[test]
    fn a_look_finds_what_its_codes_say_one_by_one() {
        for table in &ALL {
            for bits in 0..1_u64 << LOOK_BITS {
                let decoded = table.decode(bits | 1 << 60);
                let (mut length, mut left) = (0, bits);
                for (place, number) in decoded.numbers().into_iter().enumerate() {
                    let code = table.code(number);
                    if place == decoded.count() {
                        break;
                    }
                    assert_eq!(left & ((1 << code.length()) - 1), code.bits().into());
                    assert!(number < ESCAPE || decoded.count() == 1);
                    left >>= code.length();
                    length += code.length();
                }
                assert_eq!(decoded.length(), length);
                assert!(length <= LOOK_BITS && (1..=FOUND_MAX).contains(&decoded.count()));
            }
        }
    }
}
