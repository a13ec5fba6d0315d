//! LZ4, zstd and pco on the same updates.

use anyhow::Context;
use pco::ChunkConfig;
use pco::standalone::simple_compress;

use super::Tally;

/// Rows that `pco` compresses together.
const BATCH: usize = 64;

/// Sizes by compressor, with a byte that says how.
#[derive(Debug, Default)]
pub(super) struct Peers {
    lz4: Tally,
    zstd: Tally,
    pco: Tally,
    /// The smallest of the three, row by row.
    best: Tally,
    /// Differences not yet compressed.
    batch: Vec<u32>,
    rows_in_batch: usize,
    batch_bytes: u64,
}

impl Peers {
    /// Compresses an update; the fewest bytes. Rows of bytes are compressed as such.
    pub(super) fn add(
        &mut self,
        old: &[f32],
        new: &[f32],
        is_bytes: bool,
    ) -> anyhow::Result<usize> {
        let raw = 4 * new.len();
        let words = |row: &[f32]| -> Vec<u32> {
            row.iter()
                .map(|value| {
                    if is_bytes {
                        byte(*value).into()
                    } else {
                        value.to_bits()
                    }
                })
                .collect()
        };
        let (old, whole) = (words(old), words(new));
        let pairs = || old.iter().copied().zip(whole.iter().copied());
        let xor: Vec<u32> = pairs().map(|(old, new)| old ^ new).collect();
        let difference = |(old, new)| match is_bytes {
            true => byte_difference(old, new),
            false => ordered_difference(old, new),
        };
        let difference: Vec<u32> = pairs().map(difference).collect();
        let (mut lz4, mut zstd) = (usize::MAX, usize::MAX);
        for words in [&whole, &xor, &difference] {
            let bytes = words.iter().flat_map(|word| {
                let width = if is_bytes { 1 } else { 4 };
                word.to_le_bytes().into_iter().take(width)
            });
            let bytes: Vec<u8> = bytes.collect();
            lz4 = lz4.min(1 + lz4_flex::block::compress(&bytes).len());
            let compressed = zstd::bulk::compress(&bytes, 3).context("zstd")?;
            zstd = zstd.min(1 + compressed.len());
        }
        let config = ChunkConfig::default();
        let pco = 1 + simple_compress(&difference, &config)?
            .len()
            .min(simple_compress(&xor, &config)?.len())
            .min(simple_compress(new, &config)?.len());
        // What does not get smaller is sent as it is.
        let [lz4, zstd, pco] = [lz4, zstd, pco].map(|size| size.min(1 + raw));
        let best = lz4.min(zstd).min(pco);
        let tallies = [&mut self.lz4, &mut self.zstd, &mut self.pco, &mut self.best];
        for (tally, size) in tallies.into_iter().zip([lz4, zstd, pco, best]) {
            tally.add(raw, size);
        }
        self.batch.extend(difference);
        self.rows_in_batch += 1;
        if self.rows_in_batch == BATCH {
            self.finish()?;
        }
        Ok(best)
    }

    /// Compresses what is left of a batch.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        if self.rows_in_batch > 0 {
            let compressed = simple_compress(&self.batch, &ChunkConfig::default())?;
            self.batch_bytes += compressed.len() as u64;
        }
        self.batch.clear();
        self.rows_in_batch = 0;
        Ok(())
    }

    /// The smallest of the three, row by row.
    pub(super) fn best(&self) -> &Tally {
        &self.best
    }

    /// Ratios in total: LZ4, zstd, pco, and pco by 64 rows.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn totals(&self, raw: usize) -> [f64; 4] {
        let by_64 = (raw * self.best.ratios.len()) as f64 / self.batch_bytes.max(1) as f64;
        let [lz4, zstd, pco] = [&self.lz4, &self.zstd, &self.pco].map(|tally| tally.total(raw));
        [lz4, zstd, pco, by_64]
    }
}

/// The whole number of a component that is one of 8 bits, with a sign or without.
fn byte(component: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole numbers from -128 to 255: the low 8 bits"
    )]
    let byte = component as i32 as u8;
    byte
}

/// The difference of two bytes as a zigzag number of 8 bits.
fn byte_difference(old: u32, new: u32) -> u32 {
    let difference = new.wrapping_sub(old) << 24;
    let zigzag = (difference << 1) ^ (difference.cast_signed() >> 31).cast_unsigned();
    zigzag >> 24
}

/// The difference of two floats as integers of the same order, as a zigzag number.
pub(crate) fn ordered_difference(old: u32, new: u32) -> u32 {
    let difference = ordered(new).wrapping_sub(ordered(old)).cast_signed();
    ((difference << 1) ^ (difference >> 31)).cast_unsigned()
}

/// The float whose [`ordered_difference`] to `old` is `number`.
pub(crate) fn ordered_sum(old: u32, number: u32) -> u32 {
    let difference = (number >> 1) ^ (number & 1).wrapping_neg();
    let sum = ordered(old).wrapping_add(difference);
    if sum >> 31 == 0 { !sum } else { sum ^ 1 << 31 }
}

/// Ascends as the floats do.
fn ordered(bits: u32) -> u32 {
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

#[cfg(test)]
mod tests {
    use super::{ordered_difference, ordered_sum};

    #[test]
    fn a_difference_leads_back() {
        let all = [
            0,
            1,
            0x3f80_0000,
            0x7f80_0000,
            0x8000_0000,
            0xbf80_0001,
            u32::MAX,
        ];
        for old in all {
            for new in all {
                assert_eq!(ordered_sum(old, ordered_difference(old, new)), new);
            }
        }
    }
}
