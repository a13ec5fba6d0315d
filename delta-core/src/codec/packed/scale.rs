//! How the numbers of a row are written: how many low bits stand as they are, and which code the
//! rest has.

use super::{
    BLOCK, SAMPLE, Source,
    listing::Selection,
    tables::{self, ESCAPE, TABLES, Table},
};

/// Numbers and tables of a row. On the wire a byte: the table lowest, three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// 0..=31.
    low_bits: u8,
    /// Below [`TABLES`].
    table: u8,
}

impl Scale {
    pub(super) fn from_wire(byte: u8) -> Option<Self> {
        let (low_bits, table) = (byte >> 3, byte & 7);
        (usize::from(table) < TABLES).then_some(Self { low_bits, table })
    }

    pub(super) fn to_wire(self) -> u8 {
        self.low_bits << 3 | self.table
    }

    /// Bits of a number that stand as they are, 0..=31.
    #[inline]
    pub(super) fn low_bits(self) -> u32 {
        self.low_bits.into()
    }

    /// The code of what is above them.
    #[inline]
    pub(super) fn table(self) -> &'static Table {
        let [first, ..] = &tables::ALL;
        tables::ALL.get(usize::from(self.table)).unwrap_or(first)
    }

    /// Bytes of the low bits of `count` numbers; `None` beyond what memory holds.
    #[inline]
    pub(super) fn low_size(self, count: usize) -> Option<usize> {
        Some(count.checked_mul(self.low_bits.into())?.div_ceil(8))
    }

    /// The scale that needs the fewest bits for the numbers of some of the blocks of `source`.
    /// `mean` is the mean of the absolute differences, about. O(1).
    #[inline(always)]
    pub(super) fn choose(source: &impl Source, selection: Selection, mean: f32) -> Self {
        let low_bits = exponent(mean).clamp(0, 28);
        let histogram = Histogram::of(source, selection, low_bits);
        let symbols = (0..).zip([histogram.symbols(0), histogram.symbols(1)]);
        Self::cheapest(symbols.map(|(halved, counts)| (low_bits + halved, counts))).0
    }

    /// The scale that needs the fewest bits for numbers below 256, of each of which there are so
    /// many, and those bits. The counts are used up.
    pub(super) fn of_counts(counts: &mut [u32; 256]) -> (Self, u64) {
        let total: u32 = counts.iter().sum();
        let candidates = (0..LOW_BITS_OF_BYTES).map(|low_bits| {
            let mut symbols = [0; SYMBOLS];
            let (plain, escaped) = symbols.split_at_mut(SYMBOLS - 1);
            for (symbol, count) in plain.iter_mut().zip(&*counts) {
                *symbol = *count;
            }
            let sum: u32 = plain.iter().sum();
            escaped.fill(total - sum);
            halve(counts);
            (low_bits, symbols)
        });
        Self::cheapest(candidates)
    }

    /// The best of some numbers of low bits, each with how often what is above them stands; and
    /// how many bits all numbers take.
    #[inline(always)]
    fn cheapest(candidates: impl Iterator<Item = (u32, [u32; SYMBOLS])>) -> (Self, u64) {
        let first = Self {
            low_bits: 0,
            table: 0,
        };
        let mut best = (first, u64::MAX);
        for (low_bits, counts) in candidates {
            let total: u32 = counts.iter().sum();
            for (table, codes) in (0..).zip(&tables::ALL) {
                let coded: u32 = counts
                    .iter()
                    .zip(&codes.codes)
                    .map(|(count, code)| count * code.length())
                    .sum();
                let [.., escaped] = counts;
                let product = |count: u32, each: u32| u64::from(count) * u64::from(each);
                let plain = u64::from(coded) + product(total, low_bits);
                let bits = plain + product(escaped, 32 - low_bits);
                if bits < best.1 {
                    let low_bits = u8::try_from(low_bits).unwrap_or(0);
                    best = (Self { low_bits, table }, bits);
                }
            }
        }
        best
    }
}

/// With so many low bits cut off, less one, numbers below 256 have codes of their own.
const LOW_BITS_OF_BYTES: u32 = 6;

/// Makes the counts of numbers those of their halves.
fn halve(counts: &mut [u32; 256]) {
    for half in 0..counts.len() / 2 {
        let pair = counts.get(2 * half..).and_then(<[_]>::first_chunk);
        let [one, other] = pair.copied().unwrap_or_default();
        if let Some(count) = counts.get_mut(half) {
            *count = one + other;
        }
    }
    let [_, upper] = counts.as_chunks_mut::<128>().0 else {
        return;
    };
    upper.fill(0);
}

/// The whole part of log2 of a number, 0 below 1.
fn exponent(number: f32) -> u32 {
    ((number.to_bits() >> 23) & 0xff).saturating_sub(127)
}

/// How often each number stands in some blocks, without its low bits.
struct Histogram {
    /// The last one counts greater ones too.
    counts: [u32; 2 * SYMBOLS],
}

/// Neighbours are counted apart: most are equal, and a count would wait for the one before it.
const BANKS: usize = 4;
const SYMBOLS: usize = ESCAPE as usize + 1;

impl Histogram {
    #[inline(always)]
    fn of(source: &impl Source, selection: Selection, low_bits: u32) -> Self {
        let mut histogram = Self {
            counts: [0; 2 * SYMBOLS],
        };
        let mut banks = [[0; 2 * SYMBOLS]; BANKS];
        let (mut numbers, mut selected) = ([0; BLOCK], [0; BLOCK]);
        for start in (0..source.dim()).step_by(BLOCK * SAMPLE) {
            source.fill(start, &mut numbers);
            let numbers = match selection {
                Selection::All => {
                    let lanes = super::lanes(source.dim(), start);
                    numbers.get(..lanes).unwrap_or_default()
                }
                Selection::Changed => {
                    let mask = source.changed(start, &numbers);
                    super::compress(&numbers, mask, &mut selected)
                }
            };
            for numbers in numbers.chunks(BANKS) {
                for (number, bank) in numbers.iter().zip(&mut banks) {
                    let at = (number >> low_bits).min(31) as usize;
                    if let Some(count) = bank.get_mut(at) {
                        *count += 1;
                    }
                }
            }
        }
        for bank in &banks {
            for (sum, count) in histogram.counts.iter_mut().zip(bank) {
                *sum += count;
            }
        }
        histogram
    }

    /// The counts of symbols if `halved` more low bits are cut off, 0 or 1.
    #[inline(always)]
    fn symbols(&self, halved: u32) -> [u32; SYMBOLS] {
        let mut symbols = [0; SYMBOLS];
        for (number, count) in (0..).zip(&self.counts) {
            let symbol = (number >> halved).min(SYMBOLS - 1);
            if let Some(sum) = symbols.get_mut(symbol) {
                *sum += count;
            }
        }
        symbols
    }
}
