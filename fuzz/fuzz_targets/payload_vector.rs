//! See `delta_fuzz::targets::payload_vector`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::payload_vector::run(input));
