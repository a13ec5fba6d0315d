//! The only module that names a target: one trait, one backend a file.
//!
//! [`Vector`] works on blocks of 16 lanes passed as arrays. Kernels are written once, generic over
//! it, and run on [`Native`], the best backend that the compile target guarantees. Where a wider
//! one pays, they are a [`Job`] and run on a [`VectorUnit`], which the caller has proved the
//! processor to have. A new backend is a file of trait methods, its lines below, and one invocation
//! of `tests::backend_tests!`.
#![allow(
    unsafe_code,
    reason = "vector instructions and vector loads are unsafe functions"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod cut;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pick;
#[cfg(any(
    test,
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_feature = "simd128"
    ))
))]
mod scalar;
#[cfg(target_feature = "simd128")]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(test)]
pub(crate) mod tests;
mod unit;

pub(crate) use cut::cut;
#[cfg(test)]
pub(crate) use scalar::Scalar;
pub use unit::VectorUnit;
pub(crate) use unit::{Job, prefetch};

/// NEON is part of every aarch64 target.
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon as Native;
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_feature = "simd128"
)))]
pub(crate) use scalar::Scalar as Native;
#[cfg(target_feature = "simd128")]
pub(crate) use simd128::Simd128 as Native;
/// SSE2 is part of every x86_64 target.
#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::Sse2 as Native;

/// Lanes of a block.
pub(crate) const LANES: usize = 16;

/// Sixteen lanes, in memory order.
pub(crate) type Block = [f32; LANES];

/// Lanes of a word of change bits.
pub(crate) const WORD_LANES: usize = 64;

/// The lanes that a word's bits speak of.
pub(crate) type WordLanes = [f32; WORD_LANES];

/// [`WordLanes`] as bytes.
pub(crate) type WordBytes = [[u8; 4]; WORD_LANES];

/// The masks of a word's blocks, side by side.
#[inline(always)]
pub(crate) fn word_of(
    old: &WordLanes,
    new: &WordLanes,
    mask: impl Fn(&Block, &Block) -> u16,
) -> u64 {
    let blocks = old.as_chunks().0.iter().zip(new.as_chunks().0).enumerate();
    blocks.fold(0, |word, (block, (old, new))| {
        word | u64::from(mask(old, new)) << (block * LANES)
    })
}

/// What the kernels need of a vector unit. A value of the type proves that the processor has it.
///
/// In every mask bit `i` speaks of lane `i`. All backends return equal masks for equal bits, and
/// equal bits of sums and roots, but for those of a NaN.
pub(crate) trait Vector: Copy {
    /// The lanes whose bits differ: an integer comparison, so -0.0 differs from +0.0 and a NaN
    /// equals itself.
    fn changed_mask(self, old: &Block, new: &Block) -> u16;

    /// As [`changed_mask`](Self::changed_mask), for 64 lanes.
    #[inline(always)]
    fn changed_word(self, old: &WordLanes, new: &WordLanes) -> u64 {
        word_of(old, new, |old, new| self.changed_mask(old, new))
    }

    /// The lanes whose bits differ and for which `|new - old| <= epsilon` (in f32 arithmetic) does
    /// not hold. A difference that is NaN, or an `epsilon` that is, never holds.
    fn changed_beyond_mask(self, old: &Block, new: &Block, epsilon: f32) -> u16;

    /// Writes the lanes whose bits `word` has to the front of `values`, in their order, and `start`
    /// \+ their places to the front of `indices`. What follows them in both is unspecified.
    #[inline(always)]
    fn pack(
        self,
        word: u64,
        lanes: &WordLanes,
        start: u32,
        indices: &mut [u32; WORD_LANES],
        values: &mut WordLanes,
    ) {
        pick::pick(word, lanes, start, indices, values);
    }

    /// Sixteen running sums, one a lane.
    type Sums: Copy;

    /// Sums of +0.0.
    fn no_sums(self) -> Self::Sums;

    /// Adds `(a - b) * (a - b)` lane by lane: three operations, each rounded.
    fn add_squared_differences(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums;

    /// Adds `a * b` lane by lane: two operations, each rounded.
    fn add_products(self, sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums;

    /// The sum of all lanes by one tree: lane `i` takes lane `i + 8`, then `i + 4`, `i + 2`, `i +
    /// 1`.
    fn total(self, sums: Self::Sums) -> f32;

    /// The sum of the lanes' bits (little-endian, at any alignment) times `weights`, modulo 2^64.
    #[inline(always)]
    fn weighted_sum(self, bits: &WordBytes, weights: &[u32; WORD_LANES]) -> u64 {
        let products = bits.iter().zip(weights).map(|(bits, &weight)| {
            u64::from(u32::from_le_bytes(*bits)).wrapping_mul(u64::from(weight))
        });
        products.fold(0, u64::wrapping_add)
    }

    /// The square root, rounded to nearest; some NaN below -0.0.
    fn square_root(self, value: f32) -> f32;
}
