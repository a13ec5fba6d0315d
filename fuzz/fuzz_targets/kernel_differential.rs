//! See `delta_fuzz::targets::kernel_differential`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::kernel_differential::run(input));
