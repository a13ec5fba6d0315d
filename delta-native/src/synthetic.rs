//! Updates that are made up as they are needed: rows and changes of any number and shape, from a
//! seed, so that a stream of them is held nowhere.
//!
//! ```
//! use delta_native::synthetic::{Changes, base_row};
//!
//! let changes = Changes::new(384, 5.0, 16);
//! let mut row = vec![0.0; 384];
//! base_row(7, &mut row);
//! let old = row.clone();
//! changes.apply(3, &mut row);
//! let changed = old.iter().zip(&row).filter(|(old, new)| old != new).count();
//! assert_eq!(changed, 19);
//! ```

/// Which components each step changes, and to what: many patterns, which no branch predictor
/// learns, and values that no other step writes.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Components of a row, at least 1.
    dim: usize,
    /// Ascending indices below `dim`, of equal number; at least one pattern.
    patterns: Vec<Vec<u32>>,
}

impl Changes {
    /// `patterns` different sets of `changed_percent`% of a row's components (rounded). O(patterns
    /// * dim).
    ///
    /// # Panics
    ///
    /// If `dim` or `patterns` is 0 or `changed_percent` is not in 0..=100.
    #[must_use]
    pub fn new(dim: usize, changed_percent: f64, patterns: usize) -> Self {
        assert!(dim > 0 && patterns > 0, "there is nothing to change");
        assert!(
            (0.0..=100.0).contains(&changed_percent),
            "{changed_percent}% of a row"
        );
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rounded share of a row's components"
        )]
        let changed = (dim as f64 * changed_percent / 100.0).round() as usize;
        let mut random = Random::new(0x5eed);
        let patterns = (0..patterns)
            .map(|_| pattern(dim, changed, &mut random))
            .collect();
        Self { dim, patterns }
    }

    /// Components of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The ascending indices that step `step` changes; the patterns repeat after their number.
    #[must_use]
    pub fn pattern(&self, step: u64) -> &[u32] {
        let place = step % self.patterns.len() as u64;
        let pattern = self.patterns.get(usize::try_from(place).unwrap_or(0));
        pattern.map_or(&[], Vec::as_slice)
    }

    /// Overwrites the components of step `step` in `row` with values that differ from those there
    /// and that no other step writes. O(changed).
    pub fn apply(&self, step: u64, row: &mut [f32]) {
        let mut random = Random::new(step);
        for &index in self.pattern(step) {
            if let Some(component) = row.get_mut(index as usize) {
                *component = random.value_other_than(*component);
            }
        }
    }
}

/// The row of `slot` before any change: values in -1..1. O(row).
pub fn base_row(slot: u64, row: &mut [f32]) {
    let mut random = Random::new(slot ^ 0xba5e_0000_0000_0000);
    row.fill_with(|| random.value());
}

/// The slot that step `step` changes, of `slots`: all alike, in no order. 0 if there are none.
#[must_use]
pub fn slot(step: u64, slots: usize) -> usize {
    reduce(mix(step ^ 0x510_7000), slots)
}

/// `count` of the indices below `dim`, ascending: the first of a shuffle.
fn pattern(dim: usize, count: usize, random: &mut Random) -> Vec<u32> {
    let mut indices: Vec<u32> = (0_u32..).take(dim).collect();
    for place in 0..count {
        let other = place + reduce(random.bits(), dim - place);
        indices.swap(place, other);
    }
    indices.truncate(count);
    indices.sort_unstable();
    indices
}

/// A place below `bound` from 64 random bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half of the product is below `bound`"
)]
fn reduce(bits: u64, bound: usize) -> usize {
    ((u128::from(bits) * bound as u128) >> 64) as usize
}

/// SplitMix64 (Steele, Lea and Flood 2014): equal seeds give equal numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that depend on `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// One of 2^24 values in -1..1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "24 bits fit an f32's significand"
    )]
    pub fn value(&mut self) -> f32 {
        (self.bits() >> 40) as u32 as f32 / 8_388_608.0 - 1.0
    }

    fn value_other_than(&mut self, old: f32) -> f32 {
        loop {
            let value = self.value();
            if value.to_bits() != old.to_bits() {
                return value;
            }
        }
    }
}

fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_changes_exactly_its_pattern() {
        let changes = Changes::new(384, 5.0, 64);
        for step in 0..200 {
            let mut old = vec![0.0; 384];
            base_row(step % 2, &mut old);
            let mut new = old.clone();
            changes.apply(step, &mut new);
            let changed: Vec<u32> = (0..)
                .zip(old.iter().zip(&new))
                .filter(|(_, (a, b))| a != b)
                .map(|(i, _)| i)
                .collect();
            assert_eq!(changed, changes.pattern(step));
            assert_eq!(changed.len(), 19);
        }
    }

    #[test]
    fn patterns_differ_and_steps_write_fresh_values() {
        const PATTERNS: usize = 1_024;
        let changes = Changes::new(384, 5.0, PATTERNS);
        let mut patterns: Vec<&[u32]> = (0..1_024).map(|step| changes.pattern(step)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), PATTERNS);

        let (mut first, mut again) = (vec![0.0; 384], vec![0.0; 384]);
        changes.apply(3, &mut first);
        changes.apply(3 + PATTERNS as u64, &mut again);
        let component = changes.pattern(3)[0] as usize;
        assert_ne!(first[component].to_bits(), again[component].to_bits());
    }

    #[test]
    fn slots_are_all_reached_and_none_beyond() {
        let mut seen = [false; 10];
        (0..200).for_each(|step| seen[slot(step, 10)] = true);
        assert_eq!(seen, [true; 10]);
    }
}
