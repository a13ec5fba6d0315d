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

/// The one or two numbers that the next 8 bits begin with, in one word: a look-up is one load, and
/// its lowest byte is what the next look-up waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoded(u32);

impl Decoded {
    const fn new(first: u8, first_length: u8, second: u8, length: u8, count: u8) -> Self {
        let above = (count as u32) << 24 | (first_length as u32) << 28;
        Self(length as u32 | (first as u32) << 8 | (second as u32) << 16 | above)
    }

    /// Bits of the codes of all numbers that were found, 1..=8.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        self.0 & 0x3f
    }

    /// The first number, 0..=15; [`ESCAPE`] stands alone.
    #[inline(always)]
    pub(super) fn first(self) -> u32 {
        self.0 >> 8 & 0xff
    }

    /// The second one, 0..=14, if there are two.
    #[inline(always)]
    pub(super) fn second(self) -> u32 {
        self.0 >> 16 & 0xff
    }

    /// Numbers that were found, 1 or 2.
    #[inline(always)]
    pub(super) fn count(self) -> usize {
        (self.0 >> 24 & 0xf) as usize
    }

    /// Bits of the first number's code, 1..=8.
    #[inline(always)]
    pub(super) fn first_length(self) -> u32 {
        self.0 >> 28
    }
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) codes: [Code; SYMBOLS],
    pub(super) decoded: [Decoded; 1 << LENGTH_MAX],
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
        let [low, ..] = bits.to_le_bytes();
        let [first, ..] = self.decoded;
        self.decoded.get(usize::from(low)).copied().unwrap_or(first)
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
            decoded: pairs(&single),
        }
    }
}

/// Two codes where both lie in the 8 bits, the second of them no escape.
#[expect(
    clippy::indexing_slicing,
    reason = "runs in constants alone, where an index out of range does not compile"
)]
const fn pairs(single: &[(u8, u8); 1 << LENGTH_MAX]) -> [Decoded; 1 << LENGTH_MAX] {
    let mut pairs = [Decoded(0); 1 << LENGTH_MAX];
    let mut bits = 0;
    while bits < pairs.len() {
        let (first, first_length) = single[bits];
        let (second, second_length) = single[bits >> first_length];
        let length = first_length + second_length;
        let escapes = first as u32 == ESCAPE || second as u32 == ESCAPE;
        pairs[bits] = if length as u32 <= LENGTH_MAX && !escapes {
            Decoded::new(first, first_length, second, length, 2)
        } else {
            Decoded::new(first, first_length, 0, first_length, 1)
        };
        bits += 1;
    }
    pairs
}
