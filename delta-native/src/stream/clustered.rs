//! A generated stream: inserts of rows around common centres, as embeddings lie.

use super::Stream;
use super::build::Builder;
use super::error::StreamError;
use crate::memory::reserved;

/// Rows that share a centre, on average.
const CLUSTER_ROWS: u32 = 100;
/// Deviation of a row's components from those of its centre, whose own deviation is 1.
const SPREAD: f32 = 0.3;

impl Stream {
    /// `rows` inserts of `dim` components around `rows / 100` centres: the components of centres
    /// are about normal, of deviation 1, those of rows 0.3 from their centre's. The same on every
    /// machine. O(rows * dim).
    ///
    /// # Errors
    /// [`StreamError::Empty`], [`StreamError::ZeroDim`], and [`StreamError::Memory`].
    pub fn clustered(rows: u32, dim: u32) -> Result<Self, StreamError> {
        let name = format!("clustered_{rows}x{dim}");
        let components = dim as usize;
        let clusters = (rows / CLUSTER_ROWS).max(1);
        let mut random = Random(1);
        let mut centres = reserved(clusters as usize, components)?;
        centres.extend((0..clusters as usize * components).map(|_| random.normal()));
        let mut values = reserved(rows as usize, components)?;
        for _ in 0..rows {
            let cluster = random.below(clusters) as usize;
            let centre = centres.iter().skip(cluster * components).take(components);
            values.extend(centre.map(|value| value + SPREAD * random.normal()));
        }
        let shape = [u64::from(rows), u64::from(dim)];
        let mut builder = Builder::new(name.clone(), name, shape, values)?;
        for row in 0..rows {
            builder.insert_numbered(row)?;
        }
        builder.finish()
    }
}

/// Steele, Lea and Flood's SplitMix64 (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u32) -> u32 {
        // The high half of a product with a bound of 32 bits.
        u32::try_from(((self.next() >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }

    /// About normal, of deviation 1: the sum of 12 uniform numbers, less its mean. All of it is
    /// exact: sums of multiples of 2^-16 below 16.
    fn normal(&mut self) -> f32 {
        let mut sum = 0_u32;
        for _ in 0..3 {
            let bits = self.next();
            sum += (0..4)
                .map(|part| u32::try_from(bits >> (16 * part) & 0xffff).unwrap_or(0))
                .sum::<u32>();
        }
        #[expect(clippy::cast_precision_loss, reason = "below 2^20")]
        let sum = sum as f32;
        sum / 65_536.0 - 6.0
    }
}
