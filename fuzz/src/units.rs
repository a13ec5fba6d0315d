//! The vector units that a differential runs on.

use delta_core::kernel::VectorUnit;

/// The baseline, and what this processor has beyond it.
pub fn units() -> Vec<VectorUnit> {
    let mut units = vec![VectorUnit::BASELINE];
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt") {
            // SAFETY: processor and operating system support all four: the line above asked both.
            units.push(unsafe { VectorUnit::avx2() });
        }
    }
    units
}
