//! See `delta_fuzz::targets::header_parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::header_parse::run(input));
