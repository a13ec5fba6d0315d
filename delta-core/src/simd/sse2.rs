//! x86_64: four registers a block, packed to one byte a lane, one `pmovmskb`.

use core::arch::x86_64::{
    __m128, __m128i, _mm_and_ps, _mm_castps_si128, _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_cmple_ps,
    _mm_movemask_epi8, _mm_or_si128, _mm_packs_epi16, _mm_packs_epi32, _mm_set1_epi32, _mm_set1_ps,
    _mm_sub_ps,
};

use super::{Block, Vector};

/// The vector unit of every x86_64 target.
#[derive(Debug)]
pub(crate) struct Sse2;

impl Vector for Sse2 {
    #[inline(always)]
    fn changed_mask(old: &Block, new: &Block) -> u16 {
        // SAFETY: the function needs SSE2 and nothing else; `simd` compiles this file for x86_64
        // alone, whose baseline has SSE2.
        unsafe { changed_mask(old, new) }
    }

    #[inline(always)]
    fn changed_beyond_mask(old: &Block, new: &Block, epsilon: f32) -> u16 {
        // SAFETY: as in `changed_mask`: SSE2 is part of every target that this file is compiled
        // for.
        unsafe { changed_beyond_mask(old, new, epsilon) }
    }
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
        super::Sse2: changed_mask_matches_scalar_sse2, changed_beyond_mask_matches_scalar_sse2
    );
}
