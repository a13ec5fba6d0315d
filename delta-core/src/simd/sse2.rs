//! x86_64: four registers a block, packed to one byte a lane, one `pmovmskb`.

use core::arch::x86_64::{
    __m128, __m128i, _mm_add_ps, _mm_add_ss, _mm_and_ps, _mm_castps_si128, _mm_castsi128_ps,
    _mm_cmpeq_epi32, _mm_cmple_ps, _mm_cvtss_f32, _mm_movehl_ps, _mm_movemask_epi8, _mm_mul_ps,
    _mm_or_si128, _mm_packs_epi16, _mm_packs_epi32, _mm_set_ss, _mm_set1_epi32, _mm_set1_ps,
    _mm_setzero_ps, _mm_shuffle_ps, _mm_sqrt_ss, _mm_sub_ps,
};

use super::{Block, Vector};

/// The vector unit of every x86_64 target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sse2;

impl Vector for Sse2 {
    #[inline(always)]
    fn changed_mask(self, old: &Block, new: &Block) -> u16 {
        // SAFETY: the function needs SSE2 and nothing else; `simd` compiles this file for x86_64
        // alone, whose baseline has SSE2.
        unsafe { changed_mask(old, new) }
    }

    #[inline(always)]
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16 {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        unsafe { changed_beyond_mask(old, new, epsilon) }
    }

    type Sums = [__m128; 4];

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        let zero = unsafe { _mm_setzero_ps() };
        [zero; 4]
    }

    #[inline(always)]
    fn add_squared_differences(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        unsafe { add_squared_differences(sums, a, b) }
    }

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        unsafe { add_products(sums, a, b) }
    }

    #[inline(always)]
    fn total(self, sums: Self::Sums) -> f32 {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        unsafe { total(sums) }
    }

    #[inline(always)]
    fn square_root(self, value: f32) -> f32 {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        unsafe { square_root(value) }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn add_squared_differences(sums: [__m128; 4], a: &Block, b: &Block) -> [__m128; 4] {
    let a: [__m128; 4] = bytemuck::cast(*a);
    let b: [__m128; 4] = bytemuck::cast(*b);
    let differences = [
        _mm_sub_ps(a[0], b[0]),
        _mm_sub_ps(a[1], b[1]),
        _mm_sub_ps(a[2], b[2]),
        _mm_sub_ps(a[3], b[3]),
    ];
    [
        _mm_add_ps(sums[0], _mm_mul_ps(differences[0], differences[0])),
        _mm_add_ps(sums[1], _mm_mul_ps(differences[1], differences[1])),
        _mm_add_ps(sums[2], _mm_mul_ps(differences[2], differences[2])),
        _mm_add_ps(sums[3], _mm_mul_ps(differences[3], differences[3])),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn add_products(sums: [__m128; 4], a: &Block, b: &Block) -> [__m128; 4] {
    let a: [__m128; 4] = bytemuck::cast(*a);
    let b: [__m128; 4] = bytemuck::cast(*b);
    [
        _mm_add_ps(sums[0], _mm_mul_ps(a[0], b[0])),
        _mm_add_ps(sums[1], _mm_mul_ps(a[1], b[1])),
        _mm_add_ps(sums[2], _mm_mul_ps(a[2], b[2])),
        _mm_add_ps(sums[3], _mm_mul_ps(a[3], b[3])),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn total(sums: [__m128; 4]) -> f32 {
    let eight = [_mm_add_ps(sums[0], sums[2]), _mm_add_ps(sums[1], sums[3])];
    total_of_four(_mm_add_ps(eight[0], eight[1]))
}

/// The last two steps of a total.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn total_of_four(four: __m128) -> f32 {
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

#[inline]
#[target_feature(enable = "sse2")]
fn square_root(value: f32) -> f32 {
    _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(value)))
}

#[inline]
#[target_feature(enable = "sse2")]
fn changed_mask(old: &Block, new: &Block) -> u16 {
    let old: [__m128i; 4] = bytemuck::cast(*old);
    let new: [__m128i; 4] = bytemuck::cast(*new);
    !lane_mask([
        _mm_cmpeq_epi32(old[0], new[0]),
        _mm_cmpeq_epi32(old[1], new[1]),
        _mm_cmpeq_epi32(old[2], new[2]),
        _mm_cmpeq_epi32(old[3], new[3]),
    ])
}

#[inline]
#[target_feature(enable = "sse2")]
fn changed_beyond_mask(old: &Block, new: &Block, epsilon: f32) -> u16 {
    let old: [__m128; 4] = bytemuck::cast(*old);
    let new: [__m128; 4] = bytemuck::cast(*new);
    let epsilon = _mm_set1_ps(epsilon);
    !lane_mask([
        same_or_within(old[0], new[0], epsilon),
        same_or_within(old[1], new[1], epsilon),
        same_or_within(old[2], new[2], epsilon),
        same_or_within(old[3], new[3], epsilon),
    ])
}

/// All ones in the lanes whose bits are equal or whose difference is at most `epsilon`. The ordered
/// comparison is false for NaN.
#[inline]
#[target_feature(enable = "sse2")]
fn same_or_within(old: __m128, new: __m128, epsilon: __m128) -> __m128i {
    let without_sign = _mm_castsi128_ps(_mm_set1_epi32(i32::MAX));
    let distance = _mm_and_ps(_mm_sub_ps(new, old), without_sign);
    let within = _mm_castps_si128(_mm_cmple_ps(distance, epsilon));
    _mm_or_si128(
        within,
        _mm_cmpeq_epi32(_mm_castps_si128(old), _mm_castps_si128(new)),
    )
}

/// One bit a lane of four registers whose lanes are all ones or all zeros: signed saturation keeps
/// both as they are.
#[inline]
#[target_feature(enable = "sse2")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pmovmskb sets the low 16 bits alone"
)]
fn lane_mask(lanes: [__m128i; 4]) -> u16 {
    let low = _mm_packs_epi32(lanes[0], lanes[1]);
    let high = _mm_packs_epi32(lanes[2], lanes[3]);
    _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u16
}

#[cfg(test)]
mod tests {
    super::super::tests::backend_tests!(
        Some(super::Sse2);
        changed_mask_matches_scalar_sse2, changed_beyond_mask_matches_scalar_sse2,
        sums_match_scalar_sse2, weighted_sum_matches_scalar_sse2,
        square_root_matches_scalar_sse2
    );
}
