//! See `delta_fuzz::targets::tensor_apply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::tensor_apply::run(input));
