//! Which vector unit a job runs on.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
use super::{Native, Vector};

/// A vector unit that the processor is known to have: proof and choice in one.
///
/// Results are the same bits on each; only their speed differs. Whoever can ask the processor
/// (`delta-native` does) asks once and hands the answer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorUnit(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Native,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

impl VectorUnit {
    /// The unit that every processor of the compile target has.
    pub const BASELINE: Self = Self(Level::Native);

    /// AVX2, with BMI1, BMI2 and POPCNT as every processor that has it: registers of 8 lanes.
    ///
    /// # Safety
    ///
    /// The processor, and the operating system, must support AVX2, BMI1, BMI2
    /// and POPCNT.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub const unsafe fn avx2() -> Self {
        // SAFETY: the processor has all four (contract).
        Self(Level::Avx2(unsafe { Avx2::new() }))
    }

    /// Runs a job on this unit.
    #[inline]
    pub(crate) fn run<J: Job>(self, job: J) -> J::Output {
        match self.0 {
            Level::Native => job.on(Native),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(avx2) => avx2.run(job),
        }
    }
}

impl Default for VectorUnit {
    fn default() -> Self {
        Self::BASELINE
    }
}

/// A loop around methods of [`Vector`].
///
/// The methods of a unit that the compile target does not guarantee become instructions, not calls,
/// only in a function that is compiled for that unit: [`on`](Self::on), and what lies between it
/// and the methods, must be `inline(always)`.
pub(crate) trait Job {
    type Output;

    fn on<V: Vector>(self, unit: V) -> Self::Output;
}

/// Asks for the first cache lines of a row or list, for a read that comes soon; the processor
/// fetches the rest of a long one by itself once it is read in order. Does nothing where there is
/// no such instruction.
#[inline(always)]
pub(crate) fn prefetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const LINE_BYTES: usize = 64;
        const LINES_MAX: usize = 8;
        let in_line = (LINE_BYTES / size_of::<T>().max(1)).max(1);
        for line in row.chunks(in_line).take(LINES_MAX) {
            // SAFETY: the instruction is part of SSE, which every x86_64 target has, and reads
            // nothing: any address is allowed.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}
