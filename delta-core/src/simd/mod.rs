//! The only module that names a target: one trait, one backend a file.
//!
//! [`Vector`] works on blocks of 16 lanes passed as arrays, so each method is a safe function of
//! its arguments alone. Kernels are written once, generic over it, and run on [`Native`], the best
//! backend that the compile target guarantees. A new backend is a file of trait methods, its lines
//! below, and one invocation of `tests::backend_tests!`.
#![allow(
    unsafe_code,
    reason = "vector instructions and vector loads are unsafe functions"
)]

#[cfg(any(test, not(any(target_arch = "x86_64", target_feature = "simd128"))))]
mod scalar;
#[cfg(target_feature = "simd128")]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(test)]
pub(crate) mod tests;

#[cfg(any(test, not(any(target_arch = "x86_64", target_feature = "simd128"))))]
pub(crate) use scalar::Scalar;

/// The backend that the public kernels run on.
#[cfg(not(any(target_arch = "x86_64", target_feature = "simd128")))]
pub(crate) type Native = Scalar;
/// The backend that the public kernels run on.
#[cfg(target_feature = "simd128")]
pub(crate) type Native = simd128::Simd128;
/// The backend that the public kernels run on. SSE2 is part of every x86_64 target.
#[cfg(target_arch = "x86_64")]
pub(crate) type Native = sse2::Sse2;

/// Lanes of a block.
pub(crate) const LANES: usize = 16;

/// Sixteen lanes, in memory order.
pub(crate) type Block = [f32; LANES];

/// What the kernels need of a vector unit.
///
/// In every mask bit `i` speaks of lane `i`. All backends return equal masks for equal bits, and
/// equal bits of sums and roots, but for those of a NaN.
pub(crate) trait Vector {
    /// The lanes whose bits differ: an integer comparison, so -0.0 differs from +0.0 and a NaN
    /// equals itself.
    fn changed_mask(old: &Block, new: &Block) -> u16;

    /// The lanes whose bits differ and for which `|new - old| <= epsilon` (in f32 arithmetic) does
    /// not hold. A difference that is NaN, or an `epsilon` that is, never holds.
    fn changed_beyond_mask(old: &Block, new: &Block, epsilon: f32) -> u16;

    /// Sixteen running sums, one a lane.
    type Sums: Copy;

    /// Sums of +0.0.
    fn no_sums() -> Self::Sums;

    /// Adds `(a - b) * (a - b)` lane by lane: three operations, each rounded.
    fn add_squared_differences(sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums;

    /// Adds `a * b` lane by lane: two operations, each rounded.
    fn add_products(sums: Self::Sums, a: &Block, b: &Block) -> Self::Sums;

    /// The sum of all lanes by one tree: lane `i` takes lane `i + 8`, then `i + 4`, `i + 2`, `i +
    /// 1`.
    fn total(sums: Self::Sums) -> f32;

    /// The square root, rounded to nearest; some NaN below -0.0.
    fn square_root(value: f32) -> f32;
}
