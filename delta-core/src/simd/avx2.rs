//! x86_64 with AVX2: two registers a block. Distances gain from it; the masks, which `pmovmskb`
//! bounds, do not, and stay those of SSE2.

use core::arch::x86_64::{
    __m256, _mm_add_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_extractf128_ps,
    _mm256_mul_ps, _mm256_setzero_ps, _mm256_sub_ps,
};

use super::sse2::{Sse2, total_of_four};
use super::{Block, Job, Vector};

/// The vector unit of most x86_64 processors.
///
/// Invariant: a value exists only where the processor has AVX2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    ///
    /// The processor has AVX2.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }

    /// Runs `job` in a function that is compiled for AVX2.
    #[inline]
    pub(super) fn run<J: Job>(self, job: J) -> J::Output {
        // SAFETY: the function needs AVX2 and nothing else, which the processor has since `self`
        // exists.
        unsafe { run(self, job) }
    }
}

#[target_feature(enable = "avx2")]
fn run<J: Job>(unit: Avx2, job: J) -> J::Output {
    job.on(unit)
}

impl Vector for Avx2 {
    #[inline(always)]
    fn changed_mask(self, old: &Block, new: &Block) -> u16 {
        Sse2.changed_mask(old, new)
    }

    #[inline(always)]
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16 {
        Sse2.changed_beyond_mask(old, new, epsilon)
    }

    type Sums = [__m256; 2];

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: the function needs AVX2 and nothing else; the processor has it, since `self`
        // exists.
        let zero = unsafe { zero() };
        [zero; 2]
    }

    #[inline(always)]
    fn add_squared_differences(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        // SAFETY: as in `no_sums`: `self` exists.
        unsafe { add_squared_differences(sums, a, b) }
    }

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        // SAFETY: as in `no_sums`: `self` exists.
        unsafe { add_products(sums, a, b) }
    }

    #[inline(always)]
    fn total(self, sums: Self::Sums) -> f32 {
        // SAFETY: as in `no_sums`: `self` exists.
        unsafe { total(sums) }
    }

    #[inline(always)]
    fn square_root(self, value: f32) -> f32 {
        Sse2.square_root(value)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> __m256 {
    _mm256_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_squared_differences(sums: [__m256; 2], a: &Block, b: &Block) -> [__m256; 2] {
    let a: [__m256; 2] = bytemuck::cast(*a);
    let b: [__m256; 2] = bytemuck::cast(*b);
    let differences = [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])];
    [
        _mm256_add_ps(sums[0], _mm256_mul_ps(differences[0], differences[0])),
        _mm256_add_ps(sums[1], _mm256_mul_ps(differences[1], differences[1])),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_products(sums: [__m256; 2], a: &Block, b: &Block) -> [__m256; 2] {
    let a: [__m256; 2] = bytemuck::cast(*a);
    let b: [__m256; 2] = bytemuck::cast(*b);
    [
        _mm256_add_ps(sums[0], _mm256_mul_ps(a[0], b[0])),
        _mm256_add_ps(sums[1], _mm256_mul_ps(a[1], b[1])),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn total(sums: [__m256; 2]) -> f32 {
    let eight = _mm256_add_ps(sums[0], sums[1]);
    let high = _mm256_extractf128_ps::<1>(eight);
    total_of_four(_mm_add_ps(_mm256_castps256_ps128(eight), high))
}

#[cfg(test)]
pub(super) mod tests {
    /// `None`, said aloud, where this processor lacks it.
    pub(in crate::simd) fn unit() -> Option<super::Avx2> {
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as it has just said.
            Some(unsafe { super::Avx2::new() })
        } else {
            eprintln!("skipped: this processor has no AVX2");
            None
        }
    }

    super::super::tests::backend_tests!(
        unit();
        changed_mask_matches_scalar_avx2, changed_beyond_mask_matches_scalar_avx2,
        sums_match_scalar_avx2, square_root_matches_scalar_avx2
    );
}
