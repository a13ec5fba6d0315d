//! aarch64: four registers a block; a mask's lanes keep one bit each and are added up.

use core::arch::aarch64::{
    float32x4_t, uint16x8_t, uint32x4_t, vabsq_f32, vadd_f32, vaddq_f32, vaddvq_u16, vandq_u16,
    vceqq_u32, vcleq_f32, vcombine_u16, vdup_n_f32, vdupq_n_f32, vget_high_f32, vget_lane_f32,
    vget_low_f32, vmovn_u32, vmulq_f32, vorrq_u16, vorrq_u32, vreinterpretq_u32_f32, vsqrt_f32,
    vsubq_f32,
};

use super::{Block, Vector};

/// The vector unit of every aarch64 target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neon;

impl Vector for Neon {
    #[inline(always)]
    fn changed_mask(self, old: &Block, new: &Block) -> u16 {
        // SAFETY: the function needs NEON and nothing else; `simd` compiles this file for aarch64
        // alone, whose baseline has NEON.
        unsafe { changed_mask(old, new) }
    }

    #[inline(always)]
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16 {
        // SAFETY: as in `changed_mask`: NEON is part of every target that this file is compiled
        // for.
        unsafe { changed_beyond_mask(old, new, epsilon) }
    }

    type Sums = [float32x4_t; 4];

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        // SAFETY: as in `changed_mask`: NEON is part of every target that this file is compiled
        // for.
        let zero = unsafe { vdupq_n_f32(0.0) };
        [zero; 4]
    }

    #[inline(always)]
    fn add_squared_differences(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        // SAFETY: as in `changed_mask`: NEON is part of every target that this file is compiled
        // for.
        unsafe { add_squared_differences(sums, a, b) }
    }

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        // SAFETY: as in `changed_mask`: NEON is part of every target that this file is compiled
        // for.
        unsafe { add_products(sums, bytemuck::cast(*a), bytemuck::cast(*b)) }
    }

    #[inline(always)]
    fn total(self, sums: Self::Sums) -> f32 {
        // SAFETY: as in `changed_mask`: NEON is part of every target that this file is compiled
        // for.
        unsafe { total(sums) }
    }

    #[inline(always)]
    fn square_root(self, value: f32) -> f32 {
        // SAFETY: as in `changed_mask`: NEON is part of every target that this file is compiled
        // for.
        unsafe { square_root(value) }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_squared_differences(sums: [float32x4_t; 4], a: &Block, b: &Block) -> [float32x4_t; 4] {
    let a: [float32x4_t; 4] = bytemuck::cast(*a);
    let b: [float32x4_t; 4] = bytemuck::cast(*b);
    let differences = [
        vsubq_f32(a[0], b[0]),
        vsubq_f32(a[1], b[1]),
        vsubq_f32(a[2], b[2]),
        vsubq_f32(a[3], b[3]),
    ];
    add_products(sums, differences, differences)
}

#[inline]
#[target_feature(enable = "neon")]
fn add_products(
    sums: [float32x4_t; 4],
    a: [float32x4_t; 4],
    b: [float32x4_t; 4],
) -> [float32x4_t; 4] {
    [
        vaddq_f32(sums[0], vmulq_f32(a[0], b[0])),
        vaddq_f32(sums[1], vmulq_f32(a[1], b[1])),
        vaddq_f32(sums[2], vmulq_f32(a[2], b[2])),
        vaddq_f32(sums[3], vmulq_f32(a[3], b[3])),
    ]
}

#[inline]
#[target_feature(enable = "neon")]
fn total(sums: [float32x4_t; 4]) -> f32 {
    let eight = [vaddq_f32(sums[0], sums[2]), vaddq_f32(sums[1], sums[3])];
    let four = vaddq_f32(eight[0], eight[1]);
    let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
}

#[inline]
#[target_feature(enable = "neon")]
fn square_root(value: f32) -> f32 {
    vget_lane_f32::<0>(vsqrt_f32(vdup_n_f32(value)))
}

#[inline]
#[target_feature(enable = "neon")]
fn changed_mask(old: &Block, new: &Block) -> u16 {
    let old: [uint32x4_t; 4] = bytemuck::cast(*old);
    let new: [uint32x4_t; 4] = bytemuck::cast(*new);
    !lane_mask([
        vceqq_u32(old[0], new[0]),
        vceqq_u32(old[1], new[1]),
        vceqq_u32(old[2], new[2]),
        vceqq_u32(old[3], new[3]),
    ])
}

#[inline]
#[target_feature(enable = "neon")]
fn changed_beyond_mask(old: &Block, new: &Block, epsilon: f32) -> u16 {
    let old: [float32x4_t; 4] = bytemuck::cast(*old);
    let new: [float32x4_t; 4] = bytemuck::cast(*new);
    let epsilon = vdupq_n_f32(epsilon);
    !lane_mask([
        same_or_within(old[0], new[0], epsilon),
        same_or_within(old[1], new[1], epsilon),
        same_or_within(old[2], new[2], epsilon),
        same_or_within(old[3], new[3], epsilon),
    ])
}

/// All ones in the lanes whose bits are equal or whose difference is at most `epsilon`. The
/// comparison is false for NaN.
#[inline]
#[target_feature(enable = "neon")]
fn same_or_within(old: float32x4_t, new: float32x4_t, epsilon: float32x4_t) -> uint32x4_t {
    vorrq_u32(
        vcleq_f32(vabsq_f32(vsubq_f32(new, old)), epsilon),
        vceqq_u32(vreinterpretq_u32_f32(old), vreinterpretq_u32_f32(new)),
    )
}

/// One bit a lane of four registers whose lanes are all ones or all zeros.
#[inline]
#[target_feature(enable = "neon")]
fn lane_mask(lanes: [uint32x4_t; 4]) -> u16 {
    const LOW: [u16; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    const HIGH: [u16; 8] = [256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768];
    let low = vcombine_u16(vmovn_u32(lanes[0]), vmovn_u32(lanes[1]));
    let high = vcombine_u16(vmovn_u32(lanes[2]), vmovn_u32(lanes[3]));
    let low = vandq_u16(low, bytemuck::cast::<_, uint16x8_t>(LOW));
    let high = vandq_u16(high, bytemuck::cast::<_, uint16x8_t>(HIGH));
    vaddvq_u16(vorrq_u16(low, high))
}

#[cfg(test)]
mod tests {
    super::super::tests::backend_tests!(
        Some(super::Neon);
        changed_mask_matches_scalar_neon, changed_beyond_mask_matches_scalar_neon,
        sums_match_scalar_neon, weighted_sum_matches_scalar_neon,
        square_root_matches_scalar_neon
    );
}
