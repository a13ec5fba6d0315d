//! See `delta_fuzz::targets::ring_region`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::ring_region::run(input));
