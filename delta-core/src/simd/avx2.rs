//! x86_64 with AVX2: two registers a block. Many lanes are packed by `vpermps`, its places from a
//! table: eight at a time without a branch, however many are wanted. Few are picked one by one,
//! for which the functions of a job are compiled with BMI1 too, and strings of bits with BMI2.

use core::arch::x86_64::{
    __m256, __m256i, _mm_add_ps, _mm_cvtsi64_si128, _mm256_add_epi32, _mm256_add_ps,
    _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_cvtepu8_epi32,
    _mm256_extractf128_ps, _mm256_movemask_epi8, _mm256_movemask_ps, _mm256_mul_ps,
    _mm256_packs_epi16, _mm256_packs_epi32, _mm256_permutevar8x32_epi32, _mm256_permutevar8x32_ps,
    _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_sub_ps,
};

use super::pick::pick;
use super::sse2::{Sse2, total_of_four};
use super::{Block, Job, Vector, WORD_LANES, WordLanes};

/// The vector unit of most x86_64 processors.
///
/// Invariant: a value exists only where the processor has AVX2, BMI1, BMI2 and POPCNT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    ///
    /// The processor has AVX2, BMI1, BMI2 and POPCNT.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }

    /// Runs `job` in a function that is compiled for this unit.
    #[inline]
    pub(super) fn run<J: Job>(self, job: J) -> J::Output {
        // SAFETY: the function needs AVX2, BMI1, BMI2 and POPCNT, which the processor has since
        // `self` exists.
        unsafe { run(self, job) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run<J: Job>(unit: Avx2, job: J) -> J::Output {
    job.on(unit)
}

impl Vector for Avx2 {
    #[inline(always)]
    fn changed_mask(self, old: &Block, new: &Block) -> u16 {
        // SAFETY: as in `no_sums`: `self` exists.
        unsafe { changed_mask(old, new) }
    }

    #[inline(always)]
    fn changed_word(self, old: &WordLanes, new: &WordLanes) -> u64 {
        // SAFETY: as in `no_sums`: `self` exists.
        unsafe { changed_word(old, new) }
    }

    #[inline(always)]
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16 {
        Sse2.changed_beyond_mask(old, new, epsilon)
    }

    #[inline(always)]
    fn pack(
        self,
        word: u64,
        lanes: &WordLanes,
        start: u32,
        indices: &mut [u32; WORD_LANES],
        values: &mut WordLanes,
    ) {
        if word.count_ones() < DENSE {
            pick(word, lanes, start, indices, values);
        } else {
            // SAFETY: as in `no_sums`: `self` exists.
            unsafe { pack(word, lanes, start, indices, values) }
        }
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
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "eight bits each"
)]
fn changed_mask(old: &Block, new: &Block) -> u16 {
    let old: [__m256i; 2] = bytemuck::cast(*old);
    let new: [__m256i; 2] = bytemuck::cast(*new);
    let [low, high] = [
        _mm256_cmpeq_epi32(old[0], new[0]),
        _mm256_cmpeq_epi32(old[1], new[1]),
    ];
    let low = _mm256_movemask_ps(_mm256_castsi256_ps(low));
    let high = _mm256_movemask_ps(_mm256_castsi256_ps(high));
    !((low | high << 8) as u16)
}

#[inline]
#[target_feature(enable = "avx2")]
fn changed_word(old: &WordLanes, new: &WordLanes) -> u64 {
    let (old, new) = (old.as_chunks::<32>().0, new.as_chunks::<32>().0);
    let halves = old.iter().zip(new).map(|(old, new)| {
        let old: [__m256i; 4] = bytemuck::cast(*old);
        let new: [__m256i; 4] = bytemuck::cast(*new);
        equal_mask(old, new)
    });
    !halves
        .rev()
        .fold(0, |word, half| word << 32 | u64::from(half))
}

/// The lanes whose bits are equal. Packing works on halves of registers, so that groups of four
/// lanes change places once, at its end.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::cast_sign_loss, reason = "32 bits")]
fn equal_mask(old: [__m256i; 4], new: [__m256i; 4]) -> u32 {
    let low = _mm256_packs_epi32(
        _mm256_cmpeq_epi32(old[0], new[0]),
        _mm256_cmpeq_epi32(old[1], new[1]),
    );
    let high = _mm256_packs_epi32(
        _mm256_cmpeq_epi32(old[2], new[2]),
        _mm256_cmpeq_epi32(old[3], new[3]),
    );
    let fours = _mm256_packs_epi16(low, high);
    let in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_movemask_epi8(_mm256_permutevar8x32_epi32(fours, in_order)) as u32
}

/// From so many lanes of 64 on, it is faster to pack all groups than to pick the lanes.
const DENSE: u32 = 16;
/// Lanes of a register.
const GROUP: usize = 8;
/// The places of the bits of every byte, in ascending order, a byte each; then any.
static PLACES: [u64; 256] = places();

#[expect(clippy::indexing_slicing, reason = "the loop ends at the length")]
const fn places() -> [u64; 256] {
    let mut places = [0; 256];
    let mut byte = 0;
    while byte < places.len() {
        let (mut bit, mut shift) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte] |= bit << shift;
                shift += 8;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
}

#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::cast_possible_wrap, reason = "registers have no sign")]
#[expect(clippy::cast_possible_truncation, reason = "a group is 8 lanes")]
#[expect(
    clippy::indexing_slicing,
    reason = "a byte is below 256, and `at` is cut to what leaves room for a group"
)]
fn pack(
    word: u64,
    lanes: &WordLanes,
    start: u32,
    indices: &mut [u32; WORD_LANES],
    values: &mut WordLanes,
) {
    let mut front = set_before(word);
    let mut base = start;
    for (lanes, bits) in lanes.as_chunks::<GROUP>().0.iter().zip(word.to_le_bytes()) {
        // Never cut: a byte is preceded by at most as many bits as lanes, 56.
        let at = (front as usize % 256).min(WORD_LANES - GROUP);
        front >>= 8;
        let places = _mm_cvtsi64_si128(PLACES[usize::from(bits)] as i64);
        let places = _mm256_cvtepu8_epi32(places);
        if let Some(indices) = indices[at..].first_chunk_mut::<GROUP>() {
            let base = _mm256_set1_epi32(base as i32);
            *indices = bytemuck::cast(_mm256_add_epi32(places, base));
        }
        if let Some(values) = values[at..].first_chunk_mut::<GROUP>() {
            let lanes: __m256 = bytemuck::cast(*lanes);
            *values = bytemuck::cast(_mm256_permutevar8x32_ps(lanes, places));
        }
        base = base.wrapping_add(GROUP as u32);
    }
}

/// In byte `k`: how many bits are set in the bytes before byte `k` of `word`.
#[inline(always)]
fn set_before(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    let pairs = word - (word >> 1 & (EACH * 0x55));
    let nibbles = (pairs & (EACH * 0x33)) + (pairs >> 2 & (EACH * 0x33));
    let bytes = nibbles.wrapping_add(nibbles >> 4) & (EACH * 0x0f);
    // At most 64 in all: no byte carries into the next.
    bytes.wrapping_mul(EACH) << 8
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
        use std::arch::is_x86_feature_detected as has;
        if has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt") {
            // SAFETY: the processor has all four, as it has just said.
            Some(unsafe { super::Avx2::new() })
        } else {
            eprintln!("skipped: this processor lacks AVX2, BMI1, BMI2 or POPCNT");
            None
        }
    }

    #[test]
    fn changed_word_matches_scalar_avx2() {
        unit()
            .into_iter()
            .for_each(super::super::tests::assert_changed_word_matches_scalar);
    }

    #[test]
    fn pack_matches_scalar_avx2() {
        unit()
            .into_iter()
            .for_each(super::super::tests::assert_pack_matches_scalar);
    }

    super::super::tests::backend_tests!(
        unit();
        changed_mask_matches_scalar_avx2, changed_beyond_mask_matches_scalar_avx2,
        sums_match_scalar_avx2, weighted_sum_matches_scalar_avx2,
        square_root_matches_scalar_avx2
    );
}
