//! Rows and the changes made to them.
//!
//! Two mistakes flatter a replication bench: one change pattern for all iterations, which the
//! branch predictor learns, and values that repeat, which diff to nothing. A [`Workload`] therefore
//! holds many patterns and draws a fresh value for every changed component of every step.

/// Patterns in a workload unless there is a reason for another number: too many to be learnt.
pub const PATTERNS: usize = 1_024;

/// Rows, and the components of a row that each step changes.
#[derive(Debug, Clone)]
pub struct Workload {
    dim: usize,
    rows: Vec<Vec<f32>>,
    patterns: Vec<Vec<u32>>,
}

impl Workload {
    /// `rows` rows of `dim` components in -1..1, and `patterns` different sets of
    /// `changed_percent`% of a row's components (rounded, of equal size).
    ///
    /// # Panics
    ///
    /// If any of the counts is 0 or `changed_percent` is not in 0..=100.
    #[must_use]
    pub fn new(dim: usize, changed_percent: f64, patterns: usize, rows: usize) -> Self {
        assert!(
            dim > 0 && patterns > 0 && rows > 0,
            "an empty workload measures nothing"
        );
        assert!(
            (0.0..=100.0).contains(&changed_percent),
            "{changed_percent}% of a row"
        );
        let mut random = Random::new(0x5eed);
        let rows = (0..rows)
            .map(|_| (0..dim).map(|_| random.value()).collect())
            .collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rounded share of a row's components"
        )]
        let changed = (dim as f64 * changed_percent / 100.0).round() as usize;
        let patterns = (0..patterns)
            .map(|_| pattern(dim, changed, &mut random))
            .collect();
        Self {
            dim,
            rows,
            patterns,
        }
    }

    /// Components of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The rows, by slot, as they are before the first step.
    #[must_use]
    pub fn rows(&self) -> &[Vec<f32>] {
        &self.rows
    }

    /// The ascending indices that step `step` changes; the patterns repeat after their number.
    #[must_use]
    pub fn pattern(&self, step: u64) -> &[u32] {
        pick::<Vec<u32>>(&self.patterns, step)
    }

    /// The slot of the row that step `step` changes: all slots alike, in no order.
    #[must_use]
    pub fn slot(&self, step: u64) -> usize {
        reduce(mix(step ^ 0x510_7000), self.rows.len())
    }

    /// Overwrites the components of step `step` in `row` with values that no other step writes.
    pub fn change(&self, step: u64, row: &mut [f32]) {
        let mut random = Random::new(step);
        for &index in self.pattern(step) {
            if let Some(component) = row.get_mut(index as usize) {
                *component = random.value_other_than(*component);
            }
        }
    }
}

/// The item at place `step`, modulo their number.
///
/// # Panics
///
/// If there is none.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    reason = "a remainder is below its divisor, the length"
)]
pub fn pick<T>(items: &[T], step: u64) -> &T {
    let place = step % items.len() as u64;
    &items[usize::try_from(place).unwrap_or(0)]
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
pub(crate) fn reduce(bits: u64, bound: usize) -> usize {
    ((u128::from(bits) * bound as u128) >> 64) as usize
}

/// SplitMix64: equal seeds give equal workloads.
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

pub(crate) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_changes_exactly_its_pattern() {
        let workload = Workload::new(384, 5.0, 64, 2);
        for step in 0..200 {
            let old = &workload.rows()[workload.slot(step)];
            let mut new = old.clone();
            workload.change(step, &mut new);
            let changed: Vec<u32> = (0..)
                .zip(old.iter().zip(&new))
                .filter(|(_, (a, b))| a != b)
                .map(|(i, _)| i)
                .collect();
            assert_eq!(changed, workload.pattern(step));
            assert_eq!(changed.len(), 19);
        }
    }

    #[test]
    fn patterns_differ_and_steps_write_fresh_values() {
        let workload = Workload::new(384, 5.0, PATTERNS, 1);
        let mut patterns: Vec<&[u32]> = (0..1_024).map(|step| workload.pattern(step)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), PATTERNS);

        let (mut first, mut again) = (vec![0.0; 384], vec![0.0; 384]);
        workload.change(3, &mut first);
        workload.change(3 + PATTERNS as u64, &mut again);
        let component = workload.pattern(3)[0] as usize;
        assert_ne!(first[component].to_bits(), again[component].to_bits());
    }
}
