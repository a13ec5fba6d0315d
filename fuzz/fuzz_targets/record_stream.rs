//! See `delta_fuzz::targets::record_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::record_stream::run(input));
