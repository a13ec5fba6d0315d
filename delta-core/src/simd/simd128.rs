//! wasm32 with `simd128`: four registers a block, narrowed to one byte a lane, one `i8x16.bitmask`.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_extract_lane, f32x4_le, f32x4_mul, f32x4_splat, f32x4_sqrt,
    f32x4_sub, i8x16_bitmask, i8x16_narrow_i16x8, i16x8_narrow_i32x4, i32x4_eq, i32x4_shuffle,
    i64x2_add, u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4, u64x2_extract_lane, u64x2_splat,
    v128, v128_load, v128_or,
};

use super::{Block, Vector, WORD_LANES, WordBytes};

/// The vector unit of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Simd128;

impl Vector for Simd128 {
    #[inline(always)]
    fn changed_mask(self, old: &Block, new: &Block) -> u16 {
        let old = load(old);
        let new = load(new);
        !lane_mask([
            i32x4_eq(old[0], new[0]),
            i32x4_eq(old[1], new[1]),
            i32x4_eq(old[2], new[2]),
            i32x4_eq(old[3], new[3]),
        ])
    }

    #[inline(always)]
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16 {
        let old = load(old);
        let new = load(new);
        let epsilon = f32x4_splat(epsilon);
        !lane_mask([
            same_or_within(old[0], new[0], epsilon),
            same_or_within(old[1], new[1], epsilon),
            same_or_within(old[2], new[2], epsilon),
            same_or_within(old[3], new[3], epsilon),
        ])
    }

    type Sums = [v128; 4];

    #[inline(always)]
    fn no_sums(self) -> Self::Sums {
        [f32x4_splat(0.0); 4]
    }

    #[inline(always)]
    fn add_squared_differences(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        let (a, b) = (load(a), load(b));
        let differences = [
            f32x4_sub(a[0], b[0]),
            f32x4_sub(a[1], b[1]),
            f32x4_sub(a[2], b[2]),
            f32x4_sub(a[3], b[3]),
        ];
        add_products(sums, differences, differences)
    }

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums {
        add_products(sums, load(a), load(b))
    }

    #[inline(always)]
    fn total(self, sums: Self::Sums) -> f32 {
        let eight = [f32x4_add(sums[0], sums[2]), f32x4_add(sums[1], sums[3])];
        let four = f32x4_add(eight[0], eight[1]);
        let two = f32x4_add(four, i32x4_shuffle::<2, 3, 0, 1>(four, four));
        f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
    }

    // Not what the compiler makes of the loop: it widens both factors, then multiplies 64 bits.
    #[inline(always)]
    fn weighted_sum(self, bits: &WordBytes, weights: &[u32; WORD_LANES]) -> u64 {
        let bits: &[[u8; 16]; WORD_LANES / 4] = bytemuck::cast_ref(bits);
        let weights: &[[u32; 4]; WORD_LANES / 4] = bytemuck::cast_ref(weights);
        let (mut low, mut high) = (u64x2_splat(0), u64x2_splat(0));
        for (bits, weights) in bits.iter().zip(weights) {
            let (bits, weights) = (load_sixteen(bits), load_sixteen(weights));
            low = i64x2_add(low, u64x2_extmul_low_u32x4(bits, weights));
            high = i64x2_add(high, u64x2_extmul_high_u32x4(bits, weights));
        }
        let sums = i64x2_add(low, high);
        u64x2_extract_lane::<0>(sums).wrapping_add(u64x2_extract_lane::<1>(sums))
    }

    #[inline(always)]
    fn square_root(self, value: f32) -> f32 {
        f32x4_extract_lane::<0>(f32x4_sqrt(f32x4_splat(value)))
    }
}

#[inline(always)]
fn add_products(sums: [v128; 4], a: [v128; 4], b: [v128; 4]) -> [v128; 4] {
    [
        f32x4_add(sums[0], f32x4_mul(a[0], b[0])),
        f32x4_add(sums[1], f32x4_mul(a[1], b[1])),
        f32x4_add(sums[2], f32x4_mul(a[2], b[2])),
        f32x4_add(sums[3], f32x4_mul(a[3], b[3])),
    ]
}

#[inline(always)]
fn load(block: &Block) -> [v128; 4] {
    let quarters: &[[f32; 4]; 4] = bytemuck::cast_ref(block);
    quarters.each_ref().map(load_sixteen)
}

#[inline(always)]
fn load_sixteen<T: bytemuck::NoUninit>(bytes: &T) -> v128 {
    const { assert!(size_of::<T>() == 16) };
    // SAFETY: `bytes` is a live reference to 16 initialized bytes, and the load demands no
    // alignment.
    unsafe { v128_load(core::ptr::from_ref(bytes).cast()) }
}

/// All ones in the lanes whose bits are equal or whose difference is at most `epsilon`. The
/// comparison is false for NaN.
#[inline(always)]
fn same_or_within(old: v128, new: v128, epsilon: v128) -> v128 {
    v128_or(
        f32x4_le(f32x4_abs(f32x4_sub(new, old)), epsilon),
        i32x4_eq(old, new),
    )
}

/// One bit a lane of four registers whose lanes are all ones or all zeros: signed saturation keeps
/// both as they are.
#[inline(always)]
fn lane_mask(lanes: [v128; 4]) -> u16 {
    let low = i16x8_narrow_i32x4(lanes[0], lanes[1]);
    let high = i16x8_narrow_i32x4(lanes[2], lanes[3]);
    i8x16_bitmask(i8x16_narrow_i16x8(low, high))
}

#[cfg(test)]
mod tests {
    super::super::tests::backend_tests!(
        Some(super::Simd128);
        changed_mask_matches_scalar_simd128, changed_beyond_mask_matches_scalar_simd128,
        sums_match_scalar_simd128, weighted_sum_matches_scalar_simd128,
        square_root_matches_scalar_simd128
    );
}
