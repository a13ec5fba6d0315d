//! What this processor can do beyond what the program was compiled for.

use delta_core::kernel::VectorUnit;

/// The widest vector unit of this processor that the kernels gain from. Ask once and hand it on, as
/// by [`Query::on`](delta_core::kernel::distance::Query::on) or to
/// [`diff_on`](delta_core::kernel::diff::diff_on).
///
/// ```
/// use delta_core::kernel::distance::{Metric, Query};
///
/// let unit = delta_native::cpu::vector_unit();
/// let query = Query::new(Metric::SquaredL2, &[1.0, 2.0]).on(unit);
/// assert_eq!(query.distance_to(&[1.0, 4.0]), 4.0);
/// ```
#[must_use]
#[allow(
    unsafe_code,
    reason = "the core takes the processor's word from whoever may ask it"
)]
pub fn vector_unit() -> VectorUnit {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx2") && has!("bmi1") && has!("popcnt") {
            // SAFETY: processor and operating system support all three: the line above asked both.
            return unsafe { VectorUnit::avx2() };
        }
    }
    VectorUnit::BASELINE
}
